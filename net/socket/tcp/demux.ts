/**
 * Who a segment is for. One table, indexed by a keyed hash of the four-tuple (sipHash: a peer cannot aim at a bucket),
 * with a chain for each kind of thing a four-tuple can be: a connection, a half-open request, a connection in
 * TIME-WAIT. A second table holds the bound sockets by local port, listeners among them.
 */
import { allocateFrames, FRAME_SIZE } from "../../../kernel/memory/frames";
import { sipHash } from "../../../kernel/random";
import { SOCKET_REUSE } from "../socket";
import { IS_BOUND, IS_HASHED, TcpConnection } from "./connection";
import { TcpRequest } from "./request";
import { TCP_LISTEN } from "./state";
import { TimeWait } from "./timewait";


@unmanaged
class Bucket {
  connections: TcpConnection | null;
  requests: TcpRequest | null;
  timeWaits: TimeWait | null;
  private pad: usize;
}

const BUCKET_SIZE: usize = offsetof<Bucket>();
const PORT_BUCKETS: u32 = 512;

let buckets: usize = 0;
let bucketMask: u32 = 0;
let ports: usize = 0;

/** `connections`: most there may be; a bucket for each. False: no memory. */
export function initializeDemux(connections: u32): bool {
  let count: u32 = 256;
  while (count < connections) count <<= 1;
  buckets = takeTable(<usize>count * BUCKET_SIZE);
  ports = takeTable(PORT_BUCKETS * sizeof<usize>());
  bucketMask = count - 1;
  return buckets != 0 && ports != 0;
}

function takeTable(bytes: usize): usize {
  let order: u32 = 0;
  while (FRAME_SIZE << order < bytes) order++;
  const table = allocateFrames(order);
  if (table != 0) memory.fill(table, 0, bytes);
  return table;
}

/** What the keyed hash is asked for: one tuple, several unrelated numbers. */
export const HASH_TABLE: u64 = 0;
export const HASH_SEQUENCE: u64 = 1;
export const HASH_TIMESTAMP: u64 = 2;
export const HASH_COOKIE: u64 = 3;

/** 64 keyed pseudo-random bits for a four-tuple and a purpose below 2^32. */
// @ts-ignore: decorator
@inline
export function tupleHash(local: u32, remote: u32, localPort: u32, remotePort: u32, purpose: u64): u64 {
  return sipHash(((<u64>local) << 32) | remote, (purpose << 32) | (localPort << 16) | remotePort);
}

// @ts-ignore: decorator
@inline
function bucketOf(hash: u32): Bucket {
  return changetype<Bucket>(buckets + <usize>(hash & bucketMask) * BUCKET_SIZE);
}

// ---- Connections ----

export function findConnection(
  hash: u32,
  local: u32,
  remote: u32,
  localPort: u32,
  remotePort: u32,
): TcpConnection | null {
  let c = bucketOf(hash).connections;
  while (c !== null) {
    if (
      c.remoteAddress == remote &&
      c.remotePort == <u16>remotePort &&
      c.localPort == <u16>localPort &&
      c.localAddress == local
    )
      return c;
    c = c.hashNext;
  }
  return null;
}

export function insertConnection(c: TcpConnection): void {
  c.hash = <u32>tupleHash(c.localAddress, c.remoteAddress, c.localPort, c.remotePort, HASH_TABLE);
  const bucket = bucketOf(c.hash);
  c.hashNext = bucket.connections;
  bucket.connections = c;
  c.status |= IS_HASHED;
}

