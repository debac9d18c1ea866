/**
 * The timers, each at the priority level of what it serves (AEM 3.2.1): a wheel for each level that has some, so that no timer waits for those of
 * lower levels, however many are due. The kernel's own timers, and those of levels that nobody has asked for, are at level 63.
 *
 * Who calls them (interrupts/deadline.ts) may leave what is due at some levels to somebody who does it later, and is not woken for
 * these levels meanwhile.
 */
import { allocateFrames } from "../memory/frames";
import { now } from "./clock";
import { wheelInitialize, wheelNext, wheelRun, wheelStart } from "./wheel";
import { Timer, WHEEL_SIZE, wheelNumber } from "./wheel-layout";

export { timerPending, timerPrepare, timerRestart, timerStop } from "./wheel";
export { Timer, TIMER_SIZE, TIMER_TICK } from "./wheel-layout";

const TOP: u32 = 63;
/** Timers that one call of runTimers calls or moves at most, unless it is told otherwise. */
export const TIMER_BUDGET: u32 = 64;
/** What is done in steps by a timer goes on so much later, in ns: others have their turn between two steps. */
export const STEP_PAUSE: u64 = 65_536;
/** Bytes of storage: a wheel, and behind it the addresses of the wheels of all levels. */
export const TIMERS_STORAGE: usize = WHEEL_SIZE + 64 * 4;

/** The wheel of level 63. */
let top: usize = 0;
/** Levels that were left to somebody, a bit each. */
let left: u64 = 0;
/** The others of which the wheel may have a timer. */
let active: u64 = 0;
/** Until when the hardware is sure to interrupt, and who is told of a timer that is due before. */
let alarm: u64 = 0;
let onEarlier: u32 = 0;
/** The one time that needs no wheel, for it changes with nearly every switch: the end of the present time slice. MAX_VALUE: there is none. */
let sliceEnd: u64 = u64.MAX_VALUE;
let onSliceEnd: u32 = 0;
/** For callbacks: the time at which they are called. */
export let timersTime: u64 = 0;
/** Behind runTimers: when there is something to do next, the levels at which something due is left aside. Before that, if a callback has stopped a timer. */
export let soonest: u64 = 0;

/** Once at boot, at time 0. `storage`: a frame. */
export function initializeTimers(storage: usize): void {
  top = storage;
  active = 0;
  left = 0;
  sliceEnd = u64.MAX_VALUE;
  wheelInitialize(top, TOP);
  for (let level: u32 = 0; level <= TOP; level++) setWheel(level, top);
}

/** From now on the level has a wheel of its own. False: there is no memory for it. */
// @ts-ignore: decorator
@inline
export function addTimerLevel(level: u32): bool {
  return level == TOP || wheelOf(level) != top || addWheel(level);
}

function addWheel(level: u32): bool {
  const wheel = allocateFrames(0);
  if (wheel == 0) return false;
  wheelInitialize(wheel, level);
  setWheel(level, wheel);
  return true;
}

// @ts-ignore: decorator
@inline
function wheelOf(level: u32): usize {
  return <usize>load<u32>(top + ((<usize>level) << 2), WHEEL_SIZE);
}

function setWheel(level: u32, wheel: usize): void {
  store<u32>(top + ((<usize>level) << 2), <u32>wheel, WHEEL_SIZE);
}

/** Once at boot: the function () => void that is told when a timer is started that is due before the alarm. */
export function setEarlier(index: u32): void {
  onEarlier = index;
}

/** The hardware will interrupt at `time` (ns since boot) at the latest. Time 0: nobody is told of timers, because somebody looks at nextTimer() soon. */
// @ts-ignore: decorator
@inline
export function setAlarm(time: u64): void {
  alarm = time;
}

/**
 * (Re)starts a timer of the level (0 .. 63). `expires`: ns since boot; when that is past, the next runTimers calls it. The last tick of
 * u64 never comes.
 */
export function timerStartAt(timer: Timer, expires: u64, level: u32): void {
  start(timer, expires, level, now());
}

