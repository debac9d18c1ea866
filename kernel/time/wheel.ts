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
 * level (cascade): a timer is moved once per level at most. A timer that is alone in its slot is never moved: its own time is looked at instead,
 * and the wheel stands still ahead of the slot until then. Level 7 is one list: what is more than nine years away.
 *
 * A timer that was the first of all when it was started is in no slot but in front of them. It is called without a look at the slots, and so is
 * a periodic one whenever it is the first again.
 *
 * There is a wheel for each priority level that has timers (timers.ts). Each has a frame of its own, so that a list says whose it is:
 *
 *     ├ lists: LISTS × Link ┼ occupancy: 8 × u64 ┼ current, due, slot due, bound: u64 ┼ levels, number: u32 ┤
 */
import { Link } from "../list";
import { FRAME_SIZE } from "../memory/frames";
import { now } from "./clock";

const TICK_SHIFT: u64 = 16;
/** A timer is never early, and less than this late (in ns) when what is due is called at wheelNext(). */
export const TIMER_TICK: u64 = 1 << TICK_SHIFT;

const DIGIT: u32 = 6;
const TOP_LEVEL: u32 = 7;
/** List of level 7. */
const BEYOND: u32 = TOP_LEVEL << DIGIT;
/** Timers taken out of a slot whose time has come. To the occupancy maps it is slot 1 of level 7. */
const WORK: u32 = BEYOND + 1;
/** The timer in front of the slots. To the occupancy maps it is nowhere. */
const FRONT: u32 = WORK + 1;
const LISTS: u32 = FRONT + 1;
const LINK_SIZE: usize = 8;
const OCCUPANCY: usize = <usize>LISTS * LINK_SIZE;
const NEVER: u64 = u64.MAX_VALUE;

/** Every tick up to this one has come. Never goes back. */
const CURRENT: usize = OCCUPANCY + 8 * 8;
/** The time at which there is something to do next, or one before it, if a timer has been stopped meanwhile; u64.MAX_VALUE: there is no timer. */
const DUE: usize = CURRENT + 8;
/** The same of the slots alone; with a timer in front of them it is the later one. */
const SLOT_DUE: usize = DUE + 8;
/** How far `current` may go before that: not into a slot whose timers lie in it still. */
const BOUND: usize = SLOT_DUE + 8;
/** Bit l: level l has a slot in use. */
const LEVELS: usize = BOUND + 8;
/** Whatever the owner wants. */
const NUMBER: usize = LEVELS + 4;
/** Bytes of a wheel; less than a frame. */
export const WHEEL_SIZE: usize = NUMBER + 4;

/** Whose timers are being called. */
let runningWheel: usize = 0;


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

/** Stops a timer; harmless when it is not pending. */
// @ts-ignore: decorator
@inline
export function timerStop(timer: Timer): void {
  if (timerPending(timer)) unlink(timer);
}

/** A wheel without timers. `wheel`: a frame; the owner may have its bytes from WHEEL_SIZE on. */
export function wheelInitialize(wheel: usize, number: u32): void {
  for (let index: u32 = 0; index < LISTS; index++) list(wheel, index).initialize();
  memory.fill(wheel + OCCUPANCY, 0, WHEEL_SIZE - OCCUPANCY);
  store<u32>(wheel, number, NUMBER);
  setNext(wheel, NEVER, NEVER);
}

// @ts-ignore: decorator
@inline
export function wheelNumber(wheel: usize): u32 {
  return load<u32>(wheel, NUMBER);
}

/** (Re)starts a timer. `expires`: ns since boot; when that is past, the next wheelRun calls it. The last tick of u64 never comes. */
export function wheelStart(wheel: usize, timer: Timer, expires: u64): void {
  if (timerPending(timer)) unlink(timer);
  timer.expires = expires;
  // Catches up, so that the timer need not cascade from a level too high.
  advance(wheel, min(now() >> TICK_SHIFT, load<u64>(wheel, BOUND)));
  place(wheel, timer);
}

/** For the callback of a timer, which starts that timer again at the same level. */
// @ts-ignore: decorator
@inline
export function timerRestart(timer: Timer, expires: u64): void {
  timer.expires = expires;
  place(runningWheel, timer);
}

/**
 * Time (ns since boot) at which wheelRun has work; u64.MAX_VALUE: none. Never later than the first timer's expiry, rounded up to
 * a tick; earlier when timers have to cascade (once per level at most); past when the budget of the last call did not suffice.
 */
// @ts-ignore: decorator
@inline
export function wheelNext(wheel: usize): u64 {
  return load<u64>(wheel, DUE);
}

/**
 * Calls what is due at the time `time` (ns since boot) in order of expiry by ticks; to be called when wheelNext() is not later. A callback may start and
 * stop any timer and free its own; it may not call wheelRun of this wheel. At most `budget` timers are called or moved: what is left of
 * that. When it is 0, wheelNext() may be past, and the caller, once it has let interrupts in, calls again.
 */
