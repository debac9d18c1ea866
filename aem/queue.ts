/**
 * Where activated events wait (AEM 3.6.1): by priority, first in, first out within one.
 *
 *     activated ──► process.pending ──► main thread        shortage ──► process.unreported ──► process.starved
 *               └─► process.work    ──► workers                           (the error handler is told)
 *
 * An event's place is inside of it, so none of this can fail; all of it is O(1). `process.waitingCount` counts those that wait anywhere.
 */
import { EAGAIN } from "../kernel/errno";
import { notifyThread, Process } from "../kernel/process/process";
import { notifyWorker } from "../kernel/process/workers";
import { timerPending } from "../kernel/time/timers";
import { WAKE_SYSTEM } from "../kernel/scheduler/wait";
import { EVENT_PENDING, EVENT_STARVED, EVENT_TIMER, EVF_THREAD } from "./abi";
import { Event, EVENT_HELD } from "./event";
import { reportError } from "./jobs/error";
import { startTimer } from "./jobs/timer";
import { admit, hasToWait, hold } from "./limits";

/** The event joins the queue of the thread that runs its handlers, or has them run, which ranks no lower than the event from now on. */
// @ts-ignore: decorator
@inline
export function enqueue(event: Event): void {
  const process = event.process;
  const count = ++process.waitingCount;
  if (count < process.overload.rise && process.module.activationLimit == 0) push(event, process);
  else enqueueAtMark(event, process, count);
}

/** The same where an overload event hears of it, or a limit of activated events is to be kept. */
function enqueueAtMark(event: Event, process: Process, count: u32): void {
  if (count >= process.overload.rise) process.overload.reached(count);
  if (hasToWait(process)) hold(event);
  else push(event, process);
}

/** The same for an event that is counted already, and whose turn has come. */
// @ts-ignore: decorator
@inline
export function push(event: Event, process: Process): void {
  const level = <u32>event.priority;
  if ((<u32>event.flags) & EVF_THREAD) {
    process.work.append(event.activation, level);
    if (!notifyWorker(process, level) && process.workersShort == 0) {
      // Told once, until there is an idle one again: the event waits in its queue, and the application may do nothing about it.
      process.workersShort = 1;
      reportError(process, event.jid, EAGAIN, 0);
    }
    return;
  }
  process.pending.append(event.activation, level);
  notifyThread(process.thread, level);
}

/** An activated event waits: the overload events hear of it. */
// @ts-ignore: decorator
@inline
function countWaiting(process: Process): void {
  const count = ++process.waitingCount;
  if (count >= process.overload.rise) process.overload.reached(count);
}

/** An event has been taken out of its queue. */
@inline
export function countTaken(process: Process): void {
  const count = --process.waitingCount;
  if (count < process.overload.fall) process.overload.sunk(count);
  if (process.heldCount != 0) admit(process);
}

/** Takes an event that is pending, starved or held out of where it waits. The caller sees to the rest of its state. */
export function withdraw(event: Event): void {
  const process = event.process;
  const level = <u32>event.priority;
  event.activation.remove();
  process.pending.tidy(level);
  process.work.tidy(level);
  process.starved.tidy(level);
  process.unreported.tidy(level);
  if (event.has(EVENT_HELD)) {
    event.clear(EVENT_HELD);
    process.held.tidy(level);
    process.heldCount--;
  }
  countTaken(process);
}

/** A new priority, at once: also of an activation that waits. */
export function setPriority(event: Event, priority: u32): void {
  const pending = event.has(EVENT_PENDING);
  if (pending) withdraw(event);
  event.priority = <u8>priority;
  if (event.type == EVENT_TIMER && timerPending(event)) startTimer(event, event.expires);
  // One that starved tries once more.
  event.clear(EVENT_STARVED);
  if (pending) enqueue(event);
}

// ---- Shortage ----

/**
 * The event waits, its data where they are, until `retry` or `retryStarved`. What is short (`errno`, `bytes`) is kept in it for the
 * application's error handler: the queue of starved events is the queue of reports, so that no report needs memory.
 */
export function starve(event: Event, errno: i32, bytes: u32): void {
  const process = event.process;
  event.errors++;
  // Activated again while its allocator ran.
  if (event.has(EVENT_PENDING)) withdraw(event);
  event.mark(EVENT_PENDING | EVENT_STARVED);
  event.setLack(errno, bytes);
  process.unreported.append(event.activation, event.priority);
  countWaiting(process);
  process.errorWaiters.wake(WAKE_SYSTEM, 0);
}

/** If the event starves, it queues again. */
export function retry(event: Event): void {
  if (!event.has(EVENT_STARVED)) return;
  withdraw(event);
  event.clear(EVENT_STARVED);
  enqueue(event);
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
