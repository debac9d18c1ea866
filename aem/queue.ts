/**
 * Where activated events wait (AEM 3.6.1): by priority, first in, first out within one.
 *
 *     activated ──► process.pending ──► main thread        shortage ──► process.unreported ──► process.starved
 *               └─► process.work    ──► workers                           (the error handler is told)
 *
 * An event's place is inside of it, so none of this can fail; all of it is O(1). `process.waitingCount` counts those that wait anywhere.
 *
 * What is short decides where an event starves, and what comes back decides who tries again:
 *
 *     SHORT_OWN      the process frees a block or a descriptor; a capsule's: the capsule does, or is gone
 *     SHORT_FRAMES   the memory of a process is back; or the process frees a block, for that may stand on a page that needs no copy
 *     SHORT_PLACE    a child is gone, or a capsule rests
 *     SHORT_WORK     the events of workers: the first two of these, what the process itself does of them
 *
 * So the end of a clone that could not take its event's data does not have another clone made for them. A clone that has come to be has taken
 * its event out of the latter two; no end of a clone brings one back into them. So nothing spins.
 */
import { EAGAIN } from "../kernel/errno";
import { hurryEnds } from "../kernel/process/end";
import { PriorityQueue } from "../kernel/priority-queue";
import { CHILD_VAIN, notifyThread, Process, SHORTAGE_KINDS } from "../kernel/process/process";
import { notifyWorker } from "../kernel/process/workers";
import { timerPending } from "../kernel/time/timers";
import { WAKE_SYSTEM } from "../kernel/scheduler/wait";
import { EVENT_PENDING, EVENT_STARVED, EVENT_TIMER, EVF_THREAD } from "./abi";
import { Event, EVENT_HELD } from "./event";
import { SHORT_FRAMES, SHORT_OWN, SHORT_WORK } from "./job";
import { reportError } from "./jobs/error";
import { startTimer } from "./jobs/timer";
import { admit, hasToWait, hold } from "./limits";

/** The event joins the queue of the thread that runs its handlers, or has them run, which ranks no lower than the event from now on. */
export function enqueue(event: Event): void {
  const process = event.process;
  join(event, process, ++process.waitingCount);
}

function join(event: Event, process: Process, count: u32): void {
  if (count >= process.overload.rise) process.overload.reached(count);
  if (hasToWait(process)) hold(event);
  else push(event, process);
}

/** The same for one that is not EVENT_PARTICULAR. */
// @ts-ignore: decorator
@inline
export function enqueuePlain(event: Event): void {
  const process = event.process;
  const count = ++process.waitingCount;
  if (count < process.overload.rise) pushPending(event, process);
  else join(event, process, count);
}

/** The same for an event that is counted already, and whose turn has come. */
// @ts-ignore: decorator
@inline
export function push(event: Event, process: Process): void {
  if ((<u32>event.flags) & EVF_THREAD) pushWork(event, process);
  else pushPending(event, process);
}

// @ts-ignore: decorator
@inline
function pushPending(event: Event, process: Process): void {
  const level = <u32>event.priority;
  process.pending.append(event.activation, level);
  notifyThread(process.thread, level);
}

