/** The scheduler (kernel/scheduler/), with stacks that are not switched: who runs after what. In random operations: scheduler-random.spec.ts. */
import { exitWork, WORK_DISPATCH, WORK_RESCHEDULE } from "../../kernel/glue";
import { createWorkers } from "../../kernel/process/workers";
import { giveWay, settle } from "../../kernel/scheduler/preempt";
import { QUANTUM, setShare, SHARE_PERIOD, startReserve } from "../../kernel/scheduler/quantum";
import { outranks, readyFirst } from "../../kernel/scheduler/ready";
import { currentThread } from "../../kernel/scheduler/running";
import {
  Thread,
  THREAD_PARKED,
  THREAD_RUNNABLE,
  THREAD_WAITING,
  threadOfMember,
} from "../../kernel/scheduler/thread";
import { raiseThread, wakeThread } from "../../kernel/scheduler/wake";
import { now } from "../../kernel/time/clock";
import {
  block,
  finishAll,
  first,
  interrupt,
  onIdle,
  passes,
  processes,
  QUIET,
  same,
  setUpScheduler,
  start,
  threads,
} from "./schedule";
import * as fake from "../fake";

/** Nothing happens for longer than a quantum; then the second thread is woken. */
function sleepOver(): u32 {
  passes(2 * QUANTUM);
  wakeThread(threads[1], 32);
  return QUIET;
}

beforeAll(setUpScheduler);
afterEach(finishAll);

describe("a thread that is woken", () => {
  it("gets the processor at once, in preemption, when it ranks higher, and not when it does not", () => {
    start(3, 32, 32);
    // Of the three, in order, each is behind the current one.
    expect<u32>(exitWork & WORK_RESCHEDULE).toBe(0, "equals wait for the quantum");
    interrupt();
    expect<bool>(same(currentThread(), first.thread)).toBe(true);
    block();
    expect<bool>(same(currentThread(), threads[0])).toBe(true);
    wakeThread(first.thread, 31);
    // Its own level counts, too.
    expect<u32>(first.thread.priority).toBe(32);
    expect<u32>(exitWork & WORK_RESCHEDULE).toBe(0);
    block();
    expect<bool>(same(currentThread(), threads[1])).toBe(true);
    wakeThread(threads[0], 33);
    expect<u32>(exitWork & WORK_RESCHEDULE).toBe(WORK_RESCHEDULE);
    interrupt();
    expect<bool>(same(currentThread(), threads[0])).toBe(true);
    // Who was preempted is ahead of those of its level that wait longer.
    expect<bool>(changetype<usize>(readyFirst(32)) == changetype<usize>(threads[1])).toBe(true);
    settle(32, true);
    expect<bool>(same(currentThread(), threads[1])).toBe(false, "equals: it goes on");
  });

  it("shares the processor with its equals by quantum", () => {
    start(3, 32, 32);
    let wrong = 0;
    for (let round = 0; round < 12; round++) {
      const expected = round % 4 == 3 ? first.thread : threads[round % 4];
      passes(QUANTUM + 100_000);
      interrupt();
      if (!same(currentThread(), expected)) wrong++;
    }
    expect<i32>(wrong).toBe(0);
    // At the end of a system call, too.
    passes(QUANTUM + 100_000);
    settle(32, true);
    expect<bool>(same(currentThread(), threads[0])).toBe(true);
  });

  it("gives way at the end of a call at the level of what it does, though something had raised it", () => {
    start(2, 32, 32);
    raiseThread(first.thread, 50);
    passes(QUANTUM + 100_000);
    expect<u32>(exitWork).toBe(WORK_RESCHEDULE);
    giveWay();
    expect<bool>(same(currentThread(), threads[0])).toBe(true);
    expect<u32>(first.thread.priority).toBe(32);
    block();
    expect<bool>(same(currentThread(), threads[1])).toBe(true, "and stands behind its equals");
  });

  it("has a quantum of its own: one that ended before it came to run does not end its turn", () => {
    start(3, 40, 32);
    for (let i = 0; i < 3; i++) block();
    expect<bool>(same(currentThread(), first.thread)).toBe(true);
    threads[2].level = 10;
    wakeThread(threads[2], 10);
    wakeThread(threads[0], 40);
    wakeThread(threads[1], 40);
    passes(QUANTUM + 100_000);
    settle(32, true);
    expect<bool>(same(currentThread(), threads[0])).toBe(true);
    raiseThread(first.thread, 50);
    interrupt();
    expect<bool>(same(currentThread(), first.thread)).toBe(true);
    expect<bool>(changetype<usize>(readyFirst(40)) == changetype<usize>(threads[0])).toBe(
      true,
      "keeps its place",
    );
  });

  it("nor does one that ended while the processor was idle", () => {
    start(2, 32, 32);
    block();
    block();
    expect<bool>(same(currentThread(), threads[1])).toBe(true);
    fake.onIdle(sleepOver.index);
    block();
    fake.onIdle(onIdle.index);
    expect<bool>(same(currentThread(), threads[1])).toBe(true);
    wakeThread(threads[0], 32);
    wakeThread(first.thread, 33);
    interrupt();
    expect<bool>(same(currentThread(), first.thread)).toBe(true);
    expect<bool>(changetype<usize>(readyFirst(32)) == changetype<usize>(threads[1])).toBe(
      true,
      "who was preempted goes to the head",
    );
  });

  it("does not lose its quantum to one that ranks lower", () => {
    start(2, 10, 32);
    for (let i = 0; i < 5; i++) {
      passes(QUANTUM + 100_000);
      interrupt();
      expect<bool>(same(currentThread(), first.thread)).toBe(true);
    }
  });

  it("that is raised in the run queue goes before those that it outranks now", () => {
    start(3, 10, 32);
    raiseThread(threads[2], 20);
    expect<u32>(exitWork & WORK_RESCHEDULE).toBe(0);
    raiseThread(threads[1], 40);
    expect<u32>(exitWork & WORK_RESCHEDULE).toBe(WORK_RESCHEDULE);
    interrupt();
    expect<bool>(same(currentThread(), threads[1])).toBe(true);
    // It does something of its own level again.
    settle(10, true);
    expect<bool>(same(currentThread(), first.thread)).toBe(true);
    block();
    expect<bool>(same(currentThread(), threads[2])).toBe(true);
  });
});

