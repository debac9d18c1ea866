/**
 * The clock: nanoseconds since boot, from the time-stamp counter.
 *
 *     ns = ticks × (nanoseconds per tick, 32 integer and 32 fractional bits)
 *
 * computed in three 64-bit products that cannot overflow before u64 nanoseconds do (584 years; the counter itself lasts
 * 58 years at 10 GHz). Deadlines go the other way, from the present on, always rounded up: the clock has reached the
 * time when the counter has reached the deadline.
 */
import { tsc } from "../hal";

/** Ranges of setClockFrequency, in Hz. */
export const CLOCK_MINIMUM: u64 = 1_000_000;
export const CLOCK_MAXIMUM: u64 = 100_000_000_000;

const NANOSECONDS: u64 = 1_000_000_000;
const LOW: u64 = 0xffff_ffff;
/** Spans beyond this (9 years) have no deadline. */
const LONGEST: u64 = 1 << 58;

/** The counter and the time at the point from which the present frequency counts. */
let startTicks: u64 = 0;
let startTime: u64 = 0;
/** Nanoseconds per tick; 1 GHz until the frequency is known. */
let nanosecondsWhole: u64 = 1;
let nanosecondsFraction: u64 = 0;
/** Ticks per nanosecond, rounded up. */
let ticksWhole: u64 = 1;
let ticksFraction: u64 = 0;
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
  const multiplier = (scaled + (hz >> 1)) / hz;
  nanosecondsWhole = multiplier >> 32;
  nanosecondsFraction = multiplier & LOW;
  // The inverse of the multiplier and not hz / 10^9: both directions have to agree. ceil(2^64 / multiplier) without 2^64:
  const inverse = u64.MAX_VALUE / multiplier + 1;
  ticksWhole = inverse >> 32;
  ticksFraction = inverse & LOW;
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
  const delta = ticks - startTicks;
  return (
    startTime +
    delta * nanosecondsWhole +
    (delta >> 32) * nanosecondsFraction +
    (((delta & LOW) * nanosecondsFraction) >> 32)
  );
}

/** How long so many ticks of the counter take, in nanoseconds. */
export function nanosecondsOf(ticks: u64): u64 {
  return (
    ticks * nanosecondsWhole +
    (ticks >> 32) * nanosecondsFraction +
    (((ticks & LOW) * nanosecondsFraction) >> 32)
  );
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
  const delta = span * ticksWhole + (span >> 32) * ticksFraction + (((span & LOW) * ticksFraction) >> 32) + 1;
  return ticks + delta;
}
