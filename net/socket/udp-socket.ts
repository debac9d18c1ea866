/** UDP sockets: their struct, their pool, and the tables in which datagrams find them. */
import { EADDRINUSE, ENOBUFS } from "../../kernel/errno";
import { POLL_LEVEL_DEFAULT } from "../../kernel/interrupts/polls";
import { Link } from "../../kernel/list";
import { Pool } from "../../kernel/memory/pool";
import { random32 } from "../../kernel/random";
import { Endpoint, Flow, FLOW_SIZE, flowHash, HASH_TABLE } from "../flow";
import { TTL_DEFAULT } from "../service";
import {
  LocalName,
  NAME_BOUND,
  NAME_EXCLUSIVE,
  NAME_WIDTHS,
  nameShared,
  NameTable,
  serve,
  unserve,
} from "./names";
import { addSocketLevel, removeSocketLevel } from "./rank";
import { SOCK_DGRAM, Socket, SOCKET_REUSE, SocketProtocol } from "./socket";

/** Bits of `status`. */
export const UDP_BOUND: u32 = 1;
export const UDP_CONNECTED: u32 = 2;
/** The local address was chosen by connect, not by bind. */
export const UDP_AUTO_ADDRESS: u32 = 4;
export const UDP_SHUT_READ: u32 = 8;
export const UDP_SHUT_WRITE: u32 = 16;

/**
 * A socket's receive queue holds at most this much payload, in bytes, unless SO_RCVBUF says otherwise; and at most a buffer for each so many bytes of that: a datagram takes one, unless it is longer than one. The
 * most that SO_RCVBUF can ask for is what can be thrown away at once (aem/clean.ts) with interrupts off.
 */
export const UDP_QUEUE_BYTES: u32 = 131072;
export const UDP_BUFFER_SHARE: u32 = 1024;
export const UDP_QUEUE_COUNT: u32 = UDP_QUEUE_BYTES / UDP_BUFFER_SHARE;
export const UDP_QUEUE_LEAST: u32 = 4096;
export const UDP_QUEUE_MOST: u32 = 196608;

/** Ports that are given to sockets that were not bound (RFC 6335, 6). */
export const EPHEMERAL_FIRST: u32 = 49152;
export const EPHEMERAL_COUNT: u32 = 16384;
/** Of them, looked at for one socket. */
const EPHEMERAL_TRIES: u32 = 64;

/** Buckets of names, and of the flows of those that are connected. */
const NAME_ORDER: u32 = 11;
const FLOW_BUCKETS: u32 = 1024;
const LINK_SIZE: usize = offsetof<Link>();
const POOL_SIZE: usize = (offsetof<Pool>() + 7) & ~7;


@unmanaged
export class UdpSocket extends Socket {
  // Storage of `link`.
  private linkNext: usize;
  private linkPrev: usize;
  /** Buffers that the receive queue has room for still; negative: there is more in it than there may be now. */
  room: i32;
  /** UDP_* bits. */
  status: u32;
  /** Datagrams dropped because the queue was full. */
  drops: u64;
  /** The name that it is bound to; null: none. */
  place: LocalName | null;
  /** SO_RCVBUF: bytes of payload that the receive queue may hold, and a buffer for each UDP_BUFFER_SHARE of them. */
  receiveLimit: u32;

  /** With a peer, its place in the table of flows; else among those that are served at its name. */
  @inline get link(): Link {
    return changetype<Link>(changetype<usize>(this) + offsetof<UdpSocket>("linkNext"));
  }


  @inline has(bits: u32): bool {
    return (this.status & bits) != 0;
  }

  /** Buffers that the receive queue may hold. */
  @inline get bufferLimit(): u32 {
    return this.receiveLimit / UDP_BUFFER_SHARE;
  }


  @inline static ofLink(link: Link): UdpSocket {
    return changetype<UdpSocket>(changetype<usize>(link) - offsetof<UdpSocket>("linkNext"));
  }
}

/** Whom datagrams to a name are for, whoever sends them: an answer of findUdpSocket that is kept until something changes at the name's port. */
@unmanaged
class Known extends Endpoint {
  socket: UdpSocket;
}

