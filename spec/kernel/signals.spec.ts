/** Signals, and how they and exit end a process (kernel/process/end.ts). */
import { EINVAL, ESRCH } from "../../kernel/errno";
import { image, IMAGE_PAGE_TABLES, pageTables } from "../../kernel/hal";
import { NO_DEADLINE } from "../../kernel/interrupts/deadline";
import { frameErrorCount, freeFrameCount } from "../../kernel/memory/frames";
import { setUserLimits } from "../../kernel/memory/user";
import {
  SIGKILL,
  SIGTERM,
  SIGUSR1,
  SIGUSR2,
  sys_exit,
  sys_getpid,
  sys_kill,
  sys_nanosleep,
  sys_sigtake,
} from "../../kernel/process/calls";
import { currentProcess, liveProcesses, Process } from "../../kernel/process/process";
import { waitOn } from "../../kernel/scheduler/block";
import { currentThread, switchCount } from "../../kernel/scheduler/running";
import { KERNEL_STACK_SIZE } from "../../kernel/scheduler/thread";
import { POLLIN } from "../../kernel/scheduler/wait";
import { MILLISECOND, now } from "../../kernel/time/clock";
import { nextTimer, runTimers, timerStart } from "../../kernel/time/timers";
import { endNow, reapAll } from "../reap";
import * as fake from "../fake";
import {
  block,
  exitHookRuns,
  idle,
  lastExits,
  lastStatus,
  newProcess,
  onSwitch,
  queue,
  setUp,
  switchTo,
} from "./process-machine";

let framesAtSwitch: u32 = 0;

beforeAll(setUp);

describe("signals", () => {
  beforeEach(idle);

  it("are taken lowest first, each once", () => {
    const pid = sys_getpid();
    expect<i32>(sys_kill(pid, SIGTERM)).toBe(0);
    expect<i32>(sys_kill(pid, SIGUSR2)).toBe(0);
    expect<i32>(sys_kill(pid, SIGUSR1)).toBe(0);
    expect<i32>(sys_kill(pid, SIGUSR1)).toBe(0);
    expect<i32>(sys_sigtake()).toBe(SIGUSR1);
    expect<i32>(sys_sigtake()).toBe(SIGUSR2);
    expect<i32>(sys_sigtake()).toBe(SIGTERM);
    expect<i32>(sys_sigtake()).toBe(0);
    currentThread().takeInterruption();
  });

  it("refuse what there is not", () => {
    const pid = sys_getpid();
    let wrong = 0;
    for (let signal = -40; signal < 80; signal++) {
      if (signal == 0 || signal == SIGKILL || signal == SIGUSR1 || signal == SIGUSR2 || signal == SIGTERM)
        continue;
      if (sys_kill(pid, signal) != -EINVAL) wrong++;
    }
    expect<i32>(wrong).toBe(0);
    expect<i32>(sys_kill(pid, i32.MIN_VALUE)).toBe(-EINVAL);
    expect<i32>(sys_kill(pid, 0)).toBe(0);
    expect<i32>(sys_kill(0, SIGTERM)).toBe(-ESRCH);
    expect<i32>(sys_kill(-1, SIGKILL)).toBe(-ESRCH);
    expect<i32>(sys_kill(i32.MAX_VALUE, SIGKILL)).toBe(-ESRCH);
    expect<i32>(sys_kill(63, 0)).toBe(-ESRCH);
    expect<i32>(sys_sigtake()).toBe(0);
  });

  it("SIGKILL ends a process in the run queue, one that is blocked, and one with a time limit: all goes back", () => {
    const before = freeFrameCount();
    for (let kind = 0; kind < 4; kind++) {
      const victim = newProcess();
      const first = currentProcess();
      if (kind != 0) {
        // The victim waits: the spec goes on with its predecessor while that is so.
        switchTo(victim);
        victim.thread.handling = kind == 3 ? 8 : 0;
        waitAs(victim, kind);
        assert(changetype<usize>(currentProcess()) == changetype<usize>(first), "back");
      }
      idle();
      const runs = exitHookRuns;
      const pid = victim.pid;
      expect<i32>(sys_kill(pid, SIGKILL)).toBe(0);
      expect<i32>(sys_kill(pid, 0)).toBe(-ESRCH);
      expect<i32>(exitHookRuns - runs).toBe(0, "what it has goes back in the polls");
      reapAll();
      expect<i32>(exitHookRuns - runs).toBeGreaterThan(0);
      expect<bool>(queue.isEmpty).toBe(true);
      // The quantum that the work for the polls began.
      fake.advance(2 * MILLISECOND);
      runTimers(now());
      expect<u64>(nextTimer()).toBe(NO_DEADLINE);
      expect<u32>(freeFrameCount()).toBe(before);
    }
    // Nobody is left in the run queue: the next wait is this process's own.
    const switches = switchCount;
    expect<i32>(sys_nanosleep(1_000_000)).toBe(0);
    expect<u64>(switchCount).toBe(switches);
    expect<u32>(frameErrorCount()).toBe(0);
  });

  it("a process that ends itself is off its page tables first, and its stack goes when another one is in use", () => {
    const before = freeFrameCount();
    const first = currentProcess();
    const second = newProcess();
    switchTo(second);
    const exits = lastExits;
    fake.onSwitch(onLastSwitch.index);
    sys_exit(3);
    fake.onSwitch(onSwitch.index);
    expect<usize>(changetype<usize>(currentProcess())).toBe(changetype<usize>(first));
    expect<usize>(pageTables()).toBe(first.pageTables);
    expect<u32>(freeFrameCount() - framesAtSwitch).toBe(
      <u32>(KERNEL_STACK_SIZE / 4096),
      "its stack is there until it is left",
    );
    // The rest has gone back in the polls, on the stack of whoever runs next.
    reapAll();
    expect<i32>(lastExits - exits).toBe(0);
    expect<u32>(freeFrameCount()).toBe(before);
    expect<u32>(frameErrorCount()).toBe(0);
    setUserLimits(0x1000_0000, 0);
  });
});

function onLastSwitch(save: usize, stackPointer: u64): void {
  framesAtSwitch = freeFrameCount();
}

/** The current process blocks; the processor goes to the other one. What waitOn does after that has not happened yet for real: it is put back. */
function waitAs(victim: Process, kind: i32): void {
  const thread = victim.thread;
  waitOn(kind == 1 ? queue : null, POLLIN, kind == 2 ? now() + 100 * MILLISECOND : NO_DEADLINE);
  block(victim);
  if (kind == 1) queue.append(thread.waiter);
  if (kind == 2) timerStart(thread.timer, now() + 100 * MILLISECOND);
}

describe("the last process", () => {
  it("ends the machine with the first status that was not 0", () => {
    const exits = lastExits;
    endNow(newProcess(), 0);
    expect<i32>(lastExits - exits).toBe(0);
    idle();
    // The spec's machine goes on, and finds nobody to run.
    expect(() => {
      endNow(currentProcess(), 5);
    }).toThrow("it does not return");
    expect<i32>(lastExits - exits).toBe(1);
    expect<i32>(lastStatus).toBe(64 + SIGKILL, "of the first that was killed above");
    expect<usize>(pageTables()).toBe(image(IMAGE_PAGE_TABLES));
    expect<i32>(liveProcesses()).toBe(0);
  });
});
