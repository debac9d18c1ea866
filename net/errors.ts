/**
 * Errors about packets that we sent: from ICMP (RFC 1122, 3.2.2), from ICMPv6 (RFC 4443, 2.4 d) and from the neighbour cache, when nobody answers. The
 * transport whose packet it was is told, after the packet that the error quotes was found to be one that we can have sent. It is told in the
 * numbers of ICMP, whichever version it was, so that transports know one kind of error.
 */
import { PacketBuffer } from "./buffer";
import { networkCounters } from "./counters";
import { findTransport, transportOffset, transportProtocol } from "./extension-headers";
import { Flow, FLOW_SIZE } from "./flow";
import { isLocalAddress } from "./interface";
import { isVersion6, sentFlow, sentFlow6 } from "./ip";
import { isOwn6 } from "./own-addresses";
import { IPPROTO_ICMP } from "./socket/socket";
import { transportErrorOf } from "./transports";
import {
  ICMP_FRAGMENTATION_NEEDED,
  ICMP_HOST_UNREACHABLE,
  ICMP_NET_UNREACHABLE,
  ICMP_PARAMETER_PROBLEM,
  ICMP_PORT_UNREACHABLE,
  ICMP_PROTOCOL_UNREACHABLE,
  ICMP_TIME_EXCEEDED,
  ICMP_UNREACHABLE,
} from "./wire/icmp";
import {
  ICMPV6_ADDRESS_UNREACHABLE,
  ICMPV6_NO_ROUTE,
  ICMPV6_PORT_UNREACHABLE,
  ICMPV6_TIME_EXCEEDED,
  ICMPV6_TOO_BIG,
  ICMPV6_UNKNOWN_HEADER,
  ICMPV6_UNREACHABLE,
} from "./wire/icmpv6";
import { IPV4_HEADER, IPV4_OFFSET, Ipv4Header } from "./wire/ipv4";
import { IPV6_HEADER, IPV6_MTU_MINIMUM, Ipv6Header } from "./wire/ipv6";

/** Bytes of a transport header that an error quotes at least (RFC 792): ports, and TCP's sequence number. */
export const QUOTED_TRANSPORT: u32 = 8;

/** Communication administratively prohibited (RFC 1812, 5.2.7.1). */
const ICMP_PROHIBITED: u32 = 13;

/** Of the packet that an error quotes. */
let quotedFlow: Flow = changetype<Flow>(0);

/** Once at boot. `flow`: FLOW_SIZE bytes. */
export function initializeErrors(flow: usize): void {
  memory.fill(flow, 0, FLOW_SIZE);
  quotedFlow = changetype<Flow>(flow);
}

/**
 * Checks the `length` bytes that an error quotes at `quoted`, and tells the transport, whose function (net/transports.ts) is a
 * (type: u32, code: u32, rest: u32, flow: Flow, transport: usize, length: u32) => void.
 * type, code and rest: as in the ICMP header (rest & 0xFFFF: the MTU of ICMP_FRAGMENTATION_NEEDED, 0 from old routers).
 * flow: of the packet we sent, its local address one of ours. transport: address of its transport header, of which
 * `length` >= 8 bytes may be read. All of it came over the wire: the transport has to match ports (and sequence number) itself.
 */
export function reportTransportError(type: u32, code: u32, rest: u32, quoted: usize, length: u32): void {
  const counters = networkCounters();
  if (length < IPV4_HEADER) {
    counters.icmpBadEmbedded++;
    return;
  }
  // The quoted packet is cut off, so its total length may be more than is here: Ipv4Header.check would refuse it.
  const header = changetype<Ipv4Header>(quoted);
  const headerLength = header.headerLength;
  if (
    header.version != 4 ||
    headerLength < IPV4_HEADER ||
    length < headerLength + QUOTED_TRANSPORT ||
    header.totalLength < headerLength + QUOTED_TRANSPORT ||
    // Only the first fragment has the transport's header.
    (header.fragment & IPV4_OFFSET) != 0 ||
    !isLocalAddress(header.source)
  ) {
    counters.icmpBadEmbedded++;
    return;
  }
  const index = transportErrorOf(header.protocol);
  if (index == 0) {
    counters.icmpIgnored++;
    return;
  }
  const transport = quoted + headerLength;
  sentFlow(quotedFlow, header, transport);
  call_indirect<void>(index, type, code, rest, quotedFlow, transport, length - headerLength);
}

