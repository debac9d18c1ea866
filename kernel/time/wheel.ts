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
 * Storage:  ├ lists: LISTS × Link ┼ occupancy: 8 × u64 ┤
 */
import { Link } from "../list";
import { now } from "./clock";

const TICK_SHIFT: u64 = 16;
/** A timer is never early, and less than this late (in ns) when runTimers is called at nextTimer(). */
export const TIMER_TICK: u64 = 1 << TICK_SHIFT;
/** Timers that one call of runTimers expires or moves at most. */
export const TIMER_BUDGET: u32 = 32;

const DIGIT: u32 = 6;
const SLOTS: u64 = 1 << DIGIT;
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

/** Bytes of storage for initializeWheel; less than a frame. */
export const WHEEL_SIZE: usize = OCCUPANCY + 8 * 8;


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

let wheel: usize = 0;
/** Every tick up to this one has come. Never goes back. */
let current: u64 = 0;
/** The time that runTimers was called with last: for callbacks, the present. */
export let timersTime: u64 = 0;
/** Timers that the present call of runTimers may still call or move. */
let budget: u32 = 0;
/** runTimers calls what is due. */
let expiring: bool = false;
/** Bit l: level l has a slot in use. */
let levels: u32 = 0;
/** Until when the hardware is sure to interrupt, and who is told of a timer that is due before. */
let alarm: u64 = 0;
let onEarlier: u32 = 0;

/** Once at boot, at time 0. `storage`: WHEEL_SIZE bytes, 8-aligned. */
export function initializeWheel(storage: usize): void {
  wheel = storage;
  current = 0;
  levels = 0;
  for (let index: u32 = 0; index < LISTS; index++) list(index).initialize();
  memory.fill(storage + OCCUPANCY, 0, WHEEL_SIZE - OCCUPANCY);
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
  if (timerPending(timer)) unlink(timer);
  timer.expires = expires;
  // Nothing depends on where an empty wheel stands: catch up, so that the timer need not cascade from a level too high.
  // For a callback it has.
  if (levels == 0 && !expiring) advance(now() >> TICK_SHIFT);
  file(timer);
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
  const tick = nextTick();
  return tick < END_OF_TIME ? tick << TICK_SHIFT : u64.MAX_VALUE;
}

/**
 * Calls what is due at the time `time` (ns since boot), in order of expiry by ticks. A callback may start and stop any timer and free
 * its own; it may not call runTimers. At most TIMER_BUDGET timers are called or moved: if that does not suffice, nextTimer() is past
 * and the caller, once it has let interrupts in, calls again. Returns what nextTimer() would.
 */
export function runTimers(time: u64): u64 {
  timersTime = time;
  expiring = true;
  const next = expire(time);
  expiring = false;
  return next;
}

// @ts-ignore: decorator
@inline
function expire(time: u64): u64 {
  const target = time >> TICK_SHIFT;
  budget = TIMER_BUDGET;
  // What a budget has not sufficed for.
  if (levels >>> TOP_LEVEL && !cascade()) return time;
  let tick: u64;
  while (true) {
    if (levels & 1) {
      // A slot of level 0 is one tick: all that is in it is due.
      const slot: u32 = <u32>ctz(occupied(0));
      tick = (current & ~(SLOTS - 1)) | slot;
      if (tick > target) break;
      current = tick;
      if (!callSlot(slot)) return time;
    } else {
      tick = nextTick();
      if (tick > target) break;
      current = tick;
      takeSlot();
      if (!cascade()) return time;
    }
  }
  if (target > current) current = target;
  return tick < END_OF_TIME ? tick << TICK_SHIFT : u64.MAX_VALUE;
}

/** Calls the timers of a slot of level 0, also those that they start meanwhile for the same tick. False: the budget is spent. */
// @ts-ignore: decorator
@inline
function callSlot(slot: u32): bool {
  const due = list(slot);
  do {
    if (budget-- == 0) return false;
    const timer = changetype<Timer>(due.next);
    timer.remove();
    if (due.isEmpty) vacate(slot);
    call_indirect<void>(timer.callback, timer);
  } while (!due.isEmpty);
  return true;
}

