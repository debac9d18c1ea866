/** UDP sockets: their struct, their pool, and the table in which ports find them. */
import { EADDRINUSE } from "../../kernel/errno";
import { POLL_LEVEL_DEFAULT } from "../../kernel/interrupts/polls";
import { Link } from "../../kernel/list";
import { Pool } from "../../kernel/memory/pool";
import { random32 } from "../../kernel/random";
import { BufferQueue } from "../buffer";
import { Endpoint, Flow, FLOW_SIZE, IpAddress } from "../flow";
import { TTL_DEFAULT } from "../service";
import { addSocketLevel, removeSocketLevel } from "./rank";
import { SOCK_DGRAM, Socket, SOCKET_REUSE, SocketProtocol } from "./socket";

/** Bits of `status`. */
export const UDP_BOUND: u32 = 1;
export const UDP_CONNECTED: u32 = 2;
/** The local address was chosen by connect, not by bind. */
export const UDP_AUTO_ADDRESS: u32 = 4;
export const UDP_SHUT_READ: u32 = 8;
export const UDP_SHUT_WRITE: u32 = 16;

/** Ports that are given to sockets that were not bound (RFC 6335, 6). */
export const EPHEMERAL_FIRST: u32 = 49152;
export const EPHEMERAL_COUNT: u32 = 16384;
/** Of them, looked at for one socket. */
const EPHEMERAL_TRIES: u32 = 64;

const BUCKETS: u32 = 256;
const LINK_SIZE: usize = offsetof<Link>();


@unmanaged
export class UdpSocket extends Socket {
  // Storage of `link`.
  private linkNext: usize;
  private linkPrev: usize;
  // Storage of `queue`.
  private queueHead: usize;
  private queueTail: usize;
  private queueCount: u32;
  /** Payload bytes in the queue, and the buffers that they stand in. */
  queuedBytes: u32;
  queuedBuffers: u32;
  /** UDP_* bits. */
  status: u32;
  /** Datagrams dropped because the queue was full. */
  drops: u64;

  /** Its place in the table of ports. */
  @inline get link(): Link {
    return changetype<Link>(changetype<usize>(this) + offsetof<UdpSocket>("linkNext"));
  }
  /** Received datagrams. */
  @inline get queue(): BufferQueue {
    return changetype<BufferQueue>(changetype<usize>(this) + offsetof<UdpSocket>("queueHead"));
  }


  @inline has(bits: u32): bool {
    return (this.status & bits) != 0;
  }


  @inline static ofLink(link: Link): UdpSocket {
    return changetype<UdpSocket>(changetype<usize>(link) - offsetof<UdpSocket>("linkNext"));
  }
}

/** Bytes of storage for initializeUdpSockets. */
export const UDP_SOCKETS_STORAGE: usize = FLOW_SIZE * 2 + ((offsetof<Pool>() + 7) & ~7) + LINK_SIZE * BUCKETS;

/** Of the datagram that is being looked at, and of the one that is being sent. Neither outlives the call that filled it in. */
export let incoming: Flow = changetype<Flow>(0);
export let outgoing: Flow = changetype<Flow>(0);

let pool: Pool = changetype<Pool>(0);
let buckets: usize = 0;
/** A port that belongs to the kernel, 0 for none. */
let claimedPort: u32 = 0;

export function initializeUdpSockets(storage: usize, limit: u32): void {
  incoming = changetype<Flow>(storage);
  outgoing = changetype<Flow>(storage + FLOW_SIZE);
  storage += FLOW_SIZE * 2;
  pool = changetype<Pool>(storage);
  pool.initialize(offsetof<UdpSocket>(), limit);
  buckets = storage + ((offsetof<Pool>() + 7) & ~7);
  claimedPort = 0;
  for (let i: u32 = 0; i < BUCKETS; i++) bucket(i).initialize();
}

export function udpPool(): Pool {
  return pool;
}

