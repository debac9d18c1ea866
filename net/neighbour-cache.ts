/**
 * The store of the neighbour cache, for both versions of IP: a fixed number of entries, a hash table over them, and who has to go when they are all in use.
 *
 * Every entry is in one of three classes, each a list in order of last use:
 *
 *     LEARNED   from what it has sent to us; we have not sent to it yet            at most a quarter of the entries
 *     PENDING   a packet waits for its link address                                at most half of them
 *     RESOLVED  has a link address and was sent to
 *
 * When an entry is needed and none is free, the oldest LEARNED one goes, else the oldest PENDING one, else the oldest RESOLVED one; a
 * LEARNED entry never drives out one of another class. So neither a flood of requests from invented senders nor packets to invented
 * addresses drive out the neighbours that we talk to. Everything is O(1).
 *
 * Addresses are those of net/flow.ts, as two halves. Their `high` is 0 with IPv4 only (net/scope.ts).
 */
import { Link } from "../kernel/list";
import { random64 } from "../kernel/random";
import { Timer } from "../kernel/time/timers";
import { BufferQueue } from "./buffer";
import { IpAddress } from "./flow";

/** Entries, a power of two. */
export const NEIGHBOUR_ENTRIES: u32 = 256;
const HASH_SHIFT: u64 = 56;

export const CLASS_LEARNED: u32 = 0;
export const CLASS_PENDING: u32 = 1;
export const CLASS_RESOLVED: u32 = 2;
const CLASS_FREE: u32 = 3;
const CLASSES: u32 = 4;

export const LEARNED_LIMIT: u32 = NEIGHBOUR_ENTRIES / 4;
export const PENDING_LIMIT: u32 = NEIGHBOUR_ENTRIES / 2;

/** Link of the class's list; the timer and the queue stand behind, see the getters. */
@unmanaged
export class Neighbour extends Link {
  /** Next in the hash chain. */
  chain: Neighbour | null;
  high: u64;
  low: u64;
  /** Link address: bytes 0..3 and 4..5. */
  link0: u32;
  link4: u16;
  /** NEIGHBOUR_* of net/neighbours.ts. */
  state: u8;
  class: u8;
  /** Requests sent since the last answer. */
  tries: u32;
  /** 1: someone claimed another link address; the next request is a broadcast. */
  doubted: u32;

  /** Its IP address. */
  @inline get address(): IpAddress {
    return changetype<IpAddress>(changetype<usize>(this) + offsetof<Neighbour>("high"));
  }


  @inline get isIpv4(): bool {
    return this.high == 0;
  }


  @inline get timer(): Timer {
    return changetype<Timer>(changetype<usize>(this) + TIMER_OFFSET);
  }
  /** Packets that wait. */
  @inline get queue(): BufferQueue {
    return changetype<BufferQueue>(changetype<usize>(this) + QUEUE_OFFSET);
  }


  @inline static ofTimer(timer: Timer): Neighbour {
    return changetype<Neighbour>(changetype<usize>(timer) - TIMER_OFFSET);
  }
}

const TIMER_OFFSET: usize = (offsetof<Neighbour>() + 7) & ~7;
const QUEUE_OFFSET: usize = TIMER_OFFSET + ((offsetof<Timer>() + 7) & ~7);
const ENTRY_SIZE: usize = (QUEUE_OFFSET + offsetof<BufferQueue>() + 7) & ~7;
const LINK_SIZE: usize = offsetof<Link>();

/** Bytes of storage: entries, hash table, heads of the classes. */
export const NEIGHBOURS_STORAGE: usize =
  ENTRY_SIZE * NEIGHBOUR_ENTRIES + sizeof<usize>() * NEIGHBOUR_ENTRIES + LINK_SIZE * CLASSES;

let table: usize = 0;
let heads: usize = 0;
let multiplier0: u64 = 0;
let multiplier1: u64 = 0;
let learnedCount: u32 = 0;
let pendingCount: u32 = 0;

/** Once at boot. `storage`: NEIGHBOURS_STORAGE bytes. `prepare`: (entry: Neighbour) => void, called for each entry. */
export function initializeNeighbourCache(storage: usize, prepare: u32): void {
  memory.fill(storage, 0, NEIGHBOURS_STORAGE);
  table = storage + ENTRY_SIZE * NEIGHBOUR_ENTRIES;
  heads = table + sizeof<usize>() * NEIGHBOUR_ENTRIES;
  multiplier0 = random64() | 1;
  multiplier1 = random64() | 1;
  learnedCount = 0;
  pendingCount = 0;
  for (let i: u32 = 0; i < CLASSES; i++) head(i).initialize();
  for (let i: u32 = 0; i < NEIGHBOUR_ENTRIES; i++) {
    const entry = changetype<Neighbour>(storage + ENTRY_SIZE * i);
    entry.class = <u8>CLASS_FREE;
    head(CLASS_FREE).append(entry);
    call_indirect<void>(prepare, entry);
  }
}

