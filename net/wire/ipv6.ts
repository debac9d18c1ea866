/**
 * IPv6 header (RFC 8200, 3) and the extension headers that a host looks into (RFC 8200, 4).
 *
 *      0                   1                   2                   3
 *     ├───────┼───────────────┼───────────────────────────────────────┤
 *   0 │version│ traffic class │              flow label               │
 *   4 │        payload length         │  next header  │   hop limit   │
 *   8 │                        source address                         │
 *  24 │                      destination address                      │
 *     └───────────────────────────────────────────────────────────────┘
 *
 *     extension header: next header, length in units of 8 bytes beyond the first 8, then 6 bytes or more of its own
 *     fragment header: next header, 0, offset in bytes (a multiple of 8) with "more" in its lowest bit, identification of 4 bytes
 */
import { IpAddress } from "../flow";

export const IPV6_HEADER: u32 = 40;
/** Most bytes behind the header. */
export const IPV6_PAYLOAD_MAXIMUM: u32 = 65535;
/** Every link takes packets of this size, and no path has to take more (RFC 8200, 5). */
export const IPV6_MTU_MINIMUM: u32 = 1280;

/** Values of a next header field that are no transports. */
export const NEXT_HOP_BY_HOP: u32 = 0;
export const NEXT_ROUTING: u32 = 43;
export const NEXT_FRAGMENT: u32 = 44;
export const NEXT_NONE: u32 = 59;
export const NEXT_DESTINATION: u32 = 60;

/** Bytes of the shortest extension header, and of the fragment header. */
export const EXTENSION_HEADER: u32 = 8;
/** Where the header names what follows it, and says how long that is. */
export const IPV6_NEXT_AT: u32 = 6;
export const IPV6_PAYLOAD_LENGTH_AT: u32 = 4;
/** Where a fragment header has its offset. */
export const FRAGMENT_OFFSET_AT: u32 = 2;
/** Of the two bytes there: the offset, and that there are more; the two bits between them are reserved. */
export const FRAGMENT_OFFSET: u32 = 0xfff8;
export const FRAGMENT_MORE: u32 = 1;

/** Results of `Ipv6Header.check`. */
export const IPV6_OK: u32 = 0;
export const IPV6_BAD_VERSION: u32 = 1;
export const IPV6_BAD_LENGTH: u32 = 2;


@unmanaged
export class Ipv6Header {
  /** Structure of the header in `length` bytes at `address`: IPV6_OK, then it may be read, and `payloadLength` bytes follow it. */
  static check(address: usize, length: u32): u32 {
    if (length < IPV6_HEADER) return IPV6_BAD_LENGTH;
    const header = changetype<Ipv6Header>(address);
    if (header.version != 6) return IPV6_BAD_VERSION;
    return header.payloadLength > length - IPV6_HEADER ? IPV6_BAD_LENGTH : IPV6_OK;
  }


  @inline get version(): u32 {
    return (<u32>load<u8>(changetype<usize>(this))) >> 4;
  }

  /** Version 6, flow label 0. `trafficClass`: 0..255. */
  @inline setFirstWord(trafficClass: u32): void {
    store<u32>(changetype<usize>(this), bswap<u32>(0x6000_0000 | (trafficClass << 20)));
  }


  @inline get trafficClass(): u32 {
    return (bswap<u32>(load<u32>(changetype<usize>(this))) >> 20) & 0xff;
  }

  /** The two ECN bits of it (RFC 3168, 5). */
  @inline get ecn(): u32 {
    return this.trafficClass & 3;
  }

  /** Bytes behind this header. */
  @inline get payloadLength(): u32 {
    return bswap<u32>(load<u32>(changetype<usize>(this), 4)) >>> 16;
  }


  @inline set payloadLength(value: u32) {
    store<u16>(changetype<usize>(this), bswap<u16>(<u16>value), 4);
  }


  @inline get nextHeader(): u32 {
    return load<u8>(changetype<usize>(this), 6);
  }


  @inline set nextHeader(value: u32) {
    store<u8>(changetype<usize>(this), <u8>value, 6);
  }


  @inline get hopLimit(): u32 {
    return load<u8>(changetype<usize>(this), 7);
  }


  @inline set hopLimit(value: u32) {
    store<u8>(changetype<usize>(this), <u8>value, 7);
  }


  @inline loadSource(to: IpAddress): void {
    loadAddress(to, changetype<usize>(this) + 8);
  }


  @inline loadDestination(to: IpAddress): void {
    loadAddress(to, changetype<usize>(this) + 24);
  }


  @inline storeSource(from: IpAddress): void {
    storeAddress(changetype<usize>(this) + 8, from);
  }


  @inline storeDestination(from: IpAddress): void {
    storeAddress(changetype<usize>(this) + 24, from);
  }
}


@unmanaged
export class FragmentHeader {

  @inline get nextHeader(): u32 {
    return load<u8>(changetype<usize>(this));
  }

  /** And the reserved byte, 0. */
  @inline set nextHeader(value: u32) {
    store<u16>(changetype<usize>(this), <u16>value);
  }

  /** FRAGMENT_OFFSET, FRAGMENT_MORE. */
  @inline get place(): u32 {
    return bswap<u16>(load<u16>(changetype<usize>(this), FRAGMENT_OFFSET_AT));
  }


  @inline set place(value: u32) {
    store<u16>(changetype<usize>(this), bswap<u16>(<u16>value), FRAGMENT_OFFSET_AT);
  }


  @inline get identification(): u32 {
    return bswap<u32>(load<u32>(changetype<usize>(this), 4));
  }


  @inline set identification(value: u32) {
    store<u32>(changetype<usize>(this), bswap<u32>(value), 4);
  }
}

/** 16 bytes in network order at `at` into `to`. */
// @ts-ignore: decorator
@inline
export function loadAddress(to: IpAddress, at: usize): void {
  to.high = bswap<u64>(load<u64>(at));
  to.low = bswap<u64>(load<u64>(at, 8));
}

// @ts-ignore: decorator
@inline
export function storeAddress(at: usize, from: IpAddress): void {
  store<u64>(at, bswap<u64>(from.high));
  store<u64>(at, bswap<u64>(from.low), 8);
}
