/**
 * A received fragment of IPv4, ahead of reassembly (RFC 791, 3.2; RFC 1122, 3.3.2): what makes it malformed. Nobody is told of that.
 */
import { PacketBuffer, releaseBuffer } from "./buffer";
import { networkCounters } from "./counters";
import { DATAGRAM_MAXIMUM, fragmentFlow, reassemble } from "./reassembly";
import { leastHeader } from "./transports";
import { IPV4_MF, IPV4_OFFSET, Ipv4Header } from "./wire/ipv4";

/**
 * A fragment, at its IPv4 header of `headerLength` bytes, with a length that is exact and networkHeader set. Takes the reference. The datagram if nothing is missing any
 * more, see reassemble; else null.
 */
export function fragmentArrives4(buffer: PacketBuffer, headerLength: u32): PacketBuffer | null {
  const header = changetype<Ipv4Header>(buffer.data);
  const protocol = header.protocol;
  const fragment = header.fragment;
  const offset = (fragment & IPV4_OFFSET) << 3;
  const last = (fragment & IPV4_MF) == 0;
  const length = buffer.length - headerLength;
  if (!isWellFormed(protocol, offset, length, last) || headerLength + offset + length > DATAGRAM_MAXIMUM) {
    networkCounters().ipBadFragments++;
    releaseBuffer(buffer);
    return null;
  }
  fragmentFlow.local.setIpv4(header.destination, header.identification);
  fragmentFlow.remote.setIpv4(header.source, protocol);
  buffer.pull(headerLength);
  return reassemble(buffer, offset, last, headerLength);
}

/** Nobody sends less than a transport's header first, or the rest of one (RFC 1858; RFC 3128), or a length that leaves the next without an offset. */
function isWellFormed(protocol: u32, offset: u32, length: u32, last: bool): bool {
  if (length == 0 || (!last && (length & 7) != 0)) return false;
  const least = leastHeader(protocol);
  return offset == 0 ? length >= least : offset >= least;
}
