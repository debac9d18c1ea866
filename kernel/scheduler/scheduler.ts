/**
 * The scheduler: which thread runs, and what the processor does when none can.
 *
 * Kernel code runs with interrupts off and gives the processor up only here. There is no idle thread: a thread that blocks
 * waits for interrupts on its own kernel stack until some thread can run, and often that is itself: then no stack is switched at all.
 *
 * Application code is preempted at any instruction, by a thread of another process that ranks higher or whose turn it is. Of the
 * threads of one process only one runs at a time, the one that has the memory (`process.active`): the others get it when that one
 * blocks, or between its system calls; a preempted one keeps it.
 */
import { idle, restoreFpu, saveFpu, setPageTables, switchStack } from "../hal";
import { EINTR, ERESTART, ETIMEDOUT } from "../errno";
import {
  clearExitWork,
  exitWork,
  quietCall,
  setExitWork,
  setKernelStackTop,
  setQuietCall,
  WORK_DISPATCH,
  WORK_RESCHEDULE,
} from "../glue";
import { deferPolls, letInterruptIn, pollLevels, runPolls } from "../interrupts/polls";
import { armDeadline } from "../interrupts/deadline";
import { handleVector } from "../interrupts/vectors";
import { setUserLimits } from "../memory/user";
import { panic } from "../panic";
import { Process } from "../process/process";
import { switchShadowStack } from "../process/shadow-stack";
import { now } from "../time/clock";
import { Timer, timerPrepare, timerStartAt, timerStop } from "../time/timers";
import {
  charge,
  chargePolls,
  initializeQuantum,
  onShareRefill,
  startCharging,
  startQuantum,
  takeExpired,
} from "./quantum";
import {
  initializeReady,
  nothingToDo,
  outranks,
  PRIORITY_DEFAULT,
  READY_STORAGE,
  readyAppend,
  readyIsEmpty,
  readyLevel,
  readyPrepend,
  readyRemove,
  readyTakeFirst,
  turnOf,
} from "./ready";
import {
  destroyThread,
  STACK_CANARY,
  Thread,
  threadOfTimer,
  threadOfWaiter,
  THREAD_BLOCKED,
  THREAD_DEAD,
  THREAD_PARKED,
  THREAD_RUNNABLE,
  THREAD_WAITING,
} from "./thread";
import { Waiter, WaitQueue, WAKE_GONE } from "./wait";

export const NO_DEADLINE: u64 = u64.MAX_VALUE;

let running: Thread = changetype<Thread>(0);
/** Ended; freed when another stack is in use. */
let dead: Thread | null = null;
/** Where the boot stack's pointer goes at the first switch; never switched back to. */
let bootStack: usize = 0;

let firstIdle: u32 = 0;

/** The scheduler does work of the kernel's own, or idles: the processor is nobody's, though `running` lends its stack. */
let waiting: bool = false;

/** Times at which the processor had nothing to run, switches from one thread to another, and of those the ones that stopped an application. */
export let idleCount: u64 = 0;
export let switchCount: u64 = 0;
export let preemptCount: u64 = 0;

/** Bytes that initializeScheduler needs. */
export const SCHEDULER_STORAGE: usize = 8 + READY_STORAGE;

/** Once at boot. `storage`: SCHEDULER_STORAGE bytes, 8-aligned. */
export function initializeScheduler(storage: usize): void {
  bootStack = storage;
  initializeReady(storage + 8);
  initializeQuantum();
  onShareRefill(resume.index);
}

/** Whether code of `thread` made the call or was interrupted that the kernel works for: not when it only lends its stack. */
export function runsNow(thread: Thread): bool {
  return (
    changetype<usize>(thread) == changetype<usize>(running) && thread.state == THREAD_RUNNABLE && !waiting
  );
}

export function currentThread(): Thread {
  return running;
}

/** Runs the first thread; never returns. `whenAllWait`: () => void, called once when for the first time no thread can run; 0: nobody. */
export function startScheduler(whenAllWait: u32): void {
  firstIdle = whenAllWait;
  startCharging();
  schedule();
}

// ---- Who can run ----

/** Makes a thread runnable, a new one or one that blocked, at `level` or at the level of what it does, whichever is higher. */
export function wakeThread(thread: Thread, level: u32): void {
  if (thread.state == THREAD_BLOCKED) wakeBlocked(thread, level);
}

/** The same for a thread of which it is known that it is blocked. */
export function wakeBlocked(thread: Thread, level: u32): void {
  thread.priority = max(level, thread.level);
  const process = thread.process;
  if (changetype<usize>(process.active) == 0) {
    process.active = thread;
    makeReady(thread);
  } else waitForMemory(thread, process);
}

