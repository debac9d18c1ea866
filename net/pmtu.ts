/**
 * What is known of the MTU of paths (RFC 1191; RFC 8201 in its safety): one entry for each destination to which it is less than that of the interface, for ten
 * minutes, in a table of a fixed size.
 *
 * Only a transport that has proof writes here (net/socket/tcp/pmtu.ts): a message that anybody can forge is none.
 */
import { random32 } from "../kernel/random";
import { now } from "../kernel/time/clock";
import { MTU_MINIMUM, networkInterface } from "./interface";

/** Places of the table, in sets of SET that share a hash: the oldest of a set goes. Powers of two. */
const ENTRIES: u32 = 256;
const SET: u32 = 4;
const SET_SHIFT: u32 = 26;
/** How long a lower MTU is believed, in ns (RFC 1191, 6.3). */
export const PATH_MTU_LIFE: u64 = 600_000_000_000;


@unmanaged
class Path {
  /** Until when it holds; 0: free. */
  expires: u64;
  destination: u32;
  mtu: u32;
}

const PATH_SIZE: usize = offsetof<Path>();
/** Bytes of storage for initializePathMtu. */
export const PATH_MTU_STORAGE: usize = PATH_SIZE * ENTRIES;

let table: usize = 0;
let multiplier: u32 = 1;
/** Entries that were made and may not have expired yet: as long as there are none, nobody looks. */
let known: bool = false;

/** Once at boot, after random numbers. */
export function initializePathMtu(storage: usize): void {
  memory.fill(storage, 0, PATH_MTU_STORAGE);
  table = storage;
  // Keyed, so that nobody can choose destinations that drive each other out.
  multiplier = random32() | 1;
  known = false;
}

function setOf(destination: u32): usize {
  const set = (((destination * multiplier) ^ (destination >> 16)) * 0x9e37_79b1) >> SET_SHIFT;
  return table + <usize>(set * SET) * PATH_SIZE;
}

/** Largest packet that gets to `destination` whole, as far as it is known. */
export function pathMtu(destination: u32): u32 {
  const mtu = networkInterface().mtu;
  return known ? min(mtu, knownMtu(destination, mtu)) : mtu;
}

function knownMtu(destination: u32, mtu: u32): u32 {
  const set = setOf(destination);
  for (let i: u32 = 0; i < SET; i++) {
    const path = changetype<Path>(set + PATH_SIZE * i);
    if (path.destination == destination && path.expires > now()) return path.mtu;
  }
  return mtu;
}

/** Packets of more than `mtu` bytes do not get to `destination`. Never below MTU_MINIMUM, and never more than was known: only time makes it more. */
export function lowerPathMtu(destination: u32, mtu: u32): void {
  mtu = max(mtu, MTU_MINIMUM);
  if (mtu >= pathMtu(destination)) return;
  const set = setOf(destination);
  let chosen = changetype<Path>(set);
  for (let i: u32 = 0; i < SET; i++) {
    const path = changetype<Path>(set + PATH_SIZE * i);
    if (path.destination == destination) {
      chosen = path;
      break;
    }
    if (path.expires < chosen.expires) chosen = path;
  }
  chosen.destination = destination;
  chosen.mtu = mtu;
  chosen.expires = now() + PATH_MTU_LIFE;
  known = true;
}
