/**
 * Where the timers of a timing wheel (wheel.ts) stand: in the list of a slot, or in front of them all; and when there is something to do next.
 */
import { FRAME_SIZE } from "../memory/frames";
import {
  BEYOND,
  beyondTick,
  beyondTime,
  BOUND,
  CURRENT,
  currentOf,
  DIGIT,
  DUE,
  dueTime,
  FRONT,
  isAlone,
  levelsOf,
  LINK_SIZE,
  list,
  NEVER,
  occupied,
  occupy,
  SLOT_DUE,
  slotTick,
  TICK_SHIFT,
  tickOf,
  Timer,
  TOP_LEVEL,
  vacate,
  WORK,
} from "./wheel-layout";

/** The next slot begins at the tick `begin`, and there is something to do in it at the time `due`. */
// @ts-ignore: decorator
@inline
export function setNext(wheel: usize, due: u64, begin: u64): void {
  if (list(wheel, FRONT).isEmpty) store<u64>(wheel, due, DUE);
  store<u64>(wheel, due, SLOT_DUE);
  store<u64>(wheel, begin - u64(begin != 0), BOUND);
}

/** Looks for what is next in the slots. */
export function findNext(wheel: usize): void {
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

/** The time of a slot has come: moves its timers to the empty list WORK. */
export function takeSlot(wheel: usize, index: u32, tick: u64): void {
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

/** Puts a timer in front of the slots if it is the first, else into the list of its slot. */
// @ts-ignore: decorator
@inline
export function place(wheel: usize, timer: Timer): void {
  const due = dueTime(timer.expires);
  if (!isFirst(wheel, timer, due)) file(wheel, timer);
  else if (!list(wheel, FRONT).isEmpty) displace(wheel, timer, due);
  else putInFront(wheel, timer, due);
}

// @ts-ignore: decorator
@inline
function isFirst(wheel: usize, timer: Timer, due: u64): bool {
  // The last tick of u64 is none.
  return due < load<u64>(wheel, DUE) && due >= timer.expires;
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
export function file(wheel: usize, timer: Timer): void {
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
export function unlink(timer: Timer): void {
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
