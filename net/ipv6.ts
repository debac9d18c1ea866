/**
 * IPv6 (RFC 8200; as a host, RFC 8504): input checks, the way out over one interface, output.
 *
 * **Not** here: fragments, which are refused and counted, but for those that are the whole packet (RFC 6946). **Not** here either: forwarding, flow
 * labels, and groups but for those that neighbour discovery needs.
 */
import { EINVAL, EMSGSIZE, ENETDOWN, ENETUNREACH } from "../kernel/errno";
import { CHECKSUM_PARTIAL, LINK_BROADCAST, PacketBuffer, releaseBuffer, trimPieces } from "./buffer";
import { finishChecksum } from "./checksum";
import { networkCounters } from "./counters";
import { DEVICE_CHECKSUM_TX } from "./device";
import { ethernetOutput } from "./ethernet";
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
import { linkIsUp, networkInterface } from "./interface";
import { TTL_DEFAULT } from "./ipv4";
import { loopbackOutput } from "./loopback";
import { neighbourDoubt, neighbourOutput } from "./neighbours";
import { chooseSource6, isOwn6, isOwnGroup } from "./own-addresses";
import { defaultRouter, hopLimit6, isOnLink6, linkMtu6 } from "./routers";
import { isGroup, isHost6, isLinkLocal, isLoopback6 } from "./scope";
import { IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_TCP } from "./socket/socket";
import { transportInput } from "./transports";
import { ETHERTYPE_IPV6 } from "./wire/ethernet";
import { ICMPV6_PARAMETER_PROBLEM, ICMPV6_UNKNOWN_HEADER } from "./wire/icmpv6";
import { IPV6_BAD_LENGTH, IPV6_BAD_VERSION, IPV6_HEADER, IPV6_OK, Ipv6Header } from "./wire/ipv6";

const ADDRESS_SIZE: usize = offsetof<Endpoint>();
/** Bytes of storage for initializeIpv6. */
export const IPV6_STORAGE: usize = ADDRESS_SIZE * 3;

/** Of the packet that is being looked at, and of the one that is being sent. */
let source: IpAddress = changetype<IpAddress>(0);
let destination: IpAddress = changetype<IpAddress>(0);
let chosen: IpAddress = changetype<IpAddress>(0);

/** Once at boot. `storage`: IPV6_STORAGE bytes, 8-aligned. */
export function initializeIpv6(storage: usize): void {
  memory.fill(storage, 0, IPV6_STORAGE);
  source = changetype<IpAddress>(storage);
  destination = changetype<IpAddress>(storage + ADDRESS_SIZE);
  chosen = changetype<IpAddress>(storage + ADDRESS_SIZE * 2);
}

// ---- Input ----