/** Another thread has the memory of the process. */
function waitForMemory(thread: Thread, process: Process): void {
  thread.state = THREAD_WAITING;
  process.waiting.append(thread, thread.priority);
  raiseThread(process.active, thread.priority);
  if (changetype<usize>(process.active) == changetype<usize>(running)) noteDispatch();
}

/**
 * A thread that has its process's memory joins the run queue. The one on whose stack the scheduler waits need not: `schedule` sees that it can
 * go on.
 */
// @ts-ignore: decorator
@inline
function makeReady(thread: Thread): void {
  if (thread.process.shareSpent != 0) thread.state = THREAD_PARKED;
  else {
    thread.state = THREAD_RUNNABLE;
    if (changetype<usize>(thread) != changetype<usize>(running)) joinReady(thread);
  }
}

function joinReady(thread: Thread): void {
  // While the processor idles there is nobody to preempt.
  if (changetype<usize>(running) != 0 && running.state == THREAD_RUNNABLE) noteReady(thread.priority);
  readyAppend(thread, thread.priority);
}


@inline
function noteReady(level: u32): void {
  if (outranks(level, running.priority)) setExitWork(WORK_RESCHEDULE);
  // Now, and not at the switch: where a timer has woken it, the hardware is programmed once for all that.
  startQuantum();
}

/** Work of `level` has been left to the polls: who runs lets it go first, unless it ranks higher; then it counts as one that waits for its turn. */
export function noteWork(level: u32): void {
  // At boot nobody runs yet; and who idles looks for work by itself.
  if (changetype<usize>(running) == 0 || running.state != THREAD_RUNNABLE) return;
  if (!outranks(running.priority, level)) setExitWork(WORK_RESCHEDULE);
  startQuantum();
}

/** Something of `level` waits for what this thread has, or for the thread itself: it does not rank lower until that is done. */
export function raiseThread(thread: Thread, level: u32): void {
  if (thread.priority >= level) return;
  const old = thread.priority;
  thread.priority = level;
  if (thread.isEmpty) return;
  if (thread.state == THREAD_WAITING) {
    const process = thread.process;
    process.waiting.remove(thread, old);
    process.waiting.append(thread, level);
    raiseThread(process.active, level);
  } else if (thread.state == THREAD_RUNNABLE) {
    readyRemove(thread, old);
    readyAppend(thread, level);
    noteReady(level);
  }
}

/** The process's next period has begun (quantum.ts). */
function resume(process: Process): void {
  const thread = process.active;
  if (changetype<usize>(thread) != 0 && thread.state == THREAD_PARKED) makeReady(thread);
}

// ---- Giving the processor up ----

/**
 * Gives the processor to the thread whose turn it is; returns when it is this one's again, and at once when it still is. Work that
 * interrupts left (kernel/interrupts/polls.ts) is done before threads of lower levels, and a piece of it before those of the same.
 */
function schedule(): void {
  let level = readyLevel();
  if (level < 0 || pollLevels != 0) {
    if (nothingToDo() && idleAlone()) return;
    waiting = true;
    level = workUntilReady();
    waiting = false;
    if (wokeUp()) {
      if (readyIsEmpty()) {
        goOn();
        return;
      }
      readyAppend(running, running.priority);
      level = readyLevel();
    }
  }
  const next = changetype<Thread>(readyTakeFirst(level));
  if (changetype<usize>(next) == changetype<usize>(running)) {
    goOn();
    return;
  }
  clearExitWork(WORK_RESCHEDULE);
  // A quantum that has ended was that of whoever ran before.
  takeExpired();
  // Ahead of the switch: a new thread does not return here.
  limitTurn(next);
  switchTo(next);
}

/** The thread whose stack this is has been woken meanwhile, and is in no queue. */
// @ts-ignore: decorator
@inline
function wokeUp(): bool {
  return changetype<usize>(running) != 0 && running.state == THREAD_RUNNABLE && running.isEmpty;
}

/** The thread goes on for a quantum only, if anything else waits for the processor or its process has a limited share. */
// @ts-ignore: decorator
@inline
function limitTurn(thread: Thread): void {
  if (!readyIsEmpty() || pollLevels != 0 || thread.process.share != 0) startQuantum();
}

/** The thread that ran is the one whose turn it is. */
// @ts-ignore: decorator
@inline
function goOn(): void {
  clearExitWork(WORK_RESCHEDULE);
  limitTurn(running);
}

/**
 * With nobody to run and nothing to do: until there is. True when that is the thread whose stack this is, and nothing else: it goes on. That is the
 * usual case, and the short way.
 */
