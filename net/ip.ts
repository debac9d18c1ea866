/**
 * What the transports ask of the network layer, whichever version of IP it is: the one place that tells an IPv4 conversation from
 * another one. There is IPv4 only (net/ipv4.ts), so other addresses are nobody's, and packets to them are -ENETUNREACH.
 */
import { ENETUNREACH } from "../kernel/errno";
import { PacketBuffer } from "./buffer";
import { Endpoint, Flow, IpAddress } from "./flow";
import { isBroadcast, isLocalAddress, isUnicast, networkInterface } from "./interface";
import { ipv4Doubt, ipv4Output, sourceAddressFor } from "./ipv4";
import { ECN_CE, IPV4_HEADER, Ipv4Header } from "./wire/ipv4";

/** Least MTU of a path that is believed (RFC 1191: every IPv4 host takes 576). */
const PATH_MTU_MINIMUM: u32 = 576;

// ---- Addresses ----

/** One of our own. */
// @ts-ignore: decorator
@inline
export function isOurs(address: IpAddress): bool {
  return address.isMapped && isLocalAddress(address.ipv4);
}

/** An address that one host can have, by its form. */
// @ts-ignore: decorator
@inline
export function isHost(address: IpAddress): bool {
  return address.isMapped && isUnicast(address.ipv4);
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
  if (!remote.isMapped) return false;
  const source = sourceAddressFor(remote.ipv4);
  if (source == 0) return false;
  flow.local.ipv4 = source;
  return true;
}

// ---- Packets ----

/**
 * Fills in the flow of a received packet: the addresses of its network header, and the ports, which are the first four bytes of every
 * transport's header (TCP, UDP, SCTP). They have to be there.
 */
// @ts-ignore: decorator
@inline
export function receivedFlow(flow: Flow, buffer: PacketBuffer): void {
  const header = changetype<Ipv4Header>(buffer.networkHeader);
  setEnd(flow.local, header.destination, buffer.data + 2);
  setEnd(flow.remote, header.source, buffer.data);
}

/** The same of a packet that we sent and that an error quotes: `header`: its IPv4 header, `transport`: address of its transport header. */
export function sentFlow(flow: Flow, header: Ipv4Header, transport: usize): void {
  setEnd(flow.local, header.source, transport);
  setEnd(flow.remote, header.destination, transport + 2);
}

/** `port`: where it stands, in network order. */
// @ts-ignore: decorator
@inline
function setEnd(end: Endpoint, address: u32, port: usize): void {
  end.setIpv4(address, bswap<u16>(load<u16>(port)));
}

/** A router has marked the received packet (RFC 3168: CE). */
// @ts-ignore: decorator
@inline
export function congestionSeen(buffer: PacketBuffer): bool {
  return changetype<Ipv4Header>(buffer.networkHeader).ecn == ECN_CE;
}

/** Bytes that the network layer puts in front of packets to `remote`. */
// @ts-ignore: decorator
@inline
export function networkHeaderLength(remote: IpAddress): u32 {
  return IPV4_HEADER;
}

/** Largest packet that our link takes, with its network header, in bytes. */
// @ts-ignore: decorator
@inline
export function linkMtu(): u32 {
  return networkInterface().mtu;
}

/** `mtu`, what an error says that the path to `remote` takes, or the least that every path must take. */
export function believableMtu(remote: IpAddress, mtu: u32): u32 {
  return max(mtu, PATH_MTU_MINIMUM);
}

/**
 * Sends the transport packet in `buffer`, which it borrows, to the remote address of `flow`; headers are pushed in front. A local address of
 * 0.0.0.0 stands for the one that fits. `service`: hop limit, 1..255, above it the Differentiated Services field, as a socket has them, and MAY_FRAGMENT. 0 when it was sent or waits for its neighbour, else -EMSGSIZE, -ENETUNREACH, -ENETDOWN, -EINVAL or -ENOBUFS.
 */
export function ipOutput(buffer: PacketBuffer, flow: Flow, protocol: u32, service: u32): i32 {
  const remote = flow.remote;
  if (!remote.isMapped) return -ENETUNREACH;
  return ipv4Output(buffer, flow.local.ipv4, remote.ipv4, protocol, service);
}

/** Negative advice (RFC 1122, 3.3.1.4): what is sent to `remote` does not seem to arrive; the neighbour on the way is asked for again. */
export function ipDoubt(remote: IpAddress): void {
  if (remote.isMapped) ipv4Doubt(remote.ipv4);
}
