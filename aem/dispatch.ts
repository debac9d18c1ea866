/**
 * From an activation to the handler: the hot path.
 *
 *     source ── wake ──> job.occurred ── activate ──> process.pending ── dispatchNext ──> job.deliver ──> handler
 *     (interrupt, timer, or another process's call)                   (at the end of a system call of the process)
 *
 * An event is in the queue at most once; what occurs meanwhile coalesces (the job keeps what must not be lost). While its
 * handler runs it may be queued again. Handlers of a process never nest: `process.handling` is the one that runs.
 *
 * All of it is O(1), but for two lists that are as long as what has really been activated: events whose data something else
 * took are passed over one by one, and events that wait for memory are tried again when some is freed.
 */
import { Link } from "../kernel/list";
import { vmtableFree } from "../kernel/memory/vmtable";
import { currentProcess, Process, processNotify } from "../kernel/process/process";
import {
  EVENT_DRAINING,
  EVENT_HANDLING,
  EVENT_OCCURRED,
  EVENT_PENDING,
  EVENT_STARVED,
  EVENT_STOPPED,
  EVF_ONESHOT,
} from "./abi";
import { Event, EVENT_ALLOCATING, EVENT_DEAD, EVENT_MEASURED, eventOfActivation } from "./event";
import { deliverExtra, EXTRA_ANSWERED, extraOf } from "./extra";
import { ALLOCATE, DELIVERED, EMPTY } from "./job";
import { releaseEvent } from "./jids";
import { markActivation } from "./latency";
import { unregister } from "./registry";

// ---- The queue of activated events: first in, first out. Stage 2 has 64 priorities behind these two functions ----

@inline
function enqueue(process: Process, event: Event): void {
  process.pending.append(event.activation);
}


@inline
function dequeue(process: Process): Event | null {
  const link = process.pending.next;
  if (changetype<usize>(link) == changetype<usize>(process.pending)) return null;
  link.remove();
  return eventOfActivation(link);
}

/** Out of that queue, or of the list of those that starve. */
@inline
export function unqueue(event: Event): void {
  event.activation.remove();
}

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
  if (state & EVENT_MEASURED) markActivation(event);
  const process = event.process;
  enqueue(process, event);
  processNotify(process);
}

/** For `deliver`: there is more at the source, the event gets another turn behind those that wait now. */
export function again(event: Event): void {
  if (event.has(EVENT_PENDING)) return;
  if (event.has(EVENT_STOPPED)) {
    event.mark(EVENT_OCCURRED);
    return;
  }
  event.mark(EVENT_PENDING);
  if (event.has(EVENT_MEASURED)) markActivation(event);
  enqueue(event.process, event);
}

// ---- Dispatch ----

/**
 * Code address of the next handler of the current process, its arguments set; 0 when there is nothing left to deliver. Ends the
 * delivery whose handler has returned. Called by the system-call glue with interrupts off, on the kernel stack.
 * `result`: what the function returned that was called last. Handlers return nothing; an allocator does.
 */
export function dispatchNext(result: u32 = 0): usize {
  const process = currentProcess();
  if (process.handling != 0) {
    const running = changetype<Event>(process.handling);
    if (running.has(EVENT_ALLOCATING)) {
      const code = allocated(process, running, result);
      if (code != 0) return code;
    } else complete(process, running);
  }
  let event = dequeue(process);
  while (event !== null) {
    event.clear(EVENT_PENDING | EVENT_STARVED);
    const code = deliver(process, event);
    if (code != 0) return code;
    event = dequeue(process);
  }
  process.handling = 0;
  return 0;
}

/** Code address of what has to be called now for the event: its handler, or the application's allocator; 0: nothing. */
@inline
function deliver(process: Process, event: Event): usize {
  const outcome = event.extra == 0 ? call_indirect<i32>(event.job.deliver, event) : deliverExtra(event);
  if (outcome == DELIVERED) {
    event.handled++;
    handledTotal++;
    event.mark(EVENT_HANDLING);
    process.handling = changetype<usize>(event);
    return event.handler;
  }
  if (outcome == ALLOCATE) {
    event.mark(EVENT_HANDLING | EVENT_ALLOCATING);
    process.handling = changetype<usize>(event);
    return extraOf(event).allocator;
  }
  if (outcome != EMPTY) starve(process, event);
  else if (((<u32>event.state) & (EVENT_DRAINING | EVENT_PENDING)) == EVENT_DRAINING) unregister(event);
  return 0;
}

/**
 * The allocator has returned `address` (0: it has no memory). Code address of the handler; 0: it is not called now. What the allocator
 * did meanwhile counts: the event may have been stopped or ended, and its data read.
 */
function allocated(process: Process, event: Event, address: u32): usize {
  event.clear(EVENT_HANDLING | EVENT_ALLOCATING);
  process.handling = 0;
  if (event.has(EVENT_DEAD)) {
    releaseEvent(event);
    return 0;
  }
  const extra = extraOf(event);
  const found = extra.answer(address);
  if (event.has(EVENT_STOPPED)) {
    event.mark(EVENT_OCCURRED);
    return 0;
  }
  if (found) {
    extra.mark(EXTRA_ANSWERED);
    return deliver(process, event);
  }
  starve(process, event);
  return 0;
}

/** The handler has returned. */
@inline
function complete(process: Process, event: Event): void {
  event.clear(EVENT_HANDLING);
  if (event.block != 0) freeBlock(process, event);
  if (event.has(EVENT_DEAD)) releaseEvent(event);
  else if ((<u32>event.flags) & EVF_ONESHOT) unregister(event);
  else if (((<u32>event.state) & (EVENT_DRAINING | EVENT_PENDING)) == EVENT_DRAINING) unregister(event);
}

// ---- Blocks, and shortage of them ----

/**
 * Frees the block of a handler that has returned. Nobody who starves need try again for it: an event is only found to starve after
 * the handler ahead of it has given its block back, so this memory has been tried already. (Executors that run side by side will
 * have to call `retryStarved` here.)
 */
@inline
function freeBlock(process: Process, event: Event): void {
  vmtableFree(process.vmtable, event.block);
  event.block = 0;
}

/** The event waits, its data where they are, until `retry` or `retryStarved`. */
function starve(process: Process, event: Event): void {
  event.errors++;
  // Activated again while its allocator ran.
  if (event.has(EVENT_PENDING)) unqueue(event);
  event.mark(EVENT_PENDING | EVENT_STARVED);
  process.starved.append(event.activation);
}

/** If the event starves, it queues again. */
export function retry(event: Event): void {
  if (!event.has(EVENT_STARVED)) return;
  const process = event.process;
  unqueue(event);
  event.clear(EVENT_STARVED);
  enqueue(process, event);
  processNotify(process);
}

/**
 * The application has freed memory of the vmtable, or a descriptor: whoever waits for one queues again, behind
 * what is pending, in order. Each tries once, so nothing spins.
 */
export function retryStarved(process: Process): void {
  const starved = process.starved;
  if (starved.isEmpty) return;
  const pending = process.pending;
  const first = starved.next;
  const last = starved.prev;
  const before = pending.prev;
  before.next = first;
  first.prev = before;
  last.next = pending;
  pending.prev = last;
  starved.initialize();
  processNotify(process);
}
