/**
 * IPv4 (RFC 791, RFC 1122 section 3): input checks, routing over one interface, output. Fragments are put together in net/reassembly.ts, and sent
 * by net/fragment-output.ts.
 *
 * **Not** here: forwarding and multicast groups.
 */
import { EINVAL, EMSGSIZE, ENETDOWN, ENETUNREACH, ENOBUFS } from "../kernel/errno";
import { arpDoubt, arpOutput } from "./arp";
import { CHECKSUM_PARTIAL, LINK_BROADCAST, PacketBuffer, releaseBuffer, trimPieces } from "./buffer";
import { checksum20, checksumAdd, checksumFold, finishChecksum, internetChecksum } from "./checksum";
import { networkCounters } from "./counters";
import { DEVICE_CHECKSUM_TX } from "./device";
import { ethernetOutput } from "./ethernet";
import { mapped } from "./flow";
import { cutIntoFragments, FRAGMENT_HEADERS4, nextIdentification } from "./fragment";
import { sendFragments } from "./fragment-output";
import {
  isBroadcast,
  isLocalAddress,
  isLoopback,
  isMulticast,
  isOnLink,
  isUnicast,
  linkIsUp,
  LIMITED_BROADCAST,
  networkInterface,
} from "./interface";
import { loopbackOutput } from "./loopback";
import { neighbourIsKnown } from "./neighbours";
import { inOnePiece } from "./pieces";
import { DATAGRAM_MAXIMUM, fragmentFlow, reassemble } from "./reassembly";
import { IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP } from "./socket/socket";
import { leastHeader, transportInput } from "./transports";
import { DHCP_CLIENT_PORT } from "./wire/dhcp";
import { BROADCAST0, BROADCAST4, ETHERTYPE_IPV4 } from "./wire/ethernet";
import {
  IPV4_BAD_HEADER_LENGTH,
  IPV4_BAD_LENGTH,
  IPV4_BAD_VERSION,
  IPV4_DF,
  IPV4_HEADER,
  IPV4_MF,
  IPV4_OFFSET,
  IPV4_OK,
  IPV4_SOURCE_ROUTE,
  Ipv4Header,
} from "./wire/ipv4";
import { UDP_HEADER, UdpHeader } from "./wire/udp";

/** Time to live of what we send (RFC 1122, 3.2.1.7), unless the socket says otherwise. */
export const TTL_DEFAULT: u32 = 64;
/** Beside them: may be fragmented, on the way and here. */
export const MAY_FRAGMENT: u32 = 1 << 16;
/** And the caller is a call of an application: the fragments of a long datagram all go at once, and interrupts are let in between. */
export const LET_INTERRUPTS_IN: u32 = 1 << 17;

let noTransportIndex: u32 = 0;

/** Once at boot. `noTransport`: (buffer) => void, borrows a packet that no transport wants (0: none). */
export function initializeIpv4(noTransport: u32): void {
  noTransportIndex = noTransport;
}

/** A packet from the wire, at its IPv4 header; `length` may have padding of the frame. Takes the reference. */
export function ipv4Input(buffer: PacketBuffer): void {
  const counters = networkCounters();
  counters.ipReceived++;
  const address = buffer.data;
  const result = Ipv4Header.check(address, buffer.length);
  if (result != IPV4_OK && !isMerged(buffer, result)) {
    if (result == IPV4_BAD_VERSION) counters.ipBadVersion++;
    else if (result == IPV4_BAD_HEADER_LENGTH) counters.ipBadHeaderLength++;
    else counters.ipBadLength++;
    releaseBuffer(buffer);
    return;
  }
  const header = changetype<Ipv4Header>(address);
  const headerLength = header.headerLength;
  const sum = headerLength == IPV4_HEADER ? checksum20(address) : checksumAdd(address, headerLength, 0);
  if (checksumFold(sum) != 0xffff) {
    counters.ipBadChecksum++;
    releaseBuffer(buffer);
    return;
  }
  if (headerLength != IPV4_HEADER) {
    const options = Ipv4Header.checkOptions(address);
    if (options != IPV4_OK) {
      if (options == IPV4_SOURCE_ROUTE) counters.ipSourceRoute++;
      else counters.ipBadOption++;
      releaseBuffer(buffer);
      return;
    }
  }
  const source = header.source;
  // isLocalAddress: loopback, and packets in our own name.
  if (!isUnicast(source) || isLocalAddress(source) || isBroadcast(source)) {
    counters.ipBadSource++;
    releaseBuffer(buffer);
    return;
  }
  if (!checkDestination(buffer, header, headerLength)) {
    releaseBuffer(buffer);
    return;
  }
  deliver(buffer, header, headerLength);
}

