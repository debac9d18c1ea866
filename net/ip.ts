/**
 * What the transports ask of the network layer, whichever version of IP it is: the one place that tells an IPv4 conversation (net/ipv4-output.ts)
 * from one of IPv6 (net/ipv6-output.ts).
 */
import { PacketBuffer } from "./buffer";
import { CUT_LIMIT } from "./cut";
import { Flow, IpAddress, mapped } from "./flow";
import { FRAGMENT_HEADERS4, FRAGMENT_HEADERS6, fragmentPayload } from "./fragment";
import { icmpReassemblyTimeout, icmpUnreachable } from "./icmp";
import { icmpv6Error } from "./icmpv6";
import { hasDevice, isBroadcast, isLocalAddress, isUnicast, networkInterface } from "./interface";
import { ipv4Doubt, ipv4Output, sourceAddressFor } from "./ipv4-output";
import { hasRoute6, ipv6Doubt, ipv6Output } from "./ipv6-output";
import { icmpv6ReassemblyTimeout } from "./ipv6-fragment";
import { chooseSource6, isOwn6 } from "./own-addresses";
import { linkMtu6 } from "./link-parameters";
import { pathMtu } from "./pmtu";
import { isHost6, isLoopback6 } from "./scope";
import { ICMP_PORT_UNREACHABLE } from "./wire/icmp";
import { ICMPV6_PORT_UNREACHABLE, ICMPV6_UNREACHABLE } from "./wire/icmpv6";
import { ECN_CE, IPV4_HEADER, Ipv4Header } from "./wire/ipv4";
import { IPV6_HEADER, Ipv6Header } from "./wire/ipv6";
import { PortsHeader } from "./wire/ports";

// ---- Addresses ----

/** One of our own. */
// @ts-ignore: decorator
@inline
export function isOurs(address: IpAddress): bool {
  return address.isMapped ? isLocalAddress(address.ipv4) : isOwn6(address);
}

/** An address that one host can have, by its form. */
// @ts-ignore: decorator
@inline
export function isHost(address: IpAddress): bool {
  return address.isMapped ? isUnicast(address.ipv4) : isHost6(address) || isLoopback6(address);
}

/** Reaches all hosts of our net. */
// @ts-ignore: decorator
@inline
export function isForAll(address: IpAddress): bool {
  return address.isMapped && isBroadcast(address.ipv4);
}

/** Sets the local address of `flow` to the one of ours that packets to its remote address have as their source. False: it cannot be reached. */
export function chooseSource(flow: Flow): bool {
  const remote = flow.remote;
  if (!remote.isMapped) return hasRoute6(remote) && chooseSource6(flow.local, remote);
  const source = sourceAddressFor(remote.ipv4);
  if (source == 0) return false;
  flow.local.ipv4 = source;
  return true;
}

/** Whether an address of ours can speak with another one: both are of the same version. `local`: 0.0.0.0 and :: can with all. */
// @ts-ignore: decorator
@inline
export function matches(local: IpAddress, remote: IpAddress): bool {
  return local.isAny || local.isMapped == remote.isMapped;
}

// ---- Packets ----

/** The packet at an IP header is IPv6's. */
// @ts-ignore: decorator
@inline
export function isVersion6(header: usize): bool {
  return load<u8>(header) >> 4 == 6;
}

/**
 * Fills in the flow of a received packet: the addresses of its network header, and the ports, which are the first four bytes of every
 * transport's header (TCP, UDP, SCTP). They have to be there.
 */
// @ts-ignore: decorator
@inline
export function receivedFlow(flow: Flow, buffer: PacketBuffer): void {
  if (isVersion6(buffer.networkHeader)) {
    receivedFlow6(flow, buffer);
    return;
  }
  const header = changetype<Ipv4Header>(buffer.networkHeader);
  const ports = changetype<PortsHeader>(buffer.data);
  flow.local.setIpv4(header.destination, ports.destinationPort);
  flow.remote.setIpv4(header.source, ports.sourcePort);
}

function receivedFlow6(flow: Flow, buffer: PacketBuffer): void {
  const header = changetype<Ipv6Header>(buffer.networkHeader);
  header.loadDestination(flow.local);
  header.loadSource(flow.remote);
  const ports = changetype<PortsHeader>(buffer.data);
  flow.local.port = ports.destinationPort;
  flow.remote.port = ports.sourcePort;
}

/** Whether a received packet of IPv4, of which this is the header, and these the ports, is of `flow`, which has both ends: what receivedFlow and Flow.same would say. */
// @ts-ignore: decorator
@inline
export function isOfFlow4(flow: Flow, header: Ipv4Header, ports: PortsHeader): bool {
  const local = flow.local;
  const remote = flow.remote;
  // Both ends are of the same version.
  return (
    remote.port == ports.sourcePort &&
    remote.low == mapped(header.source) &&
    local.port == ports.destinationPort &&
    local.low == mapped(header.destination) &&
    remote.high == 0
  );
}

