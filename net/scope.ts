/**
 * Kinds of IPv6 addresses (RFC 4291, 2): of one host, of a group, and how far they reach.
 *
 * All of ::/64 is nobody's on a link: it has ::, ::1, and the forms in which IPv4 addresses are written. So an address with `high` 0 is never
 * that of an IPv6 neighbour (net/neighbour-cache.ts).
 */
import { IpAddress } from "./flow";

const LINK_LOCAL: u64 = 0xfe80_0000_0000_0000;
const LINK_LOCAL_MASK: u64 = 0xffc0_0000_0000_0000;
/** High halves of ff02::1 and its like, and of what stays in the host. */
const GROUP_OF_LINK: u64 = 0xff02_0000_0000_0000;
const GROUP_OF_NODE: u64 = 0xff01_0000_0000_0000;
/** ff02::1:ff00:0/104 (RFC 4291, 2.7.1). */
const SOLICITED_NODE: u64 = 0x0001_ff00_0000;

/** ff02::1, ff02::2 and ff02::16, low halves. */
export const ALL_NODES: u64 = 1;
export const ALL_ROUTERS: u64 = 2;
export const MLD2_ROUTERS: u64 = 0x16;

/** Scopes (RFC 4291, 2.7): the greater, the farther. */
export const SCOPE_LINK: u32 = 2;
export const SCOPE_SITE: u32 = 5;
export const SCOPE_GLOBAL: u32 = 14;

// @ts-ignore: decorator
@inline
export function isGroup(address: IpAddress): bool {
  return address.high >> 56 == 0xff;
}

/** ::1. */
// @ts-ignore: decorator
@inline
export function isLoopback6(address: IpAddress): bool {
  return address.high == 0 && address.low == 1;
}

// @ts-ignore: decorator
@inline
export function isLinkLocal(address: IpAddress): bool {
  return (address.high & LINK_LOCAL_MASK) == LINK_LOCAL;
}

/** An address that an IPv6 host on a wire can have, by its form. */
// @ts-ignore: decorator
@inline
export function isHost6(address: IpAddress): bool {
  return address.high != 0 && !isGroup(address);
}

/** fe80::/64 and an interface identifier. */
export function setLinkLocal(address: IpAddress, identifier: u64): void {
  address.high = LINK_LOCAL;
  address.low = identifier;
}

/** ff02:: and `low`: a group of the hosts of one link. */
// @ts-ignore: decorator
@inline
export function setLinkGroup(address: IpAddress, low: u64): void {
  address.high = GROUP_OF_LINK;
  address.low = low;
}

/** The low half of the solicited-node group of an address, whose high half is that of ff02::. */
// @ts-ignore: decorator
@inline
export function solicitedNode(address: IpAddress): u64 {
  return SOLICITED_NODE | (address.low & 0xff_ffff);
}

/** ff02::1 or ff01::1. */
// @ts-ignore: decorator
@inline
export function isAllNodes(address: IpAddress): bool {
  return address.low == ALL_NODES && (address.high == GROUP_OF_LINK || address.high == GROUP_OF_NODE);
}

/** RFC 6724, 3.1: ::1 is of the link; fec0::/10, which is old, of the site. */
export function scopeOf(address: IpAddress): u32 {
  if (isGroup(address)) return (<u32>(address.high >> 48)) & 15;
  if (isLinkLocal(address) || isLoopback6(address)) return SCOPE_LINK;
  return address.high >> 54 == 0xfec0 >> 6 ? SCOPE_SITE : SCOPE_GLOBAL;
}

/** The label of an address in the policy table of RFC 6724, 2.1: nets that do well to speak with their like. */
export function labelOf(address: IpAddress): u32 {
  const first = <u32>(address.high >> 48);
  // Unique local addresses; 6to4; Teredo; the old site-local ones; the 6bone.
  if (first >> 9 == 0xfc00 >> 9) return 13;
  if (first == 0x2002) return 2;
  if (address.high >> 32 == 0x2001_0000) return 5;
  if (first >> 6 == 0xfec0 >> 6) return 11;
  return first == 0x3ffe ? 12 : 1;
}

/** Leading bits that two addresses have in common, 64 at most: prefixes are no longer (RFC 6724, 2.2). */
// @ts-ignore: decorator
@inline
export function commonPrefix(a: IpAddress, b: IpAddress): u32 {
  return <u32>clz(a.high ^ b.high);
}

/** Whether the first `bits` (0..128) bits of two addresses are the same. */
export function samePrefix(a: IpAddress, b: IpAddress, bits: u32): bool {
  if (bits <= 64) return bits == 0 || (a.high ^ b.high) >> (64 - bits) == 0;
  return a.high == b.high && (bits == 128 ? a.low == b.low : (a.low ^ b.low) >> (128 - bits) == 0);
}

/** The modified EUI-64 of an Ethernet address (RFC 4291, appendix A), whose bytes stand as in net/wire/ethernet.ts. */
export function interfaceIdentifier(link0: u32, link4: u16): u64 {
  const first = <u64>bswap<u32>(link0);
  const last = <u64>bswap<u16>(link4);
  const upper = (first >> 8) ^ 0x02_0000;
  return (upper << 40) | 0xff_fe00_0000 | ((first & 0xff) << 16) | last;
}
