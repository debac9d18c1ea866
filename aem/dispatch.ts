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
import { Event, EVENT_DEAD, eventOfActivation } from "./event";
import { DELIVERED, EMPTY } from "./job";
import { releaseEvent } from "./jids";
import { enterQueue, leaveQueue } from "./limits";
import { unregister } from "./registry";

// ---- The queue of activated events: first in, first out. Stage 2 has 64 priorities behind these two functions ----

@inline
export function enqueue(process: Process, event: Event): void {
  if (enterQueue(process, event)) process.pending.append(event.activation);
}


@inline
function dequeue(process: Process): Event | null {
  const link = process.pending.next;
  if (changetype<usize>(link) == changetype<usize>(process.pending)) return null;
  link.remove();
  leaveQueue(process);
  return eventOfActivation(link);
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
  enqueue(event.process, event);
}

// ---- Dispatch ----

/**
 * Code address of the next handler of the current process, its arguments set; 0 when there is nothing left to deliver. Ends the
 * delivery whose handler has returned. Called by the system-call glue with interrupts off, on the kernel stack.
 */
export function dispatchNext(): usize {
  const process = currentProcess();
  if (process.handling != 0) complete(process, changetype<Event>(process.handling));
  let event = dequeue(process);
  while (event !== null) {
    event.clear(EVENT_PENDING | EVENT_STARVED);
    const outcome = call_indirect<i32>(event.job.deliver, event);
    if (outcome == DELIVERED) {
      event.handled++;
      handledTotal++;
      event.mark(EVENT_HANDLING);
      process.handling = changetype<usize>(event);
      return event.handler;
    }
    if (outcome != EMPTY) starve(process, event);
    else if (event.has(EVENT_DRAINING)) unregister(event);
    event = dequeue(process);
  }
  process.handling = 0;
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

/** The event waits, its data where they are, until `retryStarved`. */
function starve(process: Process, event: Event): void {
  event.errors++;
  event.mark(EVENT_PENDING | EVENT_STARVED);
  process.starved.append(event.activation);
}

/**
 * The application has freed memory of the vmtable, or a descriptor: whoever waits for one queues again, behind
 * what is pending, in order. Each tries once, so nothing spins.
 */
export function retryStarved(process: Process): void {
  const starved = process.starved;
  if (starved.isEmpty) return;
  while (!starved.isEmpty) {
    const event = eventOfActivation(starved.next);
    event.activation.remove();
    event.clear(EVENT_STARVED);
    enqueue(process, event);
  }
  processNotify(process);
}
