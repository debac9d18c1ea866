/**
 * What is known of the MTU of paths (RFC 1191; RFC 8201 in its safety): one entry for each destination to which it is less than that of the interface, for ten
 * minutes, in a table of a fixed size.
 *
 * With IPv4 only a transport that has proof writes here (net/socket/tcp/pmtu.ts): a message that anybody can forge is none. With IPv6, where nobody else fragments, UDP has to believe
 * what routers say (net/socket/udp.ts).
 */
import { sipHash } from "../kernel/random";
import { now } from "../kernel/time/clock";
import { IpAddress } from "./flow";
import { MTU_MINIMUM, networkInterface } from "./interface";
import { IPV6_MTU_MINIMUM } from "./wire/ipv6";

/** Places of the table, in sets of SET that share a hash: the oldest of a set goes. Powers of two. */
const ENTRIES: u32 = 256;
const SET: u32 = 4;
/** How long a lower MTU is believed, in ns (RFC 1191, 6.3). */
export const PATH_MTU_LIFE: u64 = 600_000_000_000;


@unmanaged
class Path {
  /** Until when it holds; 0: free. */
  expires: u64;
  high: u64;
  low: u64;
  mtu: u32;


  @inline is(destination: IpAddress): bool {
    return this.low == destination.low && this.high == destination.high;
  }
}

const PATH_SIZE: usize = (offsetof<Path>() + 7) & ~7;
/** Bytes of storage for initializePathMtu. */
export const PATH_MTU_STORAGE: usize = PATH_SIZE * ENTRIES;

let table: usize = 0;
/** Entries that were made and may not have expired yet: as long as there are none, nobody looks. */
let known: bool = false;

/** Once at boot, after random numbers. */
export function initializePathMtu(storage: usize): void {
  memory.fill(storage, 0, PATH_MTU_STORAGE);
  table = storage;
  known = false;
}

/** By a keyed hash, so that nobody can choose destinations that drive each other out. */
function setOf(destination: IpAddress): usize {
  const set = (<u32>sipHash(destination.high, destination.low)) & (ENTRIES / SET - 1);
  return table + <usize>(set * SET) * PATH_SIZE;
}

/** Largest packet that gets to `destination` whole, as far as it is known. */
export function pathMtu(destination: IpAddress): u32 {
  const mtu = networkInterface().mtu;
  return known ? min(mtu, knownMtu(destination, mtu)) : mtu;
}

function knownMtu(destination: IpAddress, mtu: u32): u32 {
  const set = setOf(destination);
  for (let i: u32 = 0; i < SET; i++) {
    const path = changetype<Path>(set + PATH_SIZE * i);
    if (path.is(destination) && path.expires > now()) return path.mtu;
  }
  return mtu;
}

/** `mtu`, what somebody says, or tries, of the path to `destination`, or the least that every path takes: of IPv4 576 (RFC 1191), of IPv6 1,280, below which nothing may go (RFC 8201, 4). */
export function believableMtu(destination: IpAddress, mtu: u32): u32 {
  return max(mtu, destination.isMapped ? MTU_MINIMUM : IPV6_MTU_MINIMUM);
}

/** Packets of more than `mtu` bytes do not get to `destination`. Never below what every path takes, and never more than was known: only time makes it more. */
export function lowerPathMtu(destination: IpAddress, mtu: u32): void {
  mtu = believableMtu(destination, mtu);
  if (mtu >= pathMtu(destination)) return;
  const set = setOf(destination);
  let chosen = changetype<Path>(set);
  for (let i: u32 = 0; i < SET; i++) {
    const path = changetype<Path>(set + PATH_SIZE * i);
    if (path.is(destination)) {
      chosen = path;
      break;
    }
    if (path.expires < chosen.expires) chosen = path;
  }
  chosen.high = destination.high;
  chosen.low = destination.low;
  chosen.mtu = mtu;
  chosen.expires = now() + PATH_MTU_LIFE;
  known = true;
}
