/**
 * Errors about packets that we sent: from ICMP (RFC 1122, 3.2.2) and from ARP, when nobody answers. The transport whose packet it was is
 * told, after the packet that the error quotes was found to be one that we can have sent.
 */
import { networkCounters } from "./counters";
import { isLocalAddress } from "./interface";
import { IPPROTO_TCP, IPPROTO_UDP } from "./socket/socket";
import { IPV4_HEADER, IPV4_OFFSET, Ipv4Header } from "./wire/ipv4";

/** Bytes of a transport header that an error quotes at least (RFC 792): ports, and TCP's sequence number. */
export const QUOTED_TRANSPORT: u32 = 8;

let tcpError: u32 = 0;
let udpError: u32 = 0;

/**
 * Registers who hears of errors about packets of IPPROTO_TCP or IPPROTO_UDP: `index` is a
 * (type: u32, code: u32, rest: u32, header: Ipv4Header, transport: usize, length: u32) => void.
 * type, code and rest: as in the ICMP header (rest & 0xFFFF: the MTU of ICMP_FRAGMENTATION_NEEDED, 0 from old routers).
 * header: the IPv4 header of the packet we sent, its source one of our addresses. transport: address of its transport header, of which
 * `length` >= 8 bytes may be read. All of it came over the wire: the transport has to match ports (and sequence number) itself.
 */
export function registerTransportError(protocol: u32, index: u32): void {
  if (protocol == IPPROTO_TCP) tcpError = index;
  else if (protocol == IPPROTO_UDP) udpError = index;
}

/** Checks the `length` bytes that an error quotes at `quoted`, and tells the transport. */
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
  const protocol = header.protocol;
  const index = protocol == IPPROTO_TCP ? tcpError : protocol == IPPROTO_UDP ? udpError : 0;
  if (index == 0) {
    counters.icmpIgnored++;
    return;
  }
  const transport = quoted + headerLength;
  call_indirect<void>(index, type, code, rest, header, transport, length - headerLength);
}
