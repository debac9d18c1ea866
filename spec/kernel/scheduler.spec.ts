/** The scheduler, with stacks that are not switched: who runs after what, and that no thread is lost or in two places, in random operations. */
import { exitWork, WORK_DISPATCH, WORK_RESCHEDULE } from "../../kernel/glue";
import { NO_DEADLINE } from "../../kernel/interrupts/deadline";
import { currentProcess, Process } from "../../kernel/process/process";
import { createWorkers } from "../../kernel/process/workers";
import { setShare, SHARE_PERIOD, QUANTUM, takeExpired } from "../../kernel/scheduler/quantum";
import { readyFirst, readyIsEmpty, readyLevel } from "../../kernel/scheduler/ready";
import { waitOn } from "../../kernel/scheduler/block";
import { giveWay, preempt, settle, yieldPoint } from "../../kernel/scheduler/preempt";
import { currentThread, noteDispatch } from "../../kernel/scheduler/running";
import { raiseThread, wakeThread } from "../../kernel/scheduler/wake";
import {
  Thread,
  THREAD_BLOCKED,
  THREAD_PARKED,
  THREAD_RUNNABLE,
  THREAD_WAITING,
  threadOfMember,
} from "../../kernel/scheduler/thread";
import { now, setClockFrequency } from "../../kernel/time/clock";
import { nextTimer, runTimers } from "../../kernel/time/timers";
import { newProcess, setUpMachine } from "../aem/machine";
import { chance, seedChance } from "../chance";
import * as fake from "../fake";
import { endNow } from "../reap";

/** A vector that nobody has. */
const QUIET: u32 = 0x20;
const NEVER: u64 = u64.MAX_VALUE;

let first: Process = changetype<Process>(0);
let processes: Process[] = [];
let threads: Thread[] = [];

function same(a: Thread, b: Thread): bool {
  return changetype<usize>(a) == changetype<usize>(b);
}

function passes(nanoseconds: u64): void {
  fake.advance(nanoseconds);
  while (nextTimer() <= now()) runTimers(now());
}

/** As the interrupt stub does it while an application runs. */
function interrupt(): void {
  if (exitWork & WORK_RESCHEDULE) preempt();
}

function block(): void {
  waitOn(null, 0, NO_DEADLINE);
}

let idles = 0;

/** Nothing can run: time goes on to the next timer, or somebody is woken, or several are. */
function onIdle(): u32 {
  assert(++idles < 100_000, "nothing comes of it");
  const next = nextTimer();
  if (next != NEVER && chance(2) == 0) {
    if (next > now()) fake.advance(next - now());
    runTimers(now());
  } else {
    do {
      const thread = threads[chance(threads.length)];
      if (thread.state == THREAD_BLOCKED) wakeThread(thread, chance(64));
    } while (chance(3) == 0);
  }
  return QUIET;
}

/** `count` processes more, each with a main thread at `level` that is ready; the first process, at `own`, is the current one. */
function start(count: i32, level: u32, own: u32): void {
  idles = 0;
  processes = [];
  threads = [];
  for (let i = 0; i < count; i++) {
    const process = newProcess();
    process.priority = level;
    processes.push(process);
    threads.push(process.thread);
  }
  settleAll(level, own);
}

/** The new threads were made ready at their default level. */
function settleAll(level: u32, own: u32): void {
  currentThread().level = 63;
  currentThread().priority = 63;
  for (let i = 0; i < threads.length; i++) {
    raiseThread(threads[i], 62);
    raiseThread(currentThread(), 63);
  }
  for (let i = 0; i < threads.length; i++) {
    // Each runs once, and goes on at its own level.
    first.thread.level = 0;
    block();
    settle(63, true);
    wakeThread(first.thread, 63);
    currentThread().process.priority = level;
    currentThread().level = level;
    block();
    assert(same(currentThread(), first.thread), "back");
    settle(63, true);
  }
  for (let i = 0; i < threads.length; i++) wakeThread(threads[i], level);
  first.priority = own;
  settle(own, true);
}

function finish(): void {
  wakeThread(first.thread, 63);
  raiseThread(first.thread, 63);
  for (let i = 0; i < 100 && !same(currentThread(), first.thread); i++) block();
  settle(63, true);
  for (let i = 0; i < processes.length; i++) endNow(processes[i], 0);
  passes(2 * SHARE_PERIOD);
  takeExpired();
  first.priority = 32;
  settle(32, true);
}

beforeAll(() => {
  setUpMachine();
  setClockFrequency(1_000_000_000);
  first = currentProcess();
  fake.onIdle(onIdle.index);
});

afterEach(() => {
  finish();
  expect<bool>(readyIsEmpty()).toBe(true);
});

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