/** The same for an error of ICMPv6: `type`, `code`, `rest` as in its header. What we send has no extension headers but that of a fragment. */
export function reportTransportError6(type: u32, code: u32, rest: u32, quoted: usize, length: u32): void {
  const counters = networkCounters();
  const header = changetype<Ipv6Header>(quoted);
  if (
    length < IPV6_HEADER ||
    header.version != 6 ||
    !findTransport(quoted, length) ||
    length < transportOffset + QUOTED_TRANSPORT
  ) {
    counters.icmpBadEmbedded++;
    return;
  }
  if (type == ICMPV6_TOO_BIG && rest < IPV6_MTU_MINIMUM) {
    // No path is so small, and fragments of whole packets help nobody (RFC 8201, 4; RFC 8021).
    counters.icmpIgnored++;
    return;
  }
  const protocol = transportProtocol;
  const transport = quoted + transportOffset;
  const left = length - transportOffset;
  sentFlow6(quotedFlow, header, transport);
  if (!isOwn6(quotedFlow.local)) {
    counters.icmpBadEmbedded++;
    return;
  }
  const index = protocol == IPPROTO_ICMP ? 0 : transportErrorOf(protocol);
  if (index == 0) {
    counters.icmpIgnored++;
    return;
  }
  if (type == ICMPV6_TOO_BIG) {
    const mtu = min<u32>(rest, 0xffff);
    call_indirect<void>(index, ICMP_UNREACHABLE, ICMP_FRAGMENTATION_NEEDED, mtu, quotedFlow, transport, left);
  } else if (type == ICMPV6_UNREACHABLE) {
    call_indirect<void>(index, ICMP_UNREACHABLE, codeOf(code), 0, quotedFlow, transport, left);
  } else if (type == ICMPV6_TIME_EXCEEDED) {
    call_indirect<void>(index, ICMP_TIME_EXCEEDED, code, 0, quotedFlow, transport, left);
  } else if (code == ICMPV6_UNKNOWN_HEADER) {
    call_indirect<void>(index, ICMP_UNREACHABLE, ICMP_PROTOCOL_UNREACHABLE, 0, quotedFlow, transport, left);
  } else {
    call_indirect<void>(index, ICMP_PARAMETER_PROBLEM, code, 0, quotedFlow, transport, left);
  }
}

/** The code of ICMP_UNREACHABLE for one of ICMPV6_UNREACHABLE. */
function codeOf(code: u32): u32 {
  if (code == ICMPV6_PORT_UNREACHABLE) return ICMP_PORT_UNREACHABLE;
  if (code == ICMPV6_NO_ROUTE) return ICMP_NET_UNREACHABLE;
  return code == ICMPV6_ADDRESS_UNREACHABLE ? ICMP_HOST_UNREACHABLE : ICMP_PROHIBITED;
}

/** The packet in `buffer`, at its IP header, has waited in vain for its neighbour. */
export function reportNeighbourGone(buffer: PacketBuffer): void {
  if (isVersion6(buffer.data)) {
    reportTransportError6(ICMPV6_UNREACHABLE, ICMPV6_ADDRESS_UNREACHABLE, 0, buffer.data, buffer.length);
  } else {
    reportTransportError(ICMP_UNREACHABLE, ICMP_HOST_UNREACHABLE, 0, buffer.data, buffer.length);
  }
}
