/**
 * The run queue, and which level of it has its turn: strict priority (POSIX SCHED_RR), with a reserve for the default level and those
 * below it (Linux: RT throttling), so that a loop above them cannot shut them out.
 *
 * The reserve is a debt. While somebody at the default level or below waits, each nanosecond that a higher level runs adds its share
 * to the debt, and what the lower ones get by themselves pays it off. Once it is a whole quantum, the levels that made it stand back until the lower ones
 * have had as much, or want no more. A level that made only a small part of the debt does not stand back: a short handler at 63 does not wait for
 * what a loop at 40 owes.
 *
 * Work that was left to the polls counts as a thread of its level would: it makes debts, stands back, and has its part of the reserve.
 */
import { pollLevels } from "../interrupts/polls";
import { Link } from "../list";
import { PRIORITY_QUEUE_SIZE, PriorityQueue } from "../priority-queue";

export const PRIORITY_DEFAULT: u32 = 32;
/** Levels that the reserve is for. */
const RESERVED_LEVELS: u64 = ((<u64>1) << (PRIORITY_DEFAULT + 1)) - 1;

let queue: PriorityQueue = changetype<PriorityQueue>(0);
/** Debt per time unit that a higher level runs, 16 fractional bits; 0: no reserve. */
let rate: u64 = 0;
/**
 * What is owed, and when it is paid, in the units of `reserveCharge`. What the lower levels got beyond it, as they are given whole slices, counts for the
 * next debt.
 */
let debt: u64 = 0;
let credit: u64 = 0;
let quantum: u64 = 0;
/** What each level has added to the debt since it began, a u64 for each; and which have added something: only those words count. */
let parts: usize = 0;
let owing: u64 = 0;
/** The highest level that stands back: with those below it, it has made at least half of the debt. */
let debtor: u32 = 0;
/** Levels PRIORITY_DEFAULT + 1 .. `debtor` stand back. */
let paying: bool = false;

const PARTS_SIZE: usize = 64 * 8;
export const READY_STORAGE: usize = PRIORITY_QUEUE_SIZE + PARTS_SIZE;

/** Once at boot. `storage`: READY_STORAGE bytes, 8-aligned. No reserve until setReserve. */
export function initializeReady(storage: usize): void {
  queue = changetype<PriorityQueue>(storage);
  queue.initialize();
  parts = storage + PRIORITY_QUEUE_SIZE;
  rate = 0;
  endOfDebt();
}

/** `percent` (0 .. 50) of the time is the lower levels' if they want it, in pieces of `unit` (in the units of `reserveCharge`). */
export function setReserve(percent: u32, unit: u64): void {
  rate = percent == 0 ? 0 : ((<u64>percent) << 16) / (100 - percent);
  quantum = unit;
}


@inline
export function readyAppend(member: Link, level: u32): void {
  queue.append(member, level);
}


@inline
export function readyPrepend(member: Link, level: u32): void {
  queue.prepend(member, level);
}


@inline
export function readyRemove(member: Link, level: u32): void {
  queue.remove(member, level);
}

/** The first of a level that has one. It stays. */
@inline
export function readyFirst(level: u32): Link {
  return queue.first(level);
}

/** Takes it out. */
@inline
export function readyTakeFirst(level: u32): Link {
  return queue.takeFirst(level);
}


@inline
export function readyIsEmpty(): bool {
  return queue.isEmpty;
}

/** Nobody in the run queue, nor work that interrupts have left. */
@inline
export function nothingToDo(): bool {
  return (queue.levels | pollLevels) == 0;
}

/** The level of threads whose turn it is; -1 when nobody can run. */
@inline
export function readyLevel(): i32 {
  return turnOf(queue.levels);
}

/** Of these levels, a bit each, the one whose turn it is; -1: there is none. */
@inline
export function turnOf(levels: u64): i32 {
  if (levels == 0) return -1;
  const top = 63 ^ (<i32>clz(levels));
  if (!paying) return top;
  return standsBack(top) ? lowerOf(levels, top) : top;
}

function lowerOf(levels: u64, top: i32): i32 {
  const lower = levels & RESERVED_LEVELS;
  return lower == 0 ? top : 63 ^ (<i32>clz(lower));
}

/** With `paying`: whether the level stands back, threads and work that interrupts have left (kernel/interrupts/polls.ts) alike. */
@inline
function standsBack(level: i32): bool {
  return level > <i32>PRIORITY_DEFAULT && <u32>level <= debtor;
}

/** Whether anybody wants the reserve: a lower thread, or work of such a level that interrupts have left. */
@inline
function isWanted(): bool {
  return ((queue.levels | pollLevels) & RESERVED_LEVELS) != 0;
}

/** Whether a thread at `level` has to go before one that runs at `running`. */
@inline
export function outranks(level: u32, running: u32): bool {
  if (!paying) return level > running;
  const stands = level > PRIORITY_DEFAULT && level <= debtor;
  const runs = running > PRIORITY_DEFAULT && running <= debtor;
  return stands == runs ? level > running : runs;
}

/** A thread has run at `level` for `time`. */
// @ts-ignore: decorator
@inline
export function reserveCharge(level: u32, time: u64): void {
  if (level > PRIORITY_DEFAULT || debt != 0) chargeDebt(level, time);
}

function chargeDebt(level: u32, time: u64): void {
  if (level <= PRIORITY_DEFAULT) {
    if (time < debt) debt -= time;
    else if (debt != 0) {
      const more = paying ? time - debt : 0;
      endOfDebt();
      credit = more;
    }
    return;
  }
  if (!isWanted()) {
    // Nobody below wants it: what is owed is forgotten.
    if (paying && level <= debtor) endOfDebt();
    return;
  }
  if (rate == 0 || (paying && level <= debtor)) return;
  let part = (time * rate) >> 16;
  const paid = min(part, credit);
  credit -= paid;
  part -= paid;
  const place = parts + ((<usize>level) << 3);
  const bit = (<u64>1) << level;
  store<u64>(place, owing & bit ? load<u64>(place) + part : part);
  owing |= bit;
  debt += part;
  // Also while it is being paid: whoever does not stand back makes new debts.
  const limit = paying ? 2 * quantum : quantum;
  if (debt < limit) return;
  paying = true;
  debtor = findDebtor();
}

/** The lowest level that has made at least half of the debt, together with those below it. */
function findDebtor(): u32 {
  let all: u64 = 0;
  for (let levels = owing; levels != 0; levels &= levels - 1) all += partOf(<u32>ctz(levels));
  let sum: u64 = 0;
  let level: u32 = 0;
  for (let levels = owing; 2 * sum < all; levels &= levels - 1) {
    level = <u32>ctz(levels);
    sum += partOf(level);
  }
  return level;
}


@inline
function partOf(level: u32): u64 {
  return load<u64>(parts + ((<usize>level) << 3));
}

function endOfDebt(): void {
  debt = 0;
  credit = 0;
  debtor = 0;
  owing = 0;
  paying = false;
}
