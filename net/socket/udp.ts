/**
 * UDP (RFC 768; RFC 1122, 4.1): datagrams in, datagrams out. The operations of its sockets are in net/socket/udp-calls.ts.
 */
import {
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
import { Endpoint, Flow } from "../flow";
import {
  chooseSource,
  ipOutput,
  isOurs,
  linkMtu,
  matches,
  networkHeaderLength,
  portUnreachable,
  receivedFlow,
} from "../ip";
import { registerTransport } from "../transports";
import {
  ICMP_FRAGMENTATION_NEEDED,
  ICMP_NET_UNREACHABLE,
  ICMP_PARAMETER_PROBLEM,
  ICMP_PORT_UNREACHABLE,
  ICMP_PROTOCOL_UNREACHABLE,
  ICMP_UNREACHABLE,
} from "../wire/icmp";
import { UDP_HEADER, UdpHeader } from "../wire/udp";
import { IPPROTO_UDP, Socket, SocketProtocol } from "./socket";
import { fillUdpProtocol, setUdpQueueLimit, udpEnqueue } from "./udp-calls";
import {
  allocateUdpSocket,
  bindUdpSocket,
  findUdpSocket,
  incoming,
  initializeUdpSockets,
  outgoing,
  setClaimedPort,
  UDP_BOUND,
  UDP_CONNECTED,
  UDP_SHUT_WRITE,
  UDP_SOCKETS_STORAGE,
  UdpSocket,
} from "./udp-socket";

export { outgoing } from "./udp-socket";

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
  registerTransport(IPPROTO_UDP, udpInput.index, udpDestination.index, udpError.index);
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

/** The socket that a datagram is for; see registerTransport. */
function udpDestination(buffer: PacketBuffer): usize {
  if (!UdpHeader.check(buffer.data, buffer.length)) return POLL_LEVEL_DEFAULT;
  receivedFlow(incoming, buffer);
  if (isClaimed(incoming)) return POLL_LEVEL_TOP;
  const socket = findUdpSocket(incoming);
  return socket === null ? <usize>POLL_LEVEL_DEFAULT : changetype<usize>(socket);
}

/** A datagram for the kernel, which claims ports of IPv4. */
// @ts-ignore: decorator
@inline
function isClaimed(flow: Flow): bool {
  return flow.local.port == claimedPort && flow.remote.isMapped;
}

/** A datagram; see registerTransport. */
export function udpInput(buffer: PacketBuffer): void {
  const counters = networkCounters();
  counters.udpReceived++;
  const header = changetype<UdpHeader>(buffer.data);
  if (!UdpHeader.check(buffer.data, buffer.length) || header.destinationPort == 0) {
    counters.udpMalformed++;
    releaseBuffer(buffer);
    return;
  }
  receivedFlow(incoming, buffer);
  buffer.length = header.length;
  if (header.checksum == 0 && !incoming.remote.isMapped) {
    // IPv6 has no checksum of its own, so here it is not optional (RFC 8200, 8.1).
    counters.udpBadChecksum++;
    releaseBuffer(buffer);
    return;
  }
  if ((buffer.flags & CHECKSUM_VALID) == 0 && header.checksum != 0) {
    const sum = pseudoHeaderSum(incoming, IPPROTO_UDP, buffer.length);
    if (checksumFold(checksumAdd(buffer.data, buffer.length, sum)) != 0xffff) {
      counters.udpBadChecksum++;
      releaseBuffer(buffer);
      return;
    }
  }
  if (isClaimed(incoming)) {
    call_indirect<void>(claimedInput, buffer);
    return;
  }
  const socket = findUdpSocket(incoming);
  if (socket === null) {
    counters.udpNoPort++;
    portUnreachable(buffer);
    releaseBuffer(buffer);
    return;
  }
  buffer.pull(UDP_HEADER);
  buffer.source.copy(incoming.remote);
  udpEnqueue(socket, buffer);
}

/**
 * Sends the payload in `buffer` (BUFFER_HEADROOM in front of it), which it borrows, to `to`; 0.0.0.0 and port 0: to the peer of a
 * connected socket. 0, or -EDESTADDRREQ, -EINVAL, -EMSGSIZE, -EPIPE, -ENETUNREACH, -ENETDOWN, -EADDRINUSE (no free port),
 * -EADDRNOTAVAIL (the bound address is no longer ours), -ENOBUFS, or the error of an earlier datagram, reported once.
 */
export function udpSend(socket: Socket, to: Endpoint, buffer: PacketBuffer): i32 {
  const self = changetype<UdpSocket>(socket);
  if (self.has(UDP_SHUT_WRITE)) return -EPIPE;
  if (self.error != 0) {
    const error = self.error;
    self.error = 0;
    return -error;
  }
  if (to.isAny && to.port == 0) {
    if (!self.has(UDP_CONNECTED)) return -EDESTADDRREQ;
    to = self.flow.remote;
  }
  if (to.port == 0) return -EINVAL;
  if (!self.has(UDP_BOUND)) {
    const result = bindUdpSocket(self, self.flow.local);
    if (result < 0) return result;
  }
  const local = outgoing.local;
  const remote = outgoing.remote;
  local.copy(self.flow.local);
  remote.copy(to);
  // INADDR_ANY as a destination is this host, as everywhere.
  if (remote.isAny) remote.setLoopback();
  if (!matches(local, remote)) return -ENETUNREACH;
  if (local.isAny) {
    if (!chooseSource(outgoing)) return -ENETUNREACH;
  } else if (!isOurs(local)) {
    return -EADDRNOTAVAIL;
  }
  if (buffer.length + UDP_HEADER + networkHeaderLength(remote) > linkMtu(remote)) return -EMSGSIZE;
  return udpOutput(buffer, outgoing);
}

/** Puts the header in front and sends. Borrows the buffer. 0 or ipOutput's error. A local address of 0.0.0.0: only for DHCP. */
export function udpOutput(buffer: PacketBuffer, flow: Flow): i32 {
  const header = changetype<UdpHeader>(buffer.push(UDP_HEADER));
  header.sourcePort = flow.local.port;
  header.destinationPort = flow.remote.port;
  header.length = buffer.length;
  header.checksum = checksumFold(pseudoHeaderSum(flow, IPPROTO_UDP, buffer.length));
  buffer.flags = (buffer.flags & BUFFER_RETAINED) | CHECKSUM_PARTIAL;
  buffer.checksumStart = changetype<usize>(header);
  buffer.checksumOffset = CHECKSUM_OFFSET;
  networkCounters().udpSent++;
  return ipOutput(buffer, flow, IPPROTO_UDP);
}

/** An error about a datagram of ours; see net/errors.ts. Only a connected socket can know what it is about. */
function udpError(type: u32, code: u32, rest: u32, flow: Flow, transport: usize, length: u32): void {
  const socket = findUdpSocket(flow);
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