function idleAlone(): bool {
  waiting = true;
  do {
    halt();
    if (!nothingToDo()) {
      waiting = false;
      startCharging();
      return false;
    }
  } while (!wokeUp());
  waiting = false;
  startCharging();
  clearExitWork(WORK_RESCHEDULE);
  if (running.process.share != 0) startQuantum();
  return true;
}

/** Nobody can run, and nothing is to be done: until the next interrupt. */
function halt(): void {
  if (idleCount++ == 0 && firstIdle != 0) call_indirect<void>(firstIdle);
  armDeadline(NO_DEADLINE);
  handleVector(idle());
  // What the interrupt has done may have been as much as a piece of what it has left.
  if (pollLevels != 0) letInterruptIn();
}

/** The level of the first thread that can run, the one whose stack this is included; -1: none. */
function foremost(): i32 {
  const level = readyLevel();
  if (!wokeUp()) return level;
  const own = running.priority;
  return level >= 0 && outranks(level, own) ? level : own;
}

/** Until a thread can run before which nothing is to be done: its level. */
function workUntilReady(): i32 {
  let level = foremost();
  let idled = level < 0;
  while (true) {
    const poll = turnOf(pollLevels);
    if (level < 0) {
      if (poll < 0) halt();
      else if (!letInterruptIn()) runPolls(poll);
      // Not to halt with work at hand, nor to keep interrupts out while it lasts: no section is longer than one of the two.
      level = foremost();
      continue;
    }
    if (idled) startCharging();
    idled = false;
    if (poll < 0 || outranks(level, poll)) return level;
    runPolls(poll);
    chargePolls(poll);
    letInterruptIn();
    const same = poll == level;
    level = foremost();
    idled = level < 0;
    if (same && level >= 0) return level;
  }
}

function switchTo(next: Thread): void {
  const previous = running;
  let save = bootStack;
  if (changetype<usize>(previous) != 0) {
    if (load<u64>(previous.stack) != STACK_CANARY) panic("kernel stack overflow");
    save = changetype<usize>(previous) + offsetof<Thread>("stackPointer");
    previous.quiet = quietCall;
  }
  switchCount++;
  running = next;
  enterProcess(next.process);
  setKernelStackTop(next.stackTop);
  setQuietCall(next.quiet);
  noteDispatch();
  switchStack(save, next.stackPointer);
  if (dead !== null) reap();
}

/** Makes `process` the one whose window is mapped and whose limits hold. */
function enterProcess(process: Process): void {
  setPageTables(process.pageTables);
  setUserLimits(process.memoryBytes, process.vmtableBytes);
  if (process.workerCount != 0) switchShadowStack(running);
}

/** The glue's flag says whether the current thread has handlers to run, or has to let another one of its process have the memory. */
export function noteDispatch(): void {
  // Main code lets its equals go first, a handler does not.
  const level = <i32>running.level + i32(running.handling != 0);
  if (running.canDispatch || running.process.waiting.top >= level) setExitWork(WORK_DISPATCH);
  else clearExitWork(WORK_DISPATCH);
}


@inline
function chargeRunning(): void {
  charge(running.process, running.priority);
}

/** Rounds of work of the level of what runs, after which that has its turn for POLL_DELAY (ns) although there is more to do. */
const EQUAL_ROUNDS: u32 = 32;
const POLL_DELAY: u64 = 100_000;

/**
 * From the interrupt stub, when an application was interrupted and work is left: does what ranks higher, and some of the same level, as long as no thread goes
 * before that.
 */
export function workAfterInterrupt(): void {
  // What the interrupt has done itself may have been as much as a piece of this.
  letInterruptIn();
  let poll = turnOf(pollLevels);
  if (!outranks(running.priority, poll)) {
    chargeRunning();
    let rounds = EQUAL_ROUNDS;
    do {
      const ready = readyLevel();
      if (ready >= 0 && outranks(ready, poll)) break;
      if (poll == running.priority && rounds-- == 0) {
        armDeadline(now() + POLL_DELAY);
        break;
      }
      runPolls(poll);
      chargePolls(poll);
      letInterruptIn();
      poll = turnOf(pollLevels);
    } while (poll >= 0 && !outranks(running.priority, poll));
  }
  // What is left waits for its turn.
  if (pollLevels != 0) startQuantum();
}

/** From the interrupt stub, when an application was interrupted and WORK_RESCHEDULE is set: another thread may run first. */
export function preempt(): void {
  const thread = running;
  chargeRunning();
  saveFpu(thread.fpuArea);
  preemptCount++;
  requeue(takeExpired());
  schedule();
  restoreFpu(thread.fpuArea);
}

