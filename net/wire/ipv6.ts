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
 */
import { IpAddress } from "../flow";

export const IPV6_HEADER: u32 = 40;
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
    return bswap<u16>(load<u16>(changetype<usize>(this), 4));
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
