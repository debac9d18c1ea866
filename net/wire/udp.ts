/**
 * UDP header (RFC 768).
 *
 *     ├───────────────────────────────┼───────────────────────────────┤
 *   0 │          source port          │       destination port        │
 *   4 │            length             │           checksum            │
 *     └───────────────────────────────────────────────────────────────┘
 */
import { PortsHeader } from "./ports";

export const UDP_HEADER: u32 = 8;


@unmanaged
export class UdpHeader extends PortsHeader {
  /** True when `length` bytes at `address` hold a header and all that its length field counts. */
  @inline static check(address: usize, length: u32): bool {
    if (length < UDP_HEADER) return false;
    const own = changetype<UdpHeader>(address).length;
    return own >= UDP_HEADER && own <= length;
  }

  /** Header and payload, in bytes. */
  @inline get length(): u32 {
    return bswap<u32>(load<u32>(changetype<usize>(this), 4)) >>> 16;
  }


  @inline set length(value: u32) {
    store<u16>(changetype<usize>(this), bswap<u16>(<u16>value), 4);
  }
  /** In memory order, as net/checksum.ts makes it; 0: the sender made none. */
  @inline get checksum(): u16 {
    return load<u16>(changetype<usize>(this), 6);
  }


  @inline set checksum(value: u16) {
    store<u16>(changetype<usize>(this), value, 6);
  }
}
