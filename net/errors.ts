/**
 * Errors about packets that we sent: from ICMP (RFC 1122, 3.2.2) and from ARP, when nobody answers. The transport whose packet it was is
 * told, after the packet that the error quotes was found to be one that we can have sent.
 */
import { networkCounters } from "./counters";
import { Flow, FLOW_SIZE } from "./flow";
import { isLocalAddress } from "./interface";
import { sentFlow } from "./ip";
import { transportErrorOf } from "./transports";
import { IPV4_HEADER, IPV4_OFFSET, Ipv4Header } from "./wire/ipv4";

/** Bytes of a transport header that an error quotes at least (RFC 792): ports, and TCP's sequence number. */
export const QUOTED_TRANSPORT: u32 = 8;

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
