/**
 * Who a segment is for. Tables are indexed by a keyed hash of the flow (SipHash: a peer cannot aim at a bucket): one with a chain for each
 * kind of thing that is open, a connection or a half-open request, and one for connections in TIME-WAIT, of which there may be several times as many. A third
 * table holds the bound sockets by local name, listeners among them (net/socket/names.ts).
 *
 * In front of them stand the connections that had a segment of late, each in the place that a plain sum of its flow names: 30 instructions, where the keyed hash takes
 * 220; and half-open requests in the same way, most of which hear of the peer once more. Whoever aims at a place drives out who stands there, and costs him the hash, as it was
 * without the place. The headers of a segment are compared as they stand: its flow is copied only when that has not found its connection.
 */
import { allocateFrames, FRAME_SIZE } from "../../../kernel/memory/frames";
import { ENOBUFS } from "../../../kernel/errno";
import { Pool } from "../../../kernel/memory/pool";
import { PacketBuffer } from "../../buffer";
import { Endpoint, Flow, FLOW_SIZE, flowHash, HASH_TABLE } from "../../flow";
import { isOfFlow4, isVersion6, receivedFlow } from "../../ip";
import { Ipv4Header } from "../../wire/ipv4";
import { PortsHeader } from "../../wire/ports";
import {
  LocalName,
  NAME_BOUND,
  NAME_EXCLUSIVE,
  NAME_SERVED,
  NAME_WIDTHS,
  nameShared,
  NameTable,
} from "../names";
import { SOCKET_REUSE } from "../socket";
import { connectionOfLink, IS_HASHED, TcpConnection } from "./connection";
import { TcpRequest } from "./request";
import { TimeWait } from "./timewait";


@unmanaged
class Bucket {
  connections: TcpConnection | null;
  requests: TcpRequest | null;
}

const BUCKET_SIZE: usize = offsetof<Bucket>();
/** Most buckets of local names, which are ports for the most part. */
const NAME_BUCKETS_MOST: u32 = 65536;
/** Bytes of what `initializeDemux` has room for at `storage`. */
export const DEMUX_STORAGE: usize = FLOW_SIZE + offsetof<NameTable>() + offsetof<Pool>();

const RECENT_PLACES: u32 = 1024;

let recent: usize = 0;
let recentRequests: usize = 0;
let buckets: usize = 0;
let bucketMask: u32 = 0;
let timeWaits: usize = 0;
let timeWaitMask: u32 = 0;
let names: NameTable = changetype<NameTable>(0);

/** A flow that is looked for. It does not outlive the call that filled it in. */
export let wanted: Flow = changetype<Flow>(0);

/**
 * `connections`, `waiting`: most that there may be, in TIME-WAIT the latter; there is a bucket for each of the former, and for two of the latter. `storage`:
 * DEMUX_STORAGE bytes, zeroed. False: no memory.
 */
export function initializeDemux(connections: u32, waiting: u32, storage: usize): bool {
  wanted = changetype<Flow>(storage);
  names = changetype<NameTable>(storage + FLOW_SIZE);
  bucketMask = powerFrom(connections) - 1;
  timeWaitMask = powerFrom(waiting / 2) - 1;
  const places = min(powerFrom(connections), NAME_BUCKETS_MOST);
  recent = takeTable(<usize>RECENT_PLACES * sizeof<usize>());
  recentRequests = takeTable(<usize>RECENT_PLACES * sizeof<usize>());
  buckets = takeTable(<usize>(bucketMask + 1) * BUCKET_SIZE);
  timeWaits = takeTable(<usize>(timeWaitMask + 1) * sizeof<usize>());
  const ports = takeTable(<usize>places * sizeof<usize>());
  const pool = changetype<Pool>(changetype<usize>(names) + offsetof<NameTable>());
  names.initialize(pool, connections, ports, ctz(places));
  return recent != 0 && recentRequests != 0 && buckets != 0 && timeWaits != 0 && ports != 0;
}

