/**
 * What a timing wheel (wheel.ts) looks like in memory, and its arithmetic of ticks. Each wheel has a frame of its own, so that a list says whose it is:
 *
 *     ├ lists: LISTS × Link ┼ occupancy: 8 × u64 ┼ current, due, slot due, bound: u64 ┼ levels, number: u32 ┤
 */
import { Link } from "../list";

/** 1,024 ns: less than anybody can see behind an interrupt, and yet a u64 of nanoseconds is a fair number of ticks that are levels of 64. */
export const TICK_SHIFT: u64 = 10;
/** A timer is never early, and less than this late (in ns) when what is due is called at wheelNext(). */
export const TIMER_TICK: u64 = 1 << TICK_SHIFT;

export const DIGIT: u32 = 6;
export const TOP_LEVEL: u32 = 7;
/** List of level 7. */
export const BEYOND: u32 = TOP_LEVEL << DIGIT;
/** Timers taken out of a slot whose time has come. To the occupancy maps it is slot 1 of level 7. */
export const WORK: u32 = BEYOND + 1;
/** The timer in front of the slots. To the occupancy maps it is nowhere. */
export const FRONT: u32 = WORK + 1;
export const LISTS: u32 = FRONT + 1;
export const LINK_SIZE: usize = 8;
export const OCCUPANCY: usize = <usize>LISTS * LINK_SIZE;
export const NEVER: u64 = u64.MAX_VALUE;

/** Every tick up to this one has come. Never goes back. */
export const CURRENT: usize = OCCUPANCY + 8 * 8;
/** The time at which there is something to do next, or one before it, if a timer has been stopped meanwhile; u64.MAX_VALUE: there is no timer. */
export const DUE: usize = CURRENT + 8;
/** The same of the slots alone; with a timer in front of them it is the later one. */
export const SLOT_DUE: usize = DUE + 8;
/** How far `current` may go before that: not into a slot whose timers lie in it still. */
export const BOUND: usize = SLOT_DUE + 8;
/** Bit l: level l has a slot in use. */
const LEVELS: usize = BOUND + 8;
/** Whatever the owner wants. */
export const NUMBER: usize = LEVELS + 4;
/** Bytes of a wheel; less than a frame. */
export const WHEEL_SIZE: usize = NUMBER + 4;


@unmanaged
export class Timer extends Link {
  /** Time at which it is due, in ns since boot. A periodic timer adds its period to this, so that it never drifts. */
  expires: u64;
  /** (timer: Timer) => void */
  callback: u32;
  /** Whatever the owner wants. */
  argument: usize;
}

/** Bytes to reserve for a Timer inside another struct. */
export const TIMER_SIZE: usize = offsetof<Timer>();

// @ts-ignore: decorator
@inline
export function wheelNumber(wheel: usize): u32 {
  return load<u32>(wheel, NUMBER);
}

// @ts-ignore: decorator
@inline
export function list(wheel: usize, index: u32): Link {
  return changetype<Link>(wheel + LINK_SIZE * index);
}

// @ts-ignore: decorator
@inline
export function occupied(wheel: usize, level: u32): u64 {
  return load<u64>(wheel + level * 8, OCCUPANCY);
}

// @ts-ignore: decorator
@inline
export function occupy(wheel: usize, level: u32, slot: u32): void {
  store<u64>(wheel + level * 8, occupied(wheel, level) | ((<u64>1) << slot), OCCUPANCY);
  store<u32>(wheel, levelsOf(wheel) | (1 << level), LEVELS);
}

// @ts-ignore: decorator
@inline
export function vacate(wheel: usize, level: u32, slot: u32): void {
  const slots = occupied(wheel, level) & ~((<u64>1) << slot);
  store<u64>(wheel + level * 8, slots, OCCUPANCY);
  if (slots == 0) store<u32>(wheel, levelsOf(wheel) & ~(1 << level), LEVELS);
}

// @ts-ignore: decorator
@inline
export function currentOf(wheel: usize): u64 {
  return load<u64>(wheel, CURRENT);
}

// @ts-ignore: decorator
@inline
export function levelsOf(wheel: usize): u32 {
  return load<u32>(wheel, LEVELS);
}

/** The tick at which a slot begins. */
// @ts-ignore: decorator
@inline
export function slotTick(wheel: usize, level: u32, slot: u32): u64 {
  const shift: u64 = level * DIGIT;
  return (currentOf(wheel) & (~(<u64>63) << shift)) | ((<u64>slot) << shift);
}

/** The tick at which what is beyond all slots has to be looked at. */
// @ts-ignore: decorator
@inline
export function beyondTick(wheel: usize): u64 {
  const shift: u64 = TOP_LEVEL * DIGIT;
  return ((currentOf(wheel) >> shift) + 1) << shift;
}

/** When a tick begins; a u64 of nanoseconds does not reach the one behind the last. */
// @ts-ignore: decorator
@inline
function timeOf(tick: u64): u64 {
  return tick >> (64 - TICK_SHIFT) == 0 ? tick << TICK_SHIFT : NEVER;
}

/** The same as a time. */
// @ts-ignore: decorator
@inline
export function beyondTime(wheel: usize): u64 {
  return timeOf(beyondTick(wheel));
}

/** First tick that does not begin before the time. */
// @ts-ignore: decorator
@inline
export function tickOf(time: u64): u64 {
  return (time >> TICK_SHIFT) + u64((time & (TIMER_TICK - 1)) != 0);
}

/** Time at which a timer that expires at `expires` is called: the next tick; of the last tick of u64, 0. */
// @ts-ignore: decorator
@inline
export function dueTime(expires: u64): u64 {
  return (expires + (TIMER_TICK - 1)) & ~(TIMER_TICK - 1);
}

/** The first of a list is the only one. */
// @ts-ignore: decorator
@inline
export function isAlone(first: Timer): bool {
  return changetype<usize>(first.next) == changetype<usize>(first.prev);
}