export function setClaimedPort(port: u32): void {
  claimedPort = port;
}

// @ts-ignore: decorator
@inline
function bucket(port: u32): Link {
  return changetype<Link>(buckets + <usize>((port ^ (port >> 8)) & (BUCKETS - 1)) * LINK_SIZE);
}

/** An IPv4 socket that is not bound; null at the limit. */
export function allocateUdpSocket(protocol: SocketProtocol): UdpSocket | null {
  const address = pool.allocate();
  if (address == 0) return null;
  const socket = changetype<UdpSocket>(address);
  socket.initialize();
  socket.link.initialize();
  socket.protocol = protocol;
  socket.type = <u8>SOCK_DGRAM;
  socket.service = <u16>TTL_DEFAULT;
  socket.flow.clearIpv4();
  addSocketLevel(socket, POLL_LEVEL_DEFAULT);
  return socket;
}

/** Gives back a socket whose queue is empty. */
export function freeUdpSocket(socket: UdpSocket): void {
  socket.link.remove();
  removeSocketLevel(socket);
  pool.release(changetype<usize>(socket));
}

/**
 * True when a socket bound to `port` of `address` would take datagrams from another one, and not both allow it. `reuse`: SOCKET_REUSE
 * or 0, of the new one.
 */
function conflicts(address: IpAddress, port: u32, reuse: u32 = 0): bool {
  if (port == claimedPort) return true;
  const head = bucket(port);
  for (let link = head.next; changetype<usize>(link) != changetype<usize>(head); link = link.next) {
    const socket = UdpSocket.ofLink(link);
    const other = socket.flow.local;
    if (other.port == port && (socket.flags & reuse) == 0 && (address.covers(other) || other.covers(address)))
      return true;
  }
  return false;
}

/** Binds to `name`, of which port 0 stands for an ephemeral one. 0 or -EADDRINUSE. The address was checked. */
export function bindUdpSocket(socket: UdpSocket, name: Endpoint): i32 {
  let port = name.port;
  if (port == 0) {
    port = ephemeralPort(name);
    if (port == 0) return -EADDRINUSE;
  } else if (conflicts(name, port, socket.flags & SOCKET_REUSE)) {
    return -EADDRINUSE;
  }
  socket.flow.local.copyAddress(name);
  socket.flow.local.port = port;
  socket.status |= UDP_BOUND;
  bucket(port).append(socket.link);
  return 0;
}

/**
 * A free port: a random one, or one that a random odd step leads to from there (RFC 6056, 3.3.2); 0 when all that were looked at are taken. As there are sockets for a
 * quarter of the ports at most (kernel/main.ts), that does not happen.
 */
function ephemeralPort(address: IpAddress): u32 {
  let offset = random32();
  const step = random32() | 1;
  for (let tries: u32 = 0; tries < EPHEMERAL_TRIES; tries++) {
    const port = EPHEMERAL_FIRST + (offset & (EPHEMERAL_COUNT - 1));
    if (!conflicts(address, port)) return port;
    offset += step;
  }
  return 0;
}

/**
 * The socket for a datagram: its port, its address (or any), and, when it is connected, its peer. One that is bound to the very address
 * goes before one that takes any. Null: none.
 */
export function findUdpSocket(flow: Flow): UdpSocket | null {
  const head = bucket(flow.local.port);
  let any: UdpSocket | null = null;
  for (let link = head.next; changetype<usize>(link) != changetype<usize>(head); link = link.next) {
    const socket = UdpSocket.ofLink(link);
    const local = socket.flow.local;
    if (local.port != flow.local.port) continue;
    const remote = socket.flow.remote;
    if (socket.has(UDP_CONNECTED) && !(remote.port == flow.remote.port && remote.same(flow.remote))) continue;
    if (local.same(flow.local)) return socket;
    if (local.covers(flow.local)) any = socket;
  }
  return any;
}