// @ts-ignore: decorator
@inline
export function wheelRun(wheel: usize, time: u64, budget: u32): u32 {
  runningWheel = wheel;
  while (budget != 0 && wheelNext(wheel) <= time) {
    const front = list(wheel, FRONT);
    if (front.isEmpty) {
      budget = runSlot(wheel, time >> TICK_SHIFT, budget);
      continue;
    }
    budget--;
    const timer = changetype<Timer>(front.next);
    front.initialize();
    timer.initialize();
    store<u64>(wheel, load<u64>(wheel, SLOT_DUE), DUE);
    call_indirect<void>(timer.callback, timer);
  }
  return budget;
}

/** The next step of the same in the slots, no timer being in front of them. What is left of the budget, which is not 0. */
function runSlot(wheel: usize, target: u64, budget: u32): u32 {
  if (!list(wheel, WORK).isEmpty) return runWork(wheel, budget);
  const level: u32 = ctz(levelsOf(wheel));
  if (level == TOP_LEVEL) {
    if (beyondTick(wheel) > target) findNext(wheel);
    else takeSlot(wheel, BEYOND, beyondTick(wheel));
    return budget;
  }
  const slot: u32 = <u32>ctz(occupied(wheel, level));
  const index = (level << DIGIT) + slot;
  const begin = slotTick(wheel, level, slot);
  const first = changetype<Timer>(list(wheel, index).next);
  const alone = isAlone(first);
  const tick = alone && level != 0 ? tickOf(first.expires) : begin;
  if (tick > target) {
    // What was due has been stopped.
    setNext(wheel, tick << TICK_SHIFT, begin);
    return budget;
  }
  if (!alone) {
    takeSlot(wheel, index, begin);
    return budget;
  }
  store<u64>(wheel, tick, CURRENT);
  first.remove();
  vacate(wheel, level, slot);
  // Ahead of the callback: what it starts may be the first again.
  findNext(wheel);
  call_indirect<void>(first.callback, first);
  return budget - 1;
}

/** Calls, or files again, what has been taken out of a slot whose time has come. What is left of the budget. */
function runWork(wheel: usize, budget: u32): u32 {
  const work = list(wheel, WORK);
  while (!work.isEmpty) {
    if (budget == 0) return 0;
    budget--;
    const timer = changetype<Timer>(work.next);
    unlink(timer);
    if (tickOf(timer.expires) <= currentOf(wheel)) call_indirect<void>(timer.callback, timer);
    else file(wheel, timer);
  }
  findNext(wheel);
  return budget;
}

/** The next slot begins at the tick `begin`, and there is something to do in it at the time `due`. */
// @ts-ignore: decorator
@inline
function setNext(wheel: usize, due: u64, begin: u64): void {
  if (list(wheel, FRONT).isEmpty) store<u64>(wheel, due, DUE);
  store<u64>(wheel, due, SLOT_DUE);
  store<u64>(wheel, begin - u64(begin != 0), BOUND);
}

/** Looks for what is next in the slots. */
function findNext(wheel: usize): void {
  const levels = levelsOf(wheel);
  if (levels == 0) return setNext(wheel, NEVER, NEVER);
  let begin = currentOf(wheel);
  let tick = begin;
  if (list(wheel, WORK).isEmpty) {
    const level: u32 = ctz(levels);
    if (level == TOP_LEVEL) return setNext(wheel, beyondTime(wheel), beyondTick(wheel));
    const slot: u32 = <u32>ctz(occupied(wheel, level));
    begin = slotTick(wheel, level, slot);
    const first = changetype<Timer>(list(wheel, (level << DIGIT) + slot).next);
    tick = level != 0 && isAlone(first) ? tickOf(first.expires) : begin;
  }
  setNext(wheel, tick << TICK_SHIFT, begin);
}

/** The tick at which a slot begins. */
// @ts-ignore: decorator
@inline
function slotTick(wheel: usize, level: u32, slot: u32): u64 {
  const shift: u64 = level * DIGIT;
  return (currentOf(wheel) & (~(<u64>63) << shift)) | ((<u64>slot) << shift);
}

/** The tick at which what is beyond all slots has to be looked at. */
// @ts-ignore: decorator
@inline
function beyondTick(wheel: usize): u64 {
  const shift: u64 = TOP_LEVEL * DIGIT;
  return ((currentOf(wheel) >> shift) + 1) << shift;
}

/** The same as a time. */
// @ts-ignore: decorator
@inline
function beyondTime(wheel: usize): u64 {
  return timeOf(beyondTick(wheel));
}

/** The first of a list is the only one. */
// @ts-ignore: decorator
@inline
function isAlone(first: Timer): bool {
  return changetype<usize>(first.next) == changetype<usize>(first.prev);
}

/** The time of a slot has come: moves its timers to the empty list WORK. */
function takeSlot(wheel: usize, index: u32, tick: u64): void {
  store<u64>(wheel, tick, CURRENT);
  const head = list(wheel, index);
  const work = list(wheel, WORK);
  const first = head.next;
  const last = head.prev;
  work.next = first;
  work.prev = last;
  first.prev = work;
  last.next = work;
  head.initialize();
  vacate(wheel, index >> DIGIT, index & ((1 << DIGIT) - 1));
  occupy(wheel, WORK >> DIGIT, WORK & ((1 << DIGIT) - 1));
  setNext(wheel, tick << TICK_SHIFT, tick);
}

