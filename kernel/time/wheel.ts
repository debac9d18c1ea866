/**
 * Hierarchical timing wheel (Varghese and Lauck 1987, scheme 7): O(1) to start and to stop a timer, whatever is pending.
 *
 * Time is counted in ticks of 2^16 ns (65.5 µs). Level l has 64 slots of 64^l ticks each. A timer is in the level of the highest
 * 6-bit digit in which its tick differs from the present one, in the slot which that digit of its own names:
 *
 *     bits of the tick   47 .. 42 │ 41 .. 36 │ 35 .. 30 │ … │ 11 .. 6 │ 5 .. 0
 *     level                  7    │    6     │    5     │   │    1    │   0
 *
 * So all slots in use lie ahead, and those of a level ahead of all those of the levels below: the next one is the first bit in
 * the occupancy map of the lowest level in use. When its time comes, its timers expire or are filed again, each in a lower
 * level (cascade): a timer is moved once per level at most. Level 7 is one list: what is more than nine years away.
 *
 * There are two such wheels. What serves levels above the default one is in the urgent wheel: so many ordinary timers may be due that it
 * takes long to call them all, and none of the urgent ones waits for that (AEM 3.2.1).
 *
 * Storage of a wheel:  ├ lists: LISTS × Link ┼ occupancy: 8 × u64 ┼ current: u64 ┼ levels: u32 ┤
 */
import { Link } from "../list";
import { now } from "./clock";

const TICK_SHIFT: u64 = 16;
/** A timer is never early, and less than this late (in ns) when runTimers is called at nextTimer(). */
export const TIMER_TICK: u64 = 1 << TICK_SHIFT;
/** Timers that one call of runTimers expires or moves at most. */
export const TIMER_BUDGET: u32 = 64;

const DIGIT: u32 = 6;
const TOP_LEVEL: u32 = 7;
/** List of level 7. */
const BEYOND: u32 = TOP_LEVEL << DIGIT;
/** Timers taken out of a slot whose time has come. To the occupancy maps it is slot 1 of level 7. */
const WORK: u32 = BEYOND + 1;
const LISTS: u32 = WORK + 1;
const LINK_SIZE: usize = 8;
const OCCUPANCY: usize = <usize>LISTS * LINK_SIZE;
/** First tick that a u64 of nanoseconds does not reach. */
const END_OF_TIME: u64 = 1 << 48;

/** Every tick up to this one has come. Never goes back. */
const CURRENT: usize = OCCUPANCY + 8 * 8;
/** Bit l: level l has a slot in use. */
const LEVELS: usize = CURRENT + 8;
/** Bytes of storage for a wheel; less than a frame. */
export const WHEEL_SIZE: usize = LEVELS + 8;


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

/** The two wheels; the urgent one is 0 where there is none. */
let ordinary: usize = 0;
let urgent: usize = 0;
/** Ordinary timers that are due were left to somebody who calls runOrdinaryTimers before long: nothing is programmed for them. */
let left: bool = false;
/** Until when the hardware is sure to interrupt, and who is told of a timer that is due before. */
let alarm: u64 = 0;
let onEarlier: u32 = 0;

/** Once at boot, at time 0. `storage`: WHEEL_SIZE bytes, 8-aligned. Without the second wheel, all timers are ordinary ones. */
export function initializeWheel(storage: usize): void {
  ordinary = storage;
  urgent = 0;
  left = false;
  clear(storage);
}

/** Once at boot, after initializeWheel: the wheel of the urgent timers. `storage`: WHEEL_SIZE bytes, 8-aligned. */
export function initializeUrgentWheel(storage: usize): void {
  urgent = storage;
  clear(storage);
}

function clear(wheel: usize): void {
  for (let index: u32 = 0; index < LISTS; index++) list(wheel, index).initialize();
  memory.fill(wheel + OCCUPANCY, 0, WHEEL_SIZE - OCCUPANCY);
}

/** Before any other use of a timer. `callback`: (timer: Timer) => void, a function index. */
// @ts-ignore: decorator
@inline
export function timerPrepare(timer: Timer, callback: u32): void {
  timer.initialize();
  timer.callback = callback;
}

