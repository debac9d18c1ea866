/**
 * IPv4 header (RFC 791, 3.1).
 *
 *      0                   1                   2                   3
 *     ├───────┼───────┼───────────────┼───────────────────────────────┤
 *   0 │version│  IHL  │ type of serv. │         total length          │
 *   4 │        identification         │flags│     fragment offset     │
 *   8 │ time to live  │   protocol    │        header checksum        │
 *  12 │                        source address                         │
 *  16 │                      destination address                      │
 *  20 │                   options, up to 40 bytes                     │
 *     └───────────────────────────────────────────────────────────────┘
 */

export const IPV4_HEADER: u32 = 20;
/** Don't fragment, and more fragments, in `fragment`. */
export const IPV4_DF: u32 = 0x4000;
export const IPV4_MF: u32 = 0x2000;
export const IPV4_OFFSET: u32 = 0x1fff;

/** ECN field: congestion experienced. */
export const ECN_CE: u32 = 3;

/** Results of `Ipv4Header.check` and `Ipv4Header.checkOptions`. */
export const IPV4_OK: u32 = 0;
export const IPV4_BAD_VERSION: u32 = 1;
export const IPV4_BAD_HEADER_LENGTH: u32 = 2;
export const IPV4_BAD_LENGTH: u32 = 3;
export const IPV4_BAD_OPTION: u32 = 4;
export const IPV4_SOURCE_ROUTE: u32 = 5;

const OPTION_END: u32 = 0;
const OPTION_NOP: u32 = 1;
const OPTION_LSRR: u32 = 131;
const OPTION_SSRR: u32 = 137;


@unmanaged
export class Ipv4Header {
  /**
   * Structure of the header in `length` bytes at `address`: IPV4_OK, then every fixed field may be read, `headerLength` bytes are there
   * and `totalLength` is between them and `length`. The checksum and the options are checked elsewhere.
   */
  static check(address: usize, length: u32): u32 {
    if (length < IPV4_HEADER) return IPV4_BAD_LENGTH;
    const first = <u32>load<u8>(address);
    if (first >> 4 != 4) return IPV4_BAD_VERSION;
    const headerLength = (first & 15) << 2;
    if (headerLength < IPV4_HEADER) return IPV4_BAD_HEADER_LENGTH;
    const total = changetype<Ipv4Header>(address).totalLength;
    if (total < headerLength || total > length) return IPV4_BAD_LENGTH;
    return IPV4_OK;
  }

  /** Structure of the options of a header that `check` passed; source routes are told apart, others tolerated. */
  static checkOptions(address: usize): u32 {
    const end = address + changetype<Ipv4Header>(address).headerLength;
    let option = address + IPV4_HEADER;
    while (option < end) {
      const kind = <u32>load<u8>(option);
      if (kind == OPTION_END) break;
      if (kind == OPTION_NOP) {
        option++;
        continue;
      }
      if (end - option < 2) return IPV4_BAD_OPTION;
      const size = <usize>load<u8>(option, 1);
      if (size < 2 || size > end - option) return IPV4_BAD_OPTION;
      if (kind == OPTION_LSRR || kind == OPTION_SSRR) return IPV4_SOURCE_ROUTE;
      option += size;
    }
    return IPV4_OK;
  }

  /** Version 4, without options, and no fragment. */
  @inline get isPlain(): bool {
    return load<u8>(changetype<usize>(this)) == 0x45 && (this.fragment & (IPV4_MF | IPV4_OFFSET)) == 0;
  }

  /** In bytes. */
  @inline get headerLength(): u32 {
    return ((<u32>load<u8>(changetype<usize>(this))) & 15) << 2;
  }


  @inline get version(): u32 {
    return (<u32>load<u8>(changetype<usize>(this))) >> 4;
  }
  /** Version 4, header without options. `service`: type of service, 0..255. */
  @inline setFirstWord(totalLength: u32, service: u32 = 0): void {
    store<u32>(changetype<usize>(this), 0x45 | (service << 8) | ((<u32>bswap<u16>(<u16>totalLength)) << 16));
  }


  @inline get service(): u32 {
    return load<u8>(changetype<usize>(this), 1);
  }
  /** The two ECN bits of the type of service (RFC 3168, 5). */
  @inline get ecn(): u32 {
    return this.service & 3;
  }
  /** Header and payload, in bytes. */
  @inline set totalLength(value: u32) {
    store<u16>(changetype<usize>(this), bswap<u16>(<u16>value), 2);
  }


  @inline get totalLength(): u32 {
    return bswap<u32>(load<u32>(changetype<usize>(this))) & 0xffff;
  }


  @inline get identification(): u32 {
    return bswap<u32>(load<u32>(changetype<usize>(this), 4)) >>> 16;
  }


  @inline set identification(value: u32) {
    store<u16>(changetype<usize>(this), bswap<u16>(<u16>value), 4);
  }
  /** IPV4_DF, IPV4_MF and the offset in units of 8 bytes. */
  @inline get fragment(): u32 {
    return bswap<u32>(load<u32>(changetype<usize>(this), 4)) & 0xffff;
  }


  @inline set fragment(value: u32) {
    store<u16>(changetype<usize>(this), bswap<u16>(<u16>value), 6);
  }


  @inline get ttl(): u32 {
    return load<u8>(changetype<usize>(this), 8);
  }


  @inline set ttl(value: u32) {
    store<u8>(changetype<usize>(this), <u8>value, 8);
  }


  @inline get protocol(): u32 {
    return load<u8>(changetype<usize>(this), 9);
  }


  @inline set protocol(value: u32) {
    store<u8>(changetype<usize>(this), <u8>value, 9);
  }
  /** In memory order, as net/checksum.ts makes it. */
  @inline get checksum(): u16 {
    return load<u16>(changetype<usize>(this), 10);
  }


  @inline set checksum(value: u16) {
    store<u16>(changetype<usize>(this), value, 10);
  }


  @inline get source(): u32 {
    return bswap<u32>(load<u32>(changetype<usize>(this), 12));
  }


  @inline set source(value: u32) {
    store<u32>(changetype<usize>(this), bswap<u32>(value), 12);
  }


  @inline get destination(): u32 {
    return bswap<u32>(load<u32>(changetype<usize>(this), 16));
  }


  @inline set destination(value: u32) {
    store<u32>(changetype<usize>(this), bswap<u32>(value), 16);
  }
}