/** A packet from the wire, at its IPv6 header; `length` may have padding of the frame. Takes the reference. */
export function ipv6Input(buffer: PacketBuffer): void {
  const counters = networkCounters();
  counters.ip6Received++;
  const result = Ipv6Header.check(buffer.data, buffer.length);
  if (result != IPV6_OK && !isMerged(buffer, result)) {
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

/** Its length is wrong only for the first of several pieces, and the header is in that. */
function isMerged(buffer: PacketBuffer, result: u32): bool {
  return (
    result == IPV6_BAD_LENGTH &&
    buffer.more !== null &&
    buffer.length >= IPV6_HEADER &&
    Ipv6Header.check(buffer.data, buffer.wholeLength) == IPV6_OK
  );
}

/** What the device has put together, in pieces: TCP, whose header is in the first, and no fragment of it. */
function deliverMerged(buffer: PacketBuffer, header: Ipv6Header): void {
  buffer.networkHeader = changetype<usize>(header);
  trimPieces(buffer, IPV6_HEADER + header.payloadLength);
  if (passExtensions(buffer, header) == EXTENSIONS_PASS && transportProtocol == IPPROTO_TCP) {
    buffer.pull(transportOffset);
    if (transportInput(buffer, IPPROTO_TCP)) return;
  }
  networkCounters().ipBadLength++;
  releaseBuffer(buffer);
}

function deliver(buffer: PacketBuffer, header: Ipv6Header): void {
  if (buffer.more !== null) {
    deliverMerged(buffer, header);
    return;
  }
  const counters = networkCounters();
  buffer.networkHeader = changetype<usize>(header);
  buffer.length = IPV6_HEADER + header.payloadLength;
  const result = passExtensions(buffer, header);
  if (result == EXTENSIONS_PASS) {
    const protocol = transportProtocol;
    buffer.pull(transportOffset);
    if (protocol == IPPROTO_ICMPV6) {
      icmpv6Input(buffer);
      return;
    }
    // ICMP is IPv4's.
    if (protocol != IPPROTO_ICMP && transportInput(buffer, protocol)) return;
    counters.ipNoTransport++;
    icmpv6Error(buffer, ICMPV6_PARAMETER_PROBLEM, ICMPV6_UNKNOWN_HEADER, transportNamedAt, false);
  } else if (result == EXTENSIONS_FRAGMENT) {
    counters.ipFragments++;
  } else if (result != EXTENSIONS_DROP) {
    const group = result == EXTENSIONS_GROUP_REFUSED;
    icmpv6Error(buffer, ICMPV6_PARAMETER_PROBLEM, problemCode, problemPointer, group);
  }
  releaseBuffer(buffer);
}

// ---- Output ----

/**
 * Sends the transport packet in `buffer`, which it borrows; headers are pushed in front. `from`: one of our addresses, or :: for the one that
 * fits. `service`: hop limit, 1..255, and above it the traffic class, as with ipv4Output. 0 when it was sent or waits for its neighbour, else -EMSGSIZE, -ENETUNREACH, -ENETDOWN, -EINVAL (::1 to another
 * host), or -ENOBUFS.
 */
export function ipv6Output(
  buffer: PacketBuffer,
  from: IpAddress,
  to: IpAddress,
  protocol: u32,
  service: u32,
): i32 {
  if (from.isAny) {
    if (!chooseSource6(chosen, to)) {
      networkCounters().ipNoRoute++;
      return -ENETUNREACH;
    }
    from = chosen;
  }
  return ipv6Send(buffer, from, to, protocol, service);
}

/** The same, with `from` as the source whatever it is: :: while there is no address. */
export function ipv6Send(
  buffer: PacketBuffer,
  from: IpAddress,
  to: IpAddress,
  protocol: u32,
  service: u32,
): i32 {
  const counters = networkCounters();
  let length = buffer.length;
  if (buffer.more !== null || length + IPV6_HEADER > linkMtu6()) {
    if (buffer.segmentSize == 0) {
      counters.ipTooBig++;
      return -EMSGSIZE;
    }
    length = buffer.wholeLength;
  }
  const header = changetype<Ipv6Header>(buffer.push(IPV6_HEADER));
  header.setFirstWord((service >> 8) & 255);
  header.payloadLength = length;
  header.nextHeader = protocol;
  const hopLimit = service & 255;
  header.hopLimit = hopLimit == TTL_DEFAULT ? hopLimit6 : hopLimit;
  header.storeSource(from);
  header.storeDestination(to);
  counters.ip6Sent++;

  if (isOwn6(to)) return loopbackOutput(buffer);
  if (isLoopback6(from)) return -EINVAL;
  if (!linkIsUp()) return -ENETDOWN;
  if (
    (buffer.flags & CHECKSUM_PARTIAL) != 0 &&
    (networkInterface().device.features & DEVICE_CHECKSUM_TX) == 0
  ) {
    finishChecksum(buffer);
  }
  if (isGroup(to)) {
    // 33:33 and the low 32 bits (RFC 2464, 7).
    const low = bswap<u32>(<u32>to.low);
    return ethernetOutput(buffer, 0x3333 | (low << 16), <u16>(low >> 16), ETHERTYPE_IPV6);
  }
  if (isHost6(to)) {
    if (isLinkLocal(to) || isOnLink6(to)) return neighbourOutput(buffer, to.high, to.low);
    const router = defaultRouter();
    if (router !== null) return neighbourOutput(buffer, router.high, router.low);
  }
  counters.ipNoRoute++;
  return -ENETUNREACH;
}

/** What is sent to `to` does not seem to arrive: the neighbour on the way is asked for again (RFC 4861, 7.3.1). */
export function ipv6Doubt(to: IpAddress): void {
  if (isOwn6(to)) return;
  if (isLinkLocal(to) || isOnLink6(to)) {
    neighbourDoubt(to.high, to.low);
    return;
  }
  const router = defaultRouter();
  if (router !== null) neighbourDoubt(router.high, router.low);
}

/** Whether packets to `to` have a way out. */
export function hasRoute6(to: IpAddress): bool {
  if (isOwn6(to) || isGroup(to)) return true;
  return isHost6(to) && (isLinkLocal(to) || isOnLink6(to) || defaultRouter() !== null);
}
