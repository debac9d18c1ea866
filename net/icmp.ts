/**
 * ICMP (RFC 792; RFC 1122, 3.2.2): answers echo requests, tells senders of what cannot be delivered, hands errors to the transports.
 *
 * Redirects and source quench are ignored (one interface, RFC 6633); timestamps and address masks are not answered.
 */
import { random32 } from "../kernel/random";
import { now } from "../kernel/time/clock";
import { allocateBuffer, BUFFER_HEADROOM, LINK_BROADCAST, PacketBuffer, releaseBuffer } from "./buffer";
import { checksumAdd, checksumFold, checksumUpdate, internetChecksum } from "./checksum";
import { networkCounters } from "./counters";
import { reportTransportError } from "./errors";
import { isUnicast } from "./interface";
import { ipv4Output, MAY_FRAGMENT, TTL_DEFAULT } from "./ipv4";
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

/** Errors sent: this many at once, and then one per ICMP_INTERVAL ns on average (RFC 1812, 4.3.2.8). */
export const ICMP_BURST: u32 = 50;
export const ICMP_INTERVAL: u64 = 10_000_000;
/** Of them those of one class, so that a flood of one kind leaves the others some. */
export const ICMP_CLASS_BURST: u32 = 40;
export const ICMP_CLASS_INTERVAL: u64 = 12_500_000;
/** Longest error, with its IPv4 header (RFC 1812, 4.3.2.3). */
const ERROR_LIMIT: u32 = 576;

/** Buckets, each the time up to which it has been paid for (virtual scheduling), never before the present: of each class, and the one for all. */
export const CLASS_UNREACHABLE: usize = 0;
export const CLASS_TIME_EXCEEDED: usize = 8;
const ALL: usize = 16;
/** Bytes of storage for initializeIcmp. */
export const ICMP_STORAGE: usize = 24;

let buckets: usize = 0;

/** Once at boot. `storage`: ICMP_STORAGE bytes. */
export function initializeIcmp(storage: usize): void {
  buckets = storage;
  memory.fill(buckets, 0, ICMP_STORAGE);
}

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
  const counters = networkCounters();
  const network = changetype<Ipv4Header>(buffer.networkHeader);
  if (
    (buffer.flags & LINK_BROADCAST) != 0 ||
    (network.fragment & IPV4_OFFSET) != 0 ||
    network.protocol == IPPROTO_ICMP ||
    !isUnicast(network.source)
  ) {
    return;
  }
  if (!takeToken(type == ICMP_TIME_EXCEEDED ? CLASS_TIME_EXCEEDED : CLASS_UNREACHABLE)) {
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
  header.type = type;
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

/** Whether one more error of the class may be sent, of either version. */
export function takeToken(class_: usize): bool {
  const time = now();
  const own = max(load<u64>(buckets + class_), time);
  const all = max(load<u64>(buckets + ALL), time);
  if (own + ICMP_CLASS_INTERVAL > time + <u64>ICMP_CLASS_BURST * ICMP_CLASS_INTERVAL) return false;
  if (all + ICMP_INTERVAL > time + <u64>ICMP_BURST * ICMP_INTERVAL) return false;
  // What one costs is random, so that nobody can count how many were sent to others (Man et al. 2020: ports were found out in this way).
  const share = <u64>random32();
  store<u64>(buckets + class_, own + cost(ICMP_CLASS_INTERVAL, share));
  store<u64>(buckets + ALL, all + cost(ICMP_INTERVAL, share));
  return true;
}

/** From a half to one and a half of the interval. `share`: 32 random bits. */
function cost(interval: u64, share: u64): u64 {
  return interval / 2 + ((interval * share) >> 32);
}
