/**
 * The ports of a transport's header, with which TCP, UDP and SCTP begin.
 *
 *     ├───────────────────────────────┼───────────────────────────────┤
 *   0 │          source port          │       destination port        │
 *     └───────────────────────────────────────────────────────────────┘
 */

@unmanaged
export class PortsHeader {

  @inline get sourcePort(): u32 {
    return bswap<u16>(load<u16>(changetype<usize>(this)));
  }


  @inline set sourcePort(value: u32) {
    store<u16>(changetype<usize>(this), bswap<u16>(<u16>value));
  }


  @inline get destinationPort(): u32 {
    return bswap<u16>(load<u16>(changetype<usize>(this), 2));
  }


  @inline set destinationPort(value: u32) {
    store<u16>(changetype<usize>(this), bswap<u16>(<u16>value), 2);
  }
}
