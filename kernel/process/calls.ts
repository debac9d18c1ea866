/**
 * System calls that concern the process itself: exit, signals, time, log, random, and waiting for events.
 */
import { tsc } from "../hal";
import { EBUSY, EFAULT, EINVAL, ERESTART, ESRCH, ETIMEDOUT } from "../errno";
import {
  consoleRoom,
  logBytes,
  logDecimal,
  logEnd,
  logs,
  logStart,
  logText,
  LOG_DEBUG,
  LOG_ERROR,
  LOG_INFO,
} from "../console";
import { NO_DEADLINE } from "../interrupts/deadline";
import { VMTABLE_BASE } from "../memory/layout";
import { readUser, userRange, writeUser } from "../memory/user";
import { fillRandom, RANDOM_REFILL } from "../random";
import { waitOn } from "../scheduler/block";
import { yieldPoint } from "../scheduler/preempt";
import { currentThread } from "../scheduler/running";
import { wakeThread } from "../scheduler/wake";
import { INTERRUPT_HANDLER, INTERRUPT_MAIN } from "../scheduler/thread";
import { now } from "../time/clock";
import { endProcess } from "./end";
import { currentProcess, findProcess } from "./process";

export const SIGKILL: i32 = 9;
export const SIGUSR1: i32 = 10;
export const SIGUSR2: i32 = 12;
export const SIGTERM: i32 = 15;
/** What kill(2) of a process ends it with: 64 + SIGKILL, as for a trap. */
const KILLED_STATUS: i32 = 64 + 9;

const CLOCK_MONOTONIC: i32 = 1;
/** The time-stamp counter itself, in ticks: for measurements. */
const CLOCK_TSC: i32 = 4;

/** Bytes that are copied at a time, on the kernel stack's behalf: see `scratch`. */
const SCRATCH_SIZE: usize = 256;
let scratch: usize = 0;

/** Once at boot. `storage`: 256 bytes. */
export function initializeProcessCalls(storage: usize): void {
  scratch = storage;
}

/** Before a line of `level` that an application has printed: others run until the console has room for it, so that nobody who ranks higher waits for a port that is slow. */
function waitForConsole(level: u32): void {
  if (!logs(level)) return;
  while (!consoleRoom()) yieldPoint();
}

/** Ends the process with `status`. Does not return. */
export function sys_exit(status: i32): void {
  const process = currentProcess();
  const level = status == 0 ? LOG_DEBUG : LOG_INFO;
  waitForConsole(level);
  if (logStart(level, "process")) {
    logDecimal(process.pid);
    logText(" (");
    logBytes(process.module.name, process.module.nameLength);
    logText(") exited with status ");
    logDecimal(status);
    logEnd();
  }
  endProcess(process, status);
}

export function sys_getpid(): i32 {
  return currentProcess().pid;
}

/**
 * Sends a signal: SIGTERM, SIGUSR1 and SIGUSR2 make a blocking call of the process (enter_keepalive above all) return -EINTR, unless
 * an event is registered for that signal: then its handler has it. SIGKILL ends the process; 0 only asks whether it is there. -ESRCH, -EINVAL.
 */
export function sys_kill(pid: i32, signal: i32): i32 {
  const process = findProcess(pid);
  if (process === null) return -ESRCH;
  if (signal == 0) return 0;
  if (signal == SIGKILL) {
    endProcess(process, KILLED_STATUS);
    return 0;
  }
  if (signal != SIGTERM && signal != SIGUSR1 && signal != SIGUSR2) return -EINVAL;
  if (process.signalWaiters.listens(1 << signal)) {
    process.signalWaiters.wake(1 << signal, currentProcess().pid);
    return 0;
  }
  process.signals |= 1 << signal;
  process.interrupted |= process.thread.handling == 0 ? INTERRUPT_MAIN : INTERRUPT_MAIN | INTERRUPT_HANDLER;
  wakeThread(process.thread, process.priority);
  return 0;
}

