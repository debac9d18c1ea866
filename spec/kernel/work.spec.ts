/** Work that was left to the polls beside threads: what ranks higher goes first, and nothing is shut out (kernel/scheduler/scheduler.ts, preempt.ts). */
import { clearExitWork, exitWork, setExitWork, WORK_RESCHEDULE } from "../../kernel/glue";
import { NO_DEADLINE } from "../../kernel/interrupts/deadline";
import {
  leavePoll,
  POLL_PACKETS,
  POLL_REAP,
  POLL_RECEIVE,
  pollLevel,
  setPoll,
  takePoll,
} from "../../kernel/interrupts/polls";
import { currentProcess, Process } from "../../kernel/process/process";
import { QUANTUM, startQuantum, startReserve } from "../../kernel/scheduler/quantum";
import { readyLevel } from "../../kernel/scheduler/ready";
import { waitOn } from "../../kernel/scheduler/block";
import { preempt, settle, workAfterInterrupt, yieldPoint } from "../../kernel/scheduler/preempt";
import { currentThread } from "../../kernel/scheduler/running";
import { noteWork, wakeThread } from "../../kernel/scheduler/wake";
import { now, setClockFrequency } from "../../kernel/time/clock";
import { nextTimer, runTimers } from "../../kernel/time/timers";
import { newProcess, setUpMachine } from "../aem/machine";
import * as fake from "../fake";
import { endNow } from "../reap";

let first: Process = changetype<Process>(0);
/** Another process, if a test has one. */
let other: Process = changetype<Process>(0);
/** Pieces of work of POLL_RECEIVE: done, how many there are, how long one takes, and in which one the first process is woken. */
let pieces: u32 = 0;
let most: u32 = 0;
let cost: u64 = 0;
let wakeAt: u32 = 0;
/** Pieces of POLL_REAP. */
let low: u32 = 0;

function work(level: u32): bool {
  pieces++;
  fake.advance(cost);
  if (pieces == wakeAt) wakeThread(first.thread, 63);
  return pieces < most;
}

function lowWork(level: u32): bool {
  low++;
  return false;
}

function passes(nanoseconds: u64): void {
  fake.advance(nanoseconds);
  while (nextTimer() <= now()) runTimers(now());
}

function isFirst(): bool {
  return changetype<usize>(currentThread()) == changetype<usize>(first.thread);
}

/** The first process is the current one, at `level`; `count`: pieces that there are. */
function begin(level: u32, count: u32): void {
  takePoll(POLL_RECEIVE);
  takePoll(POLL_REAP);
  while (!isFirst()) {
    if (readyLevel() < 0) wakeThread(first.thread, level);
    waitOn(null, 0, NO_DEADLINE);
  }
  first.priority = level;
  currentThread().level = level;
  currentThread().priority = level;
  clearExitWork(WORK_RESCHEDULE);
  pieces = 0;
  low = 0;
  most = count;
  cost = 1000;
  wakeAt = 0;
}

afterEach(() => {
  begin(63, 0);
  if (changetype<usize>(other) != 0) endNow(other, 0);
  other = changetype<Process>(0);
  takePoll(POLL_REAP);
});

beforeAll(() => {
  setUpMachine();
  setClockFrequency(1_000_000_000);
  startReserve(5);
  first = currentProcess();
  setPoll(POLL_RECEIVE, work.index);
  setPoll(POLL_REAP, lowWork.index);
});

describe("work that was left", () => {
  it("keeps a thread that has been woken meanwhile and ranks higher waiting for one piece, also the one whose stack it is done on", () => {
    begin(63, 1000);
    other = newProcess();
    other.thread.level = 10;
    wakeAt = 1;
    leavePoll(POLL_RECEIVE, 35);
    waitOn(null, 0, NO_DEADLINE);
    expect<bool>(isFirst()).toBe(true);
    expect<u32>(pieces).toBe(1);
  });

  it("goes first at a yield point when it ranks higher, and waits when it does not", () => {
    begin(10, 3);
    leavePoll(POLL_RECEIVE, 63);
    yieldPoint();
    expect<u32>(pieces).toBe(3);
    expect<i32>(pollLevel).toBe(-1);
    begin(50, 3);
    leavePoll(POLL_RECEIVE, 32);
    yieldPoint();
    expect<u32>(pieces).toBe(0);
  });

  it("goes first behind an interrupt: all that ranks higher, some of the same level, nothing that ranks lower", () => {
    begin(40, 100);
    leavePoll(POLL_RECEIVE, 63);
    leavePoll(POLL_REAP, 32);
    workAfterInterrupt();
    expect<u32>(pieces).toBe(100);
    expect<u32>(low).toBe(0);
    begin(40, 100);
    leavePoll(POLL_RECEIVE, 40);
    workAfterInterrupt();
    expect<u32>(pieces).toBe(32);
    expect<u64>(nextTimer()).not.toBe(u64.MAX_VALUE, "somebody looks after the rest");
  });

  it("that ranks lower than who leaves it has its quantum, and one that ranks higher its turn", () => {
    begin(50, 1);
    passes(10 * QUANTUM);
    clearExitWork(WORK_RESCHEDULE);
    expect<u64>(nextTimer()).toBe(u64.MAX_VALUE);
    leavePoll(POLL_PACKETS, 32);
    noteWork(32);
    expect<bool>(nextTimer() <= now() + QUANTUM).toBe(true);
    expect<u32>(exitWork & WORK_RESCHEDULE).toBe(0);
    noteWork(51);
    expect<u32>(exitWork & WORK_RESCHEDULE).toBe(WORK_RESCHEDULE);
    takePoll(POLL_PACKETS);
  });

  it("makes debts like a thread: endless work of level 40 beside a loop of level 40 leaves a thread of level 32 its reserve", () => {
    begin(40, u32.MAX_VALUE);
    other = newProcess();
    cost = 3000;
    let others: u64 = 0;
    const start = now();
    for (let turn = 0; turn < 100_000; turn++) {
      leavePoll(POLL_RECEIVE, 40);
      const mine = isFirst();
      passes(5000);
      if (!mine) others += 5000;
      setExitWork(WORK_RESCHEDULE);
      preempt();
    }
    const share = (others * 1000) / (now() - start);
    expect<bool>(share >= 40 && share <= 60).toBe(true, share.toString());
  });

  it("of level 32 has its reserve beside endless work of level 40 and a loop", () => {
    begin(40, u32.MAX_VALUE);
    cost = 3000;
    for (let turn = 0; turn < 10_000; turn++) {
      leavePoll(POLL_RECEIVE, 40);
      leavePoll(POLL_REAP, 32);
      passes(5000);
      setExitWork(WORK_RESCHEDULE);
      preempt();
    }
    // In 80 ms, of which each 20 owe it a slice.
    expect<bool>(low >= 3).toBe(true, low.toString());
  });

  it("has the whole reserve where a loop of a higher level stands back for it", () => {
    begin(40, u32.MAX_VALUE);
    cost = 10_000;
    leavePoll(POLL_RECEIVE, 32);
    startQuantum();
    const start = now();
    for (let turn = 0; turn < 100_000; turn++) {
      passes(10_000);
      if (exitWork & WORK_RESCHEDULE) preempt();
    }
    const share = (<u64>pieces * cost * 1000) / (now() - start);
    expect<bool>(share >= 40 && share <= 60).toBe(true, share.toString());
    takePoll(POLL_RECEIVE);
  });
});
