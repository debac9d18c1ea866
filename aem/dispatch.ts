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
import { clearExitWork, WORK_DISPATCH } from "../kernel/glue";
import { vmtableFree } from "../kernel/memory/vmtable";
import { PriorityQueue } from "../kernel/priority-queue";
import { notifyThread, Process } from "../kernel/process/process";
import { notifyWorker } from "../kernel/process/workers";
import { currentThread, noteDispatch, settle } from "../kernel/scheduler/scheduler";
import { WAKE_SYSTEM } from "../kernel/scheduler/wait";
import { INTERRUPT_HANDLER, Thread } from "../kernel/scheduler/thread";
import {
  EVENT_DRAINING,
  EVENT_MESSAGE,
  EVENT_OCCURRED,
  EVENT_PENDING,
  EVENT_STARVED,
  EVENT_STOPPED,
  EVF_ONESHOT,
  EVF_THREAD,
} from "./abi";
import { Event, EVENT_DEAD, eventOfActivation } from "./event";
import { isCloned, isFunction, launch } from "./executors";
import { DELIVERED, EMPTY, shortageBytes } from "./job";
import { releaseEvent } from "./jids";
import { unregister } from "./registry";

// ---- The queue of activated events: by priority, first in, first out within one ----

/** The event joins the queue of the thread that runs its handlers, or has them run, which ranks no lower than the event from now on. */
@inline
function enqueue(event: Event): void {
  const process = event.process;
  const level = <u32>event.priority;
  countWaiting(process);
  if ((<u32>event.flags) & EVF_THREAD) {
    process.work.append(event.activation, level);
    notifyWorker(process, level);
    return;
  }
  process.pending.append(event.activation, level);
  notifyThread(process.thread, level);
}

/** Takes an event that is pending or starved out of where it waits. The caller sees to its state. */
export function withdraw(event: Event): void {
  const process = event.process;
  const level = <u32>event.priority;
  event.activation.remove();
  process.pending.tidy(level);
  process.work.tidy(level);
  process.starved.tidy(level);
  process.unreported.tidy(level);
  countTaken(process);
}

/** An activated event waits, and one of those that wait waits no more: the overload events hear of it. */
@inline
function countWaiting(process: Process): void {
  const count = ++process.waitingCount;
  if (count >= process.overload.rise) process.overload.reached(count);
}


@inline
function countTaken(process: Process): void {
  const count = --process.waitingCount;
  if (count < process.overload.fall) process.overload.sunk(count);
}

/** A new priority, at once: also of an activation that waits. */
export function setPriority(event: Event, priority: u32): void {
  const pending = event.has(EVENT_PENDING);
  if (pending) withdraw(event);
  event.priority = <u8>priority;
  // One that starved tries once more.
  event.clear(EVENT_STARVED);
  if (pending) enqueue(event);
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
  enqueue(event);
}

/** For `deliver`: there is more at the source, the event gets another turn behind those that wait now. */
export function again(event: Event): void {
  if (event.has(EVENT_PENDING)) return;
  if (event.has(EVENT_STOPPED)) {
    event.mark(EVENT_OCCURRED);
    return;
  }
  event.mark(EVENT_PENDING);
  enqueue(event);
}

// ---- Dispatch ----

/**
 * Code address of the next handler of the current thread, its arguments set; 0 when the thread goes on with what it did. `returned`: the
 * handler that this gave has returned, and its delivery ends. Other threads run meanwhile if they rank higher. Called by the
 * system-call glue with interrupts off, on the kernel stack.
 */
