/**
 * ICMPv6 (RFC 4443): answers echo requests, tells senders of what cannot be delivered, hands errors to the transports, and neighbour discovery and MLD to
 * theirs.
 *
 * An echo request to a group is not answered, as with IPv4. Errors share the limit of ICMP's (net/icmp-error.ts).
 */
import { LINK_BROADCAST, PacketBuffer, releaseBuffer } from "./buffer";
import {
  checksumAdd,
  checksumFold,
  checksumJoin,
  checksumUpdate,
  internetChecksum,
  pseudoHeaderSum,
} from "./checksum";
import { networkCounters } from "./counters";
import { reportTransportError6 } from "./errors";
import { findTransport, transportOffset, transportProtocol } from "./extension-headers";
import { Flow, FLOW_SIZE } from "./flow";
import { FRAGMENT_HEADERS6 } from "./fragment";
import { CLASS_TIME_EXCEEDED, CLASS_UNREACHABLE, composeError } from "./icmp-error";
import { receivedFlow } from "./ip";
import { MAY_FRAGMENT } from "./service";
import { ipv6Output, ipv6Send } from "./ipv6-output";
import { hopLimit6 } from "./link-parameters";
import { mldQuery } from "./mld";
import { discoveryInput } from "./neighbour-discovery";
import { chooseSource6, isOwn6 } from "./own-addresses";
import { isGroup } from "./scope";
import { IPPROTO_ICMPV6 } from "./socket/socket";
import { ICMP_HEADER, IcmpHeader } from "./wire/icmp";
import {
  ICMPV6_ECHO,
  ICMPV6_ECHO_REPLY,
  ICMPV6_PARAMETER_PROBLEM,
  ICMPV6_TIME_EXCEEDED,
  ICMPV6_UNREACHABLE,
  MLD_QUERY,
  ND_REDIRECT,
  ND_ROUTER_SOLICITATION,
} from "./wire/icmpv6";
import { EXTENSION_HEADER, IPV6_HEADER, IPV6_MTU_MINIMUM, Ipv6Header, NEXT_HOP_BY_HOP } from "./wire/ipv6";

/** Longest part of a packet that an error quotes (RFC 4443, 2.4 c). */
const QUOTE_LIMIT: u32 = IPV6_MTU_MINIMUM - IPV6_HEADER - ICMP_HEADER;
/** Hop-by-hop header with the router alert option for MLD (RFC 2711) and padding, behind its next header: bytes 1 to 7. */
const ROUTER_ALERT: u64 = 0x0001_0000_0205_0000;

/** Bytes of storage for initializeIcmpv6. */
export const ICMPV6_STORAGE: usize = FLOW_SIZE * 2;

/** Of the message that is being looked at, and of the one that is being sent: who fills in `talk` sends. */
export let heard: Flow = changetype<Flow>(0);
export let talk: Flow = changetype<Flow>(0);

/** Once at boot. `storage`: ICMPV6_STORAGE bytes, 8-aligned. */
export function initializeIcmpv6(storage: usize): void {
  memory.fill(storage, 0, ICMPV6_STORAGE);
  heard = changetype<Flow>(storage);
  talk = changetype<Flow>(storage + FLOW_SIZE);
}

/** A message, at its header, from the IPv6 layer. Takes the reference. */
export function icmpv6Input(buffer: PacketBuffer): void {
  const counters = networkCounters();
  const length = buffer.length;
  if (!IcmpHeader.check(length)) {
    counters.icmpMalformed++;
    releaseBuffer(buffer);
    return;
  }
  receivedFlow(heard, buffer);
  const pseudo = pseudoHeaderSum(heard, IPPROTO_ICMPV6, buffer.wholeLength);
  const sum =
    buffer.more === null
      ? checksumAdd(buffer.data, length, pseudo)
      : checksumJoin(<u32>buffer.checksumStart, pseudo);
  if (checksumFold(sum) != 0xffff) {
    counters.icmpBadChecksum++;
    releaseBuffer(buffer);
    return;
  }
  const header = changetype<IcmpHeader>(buffer.data);
  const type = header.type;
  if (type == ICMPV6_ECHO) {
    answerEcho(buffer, header);
  } else if (type >= ICMPV6_UNREACHABLE && type <= ICMPV6_PARAMETER_PROBLEM) {
    counters.icmpErrorsReceived++;
    const quoted = buffer.data + ICMP_HEADER;
    reportTransportError6(type, header.code, header.rest, quoted, length - ICMP_HEADER);
  } else if (type >= ND_ROUTER_SOLICITATION && type <= ND_REDIRECT) {
    discoveryInput(buffer, type);
  } else if (type == MLD_QUERY) {
    mldQuery(buffer);
  } else {
    counters.icmpIgnored++;
  }
  releaseBuffer(buffer);
}