function pushWork(event: Event, process: Process): void {
  const level = <u32>event.priority;
  process.work.append(event.activation, level);
  if (!notifyWorker(process, level) && process.workersShort == 0) {
    // Told once, until there is an idle one again: the event waits in its queue, and the application may do nothing about it.
    process.workersShort = 1;
    reportError(process, event.jid, EAGAIN, 0);
  }
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

/** Whether overload events have to hear of it when one is taken. */
// @ts-ignore: decorator
@inline
export function takingTells(process: Process): bool {
  return process.waitingCount <= process.overload.fall;
}

/** Takes an event that is pending, starved or held out of where it waits. False: it does not wait. The caller sees to its state. */
export function withdraw(event: Event): bool {
  if (!event.has(EVENT_PENDING)) return false;
  const process = event.process;
  const level = <u32>event.priority;
  event.activation.remove();
  process.pending.tidy(level);
  process.work.tidy(level);
  if (event.has(EVENT_STARVED)) tidyStarved(process, level);
  if (event.has(EVENT_HELD)) {
    event.clear(EVENT_HELD);
    process.held.tidy(level);
    process.heldCount--;
  }
  countTaken(process);
  return true;
}

function tidyStarved(process: Process, level: u32): void {
  for (let what: u32 = 0; what < SHORTAGE_KINDS; what++) {
    process.starved(what).tidy(level);
    process.unreported(what).tidy(level);
  }
}

/** A new priority, at once: also of an activation that waits. */
export function setPriority(event: Event, priority: u32): void {
  const pending = withdraw(event);
  event.priority = <u8>priority;
  if (event.type == EVENT_TIMER && timerPending(event)) startTimer(event, event.expires);
  // One that starved tries once more.
  event.clear(EVENT_STARVED);
  if (pending) enqueue(event);
}

// ---- Shortage ----

/**
 * The event waits, its data where they are, until `retry` or `retryStarved`. `what` is short: SHORT_*. `errno` and `bytes` are kept in it for the
 * application's error handler: the queue of starved events is the queue of reports, so that no report needs memory.
 */
export function starve(event: Event, errno: i32, bytes: u32, what: u32): void {
  const process = event.process;
  event.errors++;
  // Activated again while its allocator ran.
  withdraw(event);
  event.mark(EVENT_PENDING | EVENT_STARVED);
  event.setLack(errno, bytes);
  process.unreported(queueOf(event, what)).append(event.activation, event.priority);
  if (what != SHORT_OWN) hurryEnds(event.priority);
  countWaiting(process);
  process.errorWaiters.wake(WAKE_SYSTEM, 0);
}

/** The events of workers have queues of their own, because it is the workers that try again: the main thread may wait for one of them. */
function queueOf(event: Event, what: u32): u32 {
  if (!((<u32>event.flags) & EVF_THREAD)) return what;
  if (what == SHORT_FRAMES) event.process.workersLackFrames = 1;
  return SHORT_WORK;
}

/** If the event starves, it queues again. */
export function retry(event: Event): void {
  if (!event.has(EVENT_STARVED)) return;
  withdraw(event);
  event.clear(EVENT_STARVED);
  enqueue(event);
}

/** Some of what was short is back (`what`: SHORT_*): whoever waits for it queues again, behind what is pending at its priority, in order. Each tries once. */
export function retryStarved(process: Process, what: u32): void {
  const level = takeStarved(process, what, process.pending);
  if (level >= 0) notifyThread(process.thread, level);
  if (what == SHORT_FRAMES && process.workersLackFrames != 0) retryWork(process);
}

/** The same for the events of workers. All that are idle try: a handler may block, and no other event is to wait for it. */
function retryWork(process: Process): void {
  const level = takeStarved(process, SHORT_WORK, process.work);
  if (level < 0) return;
  process.workersLackFrames = 0;
  while (notifyWorker(process, level)) {}
}

/** All that starves goes into `queue`. The highest level of it; -1: nothing does. */
function takeStarved(process: Process, what: u32, queue: PriorityQueue): i32 {
  const starved = process.starved(what);
  const unreported = process.unreported(what);
  const level = max(starved.top, unreported.top);
  if (level < 0) return level;
  queue.appendAll(starved);
  queue.appendAll(unreported);
  return level;
}

/** The process has freed memory of the vmtable, or a descriptor. (A capsule's parent tries again when it rests.) */
export function retryOwn(process: Process): void {
  process.childFlags &= ~CHILD_VAIN;
  process.freed++;
  retryStarved(process, SHORT_OWN);
  retryStarved(process, SHORT_FRAMES);
  retryWork(process);
}
