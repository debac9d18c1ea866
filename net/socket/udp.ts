/**
 * UDP (RFC 768; RFC 1122, 4.1): datagrams in, datagrams out. The operations of its sockets are in net/socket/udp-calls.ts.
 */
import {
  EACCES,
  ECONNREFUSED,
  EADDRNOTAVAIL,
  EDESTADDRREQ,
  EHOSTUNREACH,
  EINVAL,
  EMSGSIZE,
  ENETUNREACH,
  ENOPROTOOPT,
  EPIPE,
  EPROTO,
} from "../../kernel/errno";
import { POLL_LEVEL_DEFAULT, POLL_LEVEL_TOP } from "../../kernel/interrupts/polls";
import { POLLERR, POLLIN } from "../../kernel/scheduler/wait";
import { BUFFER_RETAINED, CHECKSUM_PARTIAL, CHECKSUM_VALID, PacketBuffer, releaseBuffer } from "../buffer";
import { checksumAdd, checksumFold, pseudoHeaderSum } from "../checksum";
import { networkCounters } from "../counters";
import { registerTransportError } from "../errors";
import { icmpUnreachable } from "../icmp";
import { isBroadcast, isLocalAddress, LOOPBACK_ADDRESS, networkInterface } from "../interface";
import { ipv4Output, ipv4Register, sourceAddressFor, TTL_DEFAULT } from "../ipv4";
import {
  ICMP_FRAGMENTATION_NEEDED,
  ICMP_NET_UNREACHABLE,
  ICMP_PARAMETER_PROBLEM,
  ICMP_PORT_UNREACHABLE,
  ICMP_PROTOCOL_UNREACHABLE,
  ICMP_UNREACHABLE,
} from "../wire/icmp";
import { IPV4_HEADER, Ipv4Header } from "../wire/ipv4";
import { UDP_HEADER, UdpHeader } from "../wire/udp";
import { IPPROTO_UDP, Socket, SOCKET_BROADCAST, SocketProtocol } from "./socket";
import { fillUdpProtocol, setUdpQueueLimit, udpEnqueue } from "./udp-calls";
import {
  allocateUdpSocket,
  bindUdpSocket,
  findUdpSocket,
  initializeUdpSockets,
  setClaimedPort,
  UDP_BOUND,
  UDP_CONNECTED,
  UDP_SHUT_WRITE,
  UDP_SOCKETS_STORAGE,
  UdpSocket,
} from "./udp-socket";

const CHECKSUM_OFFSET: u32 = 6;
const PROTOCOL_SIZE: usize = (offsetof<SocketProtocol>() + 7) & ~7;

/** Bytes of storage for initializeUdp. */
export const UDP_STORAGE: usize = PROTOCOL_SIZE + UDP_SOCKETS_STORAGE;

let protocol: SocketProtocol = changetype<SocketProtocol>(0);
let claimedPort: u32 = 0;
let claimedInput: u32 = 0;

/**
 * Once at boot. `storage`: UDP_STORAGE bytes. `maxSockets`: most sockets; `maxQueued`: most datagrams in the receive queues of all of them
 * together, each of which holds a buffer.
 */
export function initializeUdp(storage: usize, maxSockets: u32, maxQueued: u32): void {
  memory.fill(storage, 0, UDP_STORAGE);
  protocol = changetype<SocketProtocol>(storage);
  fillUdpProtocol(protocol);
  setUdpQueueLimit(maxQueued);
  initializeUdpSockets(storage + PROTOCOL_SIZE, maxSockets);
  claimedPort = 0;
  claimedInput = 0;
  ipv4Register(IPPROTO_UDP, udpInput.index, udpLevel.index);
  registerTransportError(IPPROTO_UDP, udpError.index);
}

export function udpProtocol(): SocketProtocol {
  return protocol;
}

/** A new socket; null at the limit (-ENOBUFS to the caller's caller). */
export function udpCreate(): Socket | null {
  return allocateUdpSocket(protocol);
}

/** Datagrams that were dropped because this socket's queue was full. */
export function udpDrops(socket: Socket): u64 {
  return changetype<UdpSocket>(socket).drops;
}

/**
 * Takes one port away from sockets, for the kernel (DHCP). `input`: (buffer) => void, takes the reference; buffer.data is at the UDP
 * header, length is the datagram's. 0 gives the port back.
 */
export function udpClaimPort(port: u32, input: u32): void {
  claimedPort = input != 0 ? port : 0;
  claimedInput = input;
  setClaimedPort(claimedPort);
}

/** Level of the socket that a datagram is for; see ipv4Register. */
function udpLevel(buffer: PacketBuffer): u32 {
  if (!UdpHeader.check(buffer.data, buffer.length)) return POLL_LEVEL_DEFAULT;
  const header = changetype<UdpHeader>(buffer.data);
  const port = header.destinationPort;
  if (port == claimedPort) return POLL_LEVEL_TOP;
  const network = changetype<Ipv4Header>(buffer.networkHeader);
  const socket = findUdpSocket(network.destination, port, network.source, header.sourcePort);
  return socket === null ? POLL_LEVEL_DEFAULT : socket.level;
}

