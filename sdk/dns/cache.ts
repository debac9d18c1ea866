/**
 * Answers that are known already: the last CACHE_LIMIT of them, each until its time is over. What the servers say about that time is
 * kept to between TTL_LEAST and TTL_MOST, and NEGATIVE_MOST for what does not exist (RFC 2308, 5). Failures are not kept.
 *
 * With no room left, an answer whose time is over makes room, else the one that was not asked for for the longest time.
 */
import { ADDRESSES_SIZE } from "./message";

export const CACHE_LIMIT: u32 = 64;
/** Seconds. The least keeps a name that must not be kept (TTL 0) from being asked for again and again. */
export const TTL_LEAST: u32 = 1;
export const TTL_MOST: u32 = 86_400;
export const NEGATIVE_MOST: u32 = 300;

const SECOND: i64 = 1_000_000_000;


@unmanaged
export class CacheEntry {
  /** Nanoseconds since boot; 0: the entry is empty. */
  expires: i64;
  used: i64;
  hash: u32;
  type: u32;
  nameSize: u32;
  /** How many addresses there are, -ENOENT or -ENODATA. */
  result: i32;


  @inline get addresses(): usize {
    return changetype<usize>(this) + offsetof<CacheEntry>();
  }


  @inline get name(): usize {
    return this.addresses + ADDRESSES_SIZE;
  }
}

const ENTRY_SIZE: usize = offsetof<CacheEntry>() + ADDRESSES_SIZE + 256;
/** Bytes of storage for initializeCache. */
export const CACHE_STORAGE: usize = ENTRY_SIZE * CACHE_LIMIT;

let entries: usize = 0;

/** Once. `storage`: CACHE_STORAGE bytes, 8-aligned. */
export function initializeCache(storage: usize): void {
  memory.fill(storage, 0, CACHE_STORAGE);
  entries = storage;
}

// @ts-ignore: decorator
@inline
function entryAt(index: u32): CacheEntry {
  return changetype<CacheEntry>(entries + <usize>index * ENTRY_SIZE);
}

/** FNV-1a. */
function hashOf(name: usize, size: u32): u32 {
  let hash: u32 = 0x811c_9dc5;
  for (let i: u32 = 0; i < size; i++) hash = (hash ^ (<u32>load<u8>(name + i))) * 0x0100_0193;
  return hash;
}

/** What is known of a name at time `now` (nanoseconds since boot), or null. */
export function findCached(name: usize, size: u32, type: u32, now: i64): CacheEntry | null {
  const hash = hashOf(name, size);
  for (let i: u32 = 0; i < CACHE_LIMIT; i++) {
    const entry = entryAt(i);
    if (entry.hash != hash || entry.type != type || entry.nameSize != size || entry.expires <= now) continue;
    if (memory.compare(entry.name, name, size) != 0) continue;
    entry.used = now;
    return entry;
  }
  return null;
}

/** Keeps an answer for `ttl` seconds, within the limits. A negative one with `ttl` 0 is not kept. */
export function keepAnswer(
  name: usize,
  size: u32,
  type: u32,
  result: i32,
  addresses: usize,
  ttl: u32,
  now: i64,
): void {
  if (result < 0 && ttl == 0) return;
  const hash = hashOf(name, size);
  const entry = entryFor(name, size, type, hash, now);
  entry.hash = hash;
  entry.type = type;
  entry.nameSize = size;
  entry.result = result;
  entry.used = now;
  entry.expires = now + SECOND * <i64>min(max(ttl, TTL_LEAST), result < 0 ? NEGATIVE_MOST : TTL_MOST);
  memory.copy(entry.name, name, size);
  memory.copy(entry.addresses, addresses, ADDRESSES_SIZE);
}

/** The entry that the name has, or one that makes room. */
function entryFor(name: usize, size: u32, type: u32, hash: u32, now: i64): CacheEntry {
  let victim = entryAt(0);
  for (let i: u32 = 0; i < CACHE_LIMIT; i++) {
    const entry = entryAt(i);
    if (
      entry.hash == hash &&
      entry.type == type &&
      entry.nameSize == size &&
      memory.compare(entry.name, name, size) == 0
    ) {
      return entry;
    }
    if (entry.expires <= now) entry.used = 0;
    if (entry.used < victim.used) victim = entry;
  }
  return victim;
}
