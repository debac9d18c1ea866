/**
 * Hierarchical timing wheel (Varghese and Lauck 1987, scheme 7): O(1) to start and to stop a timer, whatever is pending.
 *
 * Time is counted in ticks of 2^10 ns (1 µs). Level l has 64 slots of 64^l ticks each. A timer is in the level of the highest
 * 6-bit digit in which its tick differs from the present one, in the slot which that digit of its own names:
 *
 *     bits of the tick   47 .. 42 │ 41 .. 36 │ 35 .. 30 │ … │ 11 .. 6 │ 5 .. 0
 *     level                  7    │    6     │    5     │   │    1    │   0
 *
 * So all slots in use lie ahead, and those of a level ahead of all those of the levels below: the next one is the first bit in
 * the occupancy map of the lowest level in use. When its time comes, its timers expire or are filed again, each in a lower
 * level (cascade): a timer is moved once per level at most. A timer that is alone in its slot is never moved: its own time is looked at instead,
 * and the wheel stands still ahead of the slot until then. Level 7 is one list: what is more than 52 days away.
 *
 * A timer that was the first of all when it was started is in no slot but in front of them. It is called without a look at the slots, and so is
 * a periodic one whenever it is the first again.
 *
 * There is a wheel for each priority level that has timers (timers.ts).
 */
import {
  BEYOND,
  beyondTick,
  BOUND,
  CURRENT,
  currentOf,
  DIGIT,
  DUE,
  FRONT,
  isAlone,
  levelsOf,
  list,
  LISTS,
  NEVER,
  NUMBER,
  OCCUPANCY,
  occupied,
  SLOT_DUE,
  slotTick,
  TICK_SHIFT,
  tickOf,
  Timer,
  TOP_LEVEL,
  vacate,
  WHEEL_SIZE,
  WORK,
} from "./wheel-layout";
import { file, findNext, place, setNext, takeSlot, unlink } from "./wheel-slots";

/** Whose timers are being called. */
let runningWheel: usize = 0;

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

/** (Re)starts a timer. `expires`: ns since boot; when that is past, the next wheelRun calls it. The last tick of u64 never comes. `time`: the present. */
// @ts-ignore: decorator
@inline
export function wheelStart(wheel: usize, timer: Timer, expires: u64, time: u64): void {
  if (timerPending(timer)) unlink(timer);
  timer.expires = expires;
  // Catches up, so that the timer need not cascade from a level too high.
  advance(wheel, min(time >> TICK_SHIFT, load<u64>(wheel, BOUND)));
  place(wheel, timer);
}

/** `current` becomes `tick`, before which no slot's time comes. */
// @ts-ignore: decorator
@inline
function advance(wheel: usize, tick: u64): void {
  if (tick > currentOf(wheel)) store<u64>(wheel, tick, CURRENT);
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