/** A datagram; see ipv4Register. */
export function udpInput(buffer: PacketBuffer): void {
  const counters = networkCounters();
  counters.udpReceived++;
  const header = changetype<UdpHeader>(buffer.data);
  if (!UdpHeader.check(buffer.data, buffer.length) || header.destinationPort == 0) {
    counters.udpMalformed++;
    releaseBuffer(buffer);
    return;
  }
  const network = changetype<Ipv4Header>(buffer.networkHeader);
  const source = network.source;
  const destination = network.destination;
  buffer.length = header.length;
  if ((buffer.flags & CHECKSUM_VALID) == 0 && header.checksum != 0) {
    const sum = pseudoHeaderSum(source, destination, IPPROTO_UDP, buffer.length);
    if (checksumFold(checksumAdd(buffer.data, buffer.length, sum)) != 0xffff) {
      counters.udpBadChecksum++;
      releaseBuffer(buffer);
      return;
    }
  }
  const port = header.destinationPort;
  if (port == claimedPort) {
    call_indirect<void>(claimedInput, buffer);
    return;
  }
  const sourcePort = header.sourcePort;
  const socket = findUdpSocket(destination, port, source, sourcePort);
  if (socket === null) {
    counters.udpNoPort++;
    icmpUnreachable(buffer, ICMP_PORT_UNREACHABLE);
    releaseBuffer(buffer);
    return;
  }
  buffer.pull(UDP_HEADER);
  buffer.word0 = source;
  buffer.word1 = sourcePort;
  udpEnqueue(socket, buffer);
}

/**
 * Sends the payload in `buffer` (BUFFER_HEADROOM in front of it), which it borrows, to `address` and `port`; both 0: to the peer of a
 * connected socket. 0, or -EDESTADDRREQ, -EINVAL, -EMSGSIZE, -EPIPE, -ENETUNREACH, -ENETDOWN, -EADDRINUSE (no free port),
 * -EADDRNOTAVAIL (the bound address is no longer ours), -EACCES (a broadcast without SO_BROADCAST), -ENOBUFS, or the error of an earlier datagram, reported once.
 */
export function udpSend(socket: Socket, address: u32, port: u32, buffer: PacketBuffer): i32 {
  const self = changetype<UdpSocket>(socket);
  if (self.has(UDP_SHUT_WRITE)) return -EPIPE;
  if (self.error != 0) {
    const error = self.error;
    self.error = 0;
    return -error;
  }
  if (address == 0 && port == 0) {
    if (!self.has(UDP_CONNECTED)) return -EDESTADDRREQ;
    address = self.remoteAddress;
    port = self.remotePort;
  }
  if (port == 0 || port > 0xffff) return -EINVAL;
  // INADDR_ANY as a destination is this host, as everywhere.
  if (address == 0) address = LOOPBACK_ADDRESS;
  if (!self.has(UDP_BOUND)) {
    const result = bindUdpSocket(self, 0, 0);
    if (result < 0) return result;
  }
  let source = self.localAddress;
  if (source == 0) {
    source = sourceAddressFor(address);
    if (source == 0) return -ENETUNREACH;
  } else if (!isLocalAddress(source)) {
    return -EADDRNOTAVAIL;
  }
  if (buffer.length + UDP_HEADER + IPV4_HEADER > networkInterface().mtu) return -EMSGSIZE;
  if (isBroadcast(address) && (self.flags & SOCKET_BROADCAST) == 0) return -EACCES;
  return udpOutput(buffer, source, self.localPort, address, port, self.service);
}

/** Puts the header in front and sends. Borrows the buffer. 0 or ipv4Output's error. `source` 0: only for DHCP. */
export function udpOutput(
  buffer: PacketBuffer,
  source: u32,
  sourcePort: u32,
  destination: u32,
  destinationPort: u32,
  service: u32 = TTL_DEFAULT,
): i32 {
  const header = changetype<UdpHeader>(buffer.push(UDP_HEADER));
  header.sourcePort = sourcePort;
  header.destinationPort = destinationPort;
  header.length = buffer.length;
  header.checksum = checksumFold(pseudoHeaderSum(source, destination, IPPROTO_UDP, buffer.length));
  buffer.flags = (buffer.flags & BUFFER_RETAINED) | CHECKSUM_PARTIAL;
  buffer.checksumStart = changetype<usize>(header);
  buffer.checksumOffset = CHECKSUM_OFFSET;
  networkCounters().udpSent++;
  return ipv4Output(buffer, source, destination, IPPROTO_UDP, service);
}

/** An error about a datagram of ours; see registerTransportError. Only a connected socket can know what it is about. */
function udpError(type: u32, code: u32, rest: u32, header: Ipv4Header, transport: usize, length: u32): void {
  const datagram = changetype<UdpHeader>(transport);
  const socket = findUdpSocket(
    header.source,
    datagram.sourcePort,
    header.destination,
    datagram.destinationPort,
  );
  if (socket === null || !socket.has(UDP_CONNECTED)) return;
  socket.error = errnoOf(type, code);
  socket.wake(POLLIN | POLLERR, 0);
}

/** RFC 1122, 4.1.3.3; the numbers are Linux's. */
function errnoOf(type: u32, code: u32): i32 {
  if (type == ICMP_PARAMETER_PROBLEM) return EPROTO;
  if (type != ICMP_UNREACHABLE) return EHOSTUNREACH;
  if (code == ICMP_PORT_UNREACHABLE) return ECONNREFUSED;
  if (code == ICMP_PROTOCOL_UNREACHABLE) return ENOPROTOOPT;
  if (code == ICMP_FRAGMENTATION_NEEDED) return EMSGSIZE;
  return code == ICMP_NET_UNREACHABLE ? ENETUNREACH : EHOSTUNREACH;
}