/** The same of a packet that we sent and that an error quotes: `header`: its IPv4 header, `transport`: address of its transport header. */
export function sentFlow(flow: Flow, header: Ipv4Header, transport: usize): void {
  const ports = changetype<PortsHeader>(transport);
  flow.local.setIpv4(header.source, ports.sourcePort);
  flow.remote.setIpv4(header.destination, ports.destinationPort);
}

/** The same of IPv6. */
export function sentFlow6(flow: Flow, header: Ipv6Header, transport: usize): void {
  header.loadSource(flow.local);
  header.loadDestination(flow.remote);
  const ports = changetype<PortsHeader>(transport);
  flow.local.port = ports.sourcePort;
  flow.remote.port = ports.destinationPort;
}

/** A router has marked the received packet (RFC 3168: CE). */
// @ts-ignore: decorator
@inline
export function congestionSeen(buffer: PacketBuffer): bool {
  const header = buffer.networkHeader;
  const ecn = isVersion6(header) ? changetype<Ipv6Header>(header).ecn : changetype<Ipv4Header>(header).ecn;
  return ecn == ECN_CE;
}

/** Bytes that the network layer puts in front of packets to `remote`. */
// @ts-ignore: decorator
@inline
export function networkHeaderLength(remote: IpAddress): u32 {
  return remote.isMapped ? IPV4_HEADER : IPV6_HEADER;
}

/** Largest packet to `remote` that our link takes, with its network header, in bytes. */
// @ts-ignore: decorator
@inline
export function linkMtu(remote: IpAddress): u32 {
  return remote.isMapped ? networkInterface().mtu : linkMtu6();
}

/** Largest packet to `remote` that is sent whole where it may be fragmented, with its network header: routers fragment those of IPv4, and nobody those of IPv6. */
// @ts-ignore: decorator
@inline
export function packetLimit(remote: IpAddress): u32 {
  return remote.isMapped ? networkInterface().mtu : min(linkMtu6(), pathMtu(remote));
}

/** Payload of one of the fragments that get to `remote` whole, but for the last: a multiple of 8. */
export function fragmentSize(remote: IpAddress): u32 {
  if (remote.isMapped) return fragmentPayload(pathMtu(remote), FRAGMENT_HEADERS4);
  return fragmentPayload(packetLimit(remote), FRAGMENT_HEADERS6);
}

/** Largest packet of TCP to `remote` that is cut into segments, with its network header, in bytes; 0: the packet would not go to the device. */
export function segmentedLimit(remote: IpAddress): u32 {
  if (!hasDevice() || isOurs(remote)) return 0;
  const device = networkInterface().device;
  const limit = remote.isMapped ? device.segmented4 : device.segmented6;
  return limit != 0 ? limit : CUT_LIMIT;
}

/**
 * Sends the transport packet in `buffer`, which it borrows, to the remote address of `flow`; headers are pushed in front. A local address of
 * 0.0.0.0 or :: stands for the one that fits. `service`: see net/service.ts. 0 when it was sent or waits for its neighbour, else -EMSGSIZE, -ENETUNREACH, -ENETDOWN, -EINVAL or -ENOBUFS.
 */
export function ipOutput(buffer: PacketBuffer, flow: Flow, protocol: u32, service: u32): i32 {
  const remote = flow.remote;
  if (!remote.isMapped) return ipv6Output(buffer, flow.local, remote, protocol, service);
  return ipv4Output(buffer, flow.local.ipv4, remote.ipv4, protocol, service);
}

/** Negative advice (RFC 1122, 3.3.1.4): what is sent to `remote` does not seem to arrive; the neighbour on the way is asked for again. */
export function ipDoubt(remote: IpAddress): void {
  if (remote.isMapped) ipv4Doubt(remote.ipv4);
  else ipv6Doubt(remote);
}

/** Tells the sender of the received packet in `buffer` (networkHeader set, borrowed) that nobody has the port. */
export function portUnreachable(buffer: PacketBuffer): void {
  if (isVersion6(buffer.networkHeader)) {
    icmpv6Error(buffer, ICMPV6_UNREACHABLE, ICMPV6_PORT_UNREACHABLE, 0, false);
  } else {
    icmpUnreachable(buffer, ICMP_PORT_UNREACHABLE);
  }
}

/** For net/reassembly.ts: tells the sender of a datagram whose time is over, of which the first fragment is in `buffer` (networkHeader set, borrowed). */
export function reassemblyTimeout(buffer: PacketBuffer): void {
  if (isVersion6(buffer.networkHeader)) icmpv6ReassemblyTimeout(buffer);
  else icmpReassemblyTimeout(buffer);
}
