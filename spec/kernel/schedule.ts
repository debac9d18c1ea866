/** Processes and threads for specs of the scheduler, on stacks that are not switched: who runs is the current thread. */
import { exitWork, WORK_RESCHEDULE } from "../../kernel/glue";
import { NO_DEADLINE } from "../../kernel/interrupts/deadline";
import { currentProcess, Process } from "../../kernel/process/process";
import { waitOn } from "../../kernel/scheduler/block";
import { preempt, settle } from "../../kernel/scheduler/preempt";
import { SHARE_PERIOD, takeExpired } from "../../kernel/scheduler/quantum";
import { readyIsEmpty } from "../../kernel/scheduler/ready";
import { currentThread } from "../../kernel/scheduler/running";
import { Thread, THREAD_BLOCKED } from "../../kernel/scheduler/thread";
import { raiseThread, wakeThread } from "../../kernel/scheduler/wake";
import { now, setClockFrequency } from "../../kernel/time/clock";
import { nextTimer, runTimers } from "../../kernel/time/timers";
import { newProcess, setUpMachine } from "../aem/machine";
import { chance } from "../chance";
import * as fake from "../fake";
import { endNow } from "../reap";

/** A vector that nobody has. */
export const QUIET: u32 = 0x20;
const NEVER: u64 = u64.MAX_VALUE;

/** The current one to begin with, and the others with their main threads. */
export let first: Process = changetype<Process>(0);
export let processes: Process[] = [];
export let threads: Thread[] = [];

export function same(a: Thread, b: Thread): bool {
  return changetype<usize>(a) == changetype<usize>(b);
}

/** Time passes, and what is due of timers is done. */
export function passes(nanoseconds: u64): void {
  fake.advance(nanoseconds);
  while (nextTimer() <= now()) runTimers(now());
}

/** As the interrupt stub does it while an application runs. */
export function interrupt(): void {
  if (exitWork & WORK_RESCHEDULE) preempt();
}

/** The current thread waits for nothing. */
export function block(): void {
  waitOn(null, 0, NO_DEADLINE);
}

let idles = 0;

/** Nothing can run: time goes on to the next timer, or somebody is woken, or several are. */
export function onIdle(): u32 {
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
export function start(count: i32, level: u32, own: u32): void {
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

/** All processes but the first end, and it is the current one. */
export function finish(): void {
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

/** Before all tests. */
export function setUpScheduler(): void {
  setUpMachine();
  setClockFrequency(1_000_000_000);
  first = currentProcess();
  fake.onIdle(onIdle.index);
}

/** After each test. */
export function finishAll(): void {
  finish();
  expect<bool>(readyIsEmpty()).toBe(true);
}
