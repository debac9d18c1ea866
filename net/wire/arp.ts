/**
 * ARP packet for IPv4 over Ethernet (RFC 826).
 *
 *     0        2        4    5    6        8            14          18           24         28
 *     ├────────┼────────┼────┼────┼────────┼────────────┼───────────┼────────────┼──────────┤
 *     │ hw = 1 │ 0x0800 │ 6  │ 4  │ op     │ sender MAC │ sender IP │ target MAC │ target IP│
 *     └────────┴────────┴────┴────┴────────┴────────────┴───────────┴────────────┴──────────┘
 */

export const ARP_LENGTH: u32 = 28;
export const ARP_REQUEST: u32 = 1;
export const ARP_REPLY: u32 = 2;

/** The first eight bytes without the operation, in memory order: hardware 1, protocol 0x0800, lengths 6 and 4. */
const FORMAT0: u32 = 0x0008_0100;
const FORMAT4: u16 = 0x0406;


@unmanaged
export class ArpPacket {
  /** True when `length` bytes at `address` are an ARP request or reply for IPv4 over Ethernet. */
  static check(address: usize, length: u32): bool {
    if (length < ARP_LENGTH) return false;
    if (load<u32>(address) != FORMAT0 || load<u16>(address, 4) != FORMAT4) return false;
    const operation = changetype<ArpPacket>(address).operation;
    return operation == ARP_REQUEST || operation == ARP_REPLY;
  }

  /** Writes the part that is the same in all of them. */
  @inline format(): void {
    store<u32>(changetype<usize>(this), FORMAT0);
    store<u16>(changetype<usize>(this), FORMAT4, 4);
  }


  @inline get operation(): u32 {
    return bswap<u16>(load<u16>(changetype<usize>(this), 6));
  }


  @inline set operation(value: u32) {
    store<u16>(changetype<usize>(this), bswap<u16>(<u16>value), 6);
  }


  @inline get sender0(): u32 {
    return load<u32>(changetype<usize>(this), 8);
  }


  @inline get sender4(): u16 {
    return load<u16>(changetype<usize>(this), 12);
  }


  @inline setSender(a0: u32, a4: u16): void {
    store<u32>(changetype<usize>(this), a0, 8);
    store<u16>(changetype<usize>(this), a4, 12);
  }


  @inline get senderAddress(): u32 {
    return bswap<u32>(load<u32>(changetype<usize>(this), 14));
  }


  @inline set senderAddress(value: u32) {
    store<u32>(changetype<usize>(this), bswap<u32>(value), 14);
  }


  @inline setTarget(a0: u32, a4: u16): void {
    store<u32>(changetype<usize>(this), a0, 18);
    store<u16>(changetype<usize>(this), a4, 22);
  }


  @inline get targetAddress(): u32 {
    return bswap<u32>(load<u32>(changetype<usize>(this), 24));
  }


  @inline set targetAddress(value: u32) {
    store<u32>(changetype<usize>(this), bswap<u32>(value), 24);
  }
}
