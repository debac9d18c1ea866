/**
 * From an activation to the handler: the hot path.
 *
 *     source ── wake ──> job.occurred ── activate ──> process.pending ── dispatchNext ──> job.deliver ──> handler
 *     (interrupt, timer, or another process's call)   or process.work       (at the end of a system call of the thread; of a
 *                                                                            clone: in the clone, executors.ts)
 *
 * An event is in the queue at most once; what occurs meanwhile coalesces (the job keeps what must not be lost). While its
 * handler runs it may be queued again. Handlers of a thread never nest: `thread.handling` is the one that runs.
 *
 * All of it is O(1), but for two lists that are as long as what has really been activated: events whose data something else
 * took are passed over one by one, and events that wait for memory are tried again when some is freed.
 */
import { EAGAIN, ENOMEM } from "../kernel/errno";
import { clearExitWork, WORK_DISPATCH } from "../kernel/glue";
import { vmtableFree } from "../kernel/memory/vmtable";
import { PriorityQueue } from "../kernel/priority-queue";
import { CHILD_VAIN } from "../kernel/process/process";
import { waitForHandlers } from "../kernel/scheduler/block";
import { settle, yieldPoint } from "../kernel/scheduler/preempt";
import { currentThread, noteDispatch } from "../kernel/scheduler/running";
import { INTERRUPT_HANDLER, Thread } from "../kernel/scheduler/thread";
import {
  EVENT_DRAINING,
  EVENT_MESSAGE,
  EVENT_OCCURRED,
  EVENT_PENDING,
  EVENT_STARVED,
  EVENT_STOPPED,
  EVF_ONESHOT,
} from "./abi";
import { Event, EVENT_ALLOCATING, EVENT_DEAD, EVENT_MEASURED, eventOfActivation } from "./event";
import { isCloned, isFunction, launch, renewHandles } from "./executors";
import { deliverExtra, EXTRA_ANSWERED, extraOf } from "./extra";
import {
  ALLOCATE,
  DELIVERED,
  EMPTY,
  SHORT_FRAMES,
  SHORT_OWN,
  SHORT_PLACE,
  shortageBytes,
  shortageKind,
} from "./job";
import { handlerGone } from "./jids";
import { abandonPost } from "./jobs/message";
import { markActivation } from "./latency";
import { countTaken, enqueue, retry, retryOwn, starve } from "./queue";
import { unregister } from "./registry";

// ---- Activation ----

/** Occurrences and handlers called, of all events since boot. */
export let activationTotal: u64 = 0;
export let handledTotal: u64 = 0;

/** Something has occurred at the event's source, `times` times. */
@inline
export function countActivations(event: Event, times: u32): void {
  event.activations += times;
  activationTotal += times;
}

/** Something has occurred at the event's source. Cannot fail. */
export function activate(event: Event): void {
  countActivations(event, 1);
  makePending(event);
}

/** The same, where the occurrence has been counted. */
export function makePending(event: Event): void {
  const state = <u32>event.state;
  if (state & (EVENT_PENDING | EVENT_STOPPED | EVENT_DRAINING)) {
    // Queued already, or starved: one delivery for both. Stopped: remembered. Draining: too late.
    if (state & EVENT_STOPPED) event.mark(EVENT_OCCURRED);
    return;
  }
  event.mark(EVENT_PENDING);
  if (state & EVENT_MEASURED) enqueueMeasured(event);
  else enqueue(event);
}

function enqueueMeasured(event: Event): void {
  markActivation(event);
  enqueue(event);
}

/** There is more at the source, or still what there was: the event gets another turn behind those that wait now, also if it drains. */
export function again(event: Event): void {
  if (event.has(EVENT_PENDING)) return;
  if (event.has(EVENT_STOPPED)) {
    event.mark(EVENT_OCCURRED);
    return;
  }
  event.mark(EVENT_PENDING);
  if (event.has(EVENT_MEASURED)) markActivation(event);
  enqueue(event);
}

// ---- Dispatch ----

/** Events without anything to deliver that are passed over between two moments at which interrupts and other threads have their turn. */
const EMPTY_BUDGET: u32 = 32;

/**
 * Code address of the next handler of the current thread, its arguments set; 0 when the thread goes on with what it did. `returned`: the
 * handler that this gave has returned, and its delivery ends. Other threads run meanwhile if they rank higher. Called by the
 * system-call glue with interrupts off, on the kernel stack.
 */
