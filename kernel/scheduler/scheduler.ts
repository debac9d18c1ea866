/**
 * The scheduler: which thread runs, and what the processor does when none can.
 *
 * Kernel code runs with interrupts off and gives the processor up only here. There is no idle thread: a thread that blocks
 * waits for interrupts on its own kernel stack until some thread can run, and often that is itself: then no stack is switched at all.
 *
 * Application code is preempted at any instruction (preempt.ts), by a thread of another process that ranks higher or whose turn it is. Of the
 * threads of one process only one runs at a time, the one that has the memory (`process.active`): the others get it when that one
 * blocks (block.ts), or between its system calls; a preempted one keeps it.
 */
import { clearExitWork, WORK_RESCHEDULE } from "../glue";
import { idle } from "../hal";
import { armDeadline, NO_DEADLINE } from "../interrupts/deadline";
import { letInterruptIn, letInterruptLeave, pollLevels, runPolls } from "../interrupts/polls";
import { handleVector } from "../interrupts/vectors";
import {
  chargePolls,
  initializeQuantum,
  onShareRefill,
  quantumRuns,
  startCharging,
  startQuantum,
  takeExpired,
} from "./quantum";
import {
  initializeReady,
  nothingToDo,
  outranks,
  READY_STORAGE,
  readyAppend,
  readyIsEmpty,
  readyLevel,
  readyTakeFirst,
  turnOf,
} from "./ready";
import { initializeRunning, running, switchTo } from "./running";
import { Thread, THREAD_RUNNABLE } from "./thread";
import { resume } from "./wake";

/** Times at which the processor had nothing to run. */
let idleCount: u64 = 0;
let firstIdle: u32 = 0;

/** The scheduler does work of the kernel's own, or idles: the processor is nobody's, though `running` lends its stack. */
let waiting: bool = false;

/** Bytes that initializeScheduler needs. */
export const SCHEDULER_STORAGE: usize = 8 + READY_STORAGE;

/** Once at boot. `storage`: SCHEDULER_STORAGE bytes, 8-aligned. */
export function initializeScheduler(storage: usize): void {
  initializeRunning(storage);
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

/** Runs the first thread; never returns. `whenAllWait`: () => void, called once when for the first time no thread can run; 0: nobody. */
export function startScheduler(whenAllWait: u32): void {
  firstIdle = whenAllWait;
  startCharging();
  schedule();
}

/**
 * Gives the processor to the thread whose turn it is; returns when it is this one's again, and at once when it still is. Work that
 * interrupts left (kernel/interrupts/polls.ts) is done before threads of lower levels, and a piece of it before those of the same.
 */
export function schedule(): void {
  const level = readyLevel();
  if (level >= 0 && pollLevels == 0) runFirst(level);
  // At boot nobody runs yet.
  else if (!nothingToDo() || changetype<usize>(running) == 0) workFirst();
  else idleAlone();
}

/** There is work to be done before threads, or a thread to be waited for. */
function workFirst(): void {
  waiting = true;
  let level = workUntilReady();
  waiting = false;
  if (wokeUp()) {
    if (readyIsEmpty()) {
      goOn();
      return;
    }
    readyAppend(running, running.priority);
    level = readyLevel();
  }
  runFirst(level);
}

/** Gives the processor to the first thread of the level. */
function runFirst(level: i32): void {
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
  if (!quantumRuns() && (!nothingToDo() || thread.process.share != 0)) startQuantum();
}

/** The thread that ran is the one whose turn it is. */
// @ts-ignore: decorator
@inline
function goOn(): void {
  clearExitWork(WORK_RESCHEDULE);
  takeExpired();
  limitTurn(running);
}

/**
 * With nobody to run and nothing to do: until there is. When that is the thread whose stack this is, and nothing else, it goes on. That is the
 * usual case, and the short way.
 */
function idleAlone(): void {
  waiting = true;
  do {
    halt();
    if (!nothingToDo()) {
      beginAfterIdling();
      return;
    }
  } while (running.state != THREAD_RUNNABLE);
  waiting = false;
  startCharging();
  clearExitWork(WORK_RESCHEDULE);
  // A quantum that has ended meanwhile was nobody's.
  takeExpired();
  if (running.process.share != 0) startQuantum();
}

/** The interrupt has left work, or has woken another thread. */
function beginAfterIdling(): void {
  letInterruptLeaveMore();
  startCharging();
  workFirst();
}

/** Nobody can run, and nothing is to be done: until the next interrupt. */
// @ts-ignore: decorator
@inline
function halt(): void {
  if (idleCount++ == 0 && firstIdle != 0) call_indirect<void>(firstIdle);
  armDeadline(NO_DEADLINE);
  handleVector(idle());
}

/** What an interrupt has done may have been as much as a piece of what it has left. */
function letInterruptLeaveMore(): void {
  if (pollLevels != 0) letInterruptLeave();
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
      if (poll < 0) {
        halt();
        letInterruptLeaveMore();
      } else if (!letInterruptIn()) runPolls(poll);
      // Not to halt with work at hand, nor to keep interrupts out while it lasts: no section is longer than one of the two.
      level = foremost();
      continue;
    }
    if (idled) startCharging();
    idled = false;
    if (poll < 0 || outranks(level, poll)) return level;
    runPolls(poll);
    chargePolls(poll);
    letInterruptLeave();
    const same = poll == level;
    level = foremost();
    idled = level < 0;
    if (same && level >= 0) return level;
  }
}
