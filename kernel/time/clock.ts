/**
 * The clock: nanoseconds since boot, from the time-stamp counter.
 *
 *     ns = ticks × (nanoseconds per tick, 32 integer and 32 fractional bits)
 *
 * computed in one product of 128 bits (hal.scale), which cannot overflow before u64 nanoseconds do (584 years; the counter itself lasts
 * 58 years at 10 GHz). Deadlines go the other way, from the present on, always rounded up: the clock has reached the
 * time when the counter has reached the deadline.
 */
import { scale, tsc } from "../hal";

/** In nanoseconds. */
export const MILLISECOND: u64 = 1_000_000;
export const SECOND: u64 = 1_000_000_000;

/** Ranges of setClockFrequency, in Hz. */
export const CLOCK_MINIMUM: u64 = 1_000_000;
export const CLOCK_MAXIMUM: u64 = 100_000_000_000;

const NANOSECONDS: u64 = 1_000_000_000;
/** Spans beyond this (9 years) have no deadline. */
const LONGEST: u64 = 1 << 58;

/** The counter and the time at the point from which the present frequency counts. */
let startTicks: u64 = 0;
let startTime: u64 = 0;
/** Nanoseconds per tick, 32 fractional bits; 1 GHz until the frequency is known. */
let nanosecondsPerTick: u64 = 1 << 32;
/** Ticks per nanosecond, 32 fractional bits, rounded up. */
let ticksPerNanosecond: u64 = 1 << 32;
let frequency: u64 = 0;

/** Once at boot, ahead of setClockFrequency: the counter at time 0. */
export function setClockStart(ticks: u64): void {
  startTicks = ticks;
  startTime = 0;
}

/**
 * Counts at `hz` (CLOCK_MINIMUM .. CLOCK_MAXIMUM; others: false, and nothing changes). The first call says so of all the time since the
 * start, and may move the time back: no timer may have been started. Later calls change the rate from now on.
 */
export function setClockFrequency(hz: u64): bool {
  if (hz < CLOCK_MINIMUM || hz > CLOCK_MAXIMUM) return false;
  if (frequency != 0) {
    const ticks = tsc();
    startTime = timeAt(ticks);
    startTicks = ticks;
  }
  frequency = hz;
  const scaled = NANOSECONDS << 32;
  nanosecondsPerTick = (scaled + (hz >> 1)) / hz;
  // The inverse of the other and not hz / 10^9: both directions have to agree. ceil(2^64 / nanosecondsPerTick) without 2^64:
  ticksPerNanosecond = u64.MAX_VALUE / nanosecondsPerTick + 1;
  return true;
}

/** Hz, or 0 before setClockFrequency. */
export function clockFrequency(): u64 {
  return frequency;
}

/** Nanoseconds since boot. */
// @ts-ignore: decorator
@inline
export function now(): u64 {
  return timeAt(tsc());
}

/** Nanoseconds since boot at a reading of the counter, not before the last setClockFrequency. */
// @ts-ignore: decorator
@inline
export function timeAt(ticks: u64): u64 {
  return startTime + scale(ticks - startTicks, nanosecondsPerTick);
}

/** How long so many ticks of the counter take, in nanoseconds. */
export function nanosecondsOf(ticks: u64): u64 {
  return scale(ticks, nanosecondsPerTick);
}

/**
 * The counter at which the clock will have reached `time` (ns since boot), for a TSC deadline: never earlier, and later by no more than
 * two ticks and 0.25 ppb of the span. Now, when that is past; u64.MAX_VALUE when it is more than nine years away.
 */
export function tscFromNanoseconds(time: u64): u64 {
  const ticks = tsc();
  const present = timeAt(ticks);
  if (time <= present) return ticks;
  const span = time - present;
  if (span >= LONGEST) return u64.MAX_VALUE;
  return ticks + scale(span, ticksPerNanosecond) + 1;
}