/** `current` becomes `tick`, before which no slot's time comes. */
// @ts-ignore: decorator
@inline
function advance(wheel: usize, tick: u64): void {
  if (tick > currentOf(wheel)) store<u64>(wheel, tick, CURRENT);
}

/** When a tick begins; a u64 of nanoseconds does not reach the one behind the last. */
// @ts-ignore: decorator
@inline
function timeOf(tick: u64): u64 {
  return tick >> (64 - TICK_SHIFT) == 0 ? tick << TICK_SHIFT : NEVER;
}

/** First tick that does not begin before the time. */
// @ts-ignore: decorator
@inline
function tickOf(time: u64): u64 {
  return (time >> TICK_SHIFT) + u64((time & (TIMER_TICK - 1)) != 0);
}

/** Time at which a timer that expires at `expires` is called: the next tick; of the last tick of u64, 0. */
// @ts-ignore: decorator
@inline
function dueTime(expires: u64): u64 {
  return (expires + (TIMER_TICK - 1)) & ~(TIMER_TICK - 1);
}

/** Puts a timer in front of the slots if it is the first, else into the list of its slot. */
// @ts-ignore: decorator
@inline
function place(wheel: usize, timer: Timer): void {
  const due = dueTime(timer.expires);
  if (!isFirst(wheel, timer, due)) file(wheel, timer);
  else if (!list(wheel, FRONT).isEmpty) displace(wheel, timer, due);
  else putInFront(wheel, timer, due);
}

// @ts-ignore: decorator
@inline
function isFirst(wheel: usize, timer: Timer, due: u64): bool {
  // The last tick of u64 is none.
  return due < wheelNext(wheel) && due >= timer.expires;
}

// @ts-ignore: decorator
@inline
function putInFront(wheel: usize, timer: Timer, due: u64): void {
  list(wheel, FRONT).append(timer);
  store<u64>(wheel, due, DUE);
}

/** The same where another one is there. In its slot that is the first: what has the same tick was started later. */
function displace(wheel: usize, timer: Timer, due: u64): void {
  const former = list(wheel, FRONT).next;
  former.remove();
  file(wheel, changetype<Timer>(former));
  const head = former.next;
  former.remove();
  head.prepend(former);
  putInFront(wheel, timer, due);
}

/** Puts a timer into the list of its slot; one that is past, into the slot of the present tick. */
function file(wheel: usize, timer: Timer): void {
  const current = currentOf(wheel);
  const tick = max(tickOf(timer.expires), current);
  const bit: u32 = 63 ^ (<u32>clz((tick ^ current) | 1));
  if (bit >= TOP_LEVEL * DIGIT) {
    fileBeyond(wheel, timer);
    return;
  }
  // bit / DIGIT
  const level = (bit * 43) >> 8;
  const shift = <u64>(level * DIGIT);
  const slots = tick >> shift;
  const slot = (<u32>slots) & ((1 << DIGIT) - 1);
  const head = list(wheel, (level << DIGIT) + slot);
  const begin = slots << shift;
  const due = (head.isEmpty ? tick : begin) << TICK_SHIFT;
  head.append(timer);
  occupy(wheel, level, slot);
  if (due < load<u64>(wheel, SLOT_DUE)) setNext(wheel, due, begin);
}

function fileBeyond(wheel: usize, timer: Timer): void {
  list(wheel, BEYOND).append(timer);
  occupy(wheel, TOP_LEVEL, 0);
  if (beyondTime(wheel) < load<u64>(wheel, SLOT_DUE)) setNext(wheel, beyondTime(wheel), beyondTick(wheel));
}

/** Takes a pending timer out of its list. */
function unlink(timer: Timer): void {
  const next = timer.next;
  const last = changetype<usize>(next) == changetype<usize>(timer.prev);
  timer.remove();
  // Its neighbours were the same: the head of the list, which is empty now.
  if (!last) return;
  const head = changetype<usize>(next);
  const wheel = head & ~(FRAME_SIZE - 1);
  const index = <u32>((head - wheel) / LINK_SIZE);
  if (index == FRONT) {
    store<u64>(wheel, load<u64>(wheel, SLOT_DUE), DUE);
    return;
  }
  vacate(wheel, index >> DIGIT, index & ((1 << DIGIT) - 1));
  if (levelsOf(wheel) == 0 || timer.expires <= load<u64>(wheel, SLOT_DUE)) findNext(wheel);
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
function occupy(wheel: usize, level: u32, slot: u32): void {
  store<u64>(wheel + level * 8, occupied(wheel, level) | ((<u64>1) << slot), OCCUPANCY);
  store<u32>(wheel, levelsOf(wheel) | (1 << level), LEVELS);
}

// @ts-ignore: decorator
@inline
function vacate(wheel: usize, level: u32, slot: u32): void {
  const slots = occupied(wheel, level) & ~((<u64>1) << slot);
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