/** It has been started, and has neither been called nor stopped. */
// @ts-ignore: decorator
@inline
export function timerPending(timer: Timer): bool {
  return !timer.isEmpty;
}

/**
 * The hardware will interrupt at `time` (ns since boot) at the latest: when a timer is started that is due before, the function
 * `earlier`, () => void, is called. Time 0: never, because somebody looks at nextTimer() soon.
 */
export function setAlarm(time: u64, earlier: u32): void {
  alarm = time;
  onEarlier = earlier;
}

/** (Re)starts a timer. `expires`: ns since boot; when that is past, the next runTimers calls it. The last tick of u64 never comes. */
export function timerStart(timer: Timer, expires: u64): void {
  startIn(ordinary, timer, expires);
}

/** The same for one that no ordinary timer may delay. */
export function timerStartUrgent(timer: Timer, expires: u64): void {
  startIn(urgent == 0 ? ordinary : urgent, timer, expires);
}

// @ts-ignore: decorator
@inline
function startIn(wheel: usize, timer: Timer, expires: u64): void {
  if (timerPending(timer)) unlink(timer);
  timer.expires = expires;
  // Nothing depends on where an empty wheel stands: catch up, so that the timer need not cascade from a level too high.
  if (levelsOf(wheel) == 0) advance(wheel, now() >> TICK_SHIFT);
  file(wheel, timer);
  if (expires < alarm) call_indirect<void>(onEarlier);
}

/** Stops a timer; harmless when it is not pending. */
// @ts-ignore: decorator
@inline
export function timerStop(timer: Timer): void {
  if (timerPending(timer)) unlink(timer);
}

/**
 * Time (ns since boot) at which runTimers has work; u64.MAX_VALUE: none. Never later than the first timer's expiry, rounded up to
 * a tick; earlier when timers have to cascade (once per level at most); past when the budget of the last call did not suffice.
 */
export function nextTimer(): u64 {
  let tick = left ? END_OF_TIME : nextTick(ordinary);
  if (urgent != 0 && levelsOf(urgent) != 0) tick = min(tick, nextTick(urgent));
  return tick < END_OF_TIME ? tick << TICK_SHIFT : u64.MAX_VALUE;
}

/**
 * Calls what is due at the time `time` (ns since boot), the urgent ones first, else in order of expiry by ticks. A callback may start and
 * stop any timer and free its own; it may not call runTimers. At most TIMER_BUDGET timers are called or moved: if that does not suffice,
 * nextTimer() is past and the caller, once it has let interrupts in, calls again.
 */
export function runTimers(time: u64): void {
  const budget = runUrgentTimers(time, TIMER_BUDGET);
  if (budget != 0) runOrdinaryTimers(time, budget);
}

/** The same for the urgent ones alone, `budget` at most. What is left of the budget. */
export function runUrgentTimers(time: u64, budget: u32): u32 {
  return urgent == 0 || levelsOf(urgent) == 0 ? budget : run(urgent, time >> TICK_SHIFT, budget);
}

/** The same for the others alone. */
export function runOrdinaryTimers(time: u64, budget: u32): u32 {
  return run(ordinary, time >> TICK_SHIFT, budget);
}

/** Ordinary timers are due: true leaves them out of nextTimer(), for somebody calls runOrdinaryTimers before long. */
export function leaveOrdinaryTimers(leave: bool): void {
  left = leave;
}

/** Whether ordinary timers are due, or have to be moved, at the time. */
export function ordinaryTimersDue(time: u64): bool {
  return nextTick(ordinary) <= time >> TICK_SHIFT;
}

function run(wheel: usize, target: u64, budget: u32): u32 {
  const work = list(wheel, WORK);
  for (;;) {
    while (!work.isEmpty) {
      if (budget == 0) return 0;
      budget--;
      const timer = changetype<Timer>(work.next);
      unlink(timer);
      if (tickOf(timer.expires) <= currentOf(wheel)) call_indirect<void>(timer.callback, timer);
      else file(wheel, timer);
    }
    const tick = nextTick(wheel);
    if (tick > target) break;
    store<u64>(wheel, tick, CURRENT);
    takeSlot(wheel);
  }
  advance(wheel, target);
  return budget;
}

