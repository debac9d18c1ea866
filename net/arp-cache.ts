/**
 * The store of the ARP cache: a fixed number of entries, a hash table over them, and who has to go when they are all in use.
 *
 * Every entry is in one of three classes, each a list in order of last use:
 *
 *     LEARNED   from a request that asked for us; we have not sent to it yet       at most a quarter of the entries
 *     PENDING   a packet waits for its link address                                at most half of them
 *     RESOLVED  has a link address and was sent to
 *
 * When an entry is needed and none is free, the oldest LEARNED one goes, else the oldest PENDING one, else the oldest RESOLVED one; a
 * LEARNED entry never drives out one of another class. So neither a flood of requests from invented senders nor packets to invented
 * addresses drive out the neighbours that we talk to. Everything is O(1).
 */
import { Link } from "../kernel/list";
import { random32 } from "../kernel/random";
import { Timer } from "../kernel/time/timers";
import { BufferQueue } from "./buffer";

/** Entries, a power of two. */
export const ARP_ENTRIES: u32 = 256;
const HASH_SHIFT: u32 = 24;

export const CLASS_LEARNED: u32 = 0;
export const CLASS_PENDING: u32 = 1;
export const CLASS_RESOLVED: u32 = 2;
const CLASS_FREE: u32 = 3;
const CLASSES: u32 = 4;

export const LEARNED_LIMIT: u32 = ARP_ENTRIES / 4;
export const PENDING_LIMIT: u32 = ARP_ENTRIES / 2;

/** Link of the class's list; the timer and the queue stand behind, see the getters. */
@unmanaged
export class ArpEntry extends Link {
  /** Next in the hash chain. */
  chain: ArpEntry | null;
  /** IPv4 address. */
  address: u32;
  /** Link address: bytes 0..3 and 4..5. */
  link0: u32;
  link4: u16;
  /** ARP_* of net/arp.ts. */
  state: u8;
  class: u8;
  /** Requests sent since the last answer. */
  tries: u32;
  /** 1: someone claimed another link address; the next request is a broadcast. */
  doubted: u32;


  @inline get timer(): Timer {
    return changetype<Timer>(changetype<usize>(this) + TIMER_OFFSET);
  }
  /** Packets that wait. */
  @inline get queue(): BufferQueue {
    return changetype<BufferQueue>(changetype<usize>(this) + QUEUE_OFFSET);
  }


  @inline static ofTimer(timer: Timer): ArpEntry {
    return changetype<ArpEntry>(changetype<usize>(timer) - TIMER_OFFSET);
  }
}

const TIMER_OFFSET: usize = (offsetof<ArpEntry>() + 7) & ~7;
const QUEUE_OFFSET: usize = TIMER_OFFSET + ((offsetof<Timer>() + 7) & ~7);
const ENTRY_SIZE: usize = (QUEUE_OFFSET + offsetof<BufferQueue>() + 7) & ~7;
const LINK_SIZE: usize = offsetof<Link>();

/** Bytes of storage: entries, hash table, heads of the classes. */
export const ARP_CACHE_STORAGE: usize =
  ENTRY_SIZE * ARP_ENTRIES + sizeof<usize>() * ARP_ENTRIES + LINK_SIZE * CLASSES;

let table: usize = 0;
let heads: usize = 0;
let multiplier: u32 = 0;
let learnedCount: u32 = 0;
let pendingCount: u32 = 0;

/** Once at boot. `storage`: ARP_CACHE_STORAGE bytes. `prepare`: (entry: ArpEntry) => void, called for each entry. */
export function initializeArpCache(storage: usize, prepare: u32): void {
  memory.fill(storage, 0, ARP_CACHE_STORAGE);
  table = storage + ENTRY_SIZE * ARP_ENTRIES;
  heads = table + sizeof<usize>() * ARP_ENTRIES;
  multiplier = random32() | 1;
  learnedCount = 0;
  pendingCount = 0;
  for (let i: u32 = 0; i < CLASSES; i++) head(i).initialize();
  for (let i: u32 = 0; i < ARP_ENTRIES; i++) {
    const entry = changetype<ArpEntry>(storage + ENTRY_SIZE * i);
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

/** Keyed by a random number, so that nobody can choose addresses that share a chain; a chain is never longer than the cache. */
// @ts-ignore: decorator
@inline
function bucket(address: u32): usize {
  const slot = (((address * multiplier) ^ (address >> 16)) * 0x9e37_79b1) >> HASH_SHIFT;
  return table + <usize>slot * sizeof<usize>();
}

/** The entry of an address, or null. */
export function arpFind(address: u32): ArpEntry | null {
  let entry = changetype<ArpEntry | null>(load<usize>(bucket(address)));
  while (entry !== null && entry.address != address) entry = entry.chain;
  return entry;
}

/** How many entries are of CLASS_LEARNED or CLASS_PENDING. */
export function arpCount(class_: u32): u32 {
  return class_ == CLASS_LEARNED ? learnedCount : class_ == CLASS_PENDING ? pendingCount : 0;
}

/** The entry of `class_` that was not used for the longest time; null when there is none. */
function oldest(class_: u32): ArpEntry | null {
  const list = head(class_);
  return list.isEmpty ? null : changetype<ArpEntry>(list.next);
}

/**
 * The entry that a new one of `class_` shall take the place of: a free one (its class is none of the three), else one in use, which the
 * caller has to clear with `arpRemove` first. Null when there is none that may go.
 */
export function arpVictim(class_: u32): ArpEntry | null {
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
export function arpIsFree(entry: ArpEntry): bool {
  return entry.class == CLASS_FREE;
}

/** Puts a free entry into the table. */
export function arpInsert(entry: ArpEntry, address: u32, class_: u32): void {
  const slot = bucket(address);
  entry.address = address;
  entry.chain = changetype<ArpEntry | null>(load<usize>(slot));
  store<usize>(slot, changetype<usize>(entry));
  arpMove(entry, class_);
}

/** Takes an entry out of the table; its timer is stopped and its queue is empty. */
export function arpRemove(entry: ArpEntry): void {
  const slot = bucket(entry.address);
  let other = changetype<ArpEntry>(load<usize>(slot));
  if (changetype<usize>(other) == changetype<usize>(entry)) {
    store<usize>(slot, changetype<usize>(entry.chain));
  } else {
    while (changetype<usize>(other.chain) != changetype<usize>(entry)) {
      other = changetype<ArpEntry>(changetype<usize>(other.chain));
    }
    other.chain = entry.chain;
  }
  arpMove(entry, CLASS_FREE);
}

/** Makes it the most recently used of `class_`. */
export function arpMove(entry: ArpEntry, class_: u32): void {
  const before = <u32>entry.class;
  if (before == CLASS_LEARNED) learnedCount--;
  else if (before == CLASS_PENDING) pendingCount--;
  entry.remove();
  head(class_).append(entry);
  entry.class = <u8>class_;
  if (class_ == CLASS_LEARNED) learnedCount++;
  else if (class_ == CLASS_PENDING) pendingCount++;
}

/** The same for an entry that is RESOLVED already and may be the most recent one: cheap then. */
// @ts-ignore: decorator
@inline
export function arpTouch(entry: ArpEntry): void {
  if (changetype<usize>(head(CLASS_RESOLVED).prev) != changetype<usize>(entry))
    arpMove(entry, CLASS_RESOLVED);
}