/** Files the timers of WORK again, each in a lower level. False: the budget is spent. */
function cascade(): bool {
  const work = list(WORK);
  while (!work.isEmpty) {
    if (budget-- == 0) return false;
    const timer = changetype<Timer>(work.next);
    unlink(timer);
    file(timer);
  }
  return true;
}

/** The tick at which a slot's time comes next; END_OF_TIME or more: never. */
function nextTick(): u64 {
  if (levels == 0) return END_OF_TIME;
  if (!list(WORK).isEmpty) return current;
  const level: u32 = ctz(levels);
  if (level == TOP_LEVEL) {
    const shift: u64 = TOP_LEVEL * DIGIT;
    return ((current >> shift) + 1) << shift;
  }
  const shift: u64 = level * DIGIT;
  return ((current >> (shift + DIGIT)) << (shift + DIGIT)) | (ctz(occupied(level)) << shift);
}

/** Moves the timers of the slot whose time `current` is to the empty list WORK. */
function takeSlot(): void {
  const level: u32 = ctz(levels);
  const slot: u32 = level == TOP_LEVEL ? 0 : <u32>ctz(occupied(level));
  const index = (level << DIGIT) + slot;
  const head = list(index);
  const work = list(WORK);
  const first = head.next;
  const last = head.prev;
  work.next = first;
  work.prev = last;
  first.prev = work;
  last.next = work;
  head.initialize();
  vacate(index);
  occupy(WORK);
}

/** `current` becomes `tick`, before which no slot's time comes. */
// @ts-ignore: decorator
@inline
function advance(tick: u64): void {
  if (tick > current) current = tick;
}

/** First tick that does not begin before the time. */
// @ts-ignore: decorator
@inline
function tickOf(time: u64): u64 {
  return (time >> TICK_SHIFT) + u64((time & (TIMER_TICK - 1)) != 0);
}

/** Puts a timer into the list of its slot; one that is past, into the slot of the present tick. */
// @ts-ignore: decorator
@inline
function file(timer: Timer): void {
  let tick = tickOf(timer.expires);
  if (tick < current) tick = current;
  const level: u32 = (63 ^ (<u32>clz((tick ^ current) | 1))) / DIGIT;
  const index =
    level < TOP_LEVEL ? (level << DIGIT) + ((<u32>(tick >> (level * DIGIT))) & ((1 << DIGIT) - 1)) : BEYOND;
  list(index).append(timer);
  occupy(index);
}

/** Takes a pending timer out of its list. */
function unlink(timer: Timer): void {
  const next = timer.next;
  const last = changetype<usize>(next) == changetype<usize>(timer.prev);
  timer.remove();
  // Its neighbours were the same: the head of the list, which is empty now.
  if (last) vacate(<u32>((changetype<usize>(next) - wheel) / LINK_SIZE));
}

// @ts-ignore: decorator
@inline
function list(index: u32): Link {
  return changetype<Link>(wheel + LINK_SIZE * index);
}

// @ts-ignore: decorator
@inline
function occupied(level: u32): u64 {
  return load<u64>(wheel + level * 8, OCCUPANCY);
}

// @ts-ignore: decorator
@inline
function occupy(index: u32): void {
  const level = index >>> DIGIT;
  store<u64>(wheel + level * 8, occupied(level) | ((<u64>1) << (index & 63)), OCCUPANCY);
  levels |= 1 << level;
}

// @ts-ignore: decorator
@inline
function vacate(index: u32): void {
  const level = index >>> DIGIT;
  const slots = occupied(level) & ~((<u64>1) << (index & 63));
  store<u64>(wheel + level * 8, slots, OCCUPANCY);
  if (slots == 0) levels &= ~(1 << level);
}
