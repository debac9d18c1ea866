/**
 * IPv6 (RFC 8200; as a host, RFC 8504): what comes in is checked and handed up. Fragments are looked at in net/ipv6-fragment.ts; the way out is in net/ipv6-output.ts.
 *
 * **Not** here: forwarding, flow labels, and groups but for those that neighbour discovery needs.
 */
import { LINK_BROADCAST, PacketBuffer, releaseBuffer, trimPieces } from "./buffer";
import { checksumAdd, checksumJoin } from "./checksum";
import { networkCounters } from "./counters";
import {
  EXTENSIONS_DROP,
  EXTENSIONS_FRAGMENT,
  EXTENSIONS_GROUP_REFUSED,
  EXTENSIONS_PASS,
  passExtensions,
  problemCode,
  problemPointer,
  transportNamedAt,
  transportOffset,
  transportProtocol,
} from "./extension-headers";
import { Endpoint, IpAddress } from "./flow";
import { icmpv6Error, icmpv6Input } from "./icmpv6";
import { fragmentArrives6 } from "./ipv6-fragment";
import { deliverMerged, mergedLength } from "./merged";
import { isOwn6, isOwnGroup } from "./own-addresses";
import { inOnePiece } from "./pieces";
import { isGroup } from "./scope";
import { IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_TCP, IPPROTO_UDP } from "./socket/socket";
import { transportInput } from "./transports";
import { ICMPV6_PARAMETER_PROBLEM, ICMPV6_UNKNOWN_HEADER } from "./wire/icmpv6";
import { IPV6_BAD_LENGTH, IPV6_BAD_VERSION, IPV6_HEADER, IPV6_OK, Ipv6Header } from "./wire/ipv6";

const ADDRESS_SIZE: usize = offsetof<Endpoint>();
/** Bytes of storage for initializeIpv6. */
export const IPV6_STORAGE: usize = ADDRESS_SIZE * 2;

/** Of the packet that is being looked at. */
let source: IpAddress = changetype<IpAddress>(0);
let destination: IpAddress = changetype<IpAddress>(0);

/** Once at boot. `storage`: IPV6_STORAGE bytes, 8-aligned. */
export function initializeIpv6(storage: usize): void {
  memory.fill(storage, 0, IPV6_STORAGE);
  source = changetype<IpAddress>(storage);
  destination = changetype<IpAddress>(storage + ADDRESS_SIZE);
}

/** A packet from the wire, at its IPv6 header; `length` may have padding of the frame. Takes the reference. */
export function ipv6Input(buffer: PacketBuffer): void {
  const counters = networkCounters();
  counters.ip6Received++;
  let result = Ipv6Header.check(buffer.data, buffer.length);
  if (result == IPV6_BAD_LENGTH) result = Ipv6Header.check(buffer.data, mergedLength(buffer, IPV6_HEADER));
  if (result != IPV6_OK) {
    if (result == IPV6_BAD_VERSION) counters.ipBadVersion++;
    else counters.ipBadLength++;
    releaseBuffer(buffer);
    return;
  }
  const header = changetype<Ipv6Header>(buffer.data);
  header.loadSource(source);
  header.loadDestination(destination);
  // :: asks whether an address is in use, and nothing else. Packets in our own name, and those of groups, nobody sends.
  if (source.high == 0 ? source.low != 0 : isGroup(source) || isOwn6(source)) {
    counters.ipBadSource++;
    releaseBuffer(buffer);
    return;
  }
  if (!checkDestination(buffer)) {
    releaseBuffer(buffer);
    return;
  }
  deliver(buffer, header);
}

/** A packet that `loopbackOutput` queued: made by ourselves. */
export function ipv6LoopbackInput(buffer: PacketBuffer): void {
  networkCounters().ip6Received++;
  deliver(buffer, changetype<Ipv6Header>(buffer.data));
}

/** Is it for us? Counts the reason if not. LINK_BROADCAST stays for what must not be answered by an error. */
// @ts-ignore: decorator
@inline
function checkDestination(buffer: PacketBuffer): bool {
  const counters = networkCounters();
  if (isGroup(destination)) {
    if (isOwnGroup(destination)) {
      buffer.flags |= LINK_BROADCAST;
      return true;
    }
  } else if (destination.high == 0) {
    // ::1 and :: have no business on a wire.
    counters.ipBadDestination++;
    return false;
  } else if (isOwn6(destination)) {
    // As with IPv4: a packet for one host has no business in a frame for many.
    if ((buffer.flags & LINK_BROADCAST) == 0) return true;
    counters.ipBadDestination++;
    return false;
  }
  counters.ipNotForUs++;
  return false;
}

function deliver(buffer: PacketBuffer, header: Ipv6Header): void {
  const length = IPV6_HEADER + header.payloadLength;
  buffer.networkHeader = changetype<usize>(header);
  if (buffer.more !== null) {
    trimPieces(buffer, length);
    const passed = passExtensions(buffer.data, buffer.length, false) == EXTENSIONS_PASS;
    deliverMerged(buffer, passed && transportProtocol == IPPROTO_TCP ? transportOffset : 0);
    return;
  }
  buffer.length = length;
  const result = passExtensions(buffer.data, buffer.length, false);
  if (result != EXTENSIONS_FRAGMENT) {
    handOver(buffer, result);
    return;
  }
  networkCounters().ipFragments++;
  const whole = fragmentArrives6(buffer, transportOffset);
  if (whole === null) return;
  // Its headers are those of the first fragment, and all are there.
  const start = whole.networkHeader;
  handOver(whole, passExtensions(start, <u32>(whole.data - start) + whole.length, true));
}

/** To the transport, or to where `result` (EXTENSIONS_*) says. */
function handOver(buffer: PacketBuffer, result: u32): void {
  const counters = networkCounters();
  if (result == EXTENSIONS_PASS) {
    const protocol = transportProtocol;
    const namedAt = transportNamedAt;
    pullHeaders(buffer, <u32>(buffer.networkHeader + transportOffset - buffer.data));
    if (protocol != IPPROTO_UDP && protocol != IPPROTO_ICMPV6 && !inOnePiece(buffer)) {
      // Longer than any segment that we have said we take.
      counters.ipFragmentOverflows++;
    } else if (protocol == IPPROTO_ICMPV6) {
      icmpv6Input(buffer);
      return;
    } else {
      // ICMP is IPv4's.
      if (protocol != IPPROTO_ICMP && transportInput(buffer, protocol)) return;
      counters.ipNoTransport++;
      icmpv6Error(buffer, ICMPV6_PARAMETER_PROBLEM, ICMPV6_UNKNOWN_HEADER, namedAt, false);
    }
  } else if (result != EXTENSIONS_DROP) {
    const group = result == EXTENSIONS_GROUP_REFUSED;
    icmpv6Error(buffer, ICMPV6_PARAMETER_PROBLEM, problemCode, problemPointer, group);
  }
  releaseBuffer(buffer);
}

/** Removes headers from the front, and of a chain from its sum, too. */
// @ts-ignore: decorator
@inline
function pullHeaders(buffer: PacketBuffer, bytes: u32): void {
  if (buffer.more !== null) {
    const removed = checksumAdd(buffer.data, bytes, 0);
    buffer.checksumStart = checksumJoin(<u32>buffer.checksumStart, ~removed);
  }
  buffer.pull(bytes);
}