/** The power of two that is `count` at least, and 256. */
function powerFrom(count: u32): u32 {
  let power: u32 = 256;
  while (power < count) power <<= 1;
  return power;
}

function takeTable(bytes: usize): usize {
  let order: u32 = 0;
  while (FRAME_SIZE << order < bytes) order++;
  const table = allocateFrames(order);
  if (table != 0) memory.fill(table, 0, bytes);
  return table;
}

// @ts-ignore: decorator
@inline
function bucketOf(hash: u32): Bucket {
  return changetype<Bucket>(buckets + <usize>(hash & bucketMask) * BUCKET_SIZE);
}

// ---- Connections ----

/** Where a place is in its table: not the same for both ends of a connection of this machine with itself. `remote`: the last four bytes of the address. */
// @ts-ignore: decorator
@inline
function placeOf(remote: u32, remotePort: u32, localPort: u32): usize {
  return <usize>((remote + remotePort - localPort) & (RECENT_PLACES - 1)) * sizeof<usize>();
}

// @ts-ignore: decorator
@inline
function placeOfFlow(flow: Flow): usize {
  return placeOf(<u32>flow.remote.low, flow.remote.port, flow.local.port);
}

// @ts-ignore: decorator
@inline
function recentPlace(flow: Flow): usize {
  return recent + placeOfFlow(flow);
}

/** The connection of `flow`, if it was the last one of its place; who gets null asks findConnection. */
// @ts-ignore: decorator
@inline
export function findRecent(flow: Flow): TcpConnection | null {
  const c = changetype<TcpConnection | null>(load<usize>(recentPlace(flow)));
  return c !== null && c.flow.same(flow) ? c : null;
}

/** The same of a received segment, whose ports have to be there. */
// @ts-ignore: decorator
@inline
export function findRecentOf(buffer: PacketBuffer): TcpConnection | null {
  if (isVersion6(buffer.networkHeader)) return findRecent6(buffer);
  const header = changetype<Ipv4Header>(buffer.networkHeader);
  const ports = changetype<PortsHeader>(buffer.data);
  const place = placeOf(header.source, ports.sourcePort, ports.destinationPort);
  const c = changetype<TcpConnection | null>(load<usize>(recent + place));
  return c !== null && isOfFlow4(c.flow, header, ports) ? c : null;
}

function findRecent6(buffer: PacketBuffer): TcpConnection | null {
  receivedFlow(wanted, buffer);
  return findRecent(wanted);
}

export function findConnection(hash: u32, flow: Flow): TcpConnection | null {
  let c = bucketOf(hash).connections;
  while (c !== null) {
    if (c.flow.same(flow)) {
      store<usize>(recentPlace(flow), changetype<usize>(c));
      return c;
    }
    c = c.hashNext;
  }
  return null;
}

/** `hash`: that of its flow. It will have a segment soon. */
export function insertConnection(c: TcpConnection, hash: u32): void {
  c.hash = hash;
  store<usize>(recentPlace(c.flow), changetype<usize>(c));
  const bucket = bucketOf(c.hash);
  c.hashNext = bucket.connections;
  bucket.connections = c;
  c.status |= IS_HASHED;
}

export function removeConnection(c: TcpConnection): void {
  if (!c.has(IS_HASHED)) return;
  c.status &= ~IS_HASHED;
  const place = recentPlace(c.flow);
  if (load<usize>(place) == changetype<usize>(c)) store<usize>(place, 0);
  const bucket = bucketOf(c.hash);
  let other = bucket.connections;
  if (other === c) {
    bucket.connections = c.hashNext;
    return;
  }
  while (other !== null) {
    const next = other.hashNext;
    if (next === c) {
      other.hashNext = c.hashNext;
      return;
    }
    other = next;
  }
}

// ---- Requests ----

export function findRequest(hash: u32, flow: Flow): TcpRequest | null {
  let r = bucketOf(hash).requests;
  while (r !== null) {
    if (r.flow.same(flow)) return r;
    r = r.hashNext;
  }
  return null;
}

