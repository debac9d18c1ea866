/** Calls of a process (kernel/process/calls.ts): nanosleep, enter_keepalive, and what the others check. */
import { EBUSY, EFAULT, EINTR, EINVAL, ERESTART } from "../../kernel/errno";
import { setConsoleRoom, setConsoleSink } from "../../kernel/console";
import { exitWork, WORK_DISPATCH } from "../../kernel/glue";
import { tsc } from "../../kernel/hal";
import { setVector } from "../../kernel/interrupts/vectors";
import { setUserLimits } from "../../kernel/memory/user";
import {
  SIGTERM,
  sys_clock_gettime,
  sys_enter_keepalive,
  sys_getrandom,
  sys_log,
  sys_nanosleep,
  sys_sigtake,
} from "../../kernel/process/calls";
import { currentProcess } from "../../kernel/process/process";
import { currentThread } from "../../kernel/scheduler/running";
import { now } from "../../kernel/time/clock";
import { growMemory } from "../arena";
import * as fake from "../fake";
import { deliver, idle, onNextIdle, setUp, STEP_EVENT, STEP_SIGNAL } from "./process-machine";

beforeAll(setUp);

describe("nanosleep", () => {
  beforeEach(idle);

  it("sleeps for the time asked for", () => {
    const start = now();
    expect<i32>(sys_nanosleep(5_000_000)).toBe(0);
    expect<u64>(now() - start).toBeGreaterThanOrEqual(5_000_000);
    expect<u64>(now() - start).toBeLessThan(5_100_000);
    expect<i32>(sys_nanosleep(0)).toBe(0);
    expect<i32>(sys_nanosleep(-1)).toBe(-EINVAL);
    expect<i32>(sys_nanosleep(i64.MIN_VALUE)).toBe(-EINVAL);
  });

  it("is interrupted by a signal, and then begins anew", () => {
    onNextIdle(STEP_SIGNAL);
    expect<i32>(sys_nanosleep(i64.MAX_VALUE)).toBe(-EINTR);
    expect<u64>(currentThread().deadline).toBe(0);
    expect<i32>(sys_sigtake()).toBe(SIGTERM);
    const start = now();
    expect<i32>(sys_nanosleep(1_000_000)).toBe(0);
    expect<u64>(now() - start).toBeLessThan(1_100_000);
  });

  it("keeps its end over handlers, who have sleeps of their own", () => {
    const process = currentProcess();
    const start = now();
    onNextIdle(STEP_EVENT);
    expect<i32>(sys_nanosleep(10_000_000)).toBe(-ERESTART);
    deliver(process);
    process.thread.handling = 1;
    expect<i32>(sys_nanosleep(4_000_000)).toBe(0, "the handler's");
    expect<u64>(now() - start).toBeLessThan(4_200_000);
    process.thread.handling = 0;
    onNextIdle(STEP_EVENT);
    expect<i32>(sys_nanosleep(10_000_000)).toBe(-ERESTART, "again");
    deliver(process);
    fake.advance(1_000_000);
    expect<i32>(sys_nanosleep(10_000_000)).toBe(0);
    expect<u64>(now() - start).toBeGreaterThanOrEqual(10_000_000);
    expect<u64>(now() - start).toBeLessThan(10_100_000);
    expect<u64>(currentThread().deadline).toBe(0);
  });

  it("ends although handlers are always pending", () => {
    onNextIdle(STEP_EVENT);
    expect<i32>(sys_nanosleep(1_000_000)).toBe(-ERESTART);
    fake.advance(2_000_000);
    expect<i32>(sys_nanosleep(1_000_000)).toBe(0);
    expect<u32>(exitWork & WORK_DISPATCH).toBe(1);
    deliver(currentProcess());
  });
});

describe("enter_keepalive", () => {
  beforeEach(idle);

  it("is refused in a handler", () => {
    currentProcess().thread.handling = 1;
    expect<i32>(sys_enter_keepalive()).toBe(-EBUSY);
    currentProcess().thread.handling = 0;
  });

  it("ends with a signal, restarts for handlers, and ends with 0 after the last event that keeps it", () => {
    const process = currentProcess();
    onNextIdle(STEP_SIGNAL);
    expect<i32>(sys_enter_keepalive()).toBe(-EINTR);
    expect<i32>(sys_sigtake()).toBe(SIGTERM);
    onNextIdle(STEP_EVENT);
    expect<i32>(sys_enter_keepalive()).toBe(-ERESTART);
    process.thread.handling = 8;
    process.keepaliveEnded = 1;
    process.thread.handling = 0;
    deliver(process);
    expect<i32>(sys_enter_keepalive()).toBe(0);
    expect<u32>(process.keepaliveEnded).toBe(0, "said once");
  });
});

