/**
 * The way out of IPv4 packets (RFC 791; RFC 1122, 3.3.1) over one interface. What is too long for one packet is sent by net/fragment-output.ts.
 */
import { EINVAL, ENETDOWN, ENETUNREACH } from "../kernel/errno";
import { arpDoubt, arpOutput } from "./arp";
import { PacketBuffer } from "./buffer";
import { checksum20, internetChecksum } from "./checksum";
import { networkCounters } from "./counters";
import { ethernetOutput, readyForLink } from "./ethernet";
import { mapped } from "./flow";
import { cutDatagram, FRAGMENT_HEADERS4, nextIdentification } from "./fragment";
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
import { DATAGRAM_MAXIMUM } from "./reassembly";
import { LET_INTERRUPTS_IN, MAY_FRAGMENT } from "./service";
import { BROADCAST0, BROADCAST4, ETHERTYPE_IPV4 } from "./wire/ethernet";
import { IPV4_DF, IPV4_HEADER, IPV4_MF, Ipv4Header } from "./wire/ipv4";

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
 * one that fits. `service`: see net/service.ts; with MAY_FRAGMENT what is above the MTU, and a chain, goes in fragments, and the pieces behind the first are taken then. What is for the
 * device to cut (`segmentSize`) goes as it is. 0 when it was sent or waits for ARP, else -EMSGSIZE, -ENETUNREACH, -ENETDOWN, -EINVAL (a loopback source to another host), or -ENOBUFS.
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
  let length = buffer.length;
  if (buffer.more !== null || length + IPV4_HEADER > networkInterface().mtu) {
    if (buffer.segmentSize == 0) return sendLong(buffer, source, destination, protocol, service);
    length = buffer.wholeLength;
  }
  const fragments = (service & MAY_FRAGMENT) != 0;
  // Not to be fragmented on the way: any identification will do (RFC 6864, 4.1), and 0 tells nothing of how much we send.
  const identification = fragments ? nextIdentification(source, destination, protocol) : 0;
  const flags = fragments ? 0 : IPV4_DF;
  pushHeader(buffer, length, source, destination, protocol, service, identification, flags);
  return transmit(buffer, source, destination);
}

/** As ipv4Output, for what is too long for one packet. */
function sendLong(buffer: PacketBuffer, source: u32, destination: u32, protocol: u32, service: u32): i32 {
  const most = DATAGRAM_MAXIMUM - IPV4_HEADER;
  const result = cutDatagram(buffer, service, most, networkInterface().mtu, FRAGMENT_HEADERS4);
  if (result != 0) return result;
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
  if (!readyForLink(buffer)) return -ENETDOWN;
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
