/**
 * A received fragment of IPv6, ahead of reassembly (RFC 8200, 4.5): what makes it malformed, and who is told. All that a datagram says of itself, its first fragment
 * has to say (RFC 7112): what does not have all headers there is dropped, so that nobody decides about a datagram that does not know what it is.
 */
import { PacketBuffer, releaseBuffer } from "./buffer";
import { networkCounters } from "./counters";
import { findTransport, transportOffset, transportProtocol } from "./extension-headers";
import { icmpv6Error } from "./icmpv6";
import { DATAGRAM_MAXIMUM, fragmentFlow, reassemble } from "./reassembly";
import { leastHeader } from "./transports";
import {
  ICMPV6_BAD_FIELD,
  ICMPV6_INCOMPLETE_HEADERS,
  ICMPV6_PARAMETER_PROBLEM,
  ICMPV6_REASSEMBLY_TIME_EXCEEDED,
  ICMPV6_TIME_EXCEEDED,
} from "./wire/icmpv6";
import {
  EXTENSION_HEADER,
  FRAGMENT_MORE,
  FRAGMENT_OFFSET,
  FRAGMENT_OFFSET_AT,
  FragmentHeader,
  IPV6_HEADER,
  IPV6_PAYLOAD_LENGTH_AT,
  Ipv6Header,
  NEXT_NONE,
} from "./wire/ipv6";

/**
 * A fragment, at its IPv6 header, with a length that is exact and networkHeader set; its fragment header, of which all is there, is `at` bytes behind that. Takes the
 * reference. The datagram if nothing is missing any more, see reassemble; else null.
 */
export function fragmentArrives6(buffer: PacketBuffer, at: u32): PacketBuffer | null {
  const start = buffer.data;
  const network = changetype<Ipv6Header>(start);
  const fragment = changetype<FragmentHeader>(start + at);
  const place = fragment.place;
  const offset = place & FRAGMENT_OFFSET;
  const last = (place & FRAGMENT_MORE) == 0;
  const length = buffer.length - at - EXTENSION_HEADER;
  // What is in front of the fragment header is in the whole packet, too; the fragment header is not.
  const headers = at - IPV6_HEADER;
  // Nobody sends a fragment of nothing; it would be no lie, and only cost.
  if (length == 0) return refuse(buffer);
  if (!last && (length & 7) != 0) return problem(buffer, ICMPV6_BAD_FIELD, IPV6_PAYLOAD_LENGTH_AT);
  if (headers + offset + length > DATAGRAM_MAXIMUM)
    return problem(buffer, ICMPV6_BAD_FIELD, at + FRAGMENT_OFFSET_AT);
  if (offset == 0 && !hasAllHeaders(start, buffer.length))
    return problem(buffer, ICMPV6_INCOMPLETE_HEADERS, 0);
  network.loadDestination(fragmentFlow.local);
  network.loadSource(fragmentFlow.remote);
  fragmentFlow.local.port = fragment.identification;
  // The first fragment alone says which transport it is (RFC 8200, 4.5).
  fragmentFlow.remote.port = 0;
  buffer.pull(at + EXTENSION_HEADER);
  return reassemble(buffer, offset, last, headers);
}

function hasAllHeaders(start: usize, length: u32): bool {
  if (!findTransport(start, length)) return false;
  return transportProtocol == NEXT_NONE || length - transportOffset >= leastHeader(transportProtocol);
}

function refuse(buffer: PacketBuffer): PacketBuffer | null {
  networkCounters().ipBadFragments++;
  releaseBuffer(buffer);
  return null;
}

function problem(buffer: PacketBuffer, code: u32, pointer: u32): PacketBuffer | null {
  icmpv6Error(buffer, ICMPV6_PARAMETER_PROBLEM, code, pointer, false);
  return refuse(buffer);
}

/** For net/reassembly.ts: the time of a datagram is over, of which this is the first fragment. */
export function icmpv6ReassemblyTimeout(buffer: PacketBuffer): void {
  icmpv6Error(buffer, ICMPV6_TIME_EXCEEDED, ICMPV6_REASSEMBLY_TIME_EXCEEDED, 0, false);
}