/** Turns the request into the reply where it stands. */
// @ts-ignore: decorator
@inline
function answerEcho(buffer: PacketBuffer, header: IcmpHeader): void {
  const counters = networkCounters();
  if ((buffer.flags & LINK_BROADCAST) != 0 || header.code != 0 || heard.remote.isAny) {
    counters.icmpIgnored++;
    return;
  }
  const before = load<u16>(buffer.data);
  header.type = ICMPV6_ECHO_REPLY;
  header.checksum = checksumUpdate(header.checksum, before, load<u16>(buffer.data));
  buffer.flags = 0;
  counters.icmpEchoes++;
  // The headers that were pulled are the headroom, and what is pushed must not be longer: so what came in fragments may go back in fragments, and what came whole goes whole.
  const fragments = buffer.data - buffer.networkHeader >= FRAGMENT_HEADERS6;
  const service = hopLimit6 | (fragments ? MAY_FRAGMENT : 0);
  ipv6Output(buffer, heard.local, heard.remote, IPPROTO_ICMPV6, service);
}

/**
 * Sends the message in `buffer`, which it borrows, between the ends of `talk`; a local address of :: stands for itself. `alert`: with the
 * router alert that MLD has. The message is complete but for its checksum.
 */
export function sendIcmpv6(buffer: PacketBuffer, hopLimit: u32, alert: bool): void {
  const header = changetype<IcmpHeader>(buffer.data);
  header.checksum = 0;
  const sum = pseudoHeaderSum(talk, IPPROTO_ICMPV6, buffer.length);
  header.checksum = internetChecksum(checksumAdd(buffer.data, buffer.length, sum));
  let protocol = IPPROTO_ICMPV6;
  if (alert) {
    store<u64>(buffer.push(EXTENSION_HEADER), ROUTER_ALERT | IPPROTO_ICMPV6);
    protocol = NEXT_HOP_BY_HOP;
  }
  ipv6Send(buffer, talk.local, talk.remote, protocol, hopLimit);
}

/**
 * Tells the sender of the received packet in `buffer` (networkHeader set, borrowed, anywhere behind it) what is wrong. `rest`: pointer or 0. `group`: also if
 * the packet was for a group. Never about what has no single sender or is an error itself (RFC 4443, 2.4 e), and at a limited rate.
 */
export function icmpv6Error(buffer: PacketBuffer, type: u32, code: u32, rest: u32, group: bool): void {
  const network = changetype<Ipv6Header>(buffer.networkHeader);
  network.loadSource(talk.remote);
  network.loadDestination(talk.local);
  if (talk.remote.isAny || isGroup(talk.remote) || ((buffer.flags & LINK_BROADCAST) != 0 && !group)) return;
  const length = IPV6_HEADER + network.payloadLength;
  if (isError(changetype<usize>(network), length)) return;
  const class_ = type == ICMPV6_TIME_EXCEEDED ? CLASS_TIME_EXCEEDED : CLASS_UNREACHABLE;
  const quoted = min(length, QUOTE_LIMIT);
  const answer = composeError(class_, type, code, rest, changetype<usize>(network), quoted);
  if (answer === null) return;
  answerFrom(answer);
  releaseBuffer(answer);
}

/** Whether the packet of `length` bytes at `start`, or the first fragment of one, is an error of ICMPv6, or a redirect. */
function isError(start: usize, length: u32): bool {
  if (!findTransport(start, length) || transportProtocol != IPPROTO_ICMPV6 || transportOffset == length)
    return false;
  const type = <u32>load<u8>(start + transportOffset);
  return type < ICMPV6_ECHO || type == ND_REDIRECT;
}

/** Sends an error from the address that the packet was for, if that is ours, else from the one that fits. */
function answerFrom(answer: PacketBuffer): void {
  if (!isOwn6(talk.local) && !chooseSource6(talk.local, talk.remote)) return;
  sendIcmpv6(answer, hopLimit6, false);
}