/** The same for `wait` ns from now on: never, if u64 does not reach so far. */
export function timerStartIn(timer: Timer, wait: u64, level: u32): void {
  const time = now();
  const expires = time + wait;
  start(timer, expires < wait ? u64.MAX_VALUE : expires, level, time);
}

// @ts-ignore: decorator
@inline
function start(timer: Timer, expires: u64, level: u32, time: u64): void {
  const wheel = wheelOf(level);
  const before = wheelNext(wheel);
  wheelStart(wheel, timer, expires, time);
  if (wheelNext(wheel) < before) nextIsEarlier(wheel, expires);
}

/** There is something to do in the wheel before what was next in it, or it was empty. */
function nextIsEarlier(wheel: usize, expires: u64): void {
  active |= ((<u64>1) << wheelNumber(wheel)) & ~left;
  // From a callback: runTimers may have looked at the wheel before.
  soonest = min(soonest, wheelNext(wheel));
  if (expires < alarm) call_indirect<void>(onEarlier);
}

/** The same for a timer of the kernel's own: of those there are few, and what they do is short. */
export function timerStart(timer: Timer, expires: u64): void {
  timerStartAt(timer, expires, TOP);
}

/** Once at boot: the function () => void that is told of the end of a time slice. */
export function setSliceEnd(index: u32): void {
  onSliceEnd = index;
  sliceEnd = u64.MAX_VALUE;
}

/** Whether a time slice is under way. */
// @ts-ignore: decorator
@inline
export function sliceRuns(): bool {
  return sliceEnd != u64.MAX_VALUE;
}

/** A time slice of `length` ns begins now, unless one is under way. */
// @ts-ignore: decorator
@inline
export function startSlice(length: u64): void {
  if (!sliceRuns()) beginSlice(length);
}

function beginSlice(length: u64): void {
  sliceEnd = now() + length;
  soonest = min(soonest, sliceEnd);
  if (sliceEnd < alarm) call_indirect<void>(onEarlier);
}

/**
 * Time (ns since boot) at which runTimers has work; u64.MAX_VALUE: none. Never later than the first timer's expiry, rounded up to
 * a tick; past when the budget of the last call did not suffice. Levels that were left do not count.
 */
export function nextTimer(): u64 {
  let next = sliceEnd;
  for (let levels = active; levels != 0; levels &= levels - 1)
    next = min(next, wheelNext(wheelOf(<u32>ctz(levels))));
  return next;
}

/**
 * Calls what is due at the time `time` (ns since boot) at the levels from `least` on, the higher ones first, `budget` timers at most, which
 * may start and stop any timer. The levels at which something due is left, as bits: those below `least`, and what the budget did not suffice for.
 */
export function runTimers(time: u64, least: u32 = 0, budget: u32 = TIMER_BUDGET): u64 {
  timersTime = time;
  if (sliceEnd <= time) {
    sliceEnd = u64.MAX_VALUE;
    call_indirect<void>(onSliceEnd);
  }
  soonest = sliceEnd;
  let due: u64 = 0;
  let levels = active;
  while (levels != 0) {
    const level: u32 = 63 ^ (<u32>clz(levels));
    const bit = (<u64>1) << level;
    const wheel = wheelOf(level);
    levels ^= bit;
    let next = wheelNext(wheel);
    if (next <= time) {
      if (level >= least) budget = wheelRun(wheel, time, budget);
      next = wheelNext(wheel);
      if (next <= time) {
        due |= bit;
        continue;
      }
    }
    if (next < soonest) soonest = next;
    else if (next == u64.MAX_VALUE) active &= ~bit;
  }
  return due;
}

/** Somebody will call runTimersOf for these levels: nobody is woken for them. */
export function leaveTimers(levels: u64): void {
  left |= levels;
  active &= ~levels;
}

/** Calls what is due at a level that was left, `budget` at most. True when there is more; else the level is as any other again. */
export function runTimersOf(level: u32, time: u64, budget: u32): bool {
  const wheel = wheelOf(level);
  timersTime = time;
  wheelRun(wheel, time, budget);
  if (wheelNext(wheel) <= time) return true;
  const bit = (<u64>1) << level;
  left &= ~bit;
  active |= bit;
  return false;
}
