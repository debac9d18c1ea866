/**
 * Blocking: a thread lets go of the processor and of its process's memory until something wakes it, or its time is over.
 */
import { EINTR, ERESTART, ETIMEDOUT } from "../errno";
import { quietCall } from "../glue";
import { NO_DEADLINE } from "../interrupts/deadline";
import { now } from "../time/clock";
import { Timer, timerPrepare, timerStartAt, timerStop } from "../time/timers";
import { chargeRunning, noteDispatch, running } from "./running";
import { schedule } from "./scheduler";
import { Thread, THREAD_BLOCKED, threadOfTimer, threadOfWaiter } from "./thread";
import { Waiter, WaitQueue, WAKE_GONE } from "./wait";
import { handOver, wakeThread } from "./wake";

/**
 * Blocks the current thread until `queue` (null: nothing) says one of `events`, or until `deadline` (time of now(); NO_DEADLINE).
 *
 * 0: something was said, look again. -ETIMEDOUT. -EINTR: a signal came. -ERESTART: the thread has handlers to run;
 * the system call must return this value at once and will be made again after them (never in a quiet call).
 */
export function waitOn(queue: WaitQueue | null, events: u32, deadline: u64): i32 {
  const thread = running;
  const refused = whyNotWait(thread, deadline);
  if (refused != 0) return refused;
  thread.woken = 0;
  if (queue !== null) {
    thread.waiter.prepare(onWake.index, events, thread.level);
    queue.join(thread.waiter);
  }
  if (deadline != NO_DEADLINE) {
    timerPrepare(thread.timer, onTimeout.index);
    timerStartAt(thread.timer, deadline, thread.level);
  }
  chargeRunning();
  thread.state = THREAD_BLOCKED;
  handOver(thread.process);
  thread.quiet = quietCall;
  schedule();
  thread.quiet = 0;
  noteDispatch();
  if (queue !== null) thread.waiter.remove();
  if (deadline != NO_DEADLINE) timerStop(thread.timer);
  if (thread.woken != 0) return thread.woken & WAKE_GONE ? -EINTR : 0;
  return whyNotWait(thread, deadline);
}

function onWake(waiter: Waiter, events: u32, detail: u32): void {
  const thread = threadOfWaiter(waiter);
  waiter.remove();
  thread.woken |= events;
  wakeThread(thread, thread.level);
}

function onTimeout(timer: Timer): void {
  const thread = threadOfTimer(timer);
  wakeThread(thread, thread.level);
}

/**
 * For the main thread of a process whose main code is in enter_keepalive (`thread.serving`), when it has run all handlers: blocks until it is woken
 * again, as that call would. False: it has to go back into that call, which has something to return.
 */
export function waitForHandlers(): bool {
  const thread = running;
  const process = thread.process;
  if ((process.interrupted | process.keepaliveEnded) != 0) return false;
  chargeRunning();
  // Nothing of the main code waits here: what wakes the thread brings its own level.
  thread.level = 0;
  thread.state = THREAD_BLOCKED;
  handOver(process);
  schedule();
  return true;
}

/** Handlers come last: a process that always has some to run must still hear of a signal and of the end of its wait. (They run before it does.) */
function whyNotWait(thread: Thread, deadline: u64): i32 {
  if (thread.takeInterruption()) return -EINTR;
  if (deadline != NO_DEADLINE && deadline <= now()) return -ETIMEDOUT;
  return thread.canDispatch && quietCall == 0 ? -ERESTART : 0;
}