export function dispatchNext(returned: bool, result: u32): usize {
  const thread = currentThread();
  const process = thread.process;
  if (returned) {
    const code = finish(thread, result);
    if (code != 0) return code;
  } else if (thread.handling != 0) {
    // The end of a call that a handler made: no other handler runs over it.
    settle(thread.level, false);
    return 0;
  }
  if (thread.assigned != 0) {
    const event = takeAssigned(thread);
    if (event !== null) return event.handler;
  }
  const queue = changetype<PriorityQueue>(thread.queue);
  const main = changetype<usize>(thread) == changetype<usize>(process.thread);
  let budget = EMPTY_BUDGET;
  while (true) {
    if (budget-- == 0) {
      budget = EMPTY_BUDGET;
      yieldPoint();
    }
    const top = queue.top;
    if (top < 0) {
      if (thread.serving != 0 && waitForHandlers()) continue;
      if (main && settle(process.priority, true) && !queue.isEmpty) continue;
      noteDispatch();
      return 0;
    }
    if (settle(<u32>top, false) && queue.top != top) continue;
    const event = eventOfActivation(queue.takeFirst(top));
    countTaken(process);
    event.clear(EVENT_PENDING | EVENT_STARVED);
    if (isFunction(event) || isForWorker(event, main)) {
      const outcome = deliver(thread, event);
      if (outcome == DELIVERED) return event.handler;
      const code = codeFor(event, outcome);
      if (code != 0) return code;
    }
  }
}

/** Of an event whose handlers do not run on the main thread: whether this thread, a worker, calls one now. Else it has been seen to. */
function isForWorker(event: Event, main: bool): bool {
  // The only call of a one-shot event is under way: nothing that occurs meanwhile may have a second one made.
  if (event.handlers != 0 && (<u32>event.flags) & EVF_ONESHOT) return false;
  if (!main) return true;
  if (!isCloned(event)) {
    // It has starved, and goes back to where it came from.
    event.mark(EVENT_PENDING);
    enqueue(event);
  } else {
    const error = launch(event);
    if (error < 0) starve(event, -error, 0, error == -EAGAIN ? SHORT_PLACE : SHORT_FRAMES);
  }
  return false;
}

/** Has the job fetch what the event carries: DELIVERED, ALLOCATE, EMPTY or a shortage. With the first two something is called for it. */
@inline
function deliver(thread: Thread, event: Event): i32 {
  const outcome = event.extra == 0 ? call_indirect<i32>(event.job.deliver, event) : deliverExtra(event);
  if (outcome > EMPTY) {
    if (outcome == DELIVERED) {
      event.handled++;
      handledTotal++;
    } else event.mark(EVENT_ALLOCATING);
    event.handlers++;
    thread.handling = changetype<usize>(event);
    // What delivery itself has activated waits until the handler has returned.
    clearExitWork(WORK_DISPATCH);
  }
  return outcome;
}

/** Code address of what has to be called now for the event: its handler, or the application's allocator; 0: nothing, and all has been done. */
@inline
function codeFor(event: Event, outcome: i32): usize {
  if (outcome == DELIVERED) return event.handler;
  if (outcome == ALLOCATE) return extraOf(event).allocator;
  if (outcome < EMPTY) starve(event, -outcome, shortageBytes, shortageKind);
  else if (isDrained(event)) unregister(event);
  return 0;
}

/** In a clone: the event that it was made for, if there is (still) something to be delivered. */
function takeAssigned(thread: Thread): Event | null {
  const event = changetype<Event>(thread.assigned);
  settle(event.priority, false);
  renewHandles(thread.process);
  thread.assigned = 0;
  // The parent may have ended it, or may have ended itself, meanwhile.
  const outcome = event.has(EVENT_DEAD) ? EMPTY : deliver(thread, event);
  const gone = handlerGone(event);
  if (outcome == DELIVERED) return event;
  clearExitWork(WORK_DISPATCH);
  if (gone) return null;
  codeFor(event, outcome);
  if (outcome < EMPTY) {
    const clone = thread.process;
    clone.childFlags |= CHILD_VAIN;
    // What the process has freed since it made the clone has come too late for this one, and too early for an event that did not starve.
    if (event.process.freed != clone.freedBefore) retry(event);
  }
  return null;
}

/** What was called last has returned. Code address of what has to be called next for the same event; 0: nothing. */
function finish(thread: Thread, result: u32): usize {
  const event = changetype<Event>(thread.handling);
  if (changetype<usize>(event) != 0 && event.has(EVENT_ALLOCATING)) return allocated(thread, event, result);
  complete(thread);
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

/** The handler has returned. */
function complete(thread: Thread): void {
  if (thread.block != 0) freeBlock(thread);
  const event = changetype<Event>(thread.handling);
  // 0: fork was called in a handler, and this is the child.
  if (changetype<usize>(event) == 0) return;
  thread.handling = 0;
  // A signal that came while this handler ran is none of the next one's.
  thread.process.interrupted &= ~INTERRUPT_HANDLER;
  if (handlerGone(event)) return;
  if ((<u32>event.flags) & EVF_ONESHOT) unregister(event);
  else if (isDrained(event)) unregister(event);
}

/** The thread ends, and with it the handler that runs on it, or was to, and what it was posting. Its block goes with the memory of the process. */
export function abandonHandler(thread: Thread): void {
  abandonPost(thread, 0);
  thread.block = 0;
  complete(thread);
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
  const alone = process.workerCount == 0 && changetype<usize>(event) != 0 && event.job.type != EVENT_MESSAGE;
  if (!alone) retryOwn(process);
}
