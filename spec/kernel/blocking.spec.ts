/** Blocking (kernel/scheduler/block.ts): what wakes a thread, and when its wait ends; and notifyThread. */
import { EINTR, ERESTART, ETIMEDOUT } from "../../kernel/errno";
import { exitWork, kernelStackTop, WORK_DISPATCH } from "../../kernel/glue";
import { pageTables } from "../../kernel/hal";
import { NO_DEADLINE } from "../../kernel/interrupts/deadline";
import { setUserLimits } from "../../kernel/memory/user";
import { SIGTERM, SIGUSR1, sys_getpid, sys_kill, sys_sigtake } from "../../kernel/process/calls";
import { currentProcess } from "../../kernel/process/process";
import { waitOn } from "../../kernel/scheduler/block";
import { currentThread, switchCount } from "../../kernel/scheduler/running";
import { readyRemove } from "../../kernel/scheduler/ready";
import { THREAD_BLOCKED, THREAD_RUNNABLE } from "../../kernel/scheduler/thread";
import { POLLIN } from "../../kernel/scheduler/wait";
import { MILLISECOND, now } from "../../kernel/time/clock";
import { nextTimer } from "../../kernel/time/timers";
import { endNow } from "../reap";
import {
  activate,
  block,
  deliver,
  idle,
  idles,
  link,
  newProcess,
  onNextIdle,
  queue,
  setUp,
  STEP_EVENT,
  STEP_GONE,
  STEP_OTHER_BIT,
  STEP_SIGNAL,
  STEP_WAKE,
  switchTo,
} from "./process-machine";

beforeAll(setUp);

describe("waitOn", () => {
  beforeEach(idle);
  afterEach(() => {
    assert(currentThread().waiter.isEmpty && queue.isEmpty, "still in the queue");
    assert(currentThread().timer.isEmpty && nextTimer() == NO_DEADLINE, "still in the wheel");
    assert(currentThread().state == THREAD_RUNNABLE, "state");
    deliver(currentProcess());
    while (sys_sigtake() != 0) {}
    currentThread().takeInterruption();
  });

  it("is woken by what it listens to", () => {
    onNextIdle(STEP_WAKE);
    expect<i32>(waitOn(queue, POLLIN, NO_DEADLINE)).toBe(0);
    onNextIdle(STEP_WAKE);
    expect<i32>(waitOn(queue, POLLIN, now() + MILLISECOND)).toBe(0);
    expect<i32>(idles).toBe(2);
  });

  it("sleeps on through what it does not listen to", () => {
    onNextIdle(STEP_OTHER_BIT);
    expect<i32>(waitOn(queue, POLLIN, NO_DEADLINE)).toBe(0);
    expect<i32>(idles).toBe(2);
  });

  it("ends at the deadline, not before it, and at once when that is past", () => {
    const deadline = now() + 3 * MILLISECOND;
    expect<i32>(waitOn(queue, POLLIN, deadline)).toBe(-ETIMEDOUT);
    expect<u64>(now()).toBeGreaterThanOrEqual(deadline);
    expect<u64>(now()).toBeLessThan(deadline + 70_000);
    idle();
    expect<i32>(waitOn(queue, POLLIN, now())).toBe(-ETIMEDOUT);
    expect<i32>(waitOn(null, 0, 1)).toBe(-ETIMEDOUT);
    expect<i32>(idles).toBe(0);
  });

  it("ends with -EINTR for a signal that comes, and for one that came before, once", () => {
    onNextIdle(STEP_SIGNAL);
    expect<i32>(waitOn(queue, POLLIN, NO_DEADLINE)).toBe(-EINTR);
    sys_kill(sys_getpid(), SIGUSR1);
    expect<i32>(waitOn(queue, POLLIN, NO_DEADLINE)).toBe(-EINTR);
    onNextIdle(STEP_WAKE);
    expect<i32>(waitOn(queue, POLLIN, NO_DEADLINE)).toBe(0);
  });

  it("ends with -EINTR when the object goes away", () => {
    onNextIdle(STEP_GONE);
    expect<i32>(waitOn(queue, POLLIN, NO_DEADLINE)).toBe(-EINTR);
  });

  it("lets handlers run: -ERESTART, with the flag for the glue", () => {
    onNextIdle(STEP_EVENT);
    expect<i32>(waitOn(queue, POLLIN, NO_DEADLINE)).toBe(-ERESTART);
    expect<u32>(exitWork & WORK_DISPATCH).toBe(1);
    expect<i32>(waitOn(queue, POLLIN, NO_DEADLINE)).toBe(-ERESTART, "and never waits while there are some");
    expect<i32>(idles).toBe(1);
  });

  it("inside a handler waits on though others are pending", () => {
    const process = currentProcess();
    process.thread.handling = 1;
    activate(process);
    expect<u32>(exitWork & WORK_DISPATCH).toBe(0);
    expect<i32>(waitOn(queue, POLLIN, now() + MILLISECOND)).toBe(-ETIMEDOUT);
    process.thread.handling = 0;
  });

  it("tells a process that always has handlers to run of signals and of the end of its wait", () => {
    const process = currentProcess();
    activate(process);
    sys_kill(process.pid, SIGTERM);
    expect<i32>(waitOn(queue, POLLIN, 1)).toBe(-EINTR);
    expect<i32>(waitOn(queue, POLLIN, 1)).toBe(-ETIMEDOUT);
    expect<i32>(waitOn(queue, POLLIN, NO_DEADLINE)).toBe(-ERESTART);
    expect<u32>(exitWork & WORK_DISPATCH).toBe(1, "they run before the call returns");
  });

  it("switches to who can run, with window, limits, stack and flag of that process", () => {
    const first = currentProcess();
    const second = newProcess();
    const switches = switchCount;
    second.pending.append(link, 32);
    switchTo(second);
    expect<u64>(switchCount - switches).toBe(1);
    expect<usize>(pageTables()).toBe(second.pageTables);
    expect<usize>(kernelStackTop).toBe(second.thread.stackTop);
    expect<u32>(exitWork & WORK_DISPATCH).toBe(1, "what was activated while it did not run");
    setUserLimits(second.memoryBytes, second.vmtableBytes);
    deliver(second);
    switchTo(first);
    expect<usize>(pageTables()).toBe(first.pageTables);
    expect<u32>(exitWork & WORK_DISPATCH).toBe(0);
    endNow(second, 0);
    idle();
  });
});

describe("notifyThread", () => {
  it("sets the glue's flag for the current process only, and wakes a blocked one", () => {
    const first = currentProcess();
    const second = newProcess();
    switchTo(second);
    // `first` is in the run queue: nothing to do but to note it.
    activate(first);
    expect<u32>(exitWork & WORK_DISPATCH).toBe(0);
    deliver(first);
    activate(second);
    expect<u32>(exitWork & WORK_DISPATCH).toBe(1);
    deliver(second);
    switchTo(first);
    const thread = second.thread;
    readyRemove(thread, thread.priority);
    block(second);
    second.thread.handling = 8;
    activate(second);
    expect<u32>(thread.state).toBe(THREAD_BLOCKED, "its handler waits for something else");
    second.thread.handling = 0;
    activate(second);
    expect<u32>(thread.state).toBe(THREAD_RUNNABLE);
    deliver(second);
    endNow(second, 0);
  });
});