/** A vector of the spec's own, and what is filled with random bytes; where the bytes end that are there, at each interrupt. */
const VECTOR: u32 = 0x50;
const ROOM: usize = 10_000;
const PAUSES = 104;
const room: usize = growMemory(ROOM, 8);
let filled: usize = 0;
let interrupts = 0;
let longest: usize = 0;

function onInterrupt(argument: usize): void {
  interrupts++;
  let end = filled;
  // Of 16 random bytes one is not 0.
  while (end < ROOM && (load<u64>(room + end) | load<u64>(room + end, 8)) != 0) end += 16;
  longest = max(longest, end - filled);
  filled = end;
}

describe("getrandom", () => {
  it("makes few bytes between two moments at which interrupts get in", () => {
    setVector(VECTOR, onInterrupt.index, 0);
    for (let n = 0; n < PAUSES; n++) fake.queueInterrupt(VECTOR);
    expect<i32>(sys_getrandom(room, ROOM, 0)).toBe(<i32>ROOM);
    expect<i32>(interrupts).toBe(PAUSES);
    expect<usize>(longest).toBeLessThanOrEqual(96 + 16);
    expect<usize>(filled).toBeGreaterThan(ROOM - 96 - 16, "up to the end");
    fake.queueInterrupt(VECTOR);
    expect<i32>(sys_getrandom(room, 96, 0)).toBe(96);
    expect<i32>(interrupts).toBe(PAUSES, "none in one that is short");
    expect<i32>(sys_getrandom(room, 97, 0)).toBe(97);
    expect<i32>(interrupts).toBe(PAUSES + 1);
  });
});

/** How often the console has still to be asked before it has room. */
let asked: i32 = 0;

function onByte(byte: u32): void {
  printed++;
  assert(asked == 0, "a byte before there was room");
}
let printed: i32 = 0;

function hasRoom(): bool {
  return asked == 0 || --asked == 0;
}

describe("a line of an application's", () => {
  it("waits for the console with interrupts let in", () => {
    setConsoleSink(onByte.index);
    setConsoleRoom(hasRoom.index);
    setVector(VECTOR, onInterrupt.index, 0);
    interrupts = 0;
    asked = 10;
    for (let n = 0; n < 9; n++) fake.queueInterrupt(VECTOR);
    expect<i32>(sys_log(6, room, 16)).toBe(16);
    expect<i32>(interrupts).toBe(9);
    expect<i32>(printed).toBeGreaterThan(16);
    asked = 10;
    expect<i32>(sys_log(7, room, 16)).toBe(16);
    expect<i32>(asked).toBe(10, "one that is not printed does not");
    asked = 0;
    setConsoleRoom(0);
    setConsoleSink(0);
  });
});

describe("the other calls of a process", () => {
  it("check what they are given", () => {
    setUserLimits(0x1000, 0);
    expect<i64>(sys_clock_gettime(0)).toBe(-EINVAL);
    expect<i64>(sys_clock_gettime(-1)).toBe(-EINVAL);
    expect<i64>(sys_clock_gettime(1)).toBe(<i64>now());
    expect<i64>(sys_clock_gettime(4)).toBe(<i64>tsc());
    expect<i32>(sys_log(2, 0, 1)).toBe(-EINVAL);
    expect<i32>(sys_log(8, 0, 1)).toBe(-EINVAL);
    expect<i32>(sys_log(-1, 0, 1)).toBe(-EINVAL);
    expect<i32>(sys_log(7, 0xffff_fff0, 0x20)).toBe(-EFAULT);
    expect<i32>(sys_log(7, 0x1000, 1)).toBe(-EFAULT);
    expect<i32>(sys_log(7, 0xff0, 16)).toBe(16);
    expect<i32>(sys_getrandom(0, 16, 1)).toBe(-EINVAL);
    expect<i32>(sys_getrandom(0, 0x100001, 0)).toBe(-EINVAL);
    expect<i32>(sys_getrandom(0, usize.MAX_VALUE, 0)).toBe(-EINVAL);
    setUserLimits(0x1000_0000, 0);
    const buffer = growMemory(1024, 8);
    setUserLimits(<u64>buffer + 600, 0);
    expect<i32>(sys_getrandom(buffer, 1000, 0)).toBe(-EFAULT);
    let bits: u64 = 0;
    for (let i: usize = 0; i < 1024; i += 8) bits |= load<u64>(buffer + i);
    expect<u64>(bits).toBe(0, "nothing is written when not all can be");
    expect<i32>(sys_getrandom(buffer, 600, 0)).toBe(600);
    expect<i32>(sys_getrandom(buffer, 0, 0)).toBe(0);
    expect<u64>(load<u64>(buffer + 592)).not.toBe(0);
    expect<u64>(load<u64>(buffer + 600)).toBe(0);
    setUserLimits(0x1000_0000, 0);
  });
});
