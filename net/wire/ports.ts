/**
 * The ports of a transport's header, with which TCP, UDP and SCTP begin.
 *
 * Fields of two octets are read here and in other headers with the whole word that RFCs draw them in: of that gcc knows that it is to be turned round in one instruction, of two octets
 * not.
 *
 *     ├───────────────────────────────┼───────────────────────────────┤
 *   0 │          source port          │       destination port        │
 *     └───────────────────────────────────────────────────────────────┘
 */

@unmanaged
export class PortsHeader {

  @inline get sourcePort(): u32 {
    return bswap<u32>(load<u32>(changetype<usize>(this))) >>> 16;
  }


  @inline set sourcePort(value: u32) {
    store<u16>(changetype<usize>(this), bswap<u16>(<u16>value));
  }


  @inline get destinationPort(): u32 {
    return bswap<u32>(load<u32>(changetype<usize>(this))) & 0xffff;
  }


  @inline set destinationPort(value: u32) {
    store<u16>(changetype<usize>(this), bswap<u16>(<u16>value), 2);
  }
}