/** The lowest signal that has come, which is thereby taken; 0 when there is none. */
export function sys_sigtake(): i32 {
  const process = currentProcess();
  const signals = process.signals;
  if (signals == 0) return 0;
  process.signals = signals & (signals - 1);
  return ctz(signals);
}

/**
 * Runs handlers as events are activated, until a signal comes: -EINTR; or 0 when the last event registered with EVF_KEEPALIVE has
 * ended. -EBUSY inside a handler, where it could never run one.
 */
export function sys_enter_keepalive(): i32 {
  const thread = currentThread();
  const process = thread.process;
  if (thread.handling != 0 || changetype<usize>(thread) != changetype<usize>(process.thread)) return -EBUSY;
  let result: i32;
  thread.serving = 0;
  // Nothing of the main code waits here: what wakes the thread brings its own level.
  thread.level = 0;
  do {
    if (process.keepaliveEnded != 0) {
      process.keepaliveEnded = 0;
      result = 0;
      break;
    }
    result = waitOn(null, 0, NO_DEADLINE);
  } while (result == 0);
  if (result == -ERESTART) thread.serving = 1;
  else thread.level = process.priority;
  return result;
}

/** Nanoseconds since boot (CLOCK_MONOTONIC 1), or TSC ticks (CLOCK_TSC 4); -EINVAL. */
export function sys_clock_gettime(clock: i32): i64 {
  if (clock == CLOCK_MONOTONIC) return <i64>now();
  if (clock == CLOCK_TSC) return <i64>tsc();
  return -EINVAL;
}

/** Blocks for `nanoseconds`; handlers run meanwhile. 0, -EINTR, -EINVAL when negative. */
export function sys_nanosleep(nanoseconds: i64): i32 {
  if (nanoseconds < 0) return -EINVAL;
  const thread = currentThread();
  // A sleep that handlers interrupted goes on to its first end. A handler's own sleep has a deadline of its own.
  const handling = thread.handling != 0;
  let deadline = handling ? 0 : thread.deadline;
  if (deadline == 0) deadline = now() + <u64>nanoseconds;
  let result: i32;
  do result = waitOn(null, 0, deadline);
  while (result == 0);
  if (!handling) thread.deadline = result == -ERESTART ? deadline : 0;
  return result == -ETIMEDOUT ? 0 : result;
}

/** Prints a line on the console: level as in console.ts (3 .. 7), bytes of UTF-8, at most 256 of them. The bytes printed, -EFAULT, -EINVAL. */
export function sys_log(level: i32, text: usize, length: usize): i32 {
  if (level < <i32>LOG_ERROR || level > <i32>LOG_DEBUG) return -EINVAL;
  if (length > SCRATCH_SIZE) length = SCRATCH_SIZE;
  waitForConsole(<u32>level);
  // Behind that: others use it, too.
  const error = readUser(scratch, text, length);
  if (error < 0) return error;
  const module = currentProcess().module;
  if (!logStart(<u32>level, "app")) return <i32>length;
  logBytes(module.name, module.nameLength);
  logText(": ");
  logBytes(scratch, <u32>length);
  logEnd();
  return <i32>length;
}

/** Fills with random bytes, at most 1 MiB a call, of which each refill of the generator is a step. `length`, -EFAULT, -EINVAL for flags or size. */
export function sys_getrandom(address: usize, length: usize, flags: i32): i32 {
  if (flags != 0 || length > 0x100000) return -EINVAL;
  if (!userRange(address, length)) return -EFAULT;
  for (let done: usize = 0; done < length;) {
    if (done != 0) yieldPoint();
    const bytes = min(length - done, RANDOM_REFILL);
    fillRandom(scratch, bytes);
    const error = writeUser(address + done, scratch, bytes);
    if (error < 0) return error;
    done += bytes;
  }
  return <i32>length;
}

/** For the runtime: end of the vmtable zone as an address, low 32 bits of its offset in the window. */
export function vmtableEnd(): u32 {
  return <u32>(VMTABLE_BASE + <usize>currentProcess().vmtableBytes);
}
