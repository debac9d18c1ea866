/**
 * Ethernet II header (IEEE 802.3 clause 3, RFC 894).
 *
 *     0                  6                  12          14
 *     ├──────────────────┼──────────────────┼───────────┼──────────
 *     │ destination      │ source           │ type      │ payload
 *     └──────────────────┴──────────────────┴───────────┴──────────
 *
 * With a tag (IEEE 802.1Q, 9.6) its type is ETHERTYPE_VLAN, and four bytes more stand in front of the payload: priority, a bit, 12 bits of VLAN identifier,
 * and the type of what follows.
 *
 * Link addresses are handled as they stand in memory: bytes 0..3 in a u32 and bytes 4..5 in a u16.
 */

export const ETHERNET_HEADER: u32 = 14;
/** EtherTypes, host order. */
export const ETHERTYPE_IPV4: u32 = 0x0800;
export const ETHERTYPE_ARP: u32 = 0x0806;
export const ETHERTYPE_IPV6: u32 = 0x86dd;

export const ETHERTYPE_VLAN: u32 = 0x8100;
/** A service tag (802.1ad): never for an end station. */
export const ETHERTYPE_SERVICE_VLAN: u32 = 0x88a8;
/** Bytes of a tag, and the VLAN identifiers there are. */
export const VLAN_TAG: u32 = 4;
export const VLAN_MASK: u32 = 0xfff;
export const VLAN_LAST: u32 = 4094;

/** Both halves of the broadcast address. */
export const BROADCAST0: u32 = 0xffff_ffff;
export const BROADCAST4: u16 = 0xffff;


@unmanaged
export class EthernetHeader {
  /** True when `length` bytes hold a header; only then may a field be read. */
  @inline static check(length: u32): bool {
    return length >= ETHERNET_HEADER;
  }


  @inline get destination0(): u32 {
    return load<u32>(changetype<usize>(this));
  }


  @inline get destination4(): u16 {
    return load<u16>(changetype<usize>(this), 4);
  }


  @inline setDestination(a0: u32, a4: u16): void {
    store<u32>(changetype<usize>(this), a0);
    store<u16>(changetype<usize>(this), a4, 4);
  }


  @inline get source0(): u32 {
    return load<u32>(changetype<usize>(this), 6);
  }


  @inline get source4(): u16 {
    return load<u16>(changetype<usize>(this), 10);
  }


  @inline setSource(a0: u32, a4: u16): void {
    store<u32>(changetype<usize>(this), a0, 6);
    store<u16>(changetype<usize>(this), a4, 10);
  }

  /** EtherType; below 0x0600 it is an 802.3 length. */
  @inline get type(): u32 {
    return bswap<u32>(load<u32>(changetype<usize>(this), 10)) & 0xffff;
  }


  @inline set type(value: u32) {
    store<u16>(changetype<usize>(this), bswap<u16>(<u16>value), 12);
  }
}

/** A group of IPv6 (RFC 2464, 7): its address begins with 33:33. */
// @ts-ignore: decorator
@inline
export function isIpv6Group(a0: u32): bool {
  return (a0 & 0xffff) == 0x3333;
}

/** The group bit: broadcast and multicast addresses have it. It is the lowest bit of the first byte. */
// @ts-ignore: decorator
@inline
export function isGroupAddress(a0: u32): bool {
  return (a0 & 1) != 0;
}