describe("the threads of one process", () => {
  it("have the memory one at a time, and the one that has it ranks as high as those that wait for it", () => {
    start(2, 32, 32);
    const process = processes[0];
    expect<i32>(createWorkers(process)).toBe(0);
    const one = threadOfMember(process.workers.next);
    const two = threadOfMember(one.member.next);
    wakeThread(one, 20);
    wakeThread(two, 50);
    expect<u32>(one.state).toBe(THREAD_WAITING);
    expect<u32>(two.state).toBe(THREAD_WAITING);
    expect<u32>(process.thread.priority).toBe(50, "raised");
    expect<u32>(exitWork & WORK_RESCHEDULE).toBe(WORK_RESCHEDULE);
    interrupt();
    expect<bool>(same(currentThread(), process.thread)).toBe(true, "a preempted thread keeps the memory");
    expect<u32>(exitWork & WORK_DISPATCH).toBe(WORK_DISPATCH, "but gives it away at its next call");
    settle(32, true);
    expect<bool>(same(currentThread(), two)).toBe(true);
    expect<u32>(process.thread.state).toBe(THREAD_WAITING);
    expect<u32>(two.priority).toBe(50);
    raiseThread(process.thread, 60);
    expect<u32>(two.priority).toBe(60, "what waits is worth that much");
    block();
    expect<bool>(same(currentThread(), process.thread)).toBe(true, "the next one: not the lower worker");
    settle(32, true);
    expect<bool>(same(currentThread(), process.thread)).toBe(
      true,
      "main code does not wait for who ranks lower",
    );
    // It blocks, and the two others that rank higher.
    for (let i = 0; i < 3; i++) block();
    expect<bool>(same(currentThread(), one)).toBe(true);
    expect<bool>(process.waiting.isEmpty).toBe(true);
  });
});

/** The first process at `level` and nobody else; another one at the default level is blocked. */
function alone(level: u32): void {
  start(1, 32, 10);
  expect<bool>(same(currentThread(), threads[0])).toBe(true);
  block();
  first.priority = level;
  settle(level, true);
  startReserve(5);
  // The last quantum ends, and no other one begins.
  passes(QUANTUM + 100_000);
  interrupt();
}

/** In quanta: how long the current thread runs until another one does. */
function quantaOf(thread: Thread): i32 {
  let count = 0;
  while (same(currentThread(), thread) && count < 1000) {
    count++;
    passes(QUANTUM);
    interrupt();
  }
  return count;
}

describe("the reserve of the lower levels", () => {
  it("is not owed for what ran alone and wakes a lower one at its end", () => {
    alone(63);
    for (let call = 0; call < 100; call++) {
      passes(30_000_000);
      wakeThread(threads[0], 32);
      block();
      expect<bool>(same(currentThread(), threads[0])).toBe(true);
      passes(1000);
      wakeThread(first.thread, 63);
      expect<u32>(exitWork & WORK_RESCHEDULE).toBe(WORK_RESCHEDULE, "nothing is owed");
      block();
      expect<bool>(same(currentThread(), first.thread)).toBe(true);
    }
    startReserve(0);
  });

  it("is not owed for the time in which nobody waited, however long that was", () => {
    alone(40);
    passes(10_000_000_000);
    wakeThread(threads[0], 32);
    let above = 0;
    let below = 0;
    for (let turn = 0; turn < 10; turn++) {
      above += quantaOf(first.thread);
      if (turn == 0) expect<i32>(above).toBe(20, "nineteen quanta make one");
      const stood = quantaOf(threads[0]);
      expect<i32>(stood).toBeLessThanOrEqual(2, "quanta in a row that it stands back");
      below += stood;
    }
    expect<i32>((100 * below) / (above + below)).toBe(5, "percent");
    startReserve(0);
  });
});

describe("a limited share", () => {
  it("parks the process when it is used up, and lets it go on in the next period", () => {
    start(1, 32, 10);
    const process = processes[0];
    const thread = process.thread;
    setShare(process, 20);
    let mine: u64 = 0;
    let all: u64 = 0;
    let parked = 0;
    for (let step = 0; step < 20_000; step++) {
      const before = now();
      const current = currentThread();
      passes(100_000);
      if (same(current, thread)) mine += now() - before;
      all += now() - before;
      interrupt();
      if (thread.state == THREAD_PARKED) {
        parked++;
        assert(thread.isEmpty && same(currentThread(), first.thread), "parked");
      }
    }
    expect<i32>(parked).toBeGreaterThan(1000);
    // A quantum more at most in each period.
    const percent = <u32>((mine * 100) / all);
    expect<u32>(percent).toBeGreaterThanOrEqual(19);
    expect<u32>(percent).toBeLessThanOrEqual(22);
    // A wake does not help it.
    while (thread.state != THREAD_PARKED) {
      passes(100_000);
      interrupt();
    }
    raiseThread(thread, 63);
    interrupt();
    expect<bool>(same(currentThread(), first.thread)).toBe(true);
    process.share = 0;
    passes(2 * SHARE_PERIOD);
    expect<u32>(thread.state).toBe(THREAD_RUNNABLE);
  });
});