/** The request of `flow`, if it was the last one of its place; who gets null asks findRequest. */
export function findRecentRequest(flow: Flow): TcpRequest | null {
  const r = changetype<TcpRequest | null>(load<usize>(recentRequests + placeOfFlow(flow)));
  return r !== null && r.flow.same(flow) ? r : null;
}

export function insertRequest(r: TcpRequest): void {
  store<usize>(recentRequests + placeOfFlow(r.flow), changetype<usize>(r));
  const bucket = bucketOf(r.hash);
  r.hashNext = bucket.requests;
  bucket.requests = r;
}

export function removeRequest(r: TcpRequest): void {
  const place = recentRequests + placeOfFlow(r.flow);
  if (load<usize>(place) == changetype<usize>(r)) store<usize>(place, 0);
  const bucket = bucketOf(r.hash);
  let other = bucket.requests;
  if (other === r) {
    bucket.requests = r.hashNext;
    return;
  }
  while (other !== null) {
    const next = other.hashNext;
    if (next === r) {
      other.hashNext = r.hashNext;
      return;
    }
    other = next;
  }
}

// ---- TIME-WAIT ----

// @ts-ignore: decorator
@inline
function timeWaitBucket(hash: u32): usize {
  return timeWaits + <usize>(hash & timeWaitMask) * sizeof<usize>();
}

export function findTimeWait(hash: u32, flow: Flow): TimeWait | null {
  let t = changetype<TimeWait | null>(load<usize>(timeWaitBucket(hash)));
  while (t !== null) {
    if (t.isOf(flow)) return t;
    t = t.hashNext;
  }
  return null;
}

export function insertTimeWait(t: TimeWait, hash: u32): void {
  const bucket = timeWaitBucket(hash);
  t.hashNext = changetype<TimeWait | null>(load<usize>(bucket));
  store<usize>(bucket, changetype<usize>(t));
}

/** `flow`: that of `t`. */
export function removeTimeWait(t: TimeWait, flow: Flow): void {
  const bucket = timeWaitBucket(<u32>flowHash(flow, HASH_TABLE));
  let other = changetype<TimeWait | null>(load<usize>(bucket));
  if (other === t) {
    store<usize>(bucket, changetype<usize>(t.hashNext));
    return;
  }
  while (other !== null) {
    const next = other.hashNext;
    if (next === t) {
      other.hashNext = t.hashNext;
      return;
    }
    other = next;
  }
}

// ---- Local names ----

/** The listener for a segment to `name`; one that is bound to the address goes before one for all. */
export function findListener(name: Endpoint): TcpConnection | null {
  for (let width: u32 = 0; width < NAME_WIDTHS; width++) {
    const entry = names.covering(name, width);
    if (entry !== null && entry.served != 0) return connectionOfLink(entry.list.next);
  }
  return null;
}

/** Is a socket bound to a name that overlaps with `name`? `reuse`: one that lets others share it does not count, unless it listens. */
export function isBound(name: Endpoint, reuse: bool = false): bool {
  return (names.users(name) & (reuse ? NAME_EXCLUSIVE | NAME_SERVED : NAME_BOUND)) != 0;
}

/** Does another socket listen where one that does not is bound to? */
export function hasListener(place: LocalName): bool {
  return (names.users(place) & NAME_SERVED) != 0;
}

/** Binds `c` to its local end. 0, or -ENOBUFS. */
export function insertBound(c: TcpConnection): i32 {
  c.place = names.bind(c.flow.local, (c.flags & SOCKET_REUSE) != 0);
  return c.place === null ? -ENOBUFS : 0;
}

export function removeBound(c: TcpConnection): void {
  const place = c.place;
  if (place === null) return;
  names.unbind(place, (c.flags & SOCKET_REUSE) != 0);
  c.place = null;
}

/** SOCKET_REUSE of `c` is another one. */
export function reuseChanged(c: TcpConnection): void {
  const place = c.place;
  if (place !== null) nameShared(place, (c.flags & SOCKET_REUSE) != 0);
}
