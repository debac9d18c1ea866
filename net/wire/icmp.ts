/**
 * ICMP message (RFC 792).
 *
 *     ├───────────────┼───────────────┼───────────────────────────────┤
 *   0 │     type      │     code      │           checksum            │
 *   4 │      unused, or identifier and sequence number, or MTU        │
 *   8 │      data: of an error, the header it is about and on         │
 *     └───────────────────────────────────────────────────────────────┘
 */

export const ICMP_HEADER: u32 = 8;
export const ICMP_ECHO_REPLY: u32 = 0;
export const ICMP_UNREACHABLE: u32 = 3;
export const ICMP_ECHO: u32 = 8;
export const ICMP_TIME_EXCEEDED: u32 = 11;
export const ICMP_PARAMETER_PROBLEM: u32 = 12;

/** Codes of ICMP_UNREACHABLE. */
export const ICMP_NET_UNREACHABLE: u32 = 0;
export const ICMP_HOST_UNREACHABLE: u32 = 1;
export const ICMP_PROTOCOL_UNREACHABLE: u32 = 2;
export const ICMP_PORT_UNREACHABLE: u32 = 3;
export const ICMP_FRAGMENTATION_NEEDED: u32 = 4;

/** Code of ICMP_TIME_EXCEEDED. */
export const ICMP_REASSEMBLY_TIME_EXCEEDED: u32 = 1;


@unmanaged
export class IcmpHeader {
  /** True when `length` bytes hold a header. */
  @inline static check(length: u32): bool {
    return length >= ICMP_HEADER;
  }


  @inline get type(): u32 {
    return load<u8>(changetype<usize>(this));
  }


  @inline set type(value: u32) {
    store<u8>(changetype<usize>(this), <u8>value);
  }


  @inline get code(): u32 {
    return load<u8>(changetype<usize>(this), 1);
  }


  @inline set code(value: u32) {
    store<u8>(changetype<usize>(this), <u8>value, 1);
  }
  /** In memory order, as net/checksum.ts makes it. */
  @inline get checksum(): u16 {
    return load<u16>(changetype<usize>(this), 2);
  }


  @inline set checksum(value: u16) {
    store<u16>(changetype<usize>(this), value, 2);
  }
  /** The second word; of ICMP_FRAGMENTATION_NEEDED its low half is the MTU (RFC 1191). */
  @inline get rest(): u32 {
    return bswap<u32>(load<u32>(changetype<usize>(this), 4));
  }


  @inline set rest(value: u32) {
    store<u32>(changetype<usize>(this), bswap<u32>(value), 4);
  }
}
