/** Delivery: the job fetches what an event carries, the handler is called, and returns. Own memory (3.4.1): the application's allocator is called before. */
import { ENOMEM } from "../kernel/errno";
import { clearExitWork, WORK_DISPATCH } from "../kernel/glue";
import { vmtableFree } from "../kernel/memory/vmtable";
import { HANDLING_FORKED, INTERRUPT_HANDLER, Thread } from "../kernel/scheduler/thread";
import {
  EVENT_DRAINING,
  EVENT_MESSAGE,
  EVENT_OCCURRED,
  EVENT_PENDING,
  EVENT_STOPPED,
  EVF_ONESHOT,
} from "./abi";
import { again } from "./activation";
import { Event, EVENT_ALLOCATING } from "./event";
import { deliverExtra, EXTRA_ANSWERED, extraOf } from "./extra";
import { ALLOCATE, DELIVERED, EMPTY, SHORT_OWN, shortageBytes, shortageKind } from "./job";
import { handlerGone } from "./jids";
import { abandonPost } from "./jobs/message";
import { retryOwn, starve } from "./queue";
import { emptyInSteps, unregister } from "./unregister";

/** Calls of handlers, of all events since boot. */
export let handledTotal: u64 = 0;

/** Has the job fetch what the event carries: DELIVERED, ALLOCATE, EMPTY or a shortage. With the first two something is called for it. */
@inline
export function deliver(thread: Thread, event: Event): i32 {
  const outcome = event.extra == 0 ? call_indirect<i32>(event.deliverer, event) : deliverExtra(event);
  if (outcome == DELIVERED) deliveredTo(thread, event);
  else if (outcome == ALLOCATE) {
    event.mark(EVENT_ALLOCATING);
    occupy(thread, event);
  }
  return outcome;
}

/** The event's handler, whose arguments are set, is called. Its code address. */
// @ts-ignore: decorator
@inline
export function deliveredTo(thread: Thread, event: Event): usize {
  event.handled++;
  handledTotal++;
  occupy(thread, event);
  return event.handler;
}

/** The thread calls something for the event. */
// @ts-ignore: decorator
@inline
function occupy(thread: Thread, event: Event): void {
  event.handlers++;
  thread.handling = changetype<usize>(event);
  // What delivery itself has activated waits until the handler has returned.
  clearExitWork(WORK_DISPATCH);
}

/** Code address of what has to be called now for the event: its handler, or the application's allocator; 0: nothing, and all has been done. */
@inline
export function codeFor(event: Event, outcome: i32): usize {
  if (outcome == DELIVERED) return event.handler;
  if (outcome == ALLOCATE) return extraOf(event).allocator;
  if (outcome < EMPTY) starve(event, -outcome, shortageBytes, shortageKind);
  else if (isDrained(event)) unregister(event);
  return 0;
}

/** What was called last has returned. Code address of what has to be called next for the same event; 0: nothing. */
export function finish(thread: Thread, result: u32): usize {
  const event = changetype<Event>(thread.handling);
  if (changetype<usize>(event) > HANDLING_FORKED && event.has(EVENT_ALLOCATING))
    return allocated(thread, event, result);
  complete(thread, false);
  return 0;
}

/**
 * The allocator has returned `address` (0: it has no memory). Code address of the handler; 0: it is not called now. What the allocator
 * did meanwhile counts: the event may have been stopped or ended, and its data read.
 */
function allocated(thread: Thread, event: Event, address: u32): usize {
  event.clear(EVENT_ALLOCATING);
  thread.handling = 0;
  if (handlerGone(event)) return 0;
  const extra = extraOf(event);
  const found = extra.answer(address);
  if (event.has(EVENT_STOPPED)) {
    event.mark(EVENT_OCCURRED);
    return 0;
  }
  if (found) {
    extra.mark(EXTRA_ANSWERED);
    return codeFor(event, deliver(thread, event));
  }
  starve(event, ENOMEM, extra.asked, SHORT_OWN);
  return 0;
}

/** Whether a draining event has nothing left: neither an activation, nor one that a clone or worker still has. */
@inline
function isDrained(event: Event): bool {
  return ((<u32>event.state) & (EVENT_DRAINING | EVENT_PENDING)) == EVENT_DRAINING && event.handlers == 0;
}

/** The handler has returned, or (`abandoned`) its thread has ended. */
// @ts-ignore: decorator
@inline
function complete(thread: Thread, abandoned: bool): void {
  if (thread.block != 0) freeBlock(thread);
  const event = changetype<Event>(thread.handling);
  // While the handler counts still: the process of the event may run between the steps, and no other call of it may begin.
  if (!abandoned && changetype<usize>(event) > HANDLING_FORKED && ((<u32>event.flags) & EVF_ONESHOT) != 0)
    emptyInSteps(event);
  thread.handling = 0;
  // A signal that came while this handler ran is none of the next one's.
  thread.process.interrupted &= ~INTERRUPT_HANDLER;
  if (changetype<usize>(event) <= HANDLING_FORKED) return;
  if (handlerGone(event)) return;
  if (((<u32>event.flags) & EVF_ONESHOT) != 0 || isDrained(event)) unregister(event);
}

/** The thread ends, and with it the handler that runs on it, or was to, and what it was posting. Its block goes with the memory of the process. */
export function abandonHandler(thread: Thread): void {
  abandonPost(thread, 0);
  thread.block = 0;
  complete(thread, true);
  if (thread.assigned == 0) return;
  const event = changetype<Event>(thread.assigned);
  thread.assigned = 0;
  // An event that drains is owed this one still.
  if (!handlerGone(event)) again(event);
}

/**
 * Frees the block of a handler that has returned. Nobody who starves need try again for it where handlers run one after the other: an
 * event is only found to starve after the handler ahead of it has given its block back, so this memory has been tried already. Workers' handlers run side by
 * side; and a message's block was taken when it was posted.
 */
@inline
function freeBlock(thread: Thread): void {
  const process = thread.process;
  vmtableFree(process.vmtable, thread.block);
  thread.block = 0;
  const event = changetype<Event>(thread.handling);
  const alone =
    process.workerCount == 0 && changetype<usize>(event) > HANDLING_FORKED && event.job.type != EVENT_MESSAGE;
  if (!alone) retryOwn(process);
}
