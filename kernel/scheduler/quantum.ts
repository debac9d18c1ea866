/**
 * Processor time: whose it was, and when somebody else's turn comes. Time is counted in ticks of the TSC.
 *
 * A quantum is under way only while threads compete or a process has a limited share, so that a machine with one thing to do is
 * tickless. When it fires, the thread that runs goes behind the others of its level.
 */
import { tsc } from "../hal";
import { setExitWork, WORK_RESCHEDULE } from "../glue";
import { Process } from "../process/process";
import { clockFrequency, now } from "../time/clock";
import {
  setSliceEnd,
  sliceRuns,
  startSlice,
  Timer,
  timerPending,
  timerPrepare,
  timerStart,
} from "../time/timers";
import { PRIORITY_DEFAULT, reserveCharge, setReserve } from "./ready";

/** Time slice of equal priorities, in ns. */
export const QUANTUM: u64 = 1_000_000;
/** Period of a limited share, in ns. */
export const SHARE_PERIOD: u64 = 100_000_000;

/** TSC up to which time has been charged. */
let charged: u64 = 0;
/** TSC at which the last quantum began. Who ran before that had nobody waiting, and owes nothing for it. */
let contested: u64 = 0;
/** A quantum has ended since somebody looked. */
let expired: bool = false;

/** Once at boot. */
export function initializeQuantum(): void {
  setSliceEnd(onQuantum.index);
  expired = false;
}

/** Once at boot, when the clock's frequency is known. `percent`: 0 .. 50, see ready.ts. */
export function startReserve(percent: u32): void {
  setReserve(percent, (clockFrequency() * QUANTUM) / 1_000_000_000);
}

function onQuantum(): void {
  expired = true;
  setExitWork(WORK_RESCHEDULE);
}

/** Whether a quantum has ended since the last call. */
@inline
export function takeExpired(): bool {
  const was = expired;
  expired = false;
  return was;
}

/** Whether one is under way. */
@inline
export function quantumRuns(): bool {
  return sliceRuns();
}

/** A quantum begins now, unless one is under way already. */
@inline
export function startQuantum(): void {
  if (!sliceRuns()) beginQuantum();
}

function beginQuantum(): void {
  contested = tsc();
  startSlice(QUANTUM);
}

/** Time counts from now on: the processor was idle. */
@inline
export function startCharging(): void {
  charged = tsc();
}

/** What has passed since the last call was the time of a thread of `process` at `level`. */
@inline
export function charge(process: Process, level: u32): void {
  const time = tsc();
  const ticks = time - charged;
  charged = time;
  process.cpuTicks += ticks;
  chargeReserve(level, ticks, time);
  if (process.share != 0) chargeShare(process, ticks);
}

/** The same, for work of `level` that interrupts have left: no process's. */
export function chargePolls(level: u32): void {
  const time = tsc();
  chargeReserve(level, time - charged, time);
  charged = time;
}

/** `ticks` up to `time`: what they owe to the lower levels, or what those have had. */
// @ts-ignore: decorator
@inline
function chargeReserve(level: u32, ticks: u64, time: u64): void {
  reserveCharge(level, level > PRIORITY_DEFAULT ? min(ticks, time - contested) : ticks);
}

// ---- A process's limited share ----

/** At most `percent` (1 .. 99) of each SHARE_PERIOD is the process's; 0 and 100: no limit. */
export function setShare(process: Process, percent: u32): void {
  process.share =
    percent - 1 >= 99 ? 0 : (((clockFrequency() * SHARE_PERIOD) / 1_000_000_000) * percent) / 100;
  process.shareUsed = 0;
  process.shareSpent = 0;
  timerPrepare(process.shareTimer, onPeriod.index);
}

/** The period begins with the first time that is used in it. */
function chargeShare(process: Process, ticks: u64): void {
  process.shareUsed += ticks;
  if (!timerPending(process.shareTimer)) timerStart(process.shareTimer, now() + SHARE_PERIOD);
  if (process.shareUsed >= process.share) process.shareSpent = 1;
}

/** (process: Process) => void: it may run again. */
let onRefill: u32 = 0;

export function onShareRefill(index: u32): void {
  onRefill = index;
}

function onPeriod(fired: Timer): void {
  const process = changetype<Process>(changetype<usize>(fired) - offsetof<Process>("shareTimerStorage0"));
  process.shareUsed = 0;
  if (process.shareSpent == 0) return;
  process.shareSpent = 0;
  call_indirect<void>(onRefill, process);
}