export function removeConnection(c: TcpConnection): void {
  if (!c.has(IS_HASHED)) return;
  c.status &= ~IS_HASHED;
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

export function findRequest(
  hash: u32,
  local: u32,
  remote: u32,
  localPort: u32,
  remotePort: u32,
): TcpRequest | null {
  let r = bucketOf(hash).requests;
  while (r !== null) {
    if (
      r.remoteAddress == remote &&
      r.remotePort == <u16>remotePort &&
      r.localPort == <u16>localPort &&
      r.localAddress == local
    )
      return r;
    r = r.hashNext;
  }
  return null;
}

export function insertRequest(r: TcpRequest): void {
  const bucket = bucketOf(r.hash);
  r.hashNext = bucket.requests;
  bucket.requests = r;
}

export function removeRequest(r: TcpRequest): void {
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

export function findTimeWait(
  hash: u32,
  local: u32,
  remote: u32,
  localPort: u32,
  remotePort: u32,
): TimeWait | null {
  let t = bucketOf(hash).timeWaits;
  while (t !== null) {
    if (
      t.remoteAddress == remote &&
      t.remotePort == <u16>remotePort &&
      t.localPort == <u16>localPort &&
      t.localAddress == local
    )
      return t;
    t = t.hashNext;
  }
  return null;
}

export function insertTimeWait(t: TimeWait): void {
  const bucket = bucketOf(t.hash);
  t.hashNext = bucket.timeWaits;
  bucket.timeWaits = t;
}

export function removeTimeWait(t: TimeWait): void {
  const bucket = bucketOf(t.hash);
  let other = bucket.timeWaits;
  if (other === t) {
    bucket.timeWaits = t.hashNext;
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

/** Is the four-tuple in use by anything? */
export function tupleInUse(local: u32, remote: u32, localPort: u32, remotePort: u32): bool {
  const hash = <u32>tupleHash(local, remote, localPort, remotePort, HASH_TABLE);
  return (
    findConnection(hash, local, remote, localPort, remotePort) !== null ||
    findRequest(hash, local, remote, localPort, remotePort) !== null ||
    findTimeWait(hash, local, remote, localPort, remotePort) !== null
  );
}

// ---- Bound ports ----

// @ts-ignore: decorator
@inline
function portBucket(port: u32): usize {
  return ports + <usize>(port & (PORT_BUCKETS - 1)) * sizeof<usize>();
}

/** A socket bound to `port` whose address overlaps with `address` (0: every address). `reuse`: one that lets others share it does not count. */
export function findBound(address: u32, port: u32, reuse: bool = false): TcpConnection | null {
  let c = changetype<TcpConnection | null>(load<usize>(portBucket(port)));
  while (c !== null) {
    if (overlaps(c, address, port) && !(reuse && (c.flags & SOCKET_REUSE) != 0 && c.state != TCP_LISTEN))
      return c;
    c = c.boundNext;
  }
  return null;
}

// @ts-ignore: decorator
@inline
function overlaps(c: TcpConnection, address: u32, port: u32): bool {
  return c.localPort == <u16>port && (c.localAddress == address || c.localAddress == 0 || address == 0);
}

/** Does another socket listen where `self` is bound to? */
export function hasListener(self: TcpConnection): bool {
  let c = changetype<TcpConnection | null>(load<usize>(portBucket(self.localPort)));
  while (c !== null) {
    if (c !== self && c.state == TCP_LISTEN && overlaps(c, self.localAddress, self.localPort)) return true;
    c = c.boundNext;
  }
  return false;
}

/** The listener for a segment to `address` and `port`; one that is bound to the address goes before one for all. */
export function findListener(address: u32, port: u32): TcpConnection | null {
  let any: TcpConnection | null = null;
  let c = changetype<TcpConnection | null>(load<usize>(portBucket(port)));
  while (c !== null) {
    if (c.localPort == <u16>port && c.state == TCP_LISTEN) {
      if (c.localAddress == address) return c;
      if (c.localAddress == 0) any = c;
    }
    c = c.boundNext;
  }
  return any;
}

export function insertBound(c: TcpConnection): void {
  const bucket = portBucket(c.localPort);
  c.boundNext = changetype<TcpConnection | null>(load<usize>(bucket));
  store<usize>(bucket, changetype<usize>(c));
  c.status |= IS_BOUND;
}

export function removeBound(c: TcpConnection): void {
  if (!c.has(IS_BOUND)) return;
  c.status &= ~IS_BOUND;
  const bucket = portBucket(c.localPort);
  let other = changetype<TcpConnection | null>(load<usize>(bucket));
  if (other === c) {
    store<usize>(bucket, changetype<usize>(c.boundNext));
    return;
  }
  while (other !== null) {
    const next = other.boundNext;
    if (next === c) {
      other.boundNext = c.boundNext;
      return;
    }
    other = next;
  }
}