export function dispatchNext(returned: bool): usize {
  const thread = currentThread();
  const process = thread.process;
  if (returned) complete(thread);
  else if (thread.handling != 0) {
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
  while (true) {
    const top = queue.top;
    if (top < 0 && !main) {
      clearExitWork(WORK_DISPATCH);
      return 0;
    }
    settle(top < 0 ? process.priority : <u32>top, top < 0);
    if (queue.top != top) continue;
    clearExitWork(WORK_DISPATCH);
    if (top < 0) {
      noteDispatch();
      return 0;
    }
    const event = eventOfActivation(queue.first(top));
    queue.remove(event.activation, top);
    countTaken(event.process);
    event.clear(EVENT_PENDING | EVENT_STARVED);
    if (main && !isFunction(event)) elsewhere(event);
    else if (settled(event, deliver(thread, event))) return event.handler;
  }
}

/** The event's handler does not run on the main thread. */
function elsewhere(event: Event): void {
  if (!isCloned(event)) {
    // It has starved, and goes back to where it came from.
    event.mark(EVENT_PENDING);
    enqueue(event);
  } else {
    const error = launch(event);
    if (error < 0) starve(event, -error, 0);
    // Nothing that occurs before the handler has returned may have it called a second time.
    else if ((<u32>event.flags) & EVF_ONESHOT) event.mark(EVENT_DRAINING);
  }
}

/** Has the job fetch what the event carries: DELIVERED, EMPTY, SHORTAGE. */
@inline
function deliver(thread: Thread, event: Event): i32 {
  const outcome = call_indirect<i32>(event.job.deliver, event);
  if (outcome == DELIVERED) {
    event.handled++;
    handledTotal++;
    event.handlers++;
    thread.handling = changetype<usize>(event);
    // What delivery itself has activated waits until the handler has returned.
    clearExitWork(WORK_DISPATCH);
  }
  return outcome;
}

/** Whether the handler has to be called; else all has been done. */
@inline
function settled(event: Event, outcome: i32): bool {
  if (outcome == DELIVERED) return true;
  if (outcome != EMPTY) starve(event, -outcome, shortageBytes);
  else if (event.has(EVENT_DRAINING)) unregister(event);
  return false;
}

/** In a clone: the event that it was made for, if there is (still) something to be delivered. */
function takeAssigned(thread: Thread): Event | null {
  const event = changetype<Event>(thread.assigned);
  thread.assigned = 0;
  settle(event.priority, false);
  // The parent may have ended it, or may have ended itself, meanwhile.
  const outcome = event.has(EVENT_DEAD) ? EMPTY : deliver(thread, event);
  event.handlers--;
  if (outcome == DELIVERED) return event;
  clearExitWork(WORK_DISPATCH);
  if (event.has(EVENT_DEAD)) {
    if (event.handlers == 0) releaseEvent(event);
    return null;
  }
  if ((<u32>event.flags) & EVF_ONESHOT) event.clear(EVENT_DRAINING);
  settled(event, outcome);
  return null;
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
  event.handlers--;
  if (event.has(EVENT_DEAD)) {
    if (event.handlers == 0) releaseEvent(event);
  } else if ((<u32>event.flags) & EVF_ONESHOT) unregister(event);
  else if (((<u32>event.state) & (EVENT_DRAINING | EVENT_PENDING)) == EVENT_DRAINING) unregister(event);
}

/** The thread ends, and with it the handler that runs on it, or was to. Its block goes with the memory of the process. */
export function abandonHandler(thread: Thread): void {
  thread.block = 0;
  complete(thread);
  if (thread.assigned == 0) return;
  const event = changetype<Event>(thread.assigned);
  thread.assigned = 0;
  event.handlers--;
  if (event.has(EVENT_DEAD)) {
    if (event.handlers == 0) releaseEvent(event);
    return;
  }
  // An event that drains is owed this one still.
  const draining = event.has(EVENT_DRAINING) && !((<u32>event.flags) & EVF_ONESHOT);
  event.clear(EVENT_DRAINING);
  makePending(event);
  if (draining) event.mark(EVENT_DRAINING);
}

// ---- Blocks, and shortage of them ----

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
  if (!alone) retryStarved(process);
}

/**
 * The event waits, its data where they are, until `retryStarved`. What is short (`errno`, `bytes`) is kept in it for the
 * application's error handler: the queue of starved events is the queue of reports, so that no report needs memory.
 */
function starve(event: Event, errno: i32, bytes: u32): void {
  const process = event.process;
  event.errors++;
  event.mark(EVENT_PENDING | EVENT_STARVED);
  event.setLack(errno, bytes);
  process.unreported.append(event.activation, event.priority);
  countWaiting(process);
  process.errorWaiters.wake(WAKE_SYSTEM, 0);
}

/**
 * The application has freed memory of the vmtable, or a descriptor, or a child has ended: whoever waits for one queues again, behind
 * what is pending at its priority, in order. Each tries once, so nothing spins.
 */
export function retryStarved(process: Process): void {
  const level = max(process.starved.top, process.unreported.top);
  if (level < 0) return;
  process.pending.appendAll(process.starved);
  process.pending.appendAll(process.unreported);
  notifyThread(process.thread, level);
}
