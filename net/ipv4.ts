/**
 * IPv4 (RFC 791, RFC 1122 section 3): what comes in is checked and handed up. Fragments are looked at in net/ipv4-fragment.ts; the way out is in net/ipv4-output.ts.
 *
 * **Not** here: forwarding and multicast groups.
 */
import { LINK_BROADCAST, PacketBuffer, releaseBuffer, trimPieces } from "./buffer";
import { checksum20, checksumAdd, checksumFold } from "./checksum";
import { networkCounters } from "./counters";
import { isBroadcast, isLocalAddress, isLoopback, isUnicast, networkInterface } from "./interface";
import { fragmentArrives4 } from "./ipv4-fragment";
import { deliverMerged, mergedLength } from "./merged";
import { inOnePiece } from "./pieces";
import { IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP } from "./socket/socket";
import { transportInput } from "./transports";
import { DHCP_CLIENT_PORT } from "./wire/dhcp";
import {
  IPV4_BAD_HEADER_LENGTH,
  IPV4_BAD_LENGTH,
  IPV4_BAD_VERSION,
  IPV4_HEADER,
  IPV4_MF,
  IPV4_OFFSET,
  IPV4_OK,
  IPV4_SOURCE_ROUTE,
  Ipv4Header,
} from "./wire/ipv4";
import { UDP_HEADER, UdpHeader } from "./wire/udp";

let noTransportIndex: u32 = 0;

/** Once at boot. `noTransport`: (buffer) => void, borrows a packet that no transport wants (0: none). */
export function initializeIpv4(noTransport: u32): void {
  noTransportIndex = noTransport;
}

/** A packet from the wire, at its IPv4 header; `length` may have padding of the frame. Takes the reference. */
export function ipv4Input(buffer: PacketBuffer): void {
  networkCounters().ipReceived++;
  // Not to be inlined, as in net/socket/tcp/send.ts.
  if (isPlain(buffer)) deliverPlain(buffer);
  else call_indirect<void>(anyPacket.index, buffer);
}

/** Whether it is what nearly all packets are: whole, in one buffer and without options, from one host to us. If not, `anyPacket` finds out what else it is, or what is wrong with it. */
// @ts-ignore: decorator
@inline
function isPlain(buffer: PacketBuffer): bool {
  const header = changetype<Ipv4Header>(buffer.data);
  const length = buffer.length;
  if (length < IPV4_HEADER || !header.isPlain || buffer.more !== null || (buffer.flags & LINK_BROADCAST) != 0)
    return false;
  const total = header.totalLength;
  const source = header.source;
  const destination = header.destination;
  return (
    total >= IPV4_HEADER &&
    total <= length &&
    checksumFold(checksum20(changetype<usize>(header))) == 0xffff &&
    destination == networkInterface().address &&
    destination != 0 &&
    isUnicast(source) &&
    source != destination &&
    !isLoopback(source) &&
    !isBroadcast(source)
  );
}

// @ts-ignore: decorator
@inline
function deliverPlain(buffer: PacketBuffer): void {
  const header = changetype<Ipv4Header>(buffer.data);
  buffer.networkHeader = changetype<usize>(header);
  buffer.data = changetype<usize>(header) + IPV4_HEADER;
  buffer.length = header.totalLength - IPV4_HEADER;
  handOver(buffer, header.protocol);
}

function anyPacket(buffer: PacketBuffer): void {
  const counters = networkCounters();
  const address = buffer.data;
  let result = Ipv4Header.check(address, buffer.length);
  if (result == IPV4_BAD_LENGTH) result = checkMerged(buffer);
  if (result != IPV4_OK) {
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

/** The same check of the header where there are more pieces behind the first. */
function checkMerged(buffer: PacketBuffer): u32 {
  const address = buffer.data;
  const headers = max(changetype<Ipv4Header>(address).headerLength, IPV4_HEADER);
  return Ipv4Header.check(address, mergedLength(buffer, headers));
}

// @ts-ignore: decorator
@inline
function deliver(buffer: PacketBuffer, header: Ipv4Header, headerLength: u32): void {
  const fragmented = (header.fragment & (IPV4_MF | IPV4_OFFSET)) != 0;
  buffer.networkHeader = changetype<usize>(header);
  if (buffer.more !== null) {
    trimPieces(buffer, header.totalLength);
    deliverMerged(buffer, header.protocol == IPPROTO_TCP && !fragmented ? headerLength : 0);
    return;
  }
  buffer.length = header.totalLength;
  if (fragmented) {
    deliverFragment(buffer, headerLength);
    return;
  }
  buffer.pull(headerLength);
  handOver(buffer, header.protocol);
}

function deliverFragment(buffer: PacketBuffer, headerLength: u32): void {
  const counters = networkCounters();
  counters.ipFragments++;
  const whole = fragmentArrives4(buffer, headerLength);
  if (whole === null) return;
  const protocol = changetype<Ipv4Header>(whole.networkHeader).protocol;
  if (protocol != IPPROTO_UDP && protocol != IPPROTO_ICMP && !inOnePiece(whole)) {
    // Longer than any segment that we have said we take.
    counters.ipFragmentOverflows++;
    releaseBuffer(whole);
  } else handOver(whole, protocol);
}

/** To the transport, at whose header the packet is. */
// @ts-ignore: decorator
@inline
function handOver(buffer: PacketBuffer, protocol: u32): void {
  if (!transportInput(buffer, protocol)) nobodys(buffer);
}

/** No transport wants it. */
function nobodys(buffer: PacketBuffer): void {
  networkCounters().ipNoTransport++;
  if (noTransportIndex != 0) call_indirect<void>(noTransportIndex, buffer);
  releaseBuffer(buffer);
}