const KNOWN_PLACES: u32 = 64;
const KNOWN_SIZE: usize = (offsetof<Known>() + 7) & ~7;
/** No port. */
const NOBODY: u32 = u32.MAX_VALUE;

/** Bytes of storage for initializeUdpSockets. */
export const UDP_SOCKETS_STORAGE: usize =
  FLOW_SIZE * 2 +
  KNOWN_SIZE * KNOWN_PLACES +
  POOL_SIZE * 2 +
  ((offsetof<NameTable>() + 7) & ~7) +
  (sizeof<usize>() << NAME_ORDER) +
  LINK_SIZE * FLOW_BUCKETS;

/** Of the datagram that is being looked at, and of the one that is being sent. Neither outlives the call that filled it in. */
export let incoming: Flow = changetype<Flow>(0);
export let outgoing: Flow = changetype<Flow>(0);

let pool: Pool = changetype<Pool>(0);
let names: NameTable = changetype<NameTable>(0);
/** Heads of the lists of those that are connected, by the keyed hash of their flow: a peer that chooses its ports cannot aim. */
let flows: usize = 0;
/** KNOWN_PLACES × Known, each in the place that its port names. */
let known: usize = 0;
/** A port that belongs to the kernel, 0 for none. */
let claimedPort: u32 = 0;

/** `storage`: UDP_SOCKETS_STORAGE bytes, zeroed; `limit`: most sockets. */
export function initializeUdpSockets(storage: usize, limit: u32): void {
  incoming = changetype<Flow>(storage);
  outgoing = changetype<Flow>(storage + FLOW_SIZE);
  storage += FLOW_SIZE * 2;
  known = storage;
  for (let place: u32 = 0; place < KNOWN_PLACES; place++) forget(place);
  storage += KNOWN_SIZE * KNOWN_PLACES;
  pool = changetype<Pool>(storage);
  pool.initialize(offsetof<UdpSocket>(), limit);
  const namePool = changetype<Pool>(storage + POOL_SIZE);
  names = changetype<NameTable>(storage + POOL_SIZE * 2);
  storage = changetype<usize>(names) + ((offsetof<NameTable>() + 7) & ~7);
  names.initialize(namePool, limit, storage, NAME_ORDER);
  flows = storage + (sizeof<usize>() << NAME_ORDER);
  for (let i: u32 = 0; i < FLOW_BUCKETS; i++) changetype<Link>(flows + <usize>i * LINK_SIZE).initialize();
  claimedPort = 0;
}

export function udpPool(): Pool {
  return pool;
}

export function setClaimedPort(port: u32): void {
  claimedPort = port;
}

// @ts-ignore: decorator
@inline
function flowBucket(flow: Flow): Link {
  return changetype<Link>(
    flows + <usize>((<u32>flowHash(flow, HASH_TABLE)) & (FLOW_BUCKETS - 1)) * LINK_SIZE,
  );
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
  socket.receiveLimit = UDP_QUEUE_BYTES;
  socket.room = UDP_QUEUE_COUNT;
  socket.flow.clearIpv4();
  addSocketLevel(socket, POLL_LEVEL_DEFAULT);
  return socket;
}

/** Gives back a socket whose queue is empty. */
export function freeUdpSocket(socket: UdpSocket): void {
  const place = socket.place;
  if (place !== null) {
    forget(place.port);
    if (socket.has(UDP_CONNECTED)) socket.link.remove();
    else unserve(place, socket.link);
    names.unbind(place, (socket.flags & SOCKET_REUSE) != 0);
  }
  removeSocketLevel(socket);
  pool.release(changetype<usize>(socket));
}

/** Is `name` taken for a socket that shares it, or not? */
function isTaken(name: Endpoint, shares: bool): bool {
  return name.port == claimedPort || (names.users(name) & (shares ? NAME_EXCLUSIVE : NAME_BOUND)) != 0;
}

/** Binds to `name`, of which port 0 stands for an ephemeral one. 0, -EADDRINUSE or -ENOBUFS. The address was checked. */
export function bindUdpSocket(socket: UdpSocket, name: Endpoint): i32 {
  const local = socket.flow.local;
  local.copy(name);
  const result = findPlace(socket);
  if (result < 0) {
    socket.clearAddress(local);
    local.port = 0;
  }
  return result;
}

