/**
 * IPv4 (RFC 791, RFC 1122 section 3): input checks, routing over one interface, output.
 *
 * **Not** here: reassembly. Fragments are refused and counted (ipFragments), and nothing we send is ever fragmented: DF is set, a packet
 * above the MTU is -EMSGSIZE. **Not** here either: forwarding and multicast groups.
 */
import { EINVAL, EMSGSIZE, ENETDOWN, ENETUNREACH } from "../kernel/errno";
import { random32 } from "../kernel/random";
import { arpOutput } from "./arp";
import { CHECKSUM_PARTIAL, LINK_BROADCAST, PacketBuffer, releaseBuffer } from "./buffer";
import { checksumAdd, checksumFold, finishChecksum, internetChecksum } from "./checksum";
import { networkCounters } from "./counters";
import { DEVICE_CHECKSUM_TX } from "./device";
import { ethernetOutput } from "./ethernet";
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
import { IPPROTO_UDP } from "./socket/socket";
import { transportInput } from "./transports";
import { DHCP_CLIENT_PORT } from "./wire/dhcp";
import { BROADCAST0, BROADCAST4, ETHERTYPE_IPV4 } from "./wire/ethernet";
import {
  IPV4_BAD_HEADER_LENGTH,
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

/** Time to live of what we send (RFC 1122, 3.2.1.7). */
export const TTL_DEFAULT: u32 = 64;

let noTransportIndex: u32 = 0;
/** State of the generator of the identification field. */
let identification: u32 = 0;

/** Once at boot. `noTransport`: (buffer) => void, borrows a packet that no transport wants (0: none). */
export function initializeIpv4(noTransport: u32): void {
  noTransportIndex = noTransport;
  identification = random32();
}

/** A packet from the wire, at its IPv4 header; `length` may have padding of the frame. Takes the reference. */
export function ipv4Input(buffer: PacketBuffer): void {
  const counters = networkCounters();
  counters.ipReceived++;
  const address = buffer.data;
  const result = Ipv4Header.check(address, buffer.length);
  if (result != IPV4_OK) {
    if (result == IPV4_BAD_VERSION) counters.ipBadVersion++;
    else if (result == IPV4_BAD_HEADER_LENGTH) counters.ipBadHeaderLength++;
    else counters.ipBadLength++;
    releaseBuffer(buffer);
    return;
  }
  const header = changetype<Ipv4Header>(address);
  const headerLength = header.headerLength;
  if (checksumFold(checksumAdd(address, headerLength, 0)) != 0xffff) {
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

// @ts-ignore: decorator
@inline
function deliver(buffer: PacketBuffer, header: Ipv4Header, headerLength: u32): void {
  const counters = networkCounters();
  if ((header.fragment & (IPV4_MF | IPV4_OFFSET)) != 0) {
    counters.ipFragments++;
    releaseBuffer(buffer);
    return;
  }
  buffer.networkHeader = changetype<usize>(header);
  buffer.length = header.totalLength;
  buffer.pull(headerLength);
  if (transportInput(buffer, header.protocol)) return;
  counters.ipNoTransport++;
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
 * one that fits. `ttl`: 1..255. 0 when it was sent or waits for ARP, else -EMSGSIZE, -ENETUNREACH, -ENETDOWN, -EINVAL (a loopback
 * source to another host), or -ENOBUFS.
 */
export function ipv4Output(
  buffer: PacketBuffer,
  source: u32,
  destination: u32,
  protocol: u32,
  ttl: u32,
): i32 {
  const counters = networkCounters();
  const networkInterface_ = networkInterface();
  const total = buffer.length + IPV4_HEADER;
  if (total > networkInterface_.mtu) {
    counters.ipTooBig++;
    return -EMSGSIZE;
  }
  const local = isLocalAddress(destination);
  if (source == 0) {
    source = sourceAddressFor(destination);
    // DHCP broadcasts before there is an address.
    if (source == 0 && destination != LIMITED_BROADCAST) {
      counters.ipNoRoute++;
      return -ENETUNREACH;
    }
  }
  const header = changetype<Ipv4Header>(buffer.push(IPV4_HEADER));
  header.setFirstWord(total);
  // Unfragmented and not to be fragmented: any value will do (RFC 6864, 4.1). This one tells nothing of how much we send.
  identification = identification * 1664525 + 1013904223;
  header.identification = identification >> 16;
  header.fragment = IPV4_DF;
  header.ttl = ttl;
  header.protocol = protocol;
  header.checksum = 0;
  header.source = source;
  header.destination = destination;
  header.checksum = internetChecksum(checksumAdd(changetype<usize>(header), IPV4_HEADER, 0));
  counters.ipSent++;

  if (local) return loopbackOutput(buffer);
  if (isLoopback(source)) return -EINVAL;
  if (!linkIsUp()) return -ENETDOWN;
  if (
    (buffer.flags & CHECKSUM_PARTIAL) != 0 &&
    (networkInterface_.device.features & DEVICE_CHECKSUM_TX) == 0
  ) {
    finishChecksum(buffer);
  }
  if (isOnLink(destination) && !isBroadcast(destination)) return arpOutput(buffer, destination);
  if (isBroadcast(destination)) return ethernetOutput(buffer, BROADCAST0, BROADCAST4, ETHERTYPE_IPV4);
  if (isMulticast(destination)) {
    // 01:00:5E and the low 23 bits (RFC 1112, 6.4).
    const a0 = 0x005e_0001 | (((destination >> 16) & 0x7f) << 24);
    return ethernetOutput(buffer, a0, bswap<u16>(<u16>destination), ETHERTYPE_IPV4);
  }
  if (networkInterface_.gateway != 0 && isUnicast(destination)) {
    return arpOutput(buffer, networkInterface_.gateway);
  }
  counters.ipNoRoute++;
  return -ENETUNREACH;
}
