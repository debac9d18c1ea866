/**
 * The scheduler: which thread runs, and what the processor does when none can.
 *
 * Kernel code runs with interrupts off and gives the processor up only here. There is no idle thread: a thread that blocks
 * waits for interrupts on its own kernel stack until some thread can run, and often that is itself: then no stack is switched at all.
 *
 * For now the run queue is first-in first-out and a thread runs until it blocks (priorities and preemption: stage 2 replaces
 * `enqueue` and `dequeue` and calls `schedule` at the end of an interrupt).
 */
import { idle, poll, setPageTables, switchStack } from "../hal";
import { EINTR, ERESTART, ETIMEDOUT } from "../errno";
import { Link } from "../list";
import { quietCall, setDispatchPending, setKernelStackTop, setQuietCall } from "../glue";
import { pollsLeft, runPolls } from "../interrupts/polls";
import { armDeadline } from "../interrupts/deadline";
import { handleVector } from "../interrupts/vectors";
import { setUserLimits } from "../memory/user";
import { panic } from "../panic";
import { Process } from "../process/process";
import { now } from "../time/clock";
import { Timer, timerPrepare, timerStart, timerStop } from "../time/wheel";
import {
  destroyThread,
  STACK_CANARY,
  Thread,
  threadOfTimer,
  threadOfWaiter,
  THREAD_BLOCKED,
  THREAD_DEAD,
  THREAD_RUNNABLE,
} from "./thread";
import { Waiter, WaitQueue, WAKE_GONE } from "./wait";

export const NO_DEADLINE: u64 = u64.MAX_VALUE;

let running: Thread = changetype<Thread>(0);
let runQueue: Link = changetype<Link>(0);
/** Ended; freed when another stack is in use. */
let dead: Thread | null = null;
/** Where the boot stack's pointer goes at the first switch; never switched back to. */
let bootStack: usize = 0;

let firstIdle: u32 = 0;

/** Times at which the processor had nothing to run, and switches from one thread to another. */
export let idleCount: u64 = 0;
export let switchCount: u64 = 0;

/** Once at boot. `storage`: 8 bytes for the run queue's head and 8 for the boot stack's pointer. */
export function initializeScheduler(storage: usize): void {
  runQueue = changetype<Link>(storage);
  runQueue.initialize();
  bootStack = storage + 8;
}

export function currentThread(): Thread {
  return running;
}

/** Makes a thread runnable: a new one, or one that blocked. */
export function wakeThread(thread: Thread): void {
  if (thread.state == THREAD_RUNNABLE || thread.state == THREAD_DEAD) return;
  thread.state = THREAD_RUNNABLE;
  runQueue.append(thread);
}

/** Runs the first thread; never returns. `whenAllWait`: () => void, called once when for the first time no thread can run; 0: nobody. */
export function startScheduler(whenAllWait: u32): void {
  firstIdle = whenAllWait;
  schedule();
}

/** Gives the processor to the next runnable thread; returns when this one is runnable and chosen again. */
function schedule(): void {
  let more = pollsLeft || runQueue.isEmpty ? runPolls() : false;
  while (runQueue.isEmpty) {
    if (more) {
      // Not to halt with work at hand, nor to keep interrupts out while it lasts.
      const vector = poll();
      if (vector >= 0) handleVector(vector);
    } else {
      if (idleCount++ == 0 && firstIdle != 0) call_indirect<void>(firstIdle);
      armDeadline(NO_DEADLINE);
      handleVector(idle());
    }
    more = runPolls();
  }
  const next = changetype<Thread>(runQueue.next);
  next.remove();
  if (changetype<usize>(next) != changetype<usize>(running)) switchTo(next);
}

function switchTo(next: Thread): void {
  const previous = running;
  let save = bootStack;
  if (changetype<usize>(previous) != 0) {
    if (load<u64>(previous.stack) != STACK_CANARY) panic("kernel stack overflow");
    save = changetype<usize>(previous) + offsetof<Thread>("stackPointer");
  }
  switchCount++;
  running = next;
  enterProcess(next.process);
  setKernelStackTop(next.stackTop);
  setQuietCall(next.quiet);
  switchStack(save, next.stackPointer);
  reap();
}

/** Makes `process` the one whose window is mapped and whose limits hold. */
function enterProcess(process: Process): void {
  setPageTables(process.pageTables);
  setUserLimits(process.memoryBytes, process.vmtableBytes);
  setDispatchPending(process.canDispatch);
}

/** Frees the thread that ended before this one came to run. (A new thread's first switch does not pass here: the next one will.) */
function reap(): void {
  const thread = dead;
  if (thread === null || changetype<usize>(thread) == changetype<usize>(running)) return;
  dead = null;
  destroyThread(thread);
}

/** Ends the current thread. Never returns. */
export function exitThread(): void {
  reap();
  running.state = THREAD_DEAD;
  dead = running;
  schedule();
}

/** Takes a thread that is not running out of whatever it waits in, and frees it. */
export function killThread(thread: Thread): void {
  thread.remove();
  thread.waiter.remove();
  timerStop(thread.timer);
  thread.state = THREAD_DEAD;
  destroyThread(thread);
}

function onWake(waiter: Waiter, events: u32, detail: u32): void {
  const thread = threadOfWaiter(waiter);
  waiter.remove();
  thread.woken |= events;
  wakeThread(thread);
}

function onTimeout(timer: Timer): void {
  wakeThread(threadOfTimer(timer));
}

/**
 * Blocks the current thread until `queue` (null: nothing) says one of `events`, or until `deadline` (time of now(); NO_DEADLINE).
 *
 * 0: something was said, look again. -ETIMEDOUT. -EINTR: a signal came. -ERESTART: the process has handlers to run;
 * the system call must return this value at once and will be made again after them (never in a quiet call).
 */
export function waitOn(queue: WaitQueue | null, events: u32, deadline: u64): i32 {
  const thread = running;
  const process = thread.process;
  const refused = whyNotWait(process, deadline);
  if (refused != 0) return refused;
  thread.woken = 0;
  if (queue !== null) {
    thread.waiter.prepare(onWake.index, events);
    queue.append(thread.waiter);
  }
  if (deadline != NO_DEADLINE) {
    timerPrepare(thread.timer, onTimeout.index);
    timerStart(thread.timer, deadline);
  }
  thread.state = THREAD_BLOCKED;
  thread.quiet = quietCall;
  schedule();
  thread.quiet = 0;
  if (queue !== null) thread.waiter.remove();
  if (deadline != NO_DEADLINE) timerStop(thread.timer);
  if (thread.woken != 0) return thread.woken & WAKE_GONE ? -EINTR : 0;
  return whyNotWait(process, deadline);
}

/** Handlers come last: a process that always has some to run must still hear of a signal and of the end of its wait. (They run before it does.) */
function whyNotWait(process: Process, deadline: u64): i32 {
  if (process.takeInterruption()) return -EINTR;
  if (deadline != NO_DEADLINE && deadline <= now()) return -ETIMEDOUT;
  return process.canDispatch && quietCall == 0 ? -ERESTART : 0;
}
