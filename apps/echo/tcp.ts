/**
 * Echo over TCP. A read handler sends what it was given. When the socket takes less than all (the client sends and does not
 * read), the handler keeps its block, reading stops, and a sock handler goes on as room comes: so a connection never holds more than
 * one block, and the client's own window closes.
 */
import {
  AF_INET6,
  Deadline,
  DeadlineList,
  EAGAIN,
  EVJOBSTART,
  EVJOBSTOP,
  MSG_DONTWAIT,
  Pool,
  close,
  evctl,
  listenTcp,
  onAccept,
  onClose,
  onRead,
  onSock,
  send,
  startDeadlines,
  vmtable_free,
  vmtable_keep,
  vmtableSize,
} from "../../sdk";

const PORT: u32 = 7;
const BACKLOG: i32 = 256;
/** Connections at once; one more is closed as it comes. Descriptors are below it, but for the few of the process itself. */
const CONNECTION_LIMIT: u32 = 8192;
const DESCRIPTOR_LIMIT: u32 = CONNECTION_LIMIT + 16;
/** Seconds without any progress after which a client that does not read is dropped. */
const STALL_SECONDS: u32 = 60;


@unmanaged
class Connection extends Deadline {
  fd: i32;
  readJid: i32;
  /** 0: not registered yet. */
  sockJid: i32;
  /** The kept block; 0: none, and reading goes on. */
  block: usize;
  /** Bytes of it that were sent, and that there are. */
  sent: i32;
  length: i32;
}

const pool = changetype<Pool>(heap.alloc(offsetof<Pool>()));
const stalled = changetype<DeadlineList>(heap.alloc(offsetof<DeadlineList>()));
/** Address of the connection of each descriptor, or 0. */
const connections = heap.alloc((<usize>DESCRIPTOR_LIMIT) << 2);
let kept: u32 = 0;
/** Most bytes of kept blocks: three quarters of the zone, so that slow clients do not starve the others. */
let keptLimit: u32 = 0;

/** 0 or more, or a negative errno. */
export function startTcp(): i32 {
  pool.initialize(offsetof<Connection>(), CONNECTION_LIMIT);
  stalled.initialize(STALL_SECONDS, expired);
  keptLimit = <u32>((vmtableSize() / 4) * 3);
  memory.fill(connections, 0, (<usize>DESCRIPTOR_LIMIT) << 2);
  const error = startDeadlines();
  if (error < 0) return error;
  const fd = listenTcp(PORT, BACKLOG, AF_INET6);
  if (fd < 0) return fd;
  return onAccept(fd, accepted);
}

function accepted(jid: i32, listener: i32, fd: i32): void {
  if (fd < 0) return;
  const address = <u32>fd < DESCRIPTOR_LIMIT ? pool.take() : 0;
  if (address == 0) {
    close(fd);
    return;
  }
  const connection = changetype<Connection>(address);
  connection.clear();
  connection.fd = fd;
  connection.sockJid = 0;
  connection.block = 0;
  store<usize>(connections + ((<usize>fd) << 2), address);
  connection.readJid = onRead(fd, received);
  if (connection.readJid < 0 || onClose(fd, closed) < 0) drop(connection);
}

function find(fd: i32): usize {
  return <u32>fd < DESCRIPTOR_LIMIT ? load<usize>(connections + ((<usize>fd) << 2)) : 0;
}

function received(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {
  const address = find(fd);
  if (address == 0) return;
  const connection = changetype<Connection>(address);
  // The end of the stream is the close handler's.
  if (length <= 0) return;
  const sent = send(fd, data, length, MSG_DONTWAIT);
  if (sent == length) return;
  if (sent < 0 && sent != -EAGAIN) return drop(connection);
  hold(connection, data, max(sent, 0), length);
}

/** Bytes of the zone that a block of `length` > 0 bytes takes: a power of two. */
function blockSize(length: i32): u32 {
  return (<u32>1) << (32 - clz<u32>(max<u32>(<u32>length, 64) - 1));
}

/** Keeps the handler's block, of which `sent` bytes are done, and stops reading. */
function hold(connection: Connection, data: usize, sent: i32, length: i32): void {
  const size = blockSize(length);
  if (kept + size > keptLimit || vmtable_keep(data) < 0) return drop(connection);
  kept += size;
  connection.block = data;
  connection.sent = sent;
  connection.length = length;
  stalled.start(connection);
  evctl(connection.readJid, EVJOBSTOP, 0);
  if (connection.sockJid == 0) {
    const jid = onSock(connection.fd, ready);
    if (jid < 0) return drop(connection);
    connection.sockJid = jid;
  } else {
    evctl(connection.sockJid, EVJOBSTART, 0);
  }
  // Room that came before the event was on is not reported.
  resume(connection);
}

function ready(jid: i32, fd: i32, events: i32, error: i32): void {
  const address = find(fd);
  if (address == 0) return;
  const connection = changetype<Connection>(address);
  if (connection.block != 0) resume(connection);
}

/** Sends of the kept block what there is room for; reading goes on when it is all gone. */
function resume(connection: Connection): void {
  const rest = connection.length - connection.sent;
  const sent = send(connection.fd, connection.block + connection.sent, rest, MSG_DONTWAIT);
  if (sent < 0) {
    if (sent != -EAGAIN) drop(connection);
    return;
  }
  connection.sent += sent;
  if (sent < rest) {
    if (sent > 0) stalled.start(connection);
    return;
  }
  release(connection);
  evctl(connection.sockJid, EVJOBSTOP, 0);
  evctl(connection.readJid, EVJOBSTART, 0);
}

function release(connection: Connection): void {
  if (connection.block == 0) return;
  connection.stop();
  vmtable_free(connection.block);
  kept -= blockSize(connection.length);
  connection.block = 0;
}

/**
 * The client has closed, or the connection has failed. It comes behind all data, and data come only while nothing is kept: all
 * has been sent.
 */
function closed(jid: i32, fd: i32, error: i32): void {
  const address = find(fd);
  if (address != 0) drop(changetype<Connection>(address));
}

/** Lets go of everything; the events go with the descriptor. */
function drop(connection: Connection): void {
  release(connection);
  store<usize>(connections + ((<usize>connection.fd) << 2), 0);
  close(connection.fd);
  pool.give(changetype<usize>(connection));
}

/** Its client has not read for STALL_SECONDS. */
function expired(connection: usize): void {
  drop(changetype<Connection>(connection));
}