/** A packet that `loopbackOutput` queued: made by ourselves, so only what a raw sender could get wrong is checked. */
export function ipv4LoopbackInput(buffer: PacketBuffer): void {
  networkCounters().ipReceived++;
  deliver(buffer, changetype<Ipv4Header>(buffer.data), IPV4_HEADER);
}

/** Is it for us? Counts the reason if not. Sets LINK_BROADCAST for what must not be answered by an error. */
// @ts-ignore: decorator
@inline
function checkDestination(buffer: PacketBuffer, header: Ipv4Header, headerLength: u32): bool {
  const destination = header.destination;
  const own = networkInterface().address;
  if (destination == own && own != 0) {
    // A unicast packet has no business in a broadcast frame (RFC 1122, 3.3.6).
    if ((buffer.flags & LINK_BROADCAST) == 0) return true;
    networkCounters().ipBadDestination++;
    return false;
  }
  if (isBroadcast(destination)) {
    buffer.flags |= LINK_BROADCAST;
    return true;
  }
  if (isLoopback(destination) || destination == 0) {
    networkCounters().ipBadDestination++;
    return false;
  }
  if (own == 0 && isForDhcp(buffer, header, headerLength)) {
    buffer.flags |= LINK_BROADCAST;
    return true;
  }
  networkCounters().ipNotForUs++;
  return false;
}

/** While there is no address, a DHCP server may write to the one that it offers (RFC 2131, 4.1). */
function isForDhcp(buffer: PacketBuffer, header: Ipv4Header, headerLength: u32): bool {
  return (
    header.protocol == IPPROTO_UDP &&
    (header.fragment & (IPV4_MF | IPV4_OFFSET)) == 0 &&
    header.totalLength >= headerLength + UDP_HEADER &&
    changetype<UdpHeader>(buffer.data + headerLength).destinationPort == DHCP_CLIENT_PORT
  );
}

/** Its length is wrong only for the first of several pieces, and the header is in that. */
function isMerged(buffer: PacketBuffer, result: u32): bool {
  if (result != IPV4_BAD_LENGTH || buffer.more === null) return false;
  const length = buffer.length;
  return (
    length >= IPV4_HEADER &&
    Ipv4Header.check(buffer.data, buffer.wholeLength) == IPV4_OK &&
    changetype<Ipv4Header>(buffer.data).headerLength <= length
  );
}

/** What the device has put together, in pieces: TCP, and no fragment of it. */
function deliverMerged(buffer: PacketBuffer, header: Ipv4Header, headerLength: u32): void {
  if ((header.fragment & (IPV4_MF | IPV4_OFFSET)) != 0 || header.protocol != IPPROTO_TCP) {
    networkCounters().ipBadLength++;
    releaseBuffer(buffer);
    return;
  }
  buffer.networkHeader = changetype<usize>(header);
  trimPieces(buffer, header.totalLength);
  buffer.pull(headerLength);
  handOver(buffer, IPPROTO_TCP);
}

// @ts-ignore: decorator
@inline
function deliver(buffer: PacketBuffer, header: Ipv4Header, headerLength: u32): void {
  if (buffer.more !== null) {
    deliverMerged(buffer, header, headerLength);
    return;
  }
  if ((header.fragment & (IPV4_MF | IPV4_OFFSET)) != 0) {
    fragmentArrives(buffer, header, headerLength);
    return;
  }
  buffer.networkHeader = changetype<usize>(header);
  buffer.length = header.totalLength;
  buffer.pull(headerLength);
  handOver(buffer, header.protocol);
}