/** What has to be so whenever kernel code is done with something. */
function check(): void {
  const running = currentThread();
  assert(running.state == THREAD_RUNNABLE && running.isEmpty, "the running thread");
  let ready = 0;
  let waiting = 0;
  for (let level: u32 = 0; level < 64; level++) {
    // A level's list ends where its head is, which is no thread: it is known by the way back.
    const start = readyFirst(level);
    const head = start.prev;
    let link = start;
    while (changetype<usize>(link) != changetype<usize>(head)) {
      const thread = changetype<Thread>(link);
      assert(thread.state == THREAD_RUNNABLE && thread.priority == level, "in the run queue");
      assert(same(thread.process.active, thread), "ready without the memory");
      ready++;
      link = link.next;
      if (changetype<usize>(start) == changetype<usize>(head)) break;
    }
  }
  let runnable = 0;
  let waits = 0;
  for (let i = 0; i < threads.length; i++) {
    const thread = threads[i];
    assert(thread.priority >= thread.level || thread.state == THREAD_BLOCKED, "less than what it does");
    if (thread.state == THREAD_RUNNABLE) runnable++;
    else if (thread.state == THREAD_WAITING) {
      waits++;
      assert(!thread.isEmpty && !same(thread.process.active, thread), "waits and has");
      assert(thread.process.active.priority >= thread.priority, "an inversion");
    } else assert(thread.isEmpty, "in a queue");
    if (thread.state == THREAD_PARKED) assert(thread.process.shareSpent != 0, "parked for nothing");
  }
  for (let i = 0; i < processes.length; i++) {
    const process = processes[i];
    for (let level: u32 = 0; level < 64; level++) {
      if (!((process.waiting.levels >> level) & 1)) continue;
      const start = process.waiting.first(level);
      for (let link = start; ; link = link.next) {
        waiting++;
        assert(changetype<Thread>(link).priority == level, "level in the process's queue");
        if (changetype<usize>(link.next.prev) != changetype<usize>(link)) break;
        if (changetype<usize>(link.next) == changetype<usize>(start.prev)) break;
      }
    }
    if (changetype<usize>(process.active) == 0)
      assert(process.waiting.isEmpty, "waits for memory that is free");
  }
  assert(runnable == ready + 1, "a thread is lost");
  assert(waits == waiting, "a thread that waits is lost");
  const level = readyLevel();
  if (level > <i32>running.priority)
    assert((exitWork & WORK_RESCHEDULE) != 0, "outranked, and nobody says so");
}

/** After the running thread has given others their chance. */
function checkTurn(): void {
  check();
  assert(readyLevel() <= <i32>currentThread().priority, "outranked");
}

describe("random operations", () => {
  it("lose no thread, and after each scheduling point the highest one runs", () => {
    let preemptions = 0;
    let blocks = 0;
    for (let seed: u32 = 1; seed <= 12; seed++) {
      seedChance(seed);
      start(5, 32, 32);
      processes.push(first);
      threads.push(first.thread);
      for (let i = 0; i < 3; i++) {
        assert(createWorkers(processes[i]) == 0, "workers");
        let link = processes[i].workers.next;
        while (changetype<usize>(link) != changetype<usize>(processes[i].workers)) {
          threads.push(threadOfMember(link));
          link = link.next;
        }
        if (i < 2) setShare(processes[i], 30);
      }
      for (let step = 0; step < 2500; step++) {
        const what = chance(100);
        const thread = threads[chance(threads.length)];
        if (what < 30) {
          wakeThread(thread, chance(64));
          check();
        } else if (what < 40) {
          if (thread.state == THREAD_RUNNABLE || thread.state == THREAD_WAITING)
            raiseThread(thread, chance(64));
          check();
        } else if (what < 55) {
          blocks++;
          currentThread().level = chance(64);
          block();
          checkTurn();
        } else if (what < 75) {
          const running = currentThread();
          const main = same(running.process.thread, running) && chance(2) == 0;
          settle(main ? running.process.priority : chance(64), main);
          checkTurn();
        } else if (what < 80) {
          yieldPoint();
          checkTurn();
        } else if (what < 85) {
          if (exitWork != WORK_RESCHEDULE) continue;
          giveWay();
          checkTurn();
        } else {
          passes(chance(3) * 600_000);
          if (exitWork & WORK_RESCHEDULE) preemptions++;
          interrupt();
          checkTurn();
        }
        noteDispatch();
      }
      // Those that are parked go on in the next period, and then without a limit.
      for (let i = 0; i < 2; i++) {
        processes[i].share = 0;
        if (processes[i].shareSpent != 0) passes(2 * SHARE_PERIOD);
        assert(processes[i].shareSpent == 0, "the next period");
      }
      processes.pop();
      if (seed < 12) finish();
    }
    expect<i32>(preemptions).toBeGreaterThan(1000);
    expect<i32>(blocks).toBeGreaterThan(3000);
  });
});