/** The running thread goes back to the run queue: behind those of its level when its turn is over, else ahead of them. */
function requeue(behind: bool): void {
  const thread = running;
  if (thread.process.shareSpent != 0) thread.state = THREAD_PARKED;
  else if (behind) readyAppend(thread, thread.priority);
  else readyPrepend(thread, thread.priority);
}

/**
 * Between two things that the current thread does: from here on it does something of `level`; `main`: nothing but its process's main code.
 * Whoever ranks higher runs first: another thread of the process, which gets the memory, or of another process. False: nobody had to.
 */
// @ts-ignore: decorator
@inline
export function settle(level: u32, main: bool): bool {
  const thread = running;
  const usual = thread.process.waiting.isEmpty && level >= thread.priority;
  if (usual && !(exitWork & WORK_RESCHEDULE)) {
    thread.level = level;
    thread.priority = level;
    return false;
  }
  settleRanks(thread, level, main);
  return true;
}

/** The same where another thread may have to run. */
function settleRanks(thread: Thread, level: u32, main: bool): void {
  const process = thread.process;
  const waiting = process.waiting.top;
  thread.level = level;
  const effective = max(<i32>level, waiting);
  const lowered = <u32>effective < thread.priority;
  // What it has done so far was done at its former level, which may owe the lower ones something (ready.ts).
  if (lowered && thread.priority > PRIORITY_DEFAULT) chargeRunning();
  thread.priority = effective;
  // Main code lets its equals go first. One that ranks lower would wait for less than this thread is worth.
  if (waiting > (main ? <i32>level - 1 : <i32>level)) {
    yieldMemory();
    return;
  }
  if (!(exitWork & WORK_RESCHEDULE) && !lowered) return;
  const ready = readyLevel();
  const poll = turnOf(pollLevels);
  if (
    (poll >= 0 && !outranks(effective, poll)) ||
    process.shareSpent != 0 ||
    (ready >= 0 && outranks(ready, effective))
  ) {
    chargeRunning();
    requeue(false);
    schedule();
  } else if (exitWork & WORK_RESCHEDULE) {
    clearExitWork(WORK_RESCHEDULE);
    if (takeExpired() && ready == effective) {
      chargeRunning();
      requeue(true);
      schedule();
    }
  }
}

/** Lets the first thread that waits for the memory have it. */
function yieldMemory(): void {
  const thread = running;
  chargeRunning();
  thread.priority = thread.level;
  handOver(thread.process);
  thread.state = THREAD_WAITING;
  thread.process.waiting.append(thread, thread.priority);
  schedule();
  noteDispatch();
}

/** The thread that has the memory lets go of it. */
function handOver(process: Process): void {
  const top = process.waiting.top;
  if (top < 0) {
    process.active = changetype<Thread>(0);
    return;
  }
  const next = changetype<Thread>(process.waiting.first(top));
  process.waiting.remove(next, top);
  process.active = next;
  makeReady(next);
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
  // It may have been ended by a poll, to which nobody returns.
  deferPolls(0);
  schedule();
}

/**
 * For a call that takes long: between two steps of it, with all in order, interrupts get in and whoever ranks higher gets the processor. The
 * process may have been ended when it comes back to this thread: then it does not.
 */
export function yieldPoint(): void {
  // At boot nobody runs yet.
  if (changetype<usize>(running) == 0) return;
  deferPolls(running.priority);
  letInterruptIn();
  deferPolls(0);
  if (pollLevels != 0) noteWork(turnOf(pollLevels));
  if (exitWork & WORK_RESCHEDULE) reschedule();
}

/** With WORK_RESCHEDULE set, in a call of the current thread's: another thread may run first. */
export function reschedule(): void {
  chargeRunning();
  requeue(takeExpired());
  schedule();
}

/** Takes a thread that is not running out of whatever it waits in, and frees it; later, when the processor idles on its stack. */
export function killThread(thread: Thread): void {
  stopThread(thread);
  if (changetype<usize>(thread) == changetype<usize>(running)) {
    reap();
    dead = thread;
  } else destroyThread(thread);
}

/** A thread that is not running never does again: out of the run queue, of its process's queue, of what it waits on. It is still to be freed. */
export function stopThread(thread: Thread): void {
  if (!thread.isEmpty) {
    if (thread.state == THREAD_WAITING) thread.process.waiting.remove(thread, thread.priority);
    else readyRemove(thread, thread.priority);
  }
  thread.waiter.remove();
  timerStop(thread.timer);
  thread.state = THREAD_DEAD;
}

// ---- Waiting ----

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