// @ts-ignore: decorator
@inline
function head(class_: u32): Link {
  return changetype<Link>(heads + <usize>class_ * LINK_SIZE);
}

/** Keyed by random numbers, so that nobody can choose addresses that share a chain (multiply-shift hashing); a chain is never longer than the cache. */
// @ts-ignore: decorator
@inline
function bucket(high: u64, low: u64): usize {
  const slot = (high * multiplier1 + low * multiplier0) >> HASH_SHIFT;
  return table + <usize>slot * sizeof<usize>();
}

/** The entry of an address, or null. */
export function neighbourFind(high: u64, low: u64): Neighbour | null {
  let entry = changetype<Neighbour | null>(load<usize>(bucket(high, low)));
  while (entry !== null && (entry.low != low || entry.high != high)) entry = entry.chain;
  return entry;
}

/** How many entries are of CLASS_LEARNED or CLASS_PENDING. */
export function neighbourCount(class_: u32): u32 {
  return class_ == CLASS_LEARNED ? learnedCount : class_ == CLASS_PENDING ? pendingCount : 0;
}

/** The entry of `class_` that was not used for the longest time; null when there is none. */
function oldest(class_: u32): Neighbour | null {
  const list = head(class_);
  return list.isEmpty ? null : changetype<Neighbour>(list.next);
}

/**
 * The entry that a new one of `class_` shall take the place of: a free one (its class is none of the three), else one in use, which the
 * caller has to clear with `neighbourRemove` first. Null when there is none that may go.
 */
export function neighbourVictim(class_: u32): Neighbour | null {
  if (class_ == CLASS_LEARNED && learnedCount >= LEARNED_LIMIT) return oldest(CLASS_LEARNED);
  if (class_ == CLASS_PENDING && pendingCount >= PENDING_LIMIT) return oldest(CLASS_PENDING);
  let victim = oldest(CLASS_FREE);
  if (victim === null) victim = oldest(CLASS_LEARNED);
  if (victim === null && class_ != CLASS_LEARNED) {
    victim = oldest(CLASS_PENDING);
    if (victim === null) victim = oldest(CLASS_RESOLVED);
  }
  return victim;
}

// @ts-ignore: decorator
@inline
export function neighbourIsFree(entry: Neighbour): bool {
  return entry.class == CLASS_FREE;
}

/** Puts a free entry into the table. */
export function neighbourInsert(entry: Neighbour, high: u64, low: u64, class_: u32): void {
  const slot = bucket(high, low);
  entry.high = high;
  entry.low = low;
  entry.chain = changetype<Neighbour | null>(load<usize>(slot));
  store<usize>(slot, changetype<usize>(entry));
  neighbourMove(entry, class_);
}

/** Takes an entry out of the table; its timer is stopped and its queue is empty. */
export function neighbourRemove(entry: Neighbour): void {
  const slot = bucket(entry.high, entry.low);
  let other = changetype<Neighbour>(load<usize>(slot));
  if (changetype<usize>(other) == changetype<usize>(entry)) {
    store<usize>(slot, changetype<usize>(entry.chain));
  } else {
    while (changetype<usize>(other.chain) != changetype<usize>(entry)) {
      other = changetype<Neighbour>(changetype<usize>(other.chain));
    }
    other.chain = entry.chain;
  }
  neighbourMove(entry, CLASS_FREE);
}

/** Makes it the most recently used of `class_`. */
export function neighbourMove(entry: Neighbour, class_: u32): void {
  const before = <u32>entry.class;
  if (before == CLASS_LEARNED) learnedCount--;
  else if (before == CLASS_PENDING) pendingCount--;
  entry.remove();
  head(class_).append(entry);
  entry.class = <u8>class_;
  if (class_ == CLASS_LEARNED) learnedCount++;
  else if (class_ == CLASS_PENDING) pendingCount++;
}

/** It is RESOLVED, and was used most recently of those. */
// @ts-ignore: decorator
@inline
export function isLatest(entry: Neighbour): bool {
  return changetype<usize>(head(CLASS_RESOLVED).prev) == changetype<usize>(entry);
}

/** As neighbourMove for an entry that is RESOLVED already and may be the most recent one: cheap then. */
// @ts-ignore: decorator
@inline
export function neighbourTouch(entry: Neighbour): void {
  if (!isLatest(entry)) neighbourMove(entry, CLASS_RESOLVED);
}