function fragmentArrives(buffer: PacketBuffer, header: Ipv4Header, headerLength: u32): void {
  const counters = networkCounters();
  counters.ipFragments++;
  const protocol = header.protocol;
  const fragment = header.fragment;
  const offset = (fragment & IPV4_OFFSET) << 3;
  const last = (fragment & IPV4_MF) == 0;
  const length = header.totalLength - headerLength;
  if (!isWellFormed(protocol, offset, length, last) || headerLength + offset + length > DATAGRAM_MAXIMUM) {
    counters.ipBadFragments++;
    releaseBuffer(buffer);
    return;
  }
  buffer.networkHeader = changetype<usize>(header);
  buffer.length = header.totalLength;
  buffer.pull(headerLength);
  fragmentFlow.local.setIpv4(header.destination, header.identification);
  fragmentFlow.remote.setIpv4(header.source, protocol);
  const whole = reassemble(buffer, offset, last, headerLength);
  if (whole === null) return;
  if (protocol != IPPROTO_UDP && protocol != IPPROTO_ICMP && !inOnePiece(whole)) {
    // Longer than any segment that we have said we take.
    counters.ipFragmentOverflows++;
    releaseBuffer(whole);
  } else handOver(whole, protocol);
}

/** Nobody sends less than a transport's header first, or the rest of one (RFC 1858; RFC 3128), or a length that leaves the next without an offset. */
function isWellFormed(protocol: u32, offset: u32, length: u32, last: bool): bool {
  if (length == 0 || (!last && (length & 7) != 0)) return false;
  const least = leastHeader(protocol);
  return offset == 0 ? length >= least : offset >= least;
}

/** To the transport, at whose header the packet is. */
// @ts-ignore: decorator
@inline
function handOver(buffer: PacketBuffer, protocol: u32): void {
  if (transportInput(buffer, protocol)) return;
  networkCounters().ipNoTransport++;
  if (noTransportIndex != 0) call_indirect<void>(noTransportIndex, buffer);
  releaseBuffer(buffer);
}

/** The address of ours that packets to `destination` have as their source; 0: it cannot be reached. */
export function sourceAddressFor(destination: u32): u32 {
  // To ourselves, from the same address: the answer comes back to it.
  if (isLocalAddress(destination)) return destination;
  const networkInterface_ = networkInterface();
  if (isOnLink(destination) || isBroadcast(destination) || isMulticast(destination)) {
    return networkInterface_.address;
  }
  return networkInterface_.gateway != 0 && isUnicast(destination) ? networkInterface_.address : 0;
}

/**
 * Sends the transport packet in `buffer`, which it borrows; headers are pushed in front. `source`: one of our addresses, or 0 for the
 * one that fits. `service`: time to live, 1..255, above it the type of service (RFC 2474), tos << 8 | ttl, and MAY_FRAGMENT: what is above the MTU, and a chain,
 * goes in fragments; the pieces behind the first are taken then. What is for the device to cut (`segmentSize`) goes as it is. 0 when it was sent or waits for ARP, else -EMSGSIZE, -ENETUNREACH, -ENETDOWN,
 * -EINVAL (a loopback source to another host), or -ENOBUFS.
 */
export function ipv4Output(
  buffer: PacketBuffer,
  source: u32,
  destination: u32,
  protocol: u32,
  service: u32,
): i32 {
  if (source == 0) {
    source = sourceAddressFor(destination);
    // DHCP broadcasts before there is an address.
    if (source == 0 && destination != LIMITED_BROADCAST) {
      networkCounters().ipNoRoute++;
      return -ENETUNREACH;
    }
  }
  const fragments = (service & MAY_FRAGMENT) != 0;
  let length = buffer.length;
  if (buffer.more !== null || length + IPV4_HEADER > networkInterface().mtu) {
    if (buffer.segmentSize != 0) length = buffer.wholeLength;
    else return fragments ? sendLong(buffer, source, destination, protocol, service) : tooBig();
  }
  // Not to be fragmented on the way: any identification will do (RFC 6864, 4.1), and 0 tells nothing of how much we send.
  const identification = fragments ? nextIdentification(source, destination, protocol) : 0;
  const flags = fragments ? 0 : IPV4_DF;
  pushHeader(buffer, length, source, destination, protocol, service, identification, flags);
  return transmit(buffer, source, destination);
}

function tooBig(): i32 {
  networkCounters().ipTooBig++;
  return -EMSGSIZE;
}

