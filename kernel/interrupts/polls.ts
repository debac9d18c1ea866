/**
 * Work that an interrupt or a system call leaves to be done before application code goes on or the processor halts: frames
 * that a driver still has to take in, packets that wait for their sockets' turn, timers, doorbells. Each kind has a function that does some of it, and
 * each piece of work a priority level, that of what it is for: it is done before threads of lower levels run, and after those of higher ones.
 * Nobody looks for such work: whoever leaves it says so, so that an interrupt without any costs nothing here.
 *
 *     left: for each kind, bit l = there is work of level l      pollLevels: all kinds together; their highest bit: pollLevel
 */
import { exitWork, WORK_RESCHEDULE } from "../glue";
import { poll } from "../hal";
import { handleVector } from "./vectors";

/** The kinds, in the order in which those of one level have their turn. */
/** Timers that are due. */
export const POLL_TIMERS: u32 = 0;
/** Frames that nobody has looked at yet. */
export const POLL_RECEIVE: u32 = 1;
/** Packets for sockets. */
export const POLL_PACKETS: u32 = 2;
/** What packets have left to be sent by their connections. */
export const POLL_SEND: u32 = 3;
/** Frames that the device has to be told of. */
export const POLL_OUTPUT: u32 = 4;
/** Dying processes. */
export const POLL_REAP: u32 = 5;
const KINDS: u32 = 6;

/** Level of work that is nobody's in particular: the default one. */
export const POLL_LEVEL_DEFAULT: u32 = 32;
/** Level of work that is short, and waits for nobody. */
export const POLL_LEVEL_TOP: u32 = 63;
/** The levels at which work is left, a bit each; the highest of them, -1: there is none. */
export let pollLevels: u64 = 0;
export let pollLevel: i32 = -1;
/** Work of lower levels than this is left also by those who could do it at once: what the interrupt has stopped ranks higher. */
export let pollsFrom: u32 = 0;

/** In 1/COST_UNIT of what a poll counts, which is some 1,500 instructions. */
let cost: u32 = 0;
export const COST_UNIT: u32 = 16;

/** KINDS × { left: u64 }, then KINDS × { function index: u32 }. */
let table: usize = 0;
const FUNCTIONS: usize = KINDS * 8;

/** Once at boot. `storage`: POLL_STORAGE bytes, 8-aligned. */
export const POLL_STORAGE: usize = KINDS * 12;
export function initializePolls(storage: usize): void {
  table = storage;
  memory.fill(storage, 0, POLL_STORAGE);
  pollsFrom = 0;
  cost = 0;
  count();
}

/** Once at boot: does work of the kind, a function (level: u32) => bool, true when more of this level is left. */
export function setPoll(kind: u32, index: u32): void {
  store<u32>(table + (kind << 2), index, FUNCTIONS);
}


@inline
export function deferPolls(below: u32): void {
  pollsFrom = below;
}

// @ts-ignore: decorator
@inline
function leftOf(kind: u32): u64 {
  return load<u64>(table + (kind << 3));
}

// @ts-ignore: decorator
@inline
function setLeft(kind: u32, bits: u64): void {
  store<u64>(table + (kind << 3), bits);
}

/** There is work of the kind and level. */
// @ts-ignore: decorator
@inline
export function leavePoll(kind: u32, level: u32): void {
  leaveLevels(kind, (<u64>1) << level);
}

/** The same of several levels, a bit each. */
export function leaveLevels(kind: u32, bits: u64): void {
  setLeft(kind, leftOf(kind) | bits);
  pollLevels |= bits;
  pollLevel = 63 - <i32>clz(pollLevels);
}

/** The levels at which work of a kind is left, a bit each. */
// @ts-ignore: decorator
@inline
export function pollsLeft(kind: u32): u64 {
  return leftOf(kind);
}

/** The work of a kind has been done before its poll came to it. */
export function takePoll(kind: u32): void {
  if (leftOf(kind) == 0) return;
  setLeft(kind, 0);
  count();
}

/** What has been left of a kind is of another level now. */
export function movePoll(kind: u32, level: u32): void {
  if (leftOf(kind) == 0) return;
  setLeft(kind, (<u64>1) << level);
  count();
}

function count(): void {
  // All KINDS. Whoever sends comes by here: a loop takes 20 instructions more.
  const levels =
    leftOf(POLL_TIMERS) |
    leftOf(POLL_RECEIVE) |
    leftOf(POLL_PACKETS) |
    leftOf(POLL_SEND) |
    leftOf(POLL_OUTPUT) |
    leftOf(POLL_REAP);
  pollLevels = levels;
  pollLevel = 63 - <i32>clz(levels);
}

/**
 * One round of the work of a level: of each kind a piece, each bounded, with interrupts let in behind each. It ends early when one of them has brought work
 * that ranks higher, or lets a thread run. True when there is more, of whichever level.
 */
export function runPolls(level: u32 = <u32>pollLevel): bool {
  if (pollLevel < 0) return false;
  const bit = (<u64>1) << level;
  const from = pollsFrom;
  pollsFrom = max(from, level);
  for (let kind: u32 = 0; kind < KINDS; kind++) {
    const left = leftOf(kind);
    if (!(left & bit)) continue;
    setLeft(kind, left & ~bit);
    if (call_indirect<bool>(load<u32>(table + (kind << 2), FUNCTIONS), level))
      setLeft(kind, leftOf(kind) | bit);
    if (letInterruptLeave() && (pollLevel > <i32>level || (exitWork & WORK_RESCHEDULE) != 0)) break;
  }
  pollsFrom = from;
  count();
  return pollLevel >= 0;
}

/** What the poll in whose turn this runs has done is so much more than it counts for: in 1/COST_UNIT of one frame, packet or timer. */
// @ts-ignore: decorator
@inline
export function addCost(more: u32): void {
  cost += more;
}

/** What has come together since the last call, in whole units; the rest is kept. */
// @ts-ignore: decorator
@inline
export function takeCost(): u32 {
  const units = cost / COST_UNIT;
  cost %= COST_UNIT;
  return units;
}

/** Ends one section with interrupts off and begins the next one. Whether an interrupt has come, and was handled. */
// @ts-ignore: decorator
@inline
export function letInterruptIn(): bool {
  const vector = poll();
  if (vector < 0) return false;
  handleVector(vector);
  return true;
}

/** The same before a piece of work, which is to be a section by itself: the interrupt leaves what it would have done at once. */
export function letInterruptLeave(): bool {
  const from = pollsFrom;
  pollsFrom = POLL_LEVEL_TOP;
  const handled = letInterruptIn();
  pollsFrom = from;
  return handled;
}
