/**
 * ICMP (RFC 792; RFC 1122, 3.2.2): answers echo requests, tells senders of what cannot be delivered, hands errors to the transports.
 *
 * Redirects and source quench are ignored (one interface, RFC 6633); timestamps and address masks are not answered.
 */
import { now } from "../kernel/time/clock";
import { allocateBuffer, BUFFER_HEADROOM, LINK_BROADCAST, PacketBuffer, releaseBuffer } from "./buffer";
import { checksumAdd, checksumFold, checksumUpdate, internetChecksum } from "./checksum";
import { networkCounters } from "./counters";
import { reportTransportError } from "./errors";
import { isUnicast } from "./interface";
import { ipv4Output, TTL_DEFAULT } from "./ipv4";
import { IPPROTO_ICMP } from "./socket/socket";
import {
  ICMP_ECHO,
  ICMP_ECHO_REPLY,
  ICMP_HEADER,
  ICMP_PARAMETER_PROBLEM,
  ICMP_PROTOCOL_UNREACHABLE,
  ICMP_TIME_EXCEEDED,
  ICMP_UNREACHABLE,
  IcmpHeader,
} from "./wire/icmp";
import { IPV4_HEADER, IPV4_MF, IPV4_OFFSET, Ipv4Header } from "./wire/ipv4";

/** Errors sent: this many at once, and then one per ICMP_INTERVAL ns (RFC 1812, 4.3.2.8). */
export const ICMP_BURST: u32 = 50;
export const ICMP_INTERVAL: u64 = 10_000_000;
/** Longest error, with its IPv4 header (RFC 1812, 4.3.2.3). */
const ERROR_LIMIT: u32 = 576;

/** The bucket, as the time up to which it has been paid for (virtual scheduling): never more than a burst behind the present. */
let paidUntil: u64 = 0;

/** Once at boot. */
export function initializeIcmp(): void {
  paidUntil = 0;
}

/** An ICMP message; see registerTransport. */
export function icmpInput(buffer: PacketBuffer): void {
  const counters = networkCounters();
  const length = buffer.length;
  const header = changetype<IcmpHeader>(buffer.data);
  if (!IcmpHeader.check(length)) {
    counters.icmpMalformed++;
  } else if (checksumFold(checksumAdd(buffer.data, length, 0)) != 0xffff) {
    counters.icmpBadChecksum++;
  } else {
    const type = header.type;
    if (type == ICMP_ECHO) {
      answerEcho(buffer, header);
    } else if (type == ICMP_UNREACHABLE || type == ICMP_TIME_EXCEEDED || type == ICMP_PARAMETER_PROBLEM) {
      counters.icmpErrorsReceived++;
      reportTransportError(type, header.code, header.rest, buffer.data + ICMP_HEADER, length - ICMP_HEADER);
    } else {
      counters.icmpIgnored++;
    }
  }
  releaseBuffer(buffer);
}

/** Turns the request into the reply where it stands. One to a broadcast is not answered (RFC 1122, 3.2.2.6). */
// @ts-ignore: decorator
@inline
function answerEcho(buffer: PacketBuffer, header: IcmpHeader): void {
  const counters = networkCounters();
  if ((buffer.flags & LINK_BROADCAST) != 0) {
    counters.icmpIgnored++;
    return;
  }
  const network = changetype<Ipv4Header>(buffer.networkHeader);
  const source = network.source;
  const destination = network.destination;
  const before = load<u16>(buffer.data);
  header.type = ICMP_ECHO_REPLY;
  header.checksum = checksumUpdate(header.checksum, before, load<u16>(buffer.data));
  buffer.flags = 0;
  counters.icmpEchoes++;
  // The headers that were pulled are the headroom: none that is pushed is longer.
  ipv4Output(buffer, destination, source, IPPROTO_ICMP, TTL_DEFAULT);
}

/**
 * Tells the sender of the received packet in `buffer` (networkHeader set, borrowed) that it cannot be delivered. `code`:
 * ICMP_PORT_UNREACHABLE, …. Never about broadcasts, fragments or ICMP messages (RFC 1122, 3.2.2), and at a limited rate.
 */
export function icmpUnreachable(buffer: PacketBuffer, code: u32): void {
  const counters = networkCounters();
  const network = changetype<Ipv4Header>(buffer.networkHeader);
  if (
    (buffer.flags & LINK_BROADCAST) != 0 ||
    (network.fragment & (IPV4_MF | IPV4_OFFSET)) != 0 ||
    network.protocol == IPPROTO_ICMP ||
    !isUnicast(network.source)
  ) {
    return;
  }
  if (!takeToken()) {
    counters.icmpRateLimited++;
    return;
  }
  const answer = allocateBuffer(BUFFER_HEADROOM);
  if (answer === null) {
    counters.ipNoBuffer++;
    return;
  }
  let quoted = network.totalLength;
  if (quoted > ERROR_LIMIT - IPV4_HEADER - ICMP_HEADER) quoted = ERROR_LIMIT - IPV4_HEADER - ICMP_HEADER;
  const header = changetype<IcmpHeader>(answer.data);
  header.type = ICMP_UNREACHABLE;
  header.code = code;
  header.checksum = 0;
  header.rest = 0;
  memory.copy(answer.data + ICMP_HEADER, changetype<usize>(network), quoted);
  answer.length = ICMP_HEADER + quoted;
  header.checksum = internetChecksum(checksumAdd(answer.data, answer.length, 0));
  counters.icmpErrorsSent++;
  ipv4Output(answer, network.destination, network.source, IPPROTO_ICMP, TTL_DEFAULT);
  releaseBuffer(answer);
}

/** For ipv4.ts: a packet of a protocol that nobody has registered. */
export function icmpNoTransport(buffer: PacketBuffer): void {
  icmpUnreachable(buffer, ICMP_PROTOCOL_UNREACHABLE);
}

/** Whether an error may be sent now, of either version. */
export function takeToken(): bool {
  const time = now();
  const burst = <u64>ICMP_BURST * ICMP_INTERVAL;
  if (paidUntil < time) paidUntil = time;
  if (paidUntil + ICMP_INTERVAL > time + burst) return false;
  paidUntil += ICMP_INTERVAL;
  return true;
}
