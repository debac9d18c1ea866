/**
 * Where a thread that could go on lets others go first: at any instruction of an application that an interrupt stops, between two things that a thread does, and in the middle of
 * calls that take long.
 */
import { exitWork, WORK_RESCHEDULE } from "../glue";
import { restoreFpu, saveFpu } from "../hal";
import { armDeadline } from "../interrupts/deadline";
import { deferPolls, letInterruptIn, letInterruptLeave, pollLevels, runPolls } from "../interrupts/polls";
import { now } from "../time/clock";
import { chargePolls, startQuantum, takeExpired } from "./quantum";
import { outranks, PRIORITY_DEFAULT, readyAppend, readyLevel, readyPrepend, turnOf } from "./ready";
import { chargeRunning, noteDispatch, running } from "./running";
import { schedule } from "./scheduler";
import { Thread, THREAD_PARKED, THREAD_WAITING } from "./thread";
import { handOver, noteWork } from "./wake";

/** Rounds of work of the level of what runs, after which that has its turn for POLL_DELAY (ns) although there is more to do. */
const EQUAL_ROUNDS: u32 = 32;
const POLL_DELAY: u64 = 100_000;

/**
 * From the interrupt stub, when an application was interrupted and work is left: does what ranks higher, and some of the same level, as long as no thread goes
 * before that.
 */
export function workAfterInterrupt(): void {
  // What the interrupt has done itself may have been as much as a piece of this.
  letInterruptLeave();
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
      letInterruptLeave();
      poll = turnOf(pollLevels);
    } while (poll >= 0 && !outranks(running.priority, poll));
  }
  // What is left waits for its turn.
  if (pollLevels != 0) startQuantum();
}

/** From the interrupt stub, when an application was interrupted and WORK_RESCHEDULE is set: another thread may run first. */
// @ts-ignore: decorator
@inline
export function preempt(): void {
  const thread = running;
  chargeRunning();
  saveFpu(thread.fpuArea);
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
  if (goesOn(thread, level)) {
    settleAt(thread, level);
    return false;
  }
  settleRanks(thread, level, main);
  return true;
}

/** Whether the current thread may do something of `level` next without another look at who else could run. */
// @ts-ignore: decorator
@inline
export function goesOn(thread: Thread, level: u32): bool {
  return thread.process.waiting.isEmpty && level >= thread.priority && !(exitWork & WORK_RESCHEDULE);
}

/** It does. */
// @ts-ignore: decorator
@inline
export function settleAt(thread: Thread, level: u32): void {
  thread.level = level;
  thread.priority = level;
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
  if (exitWork & WORK_RESCHEDULE) {
    reschedule();
    return;
  }
  if (!lowered) return;
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

/**
 * From the glue, at the end of a call with WORK_RESCHEDULE alone: another thread may run first. What `settle` would do, where nobody who would go first waits for the memory of the
 * process, and no handler can be called.
 */
export function giveWay(): void {
  const thread = running;
  chargeRunning();
  thread.priority = max(<i32>thread.level, thread.process.waiting.top);
  requeue(takeExpired());
  schedule();
}

/** With WORK_RESCHEDULE set, in a call of the current thread's: another thread may run first. */
export function reschedule(): void {
  chargeRunning();
  requeue(takeExpired());
  schedule();
}
