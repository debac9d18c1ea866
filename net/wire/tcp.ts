/**
 * TCP header (RFC 9293, 3.1). Options are parsed in net/socket/tcp/.
 *
 *     ├───────────────────────────────┼───────────────────────────────┤
 *   0 │          source port          │       destination port        │
 *   4 │                        sequence number                        │
 *   8 │                    acknowledgement number                     │
 *  12 │ offset│ resv. │     flags     │            window             │
 *  16 │           checksum            │        urgent pointer         │
 *  20 │                   options, up to 40 bytes                     │
 *     └───────────────────────────────────────────────────────────────┘
 */
import { PortsHeader } from "./ports";

export const TCP_HEADER: u32 = 20;
/** Offset of the checksum field, for CHECKSUM_PARTIAL. */
export const TCP_CHECKSUM_OFFSET: u32 = 16;

export const TCP_FIN: u32 = 0x01;
export const TCP_SYN: u32 = 0x02;
export const TCP_RST: u32 = 0x04;
export const TCP_PSH: u32 = 0x08;
export const TCP_ACK: u32 = 0x10;
export const TCP_URG: u32 = 0x20;
export const TCP_ECE: u32 = 0x40;
export const TCP_CWR: u32 = 0x80;


@unmanaged
export class TcpHeader extends PortsHeader {
  /** True when `length` bytes at `address` hold a header with all of its options (20 <= headerLength <= length). */
  @inline static check(address: usize, length: u32): bool {
    if (length < TCP_HEADER) return false;
    const size = changetype<TcpHeader>(address).headerLength;
    return size >= TCP_HEADER && size <= length;
  }


  @inline get sequence(): u32 {
    return bswap<u32>(load<u32>(changetype<usize>(this), 4));
  }


  @inline set sequence(value: u32) {
    store<u32>(changetype<usize>(this), bswap<u32>(value), 4);
  }


  @inline get acknowledgement(): u32 {
    return bswap<u32>(load<u32>(changetype<usize>(this), 8));
  }


  @inline set acknowledgement(value: u32) {
    store<u32>(changetype<usize>(this), bswap<u32>(value), 8);
  }
  /** Data offset, in bytes. */
  @inline get headerLength(): u32 {
    return ((<u32>load<u8>(changetype<usize>(this), 12)) >> 4) << 2;
  }
  /** TCP_* bits. */
  @inline get flags(): u32 {
    return load<u8>(changetype<usize>(this), 13);
  }
  /** `headerLength` in bytes, a multiple of 4; the reserved bits become 0. */
  @inline setLengthAndFlags(headerLength: u32, flags: u32): void {
    store<u16>(changetype<usize>(this), <u16>((headerLength << 2) | (flags << 8)), 12);
  }
  /** As it stands in the header, not scaled. */
  @inline get window(): u32 {
    return bswap<u32>(load<u32>(changetype<usize>(this), 12)) & 0xffff;
  }


  @inline set window(value: u32) {
    store<u16>(changetype<usize>(this), bswap<u16>(<u16>value), 14);
  }
  /** In memory order, as net/checksum.ts makes it. */
  @inline get checksum(): u16 {
    return load<u16>(changetype<usize>(this), 16);
  }


  @inline set checksum(value: u16) {
    store<u16>(changetype<usize>(this), value, 16);
  }


  @inline get urgent(): u32 {
    return bswap<u32>(load<u32>(changetype<usize>(this), 16)) & 0xffff;
  }


  @inline set urgent(value: u32) {
    store<u16>(changetype<usize>(this), bswap<u16>(<u16>value), 18);
  }
}