function findPlace(socket: UdpSocket): i32 {
  const local = socket.flow.local;
  const shares = (socket.flags & SOCKET_REUSE) != 0;
  if (local.port == 0 ? !chooseEphemeral(local) : isTaken(local, shares)) return -EADDRINUSE;
  const place = names.bind(local, shares);
  if (place === null) return -ENOBUFS;
  socket.place = place;
  socket.status |= UDP_BOUND;
  forget(place.port);
  serve(place, socket.link);
  return 0;
}

/**
 * Gives `name` a free port: a random one, or one that a random odd step leads to from there (RFC 6056, 3.3.2). False: all that were looked at are taken. As there are sockets for a
 * quarter of the ports at most (kernel/main.ts), that does not happen.
 */
function chooseEphemeral(name: Endpoint): bool {
  let offset = random32();
  const step = random32() | 1;
  for (let tries: u32 = 0; tries < EPHEMERAL_TRIES; tries++) {
    name.port = EPHEMERAL_FIRST + (offset & (EPHEMERAL_COUNT - 1));
    if (!isTaken(name, false)) return true;
    offset += step;
  }
  return false;
}

// ---- Whom a datagram is for ----

/** A socket that is bound has the peer now that its flow says: datagrams of others are not for it. */
export function udpConnected(socket: UdpSocket): void {
  forget(socket.place!.port);
  unserve(socket.place!, socket.link);
  flowBucket(socket.flow).prepend(socket.link);
  socket.status |= UDP_CONNECTED;
}

/** It has none any more. */
export function udpDisconnected(socket: UdpSocket): void {
  socket.link.remove();
  socket.status &= ~UDP_CONNECTED;
  forget(socket.place!.port);
  serve(socket.place!, socket.link);
}

/** SOCKET_REUSE of the socket is another one. */
export function udpShared(socket: Socket): void {
  const place = changetype<UdpSocket>(socket).place;
  if (place !== null) nameShared(place, (socket.flags & SOCKET_REUSE) != 0);
}

// @ts-ignore: decorator
@inline
function knownOf(port: u32): Known {
  return changetype<Known>(known + <usize>(port & (KNOWN_PLACES - 1)) * KNOWN_SIZE);
}

/** Something is about to change at a port. */
function forget(port: u32): void {
  knownOf(port).port = NOBODY;
}

/** As searchUdpSocket says, in 13 instructions instead of 130 where datagrams to this name have come of late. */
// @ts-ignore: decorator
@inline
export function findUdpSocket(flow: Flow): UdpSocket | null {
  const local = flow.local;
  const place = knownOf(local.port);
  return place.port == local.port && place.same(local) ? place.socket : searchUdpSocket(flow);
}

/**
 * The socket for a datagram: the one that is connected to its sender, else the latest that is bound to its address, or to every address, without a peer. Null: none.
 */
function searchUdpSocket(flow: Flow): UdpSocket | null {
  let found: UdpSocket | null = null;
  let connected: u32 = 0;
  for (let width: u32 = 0; width < NAME_WIDTHS; width++) {
    const entry = names.covering(flow.local, width);
    if (entry === null) continue;
    connected += entry.sockets - entry.served;
    if (found === null && entry.served != 0) found = UdpSocket.ofLink(entry.list.next);
  }
  if (connected == 0) {
    if (found !== null) remember(flow.local, found);
    return found;
  }
  const peer = findConnected(flow);
  return peer !== null ? peer : found;
}

function remember(name: Endpoint, socket: UdpSocket): void {
  const place = knownOf(name.port);
  place.copy(name);
  place.socket = socket;
}

function findConnected(flow: Flow): UdpSocket | null {
  const head = flowBucket(flow);
  for (let link = head.next; changetype<usize>(link) != changetype<usize>(head); link = link.next) {
    const socket = UdpSocket.ofLink(link);
    if (socket.flow.same(flow)) return socket;
  }
  return null;
}