/** As ipv4Output, for what is too long for one packet. */
function sendLong(buffer: PacketBuffer, source: u32, destination: u32, protocol: u32, service: u32): i32 {
  if (buffer.wholeLength + IPV4_HEADER > DATAGRAM_MAXIMUM) return tooBig();
  if (!cutIntoFragments(buffer, networkInterface().mtu, FRAGMENT_HEADERS4)) {
    networkCounters().ipNoBuffer++;
    return -ENOBUFS;
  }
  const identification = nextIdentification(source, destination, protocol);
  pushHeader(buffer, buffer.length, source, destination, protocol, service, identification, IPV4_MF);
  return sendFragments(buffer, (service & LET_INTERRUPTS_IN) != 0);
}

/** For fragment-output.ts: sends a fragment, with its header in front; borrows it. */
export function ipv4SendFragment(buffer: PacketBuffer): i32 {
  const header = changetype<Ipv4Header>(buffer.data);
  return transmit(buffer, header.source, header.destination);
}

/** Whether a packet, with its header in front, would have to wait for the link address of its neighbour. */
export function ipv4MustWait(buffer: PacketBuffer): bool {
  const destination = changetype<Ipv4Header>(buffer.data).destination;
  if (isLocalAddress(destination) || isBroadcast(destination) || !linkIsUp()) return false;
  const hop = nextHop(destination);
  return hop != 0 && !neighbourIsKnown(0, mapped(hop));
}

/** Puts the header in front of `length` bytes. */
// @ts-ignore: decorator
@inline
function pushHeader(
  buffer: PacketBuffer,
  length: u32,
  source: u32,
  destination: u32,
  protocol: u32,
  service: u32,
  identification: u32,
  fragment: u32,
): void {
  const header = changetype<Ipv4Header>(buffer.push(IPV4_HEADER));
  header.setFirstWord(IPV4_HEADER + length, (service >> 8) & 255);
  header.identification = identification;
  header.fragment = fragment;
  header.ttl = service;
  header.protocol = protocol;
  header.checksum = 0;
  header.source = source;
  header.destination = destination;
  header.checksum = internetChecksum(checksum20(changetype<usize>(header)));
}

/** The neighbour to which packets to another host go; 0: there is no way, or there are many hosts. */
// @ts-ignore: decorator
@inline
function nextHop(destination: u32): u32 {
  if (isOnLink(destination)) return destination;
  return isUnicast(destination) ? networkInterface().gateway : 0;
}

/** Sends a packet that fits into one frame, or is for the device to cut, with its header in front; borrows the buffer. */
// @ts-ignore: decorator
@inline
function transmit(buffer: PacketBuffer, source: u32, destination: u32): i32 {
  const counters = networkCounters();
  counters.ipSent++;
  if (isLocalAddress(destination)) return loopbackOutput(buffer);
  if (isLoopback(source)) return -EINVAL;
  if (!linkIsUp()) return -ENETDOWN;
  if (
    (buffer.flags & CHECKSUM_PARTIAL) != 0 &&
    (networkInterface().device.features & DEVICE_CHECKSUM_TX) == 0 &&
    buffer.more === null
  ) {
    finishChecksum(buffer);
  }
  if (isBroadcast(destination)) return ethernetOutput(buffer, BROADCAST0, BROADCAST4, ETHERTYPE_IPV4);
  const hop = nextHop(destination);
  if (hop != 0) return arpOutput(buffer, hop);
  if (isMulticast(destination)) {
    // 01:00:5E and the low 23 bits (RFC 1112, 6.4).
    const a0 = 0x005e_0001 | (((destination >> 16) & 0x7f) << 24);
    return ethernetOutput(buffer, a0, bswap<u16>(<u16>destination), ETHERTYPE_IPV4);
  }
  counters.ipNoRoute++;
  return -ENETUNREACH;
}

/**
 * A transport finds that what it sends to `destination` does not arrive (RFC 1122, 3.3.1.4, negative advice): the link address of the
 * neighbour on the way is asked for again with the next packet.
 */
export function ipv4Doubt(destination: u32): void {
  if (!isLocalAddress(destination)) arpDoubt(nextHop(destination));
}
