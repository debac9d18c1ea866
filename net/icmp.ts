/**
 * ICMP (RFC 792; RFC 1122, 3.2.2): answers echo requests, tells senders of what cannot be delivered, hands errors to the transports.
 *
 * Redirects and source quench are ignored (one interface, RFC 6633); timestamps and address masks are not answered.
 */
import { LINK_BROADCAST, PacketBuffer, releaseBuffer } from "./buffer";
import { checksumAdd, checksumFold, checksumUpdate, internetChecksum } from "./checksum";
import { networkCounters } from "./counters";
import { reportTransportError } from "./errors";
import { CLASS_TIME_EXCEEDED, CLASS_UNREACHABLE, composeError } from "./icmp-error";
import { isBroadcast, isUnicast } from "./interface";
import { ipv4Output } from "./ipv4-output";
import { MAY_FRAGMENT, TTL_DEFAULT } from "./service";
import { IPPROTO_ICMP } from "./socket/socket";
import {
  ICMP_ECHO,
  ICMP_ECHO_REPLY,
  ICMP_HEADER,
  ICMP_PARAMETER_PROBLEM,
  ICMP_PROTOCOL_UNREACHABLE,
  ICMP_REASSEMBLY_TIME_EXCEEDED,
  ICMP_TIME_EXCEEDED,
  ICMP_UNREACHABLE,
  IcmpHeader,
} from "./wire/icmp";
import { IPV4_HEADER, IPV4_OFFSET, Ipv4Header } from "./wire/ipv4";

/** Longest part of a packet that an error quotes: with its headers it has 576 bytes (RFC 1812, 4.3.2.3). */
const QUOTE_LIMIT: u32 = 576 - IPV4_HEADER - ICMP_HEADER;

/** An ICMP message; see registerTransport. */
export function icmpInput(buffer: PacketBuffer): void {
  const counters = networkCounters();
  const length = buffer.length;
  const header = changetype<IcmpHeader>(buffer.data);
  if (!IcmpHeader.check(length)) {
    counters.icmpMalformed++;
  } else if (
    checksumFold(buffer.more === null ? checksumAdd(buffer.data, length, 0) : <u32>buffer.checksumStart) !=
    0xffff
  ) {
    counters.icmpBadChecksum++;
  } else {
    const type = header.type;
    if (type == ICMP_ECHO) {
      answerEcho(buffer, header);
    } else if ((buffer.flags & LINK_BROADCAST) != 0) {
      // An error is told to one host, and a reply to a broadcast is none that we have asked for.
      counters.icmpIgnored++;
    } else if (type == ICMP_UNREACHABLE || type == ICMP_TIME_EXCEEDED || type == ICMP_PARAMETER_PROBLEM) {
      counters.icmpErrorsReceived++;
      reportTransportError(type, header.code, header.rest, buffer.data + ICMP_HEADER, length - ICMP_HEADER);
    } else {
      counters.icmpIgnored++;
    }
  }
  releaseBuffer(buffer);
}

/** Turns the request into the reply where it stands. One to a broadcast is not answered (RFC 1122, 3.2.2.6), nor one with a code that there is not. */
// @ts-ignore: decorator
@inline
function answerEcho(buffer: PacketBuffer, header: IcmpHeader): void {
  const counters = networkCounters();
  if ((buffer.flags & LINK_BROADCAST) != 0 || header.code != 0) {
    counters.icmpIgnored++;
    return;
  }
  const network = changetype<Ipv4Header>(buffer.networkHeader);
  const source = network.source;
  const destination = network.destination;
  const before = load<u16>(buffer.data);
  header.type = ICMP_ECHO_REPLY;
  const checksum = checksumUpdate(header.checksum, before, load<u16>(buffer.data));
  // Of a reply that is nothing but zeroes it has to be the other zero; of all others it may be.
  header.checksum = checksum == 0 ? 0xffff : checksum;
  buffer.flags = 0;
  counters.icmpEchoes++;
  // The headers that were pulled are the headroom: none that is pushed is longer. What came in fragments goes back in fragments (RFC 1122, 3.2.2.6).
  ipv4Output(buffer, destination, source, IPPROTO_ICMP, TTL_DEFAULT | MAY_FRAGMENT);
}

/**
 * Tells the sender of the received packet in `buffer` (networkHeader set, borrowed) that it cannot be delivered. `code`:
 * ICMP_PORT_UNREACHABLE, ….
 */
export function icmpUnreachable(buffer: PacketBuffer, code: u32): void {
  sendError(buffer, ICMP_UNREACHABLE, code);
}

/** For net/reassembly.ts: the time of a datagram is over, of which this is the first fragment. */
export function icmpReassemblyTimeout(buffer: PacketBuffer): void {
  sendError(buffer, ICMP_TIME_EXCEEDED, ICMP_REASSEMBLY_TIME_EXCEEDED);
}

/** Quotes the packet in `buffer`. Never about broadcasts, fragments other than the first, or ICMP messages (RFC 1122, 3.2.2), and at a limited rate. */
function sendError(buffer: PacketBuffer, type: u32, code: u32): void {
  const network = changetype<Ipv4Header>(buffer.networkHeader);
  if (
    (buffer.flags & LINK_BROADCAST) != 0 ||
    (network.fragment & IPV4_OFFSET) != 0 ||
    network.protocol == IPPROTO_ICMP ||
    !isUnicast(network.source) ||
    // Since it came, as a fragment that has waited, our net may have become another one.
    isBroadcast(network.source)
  ) {
    return;
  }
  const class_ = type == ICMP_TIME_EXCEEDED ? CLASS_TIME_EXCEEDED : CLASS_UNREACHABLE;
  const quoted = min(network.totalLength, QUOTE_LIMIT);
  const answer = composeError(class_, type, code, 0, changetype<usize>(network), quoted);
  if (answer === null) return;
  const header = changetype<IcmpHeader>(answer.data);
  header.checksum = internetChecksum(checksumAdd(answer.data, answer.length, 0));
  ipv4Output(answer, network.destination, network.source, IPPROTO_ICMP, TTL_DEFAULT);
  releaseBuffer(answer);
}

/** For ipv4.ts: a packet of a protocol that nobody has registered. */
export function icmpNoTransport(buffer: PacketBuffer): void {
  icmpUnreachable(buffer, ICMP_PROTOCOL_UNREACHABLE);
}
