/**
 * The run queue, and which level of it has its turn: strict priority (POSIX SCHED_RR), with a reserve for the default level and those
 * below it (Linux: RT throttling), so that a loop above them cannot shut them out.
 *
 * The reserve is a debt. While somebody at the default level or below waits, each nanosecond that a higher level runs adds its share
 * to the debt; once that is a whole quantum, the levels that made it stand back until the lower ones have had as much, or want
 * no more. A level that did not make the debt never stands back: a short handler at 63 does not wait for what a loop at 40 owes.
 */
import { Link } from "../list";
import { PRIORITY_QUEUE_SIZE, PriorityQueue } from "../priority-queue";

export const PRIORITY_DEFAULT: u32 = 32;
/** Levels that the reserve is for. */
const RESERVED_LEVELS: u64 = ((<u64>1) << (PRIORITY_DEFAULT + 1)) - 1;

let queue: PriorityQueue = changetype<PriorityQueue>(0);
/** Debt per time unit that a higher level runs, 16 fractional bits; 0: no reserve. */
let rate: u64 = 0;
/** What is owed, and when it is paid, in the units of `reserveCharge`. */
let debt: u64 = 0;
let quantum: u64 = 0;
/** The level that has made the present debt; it and those below it stand back. */
let debtor: u32 = 0;
/** What levels above `debtor` have made since they stand back. */
let further: u64 = 0;
/** Levels PRIORITY_DEFAULT + 1 .. `debtor` stand back. */
let paying: bool = false;

export const READY_STORAGE: usize = PRIORITY_QUEUE_SIZE;

/** Once at boot. `storage`: READY_STORAGE bytes, 8-aligned. No reserve until setReserve. */
export function initializeReady(storage: usize): void {
  queue = changetype<PriorityQueue>(storage);
  queue.initialize();
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


@inline
export function readyFirst(level: u32): Link {
  return queue.first(level);
}


@inline
export function readyIsEmpty(): bool {
  return queue.isEmpty;
}

/** The level whose turn it is; -1 when nobody can run. */
@inline
export function readyLevel(): i32 {
  const top = queue.top;
  return paying && top > <i32>PRIORITY_DEFAULT && <u32>top <= debtor ? lowerLevel(top) : top;
}

function lowerLevel(top: i32): i32 {
  const lower = queue.levels & RESERVED_LEVELS;
  return lower == 0 ? top : 63 - <i32>clz(lower);
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
export function reserveCharge(level: u32, time: u64): void {
  if (level <= PRIORITY_DEFAULT) {
    if (!paying) return;
    if (time < debt) debt -= time;
    else endOfDebt();
    return;
  }
  if (paying) {
    // Nobody below wants it: what is owed is forgotten.
    if ((queue.levels & RESERVED_LEVELS) == 0) {
      if (level <= debtor) endOfDebt();
    } else if (level > debtor) {
      // It does not stand back for that debt, but makes one of its own.
      further += (time * rate) >> 16;
      if (further >= quantum) {
        debt += further;
        further = 0;
        debtor = level;
      }
    }
    return;
  }
  if (rate == 0 || (queue.levels & RESERVED_LEVELS) == 0) return;
  debt += (time * rate) >> 16;
  if (debt < quantum) return;
  // Who runs when it is full is, as a rule, who has filled it.
  debtor = level;
  paying = true;
}

function endOfDebt(): void {
  debt = 0;
  further = 0;
  debtor = 0;
  paying = false;
}
