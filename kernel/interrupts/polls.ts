/**
 * Work that an interrupt or a system call leaves to be done before application code goes on or the processor halts: frames
 * that a driver still has to take in, loopback, doorbells. Each is a function () => bool, true when it has more to do. Nobody looks for such work:
 * whoever leaves it says so (`leavePolls`), so that an interrupt without any costs nothing here.
 */
import { exitWork, WORK_RESCHEDULE } from "../glue";
import { poll } from "../hal";
import { handleVector } from "./vectors";

const LIMIT: u32 = 8;
/** Level of the work when nobody wants it higher: the default one. */
export const POLL_LEVEL_LEAST: u32 = 32;
/** Rounds after which application code gets its turn although there is more to do: one round is bounded, so is this. */
const ROUNDS: u32 = 32;

/**
 * Level of this work: of the highest that any of it can be for. A thread that runs at a higher level is not kept from it; one of the
 * same level shares the processor with it.
 */
export let pollLevel: u32 = POLL_LEVEL_LEAST;
/** An application runs at a higher level: an interrupt's own handler leaves its work to the polls, too. */
export let pollsDeferred: bool = false;

/** 64 counts: how many want it to be done at each level. And bit l: somebody wants level l. */
let wanted: usize = 0;
let wantedLevels: u64 = 0;

/** One more (`change` 1) or one less (-1) of those for whom this work is done is of `level`: processes, and events of sockets. */
export function wantPollLevel(level: u32, change: i32): void {
  const word = wanted + (level << 2);
  const count = load<u32>(word) + change;
  store<u32>(word, count);
  const bit = (<u64>1) << level;
  wantedLevels = count == 0 ? wantedLevels & ~bit : wantedLevels | bit;
  pollLevel = max(POLL_LEVEL_LEAST, 63 - <u32>clz(wantedLevels | 1));
}

export function deferPolls(defer: bool): void {
  pollsDeferred = defer;
}

/** What there is to do: LEFT_* bits. */
export let pollsLeft: u32 = 0;
/** Frames to be handed to the device, or to this machine itself: whoever flushes them takes the bit away. */
export const LEFT_OUTPUT: u32 = 1;
/** Anything else. */
export const LEFT_WORK: u32 = 2;

/** For the handler of an interrupt, or a call: there is work for a poll. */
// @ts-ignore: decorator
@inline
export function leavePolls(work: u32): void {
  pollsLeft |= work;
}

/** The work has been done before its poll came to it. */
// @ts-ignore: decorator
@inline
export function takeFromPolls(work: u32): void {
  pollsLeft &= ~work;
}

let table: usize = 0;
let count: u32 = 0;

/** Once at boot. `storage`: POLL_STORAGE bytes. */
export const POLL_STORAGE: u32 = (LIMIT + 64) * 4;
export function initializePolls(storage: usize): void {
  table = storage;
  wanted = storage + LIMIT * 4;
  memory.fill(wanted, 0, 256);
  wantedLevels = 0;
  pollLevel = POLL_LEVEL_LEAST;
}

/** Registers a function index () => bool. Calls are made in the order of registration. */
export function registerPoll(index: u32): void {
  if (count == LIMIT) unreachable();
  store<u32>(table + (count << 2), index);
  count++;
}

/** One round of all, each bounded, with interrupts let in behind each that has more to do. True when there is more to do. */
export function runPolls(): bool {
  pollsLeft = 0;
  for (let i: u32 = 0; i < count; i++) {
    if (!call_indirect<bool>(load<u32>(table + (i << 2)))) continue;
    pollsLeft |= LEFT_WORK;
    letInterruptIn();
  }
  return pollsLeft != 0;
}

/**
 * Before application code goes on: a few rounds, between which interrupts get in, and which end when a thread that ranks higher can run. True
 * when something is still left.
 */
export function runPollRounds(): bool {
  for (let round: u32 = 0; round < ROUNDS; round++) {
    letInterruptIn();
    if (exitWork & WORK_RESCHEDULE) return true;
    if (!runPolls()) return false;
  }
  return true;
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
