/** Quiet calls (policy.handlersAfter): one that blocks is not made again for handlers, and being quiet belongs to its thread alone. */
import { activate } from "../../aem/activation";
import { eventOfJid } from "../../aem/jids";
import { EINTR, ERESTART, ETIMEDOUT } from "../../kernel/errno";
import { exitWork, quietCall, setQuietCall, WORK_DISPATCH } from "../../kernel/glue";
import { VECTOR_TIMER } from "../../kernel/interrupts/apic";
import { NO_DEADLINE } from "../../kernel/interrupts/deadline";
import { setVector } from "../../kernel/interrupts/vectors";
import { SIGUSR1, sys_kill, sys_nanosleep, sys_sigtake } from "../../kernel/process/calls";
import { currentProcess } from "../../kernel/process/process";
import { waitOn } from "../../kernel/scheduler/block";
import { currentThread } from "../../kernel/scheduler/running";
import { wakeThread } from "../../kernel/scheduler/wake";
import { Thread, THREAD_BLOCKED, THREAD_RUNNABLE } from "../../kernel/scheduler/thread";
import { MILLISECOND, now } from "../../kernel/time/clock";
import { nextTimer, runTimers } from "../../kernel/time/timers";
import * as fake from "../fake";
import { expectNothingLeft, onTimer, setUp } from "./driver";
import { newProcess, nextHandler } from "./machine";

const NO_VECTOR: u32 = 0x40;

let jid: i32 = 0;
let signal: bool = false;
/** State of the waiting thread right after the event came. */
let stateAfter: u32 = 0;
/** What the switch saw. */
let seenQuiet: u32 = 0;
let seenPrevious: u32 = 0;
let previous: Thread = changetype<Thread>(0);

function idle(): u32 {
  if (jid != 0) {
    activate(eventOfJid(currentProcess(), jid)!);
    stateAfter = currentThread().state;
    jid = 0;
    return NO_VECTOR;
  }
  if (signal) {
    signal = false;
    sys_kill(currentProcess().pid, SIGUSR1);
    return NO_VECTOR;
  }
  if (nextTimer() > now()) fake.advance(nextTimer() - now());
  return VECTOR_TIMER;
}
function timer(argument: usize): void {
  runTimers(now());
}
function onSwitch(save: usize, stackPointer: u64): void {
  seenQuiet = quietCall;
  seenPrevious = previous.quiet;
}

describe("a quiet call", () => {
  beforeAll(() => {
    setUp();
    setVector(VECTOR_TIMER, timer.index, 0);
    fake.onIdle(idle.index);
    fake.onSwitch(onSwitch.index);
  });
  afterEach(() => {
    setQuietCall(0);
    nextHandler();
    expectNothingLeft();
    while (sys_sigtake() != 0) {}
    currentThread().takeInterruption();
  });

  it("sleeps to its end though events come, which wait for the next call", () => {
    const event = onTimer(1_000_000_000_000, 0);
    setQuietCall(1);
    jid = event;
    const start = now();
    expect<i32>(sys_nanosleep(5 * MILLISECOND)).toBe(0);
    expect<u64>(now() - start).toBeGreaterThanOrEqual(5 * MILLISECOND);
    expect<u32>(stateAfter).toBe(THREAD_BLOCKED, "not woken");
    expect<i32>(waitOn(null, 0, now())).toBe(-ETIMEDOUT, "one that finds an event there waits as well");
    setQuietCall(0);
    expect<u32>(exitWork & WORK_DISPATCH).toBe(WORK_DISPATCH);
    expect<i32>(waitOn(null, 0, NO_DEADLINE)).toBe(-ERESTART);
  });

  it("any other call is woken by an event: the difference", () => {
    const event = onTimer(1_000_000_000_000, 0);
    jid = event;
    expect<i32>(sys_nanosleep(5 * MILLISECOND)).toBe(-ERESTART);
    expect<u32>(stateAfter).toBe(THREAD_RUNNABLE);
    currentThread().deadline = 0;
  });

  it("hears of a signal", () => {
    setQuietCall(1);
    signal = true;
    expect<i32>(sys_nanosleep(5 * MILLISECOND)).toBe(-EINTR);
  });

  it("is quiet for its thread only: the next one is not, and it is again when it goes on", () => {
    const first = currentThread();
    const second = newProcess().thread;
    previous = first;
    setQuietCall(1);
    waitOn(null, 0, NO_DEADLINE); // switches to the second, and returns there
    expect<bool>(changetype<usize>(currentThread()) == changetype<usize>(second)).toBe(true);
    expect<u32>(seenPrevious).toBe(1, "remembered while it is blocked");
    expect<u32>(seenQuiet).toBe(0, "the second is in no quiet call");
    expect<u32>(quietCall).toBe(0);
    first.quiet = 1; // as it is while blocked: the fake switch came back with the first one's code
    previous = second;
    wakeThread(first, 0);
    waitOn(null, 0, NO_DEADLINE);
    expect<bool>(changetype<usize>(currentThread()) == changetype<usize>(first)).toBe(true);
    expect<u32>(seenQuiet).toBe(1);
    expect<u32>(seenPrevious).toBe(0);
    first.quiet = 0;
  });
});
