/**
 * The IPv6 addresses of the interface: a link-local one and a few more, each with the state that RFC 4862, 5.4 and 5.5.4 give it, and which of
 * them goes to whom (RFC 6724, 5). How they come about is in net/slaac.ts.
 *
 *     NONE ──> TENTATIVE ──nobody objects for a second──> VALID ──its lifetime is over──> NONE
 *                  └──somebody does──> DUPLICATE, not used, and kept so that nobody tries it again
 */
import { now } from "../kernel/time/clock";
import { Timer } from "../kernel/time/timers";
import { IpAddress } from "./flow";
import { commonPrefix, isAllNodes, isLoopback6, labelOf, scopeOf, solicitedNode } from "./scope";

export const ADDRESS_NONE: u32 = 0;
export const ADDRESS_TENTATIVE: u32 = 1;
export const ADDRESS_VALID: u32 = 2;
export const ADDRESS_DUPLICATE: u32 = 3;

/** Addresses of the interface; the first is the link-local one. ::1 is beside them. */
export const OWN_ADDRESSES: u32 = 4;
/** A lifetime without an end. */
export const FOREVER: u64 = u64.MAX_VALUE;


@unmanaged
export class OwnAddress extends IpAddress {
  /** ns since boot: until then it is used for new conversations, and until then for old ones. */
  preferredUntil: u64;
  validUntil: u64;
  /** 48 bits that tell our own solicitation from another host's (RFC 7527). */
  nonce: u64;
  /** ADDRESS_* */
  state: u32;
  /** Bits of its prefix that say who is on this link; 0: none does. */
  prefixLength: u32;
  /** TENTATIVE: solicitations sent. */
  probes: u32;
  /** 1: made from a router's prefix; it ends with its lifetime. */
  automatic: u32;

  /** Of duplicate address detection, then of its lifetime. */
  @inline get timer(): Timer {
    return changetype<Timer>(changetype<usize>(this) + TIMER_OFFSET);
  }


  @inline static ofTimer(timer: Timer): OwnAddress {
    return changetype<OwnAddress>(changetype<usize>(timer) - TIMER_OFFSET);
  }
}

const TIMER_OFFSET: usize = (offsetof<OwnAddress>() + 7) & ~7;
const ENTRY_SIZE: usize = (TIMER_OFFSET + offsetof<Timer>() + 7) & ~7;
/** Bytes of storage for initializeOwnAddresses. */
export const OWN_ADDRESSES_STORAGE: usize = ENTRY_SIZE * OWN_ADDRESSES;

let table: usize = 0;

/** Once at boot. The timers are prepared by who uses them. */
export function initializeOwnAddresses(storage: usize): void {
  memory.fill(storage, 0, OWN_ADDRESSES_STORAGE);
  table = storage;
}

/** `index`: 0 .. OWN_ADDRESSES - 1. */
// @ts-ignore: decorator
@inline
export function ownAddress(index: u32): OwnAddress {
  return changetype<OwnAddress>(table + <usize>index * ENTRY_SIZE);
}

/** The entry of an address, in whatever state; null: it is none of ours. */
export function findOwn(address: IpAddress): OwnAddress | null {
  for (let i: u32 = 0; i < OWN_ADDRESSES; i++) {
    const own = ownAddress(i);
    if (own.state != ADDRESS_NONE && own.same(address)) return own;
  }
  return null;
}

/** An entry that is free; null: there is none. */
export function freeOwn(): OwnAddress | null {
  for (let i: u32 = 1; i < OWN_ADDRESSES; i++) {
    if (ownAddress(i).state == ADDRESS_NONE) return ownAddress(i);
  }
  return null;
}

/** ::1, or an address of the interface that may be used. */
export function isOwn6(address: IpAddress): bool {
  const own = findOwn(address);
  return own !== null ? own.state == ADDRESS_VALID : isLoopback6(address);
}

/** ff02::1 or ff01::1, or the solicited-node group of an address that is ours or about to be. `address`: a group. */
export function isOwnGroup(address: IpAddress): bool {
  if (isAllNodes(address)) return true;
  if (address.high >> 48 != 0xff02 || address.high << 16 != 0) return false;
  for (let i: u32 = 0; i < OWN_ADDRESSES; i++) {
    const own = ownAddress(i);
    if (joins(own) && address.low == solicitedNode(own)) return true;
  }
  return false;
}

/** Whether the interface is in the solicited-node group of this address. */
// @ts-ignore: decorator
@inline
export function joins(own: OwnAddress): bool {
  return own.state == ADDRESS_TENTATIVE || own.state == ADDRESS_VALID;
}

/** Sets `source` to the address of ours that goes to `destination`. False: there is none. */
export function chooseSource6(source: IpAddress, destination: IpAddress): bool {
  // To ourselves, from the same address (rule 1): the answer comes back to it.
  if (isOwn6(destination)) {
    source.copyAddress(destination);
    return true;
  }
  const time = now();
  let best: OwnAddress | null = null;
  for (let i: u32 = 0; i < OWN_ADDRESSES; i++) {
    const own = ownAddress(i);
    if (own.state != ADDRESS_VALID || own.validUntil <= time) continue;
    if (best === null || isBetter(own, best, destination, time)) best = own;
  }
  if (best === null) return false;
  source.copyAddress(best);
  return true;
}

/** RFC 6724, 5: rules 2 (scope), 3 (not deprecated), 6 (the same label) and 8 (longest prefix). The others are about several interfaces, mobile hosts or temporary addresses. */
function isBetter(a: OwnAddress, b: OwnAddress, destination: IpAddress, time: u64): bool {
  const scopeA = scopeOf(a);
  const scopeB = scopeOf(b);
  const wanted = scopeOf(destination);
  if (scopeA < scopeB) return scopeA >= wanted;
  if (scopeA > scopeB) return scopeB < wanted;
  const preferredA = a.preferredUntil > time;
  if (preferredA != b.preferredUntil > time) return preferredA;
  const label = labelOf(destination);
  const matchesA = labelOf(a) == label;
  if (matchesA != (labelOf(b) == label)) return matchesA;
  return commonPrefix(a, destination) > commonPrefix(b, destination);
}