/** The tick at which a slot's time comes next; END_OF_TIME or more: never. */
function nextTick(wheel: usize): u64 {
  const levels = levelsOf(wheel);
  if (levels == 0) return END_OF_TIME;
  const current = currentOf(wheel);
  if (!list(wheel, WORK).isEmpty) return current;
  const level: u32 = ctz(levels);
  if (level == TOP_LEVEL) {
    const shift: u64 = TOP_LEVEL * DIGIT;
    return ((current >> shift) + 1) << shift;
  }
  const shift: u64 = level * DIGIT;
  return ((current >> (shift + DIGIT)) << (shift + DIGIT)) | (ctz(occupied(wheel, level)) << shift);
}

/** Moves the timers of the slot whose time `current` is to the empty list WORK. */
function takeSlot(wheel: usize): void {
  const level: u32 = ctz(levelsOf(wheel));
  const slot: u32 = level == TOP_LEVEL ? 0 : <u32>ctz(occupied(wheel, level));
  const index = (level << DIGIT) + slot;
  const head = list(wheel, index);
  const work = list(wheel, WORK);
  const first = head.next;
  const last = head.prev;
  work.next = first;
  work.prev = last;
  first.prev = work;
  last.next = work;
  head.initialize();
  vacate(wheel, index);
  occupy(wheel, WORK);
}

/** `current` becomes `tick`, before which no slot's time comes. */
// @ts-ignore: decorator
@inline
function advance(wheel: usize, tick: u64): void {
  if (tick > currentOf(wheel)) store<u64>(wheel, tick, CURRENT);
}

/** First tick that does not begin before the time. */
// @ts-ignore: decorator
@inline
function tickOf(time: u64): u64 {
  return (time >> TICK_SHIFT) + u64((time & (TIMER_TICK - 1)) != 0);
}

/** Puts a timer into the list of its slot; one that is past, into the slot of the present tick. */
function file(wheel: usize, timer: Timer): void {
  const current = currentOf(wheel);
  let tick = tickOf(timer.expires);
  if (tick < current) tick = current;
  const level: u32 = (63 ^ (<u32>clz((tick ^ current) | 1))) / DIGIT;
  const index =
    level < TOP_LEVEL ? (level << DIGIT) + ((<u32>(tick >> (level * DIGIT))) & ((1 << DIGIT) - 1)) : BEYOND;
  list(wheel, index).append(timer);
  occupy(wheel, index);
}

/** Takes a pending timer out of its list. */
function unlink(timer: Timer): void {
  const next = timer.next;
  const last = changetype<usize>(next) == changetype<usize>(timer.prev);
  timer.remove();
  // Its neighbours were the same: the head of the list, which is empty now.
  if (!last) return;
  const head = changetype<usize>(next);
  const wheel = head - urgent < OCCUPANCY ? urgent : ordinary;
  vacate(wheel, <u32>((head - wheel) / LINK_SIZE));
}

// @ts-ignore: decorator
@inline
function list(wheel: usize, index: u32): Link {
  return changetype<Link>(wheel + LINK_SIZE * index);
}

// @ts-ignore: decorator
@inline
function occupied(wheel: usize, level: u32): u64 {
  return load<u64>(wheel + level * 8, OCCUPANCY);
}

// @ts-ignore: decorator
@inline
function occupy(wheel: usize, index: u32): void {
  const level = index >>> DIGIT;
  store<u64>(wheel + level * 8, occupied(wheel, level) | ((<u64>1) << (index & 63)), OCCUPANCY);
  store<u32>(wheel, levelsOf(wheel) | (1 << level), LEVELS);
}

// @ts-ignore: decorator
@inline
function vacate(wheel: usize, index: u32): void {
  const level = index >>> DIGIT;
  const slots = occupied(wheel, level) & ~((<u64>1) << (index & 63));
  store<u64>(wheel + level * 8, slots, OCCUPANCY);
  if (slots == 0) store<u32>(wheel, levelsOf(wheel) & ~(1 << level), LEVELS);
}

// @ts-ignore: decorator
@inline
function currentOf(wheel: usize): u64 {
  return load<u64>(wheel, CURRENT);
}

// @ts-ignore: decorator
@inline
function levelsOf(wheel: usize): u32 {
  return load<u32>(wheel, LEVELS);
}
