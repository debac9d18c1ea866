/**
 * IPv6 (RFC 8200; as a host, RFC 8504): input checks, the way out over one interface, output. Received fragments are looked at in net/ipv6-fragment.ts, what is too long
 * is sent by net/fragment-output.ts.
 *
 * **Not** here: forwarding, flow labels, and groups but for those that neighbour discovery needs.
 */
import { EINVAL, EMSGSIZE, ENETDOWN, ENETUNREACH, ENOBUFS } from "../kernel/errno";
import { CHECKSUM_PARTIAL, LINK_BROADCAST, PacketBuffer, releaseBuffer } from "./buffer";
import { checksumAdd, checksumJoin, finishChecksum } from "./checksum";
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
import { cutIntoFragments, FRAGMENT_HEADERS6, nextIdentification6 } from "./fragment";
import { sendFragments } from "./fragment-output";
import { icmpv6Error, icmpv6Input } from "./icmpv6";
import { linkIsUp, networkInterface } from "./interface";
import { packetLimit } from "./ip";
import { LET_INTERRUPTS_IN, MAY_FRAGMENT, TTL_DEFAULT } from "./ipv4";
import { fragmentArrives6 } from "./ipv6-fragment";
import { hopLimit6, linkMtu6 } from "./link-parameters";
import { loopbackOutput } from "./loopback";
import { neighbourDoubt, neighbourIsKnown, neighbourOutput } from "./neighbours";
import { chooseSource6, isOwn6, isOwnGroup } from "./own-addresses";
import { defaultRouter, isOnLink6 } from "./routers";
import { isGroup, isHost6, isLinkLocal, isLoopback6 } from "./scope";
import { IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_UDP } from "./socket/socket";
import { transportInput } from "./transports";
import { ETHERTYPE_IPV6 } from "./wire/ethernet";
import { ICMPV6_PARAMETER_PROBLEM, ICMPV6_UNKNOWN_HEADER } from "./wire/icmpv6";
import {
  EXTENSION_HEADER,
  FRAGMENT_MORE,
  FragmentHeader,
  IPV6_BAD_VERSION,
  IPV6_HEADER,
  IPV6_OK,
  IPV6_PAYLOAD_MAXIMUM,
  Ipv6Header,
  NEXT_FRAGMENT,
} from "./wire/ipv6";

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
  buffer.networkHeader = changetype<usize>(header);
  buffer.length = IPV6_HEADER + header.payloadLength;
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
    if (buffer.more !== null && protocol != IPPROTO_UDP && protocol != IPPROTO_ICMPV6) {
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

// ---- Output ----

/**
 * Sends the transport packet in `buffer`, which it borrows; headers are pushed in front. `from`: one of our addresses, or :: for the one that
 * fits. `service`: hop limit, 1..255, and above it the traffic class, MAY_FRAGMENT and LET_INTERRUPTS_IN, as with ipv4Output. 0 when it was sent or waits for its neighbour, else -EMSGSIZE, -ENETUNREACH, -ENETDOWN, -EINVAL (::1 to another
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
  const length = buffer.length;
  if (buffer.more !== null || length + IPV6_HEADER > linkMtu6()) {
    return sendLong(buffer, from, to, protocol, service);
  }
  if ((service & MAY_FRAGMENT) != 0 && length + IPV6_HEADER > packetLimit(to)) {
    return sendLong(buffer, from, to, protocol, service);
  }
  pushHeader(buffer, from, to, protocol, service);
  return transmit(buffer, from, to);
}

/** As ipv6Send, for what is too long for one packet. */
function sendLong(buffer: PacketBuffer, from: IpAddress, to: IpAddress, protocol: u32, service: u32): i32 {
  const counters = networkCounters();
  if ((service & MAY_FRAGMENT) == 0 || buffer.wholeLength > IPV6_PAYLOAD_MAXIMUM) {
    counters.ipTooBig++;
    return -EMSGSIZE;
  }
  if (!cutIntoFragments(buffer, packetLimit(to), FRAGMENT_HEADERS6)) {
    counters.ipNoBuffer++;
    return -ENOBUFS;
  }
  const fragment = changetype<FragmentHeader>(buffer.push(EXTENSION_HEADER));
  fragment.nextHeader = protocol;
  fragment.place = FRAGMENT_MORE;
  fragment.identification = nextIdentification6(from, to);
  pushHeader(buffer, from, to, NEXT_FRAGMENT, service);
  return sendFragments(buffer, (service & LET_INTERRUPTS_IN) != 0);
}

/** For fragment-output.ts: sends a fragment, with its headers in front; borrows it. */
export function ipv6SendFragment(buffer: PacketBuffer): i32 {
  const header = changetype<Ipv6Header>(buffer.data);
  header.loadSource(source);
  header.loadDestination(destination);
  return transmit(buffer, source, destination);
}

/** Whether a packet, with its header in front, would have to wait for the link address of its neighbour. */
export function ipv6MustWait(buffer: PacketBuffer): bool {
  changetype<Ipv6Header>(buffer.data).loadDestination(destination);
  if (isOwn6(destination) || isGroup(destination) || !linkIsUp()) return false;
  const hop = nextHop6(destination);
  return hop !== null && !neighbourIsKnown(hop.high, hop.low);
}

/** Puts the header in front. */
// @ts-ignore: decorator
@inline
function pushHeader(buffer: PacketBuffer, from: IpAddress, to: IpAddress, protocol: u32, service: u32): void {
  const length = buffer.length;
  const header = changetype<Ipv6Header>(buffer.push(IPV6_HEADER));
  header.setFirstWord((service >> 8) & 255);
  header.payloadLength = length;
  header.nextHeader = protocol;
  const hopLimit = service & 255;
  header.hopLimit = hopLimit == TTL_DEFAULT ? hopLimit6 : hopLimit;
  header.storeSource(from);
  header.storeDestination(to);
}

/** Sends a packet that fits into one frame, with its header in front; borrows the buffer. */
// @ts-ignore: decorator
@inline
function transmit(buffer: PacketBuffer, from: IpAddress, to: IpAddress): i32 {
  const counters = networkCounters();
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
  const hop = nextHop6(to);
  if (hop !== null) return neighbourOutput(buffer, hop.high, hop.low);
  counters.ipNoRoute++;
  return -ENETUNREACH;
}

/** The neighbour to which packets to another host go: `to` itself, or a router; null: there is no way. */
function nextHop6(to: IpAddress): IpAddress | null {
  if (!isHost6(to)) return null;
  return isLinkLocal(to) || isOnLink6(to) ? to : defaultRouter();
}

/** What is sent to `to` does not seem to arrive: the neighbour on the way is asked for again (RFC 4861, 7.3.1). */
export function ipv6Doubt(to: IpAddress): void {
  if (isOwn6(to)) return;
  const hop = nextHop6(to);
  if (hop !== null) neighbourDoubt(hop.high, hop.low);
}

/** Whether packets to `to` have a way out. */
export function hasRoute6(to: IpAddress): bool {
  return isOwn6(to) || isGroup(to) || nextHop6(to) !== null;
}
