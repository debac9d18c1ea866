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
import { checksumAdd, checksumFold, checksumJoin, internetChecksum, pseudoHeaderSum } from "../checksum";
import { networkCounters } from "../counters";
import { Endpoint, Flow } from "../flow";
import {
  chooseSource,
  ipOutput,
  isForAll,
  isOurs,
  matches,
  networkHeaderLength,
  packetLimit,
  portUnreachable,
  receivedFlow,
} from "../ip";
import { LET_INTERRUPTS_IN, MAY_FRAGMENT, TTL_DEFAULT } from "../service";
import { believableMtu, lowerPathMtu } from "../pmtu";
import { DATAGRAM_MAXIMUM } from "../reassembly";
import { registerTransport } from "../transports";
import {
  ICMP_FRAGMENTATION_NEEDED,
  ICMP_NET_UNREACHABLE,
  ICMP_PARAMETER_PROBLEM,
  ICMP_PORT_UNREACHABLE,
  ICMP_PROTOCOL_UNREACHABLE,
  ICMP_UNREACHABLE,
} from "../wire/icmp";
import { IPV4_HEADER } from "../wire/ipv4";
import { UDP_HEADER, UdpHeader } from "../wire/udp";
import { IPPROTO_UDP, Socket, SOCKET_BROADCAST, SOCKET_DONT_FRAGMENT, SocketProtocol } from "./socket";
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
/** Longest payload, over IPv6; over IPv4 it is a header less. */
export const UDP_PAYLOAD_MAXIMUM: u32 = DATAGRAM_MAXIMUM - UDP_HEADER;
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
  if (!UdpHeader.check(buffer.data, buffer.wholeLength)) return POLL_LEVEL_DEFAULT;
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
  const chain = buffer.more !== null;
  const received = buffer.wholeLength;
  if (
    !UdpHeader.check(buffer.data, received) ||
    header.destinationPort == 0 ||
    // The sum of a chain is that of all of it.
    (chain && header.length != received)
  ) {
    counters.udpMalformed++;
    releaseBuffer(buffer);
    return;
  }
  const flow = incoming;
  receivedFlow(flow, buffer);
  const length = header.length;
  if (!chain) buffer.length = length;
  if (header.checksum == 0 && !flow.remote.isMapped) {
    // IPv6 has no checksum of its own, so here it is not optional (RFC 8200, 8.1).
    counters.udpBadChecksum++;
    releaseBuffer(buffer);
    return;
  }
  if ((buffer.flags & CHECKSUM_VALID) == 0 && header.checksum != 0) {
    const pseudo = pseudoHeaderSum(flow, IPPROTO_UDP, length);
    const sum = chain
      ? checksumJoin(<u32>buffer.checksumStart, pseudo)
      : checksumAdd(buffer.data, length, pseudo);
    if (checksumFold(sum) != 0xffff) {
      counters.udpBadChecksum++;
      releaseBuffer(buffer);
      return;
    }
  }
  if (isClaimed(flow) && !chain) {
    call_indirect<void>(claimedInput, buffer);
    return;
  }
  const socket = findUdpSocket(flow);
  if (socket === null) {
    counters.udpNoPort++;
    portUnreachable(buffer);
    releaseBuffer(buffer);
    return;
  }
  buffer.pull(UDP_HEADER);
  buffer.source.copy(flow.remote);
  udpEnqueue(socket, buffer);
}

/**
 * Sends the payload in `buffer` (BUFFER_HEADROOM in front of it), which it borrows, to `to`; 0.0.0.0 and port 0: to the peer of a
 * connected socket. A chain has its sum with it (PacketBuffer.checksumStart); what is above the MTU goes in fragments, unless the socket does not want that.
 * 0, or -EDESTADDRREQ, -EINVAL, -EMSGSIZE, -EPIPE, -ENETUNREACH, -ENETDOWN, -EADDRINUSE (no free port),
 * -EADDRNOTAVAIL (the bound address is no longer ours), -EACCES (a broadcast without SO_BROADCAST), -ENOBUFS, or the error of an earlier datagram, reported once.
 * In a call of an application: a long datagram lets interrupts in.
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
  const length = buffer.wholeLength;
  const fragments = (self.flags & SOCKET_DONT_FRAGMENT) == 0;
  // IPv4 counts its header.
  if (length > UDP_PAYLOAD_MAXIMUM - (remote.isMapped ? IPV4_HEADER : 0)) return -EMSGSIZE;
  if (!fragments && length + UDP_HEADER + networkHeaderLength(remote) > packetLimit(remote)) return -EMSGSIZE;
  if (isForAll(remote) && (self.flags & SOCKET_BROADCAST) == 0) return -EACCES;
  return udpOutput(buffer, outgoing, self.service | (fragments ? MAY_FRAGMENT | LET_INTERRUPTS_IN : 0));
}

/**
 * Puts the header in front and sends. Borrows the buffer. `service`: see ipOutput. 0 or ipOutput's error. A local address of 0.0.0.0: only
 * for DHCP.
 */
export function udpOutput(buffer: PacketBuffer, flow: Flow, service: u32 = TTL_DEFAULT): i32 {
  const header = changetype<UdpHeader>(buffer.push(UDP_HEADER));
  const length = buffer.wholeLength;
  const pseudo = pseudoHeaderSum(flow, IPPROTO_UDP, length);
  header.sourcePort = flow.local.port;
  header.destinationPort = flow.remote.port;
  header.length = length;
  if (buffer.more === null) {
    header.checksum = checksumFold(pseudo);
    buffer.flags = (buffer.flags & BUFFER_RETAINED) | CHECKSUM_PARTIAL;
    buffer.checksumStart = changetype<usize>(header);
    buffer.checksumOffset = CHECKSUM_OFFSET;
  } else {
    header.checksum = 0;
    const sum = checksumJoin(<u32>buffer.checksumStart, pseudo);
    const checksum = internetChecksum(checksumAdd(changetype<usize>(header), UDP_HEADER, sum));
    header.checksum = checksum == 0 ? 0xffff : checksum;
  }
  networkCounters().udpSent++;
  return ipOutput(buffer, flow, IPPROTO_UDP, service);
}

/** An error about a datagram of ours; see net/errors.ts. Only a connected socket can know what it is about. */
function udpError(type: u32, code: u32, rest: u32, flow: Flow, transport: usize, length: u32): void {
  const socket = findUdpSocket(flow);
  if (socket === null) return;
  if (type == ICMP_UNREACHABLE && code == ICMP_FRAGMENTATION_NEEDED)
    pathTooSmall(rest, flow.remote, transport);
  if (!socket.has(UDP_CONNECTED)) return;
  socket.error = errnoOf(type, code);
  socket.wake(POLLIN | POLLERR, 0);
}

/**
 * A router of IPv6 has dropped a datagram of ours, as those of IPv4 do not (they fragment): what follows goes in fragments (RFC 8201, 5.2). Who forges this, and
 * guesses a port of ours, makes packets smaller than they have to be, but never smaller than every path takes.
 */
function pathTooSmall(rest: u32, remote: Endpoint, transport: usize): void {
  if (remote.isMapped) return;
  const mtu = believableMtu(remote, rest);
  if (changetype<UdpHeader>(transport).length + networkHeaderLength(remote) > mtu) lowerPathMtu(remote, mtu);
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
