/**
 * What could keep interrupts off for long (spec/boot/aem/sections.test.ts), each in a child of its own or with one, so that the end of it is measured as well.
 *
 *     row done CASE RESULT      what it was worth; the test counts the instructions
 */
import {
  AF_INET,
  AF_INET6,
  EADDRINUSE,
  EAGAIN,
  ECONNRESET,
  EINPROGRESS,
  EVF_PRIORITY,
  EVF_THREAD,
  FORK_EVENTS,
  IOV_MAX,
  INADDR_LOOPBACK,
  SOCKADDR6_SIZE,
  SOCKADDR_SIZE,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_SOCKET,
  SO_DROPS,
  SO_RCVBUF,
  SO_REUSEADDR,
  bind,
  bindUdp,
  close,
  connect,
  enter_keepalive,
  exit,
  fork,
  getOption,
  getrandom,
  iovec,
  listen,
  listenTcp,
  nanosleep,
  onClose,
  onRead,
  onTimer,
  recv,
  sendto,
  setAddress,
  setAddress6,
  setOption,
  socket,
  spawn,
  waitpid,
  writev,
  accept,
} from "../../../../sdk";
import { row } from "../report";
import { cleanConnections, cleanDatagrams, cleanMessages, cleanStream, endMessages } from "./waiting";

const MILLISECOND: i64 = 1_000_000;
/** As many as one socket can have (EVENTS_PER_SOCKET), and a process threads. */
const EVENTS: i32 = 32;
const THREADS: i32 = 64;
const SHARERS: i32 = 32;
const TRAPS: i32 = 8;
const DEPTH: i32 = 40;
const UDP_PORT: u32 = 3000;
const TCP_PORT: u32 = 3001;
const LONGEST: usize = 65507;
/** Ephemeral ports. */
const PORTS: i32 = 28232;

const address = memory.data(32, 8);
const word = memory.data(8, 8);

/** Status of the child, or the errno. */
export function ended(pid: i32): i32 {
  if (pid < 0) return pid;
  const result = waitpid(pid, word, 0);
  return result < 0 ? result : load<i32>(word);
}

// ---- A spawn ----

function spawnWide(): i32 {
  const name = String.UTF8.encodeUnsafe(changetype<usize>("wide"), 4, word);
  return ended(spawn(word, <i32>name, 0));
}

// ---- Traps ----

/** Nothing of all this is known to a compiler. */
let zero: i32 = 0;
let sum: i32 = 0;

function odd(depth: i32): void {
  call_indirect<void>(even.index, depth - 1);
  sum += depth;
}

function even(depth: i32): void {
  if (depth > 1) call_indirect<void>(odd.index, depth - 1);
  else if (depth == 1) sum = 1 / zero;
  else sum = load<i32>(0x7fff_0000 + <usize>zero);
  sum += depth;
}

function divide(jid: i32, overrun: i32): void {
  odd(DEPTH);
}

function readBeyond(jid: i32, overrun: i32): void {
  odd(DEPTH + 1);
}

/** Each has a higher level than the one before it, and its time comes while that one is being reported. */
function trap(): i32 {
  let traps = 0;
  for (let n = 0; n < TRAPS; n++) {
    if (fork(0) != 0) continue;
    onTimer(20 * MILLISECOND + <i64>n * 65_536, 0, n & 1 ? divide : readBeyond, EVF_PRIORITY(40 + n));
    enter_keepalive();
  }
  for (let n = 0; n < TRAPS; n++) {
    waitpid(-1, word, 0);
    if (load<i32>(word) >= 64) traps++;
  }
  return traps;
}

// ---- Events of one socket ----

function readData(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {}

function closed(jid: i32, fd: i32, error: i32): void {}

/** Every level once, the highest first: whoever leaves was the highest so far. */
function readers(fd: i32, count: i32): void {
  for (let n = 0; n < count; n++) {
    const jid = onRead(fd, readData, EVF_PRIORITY(60 - n));
    if (jid < 0) row("failed", jid, n);
  }
}

function closeDatagrams(): i32 {
  const fd = bindUdp(UDP_PORT);
  readers(fd, EVENTS);
  return close(fd);
}

/** Not by a call of its own: the events go with the process. */
function endDatagrams(): i32 {
  const pid = fork(0);
  if (pid != 0) return ended(pid);
  readers(bindUdp(UDP_PORT), EVENTS);
  return (exit(0), 0);
}

/** The next connection of a listener that does not block: the last acknowledgement of a handshake may still be under way when the client is connected. */
export function acceptOne(listener: i32): i32 {
  let fd = accept(listener, 0, 0);
  for (let tries = 0; tries < 100 && fd == -EAGAIN; tries++) {
    nanosleep(MILLISECOND);
    fd = accept(listener, 0, 0);
  }
  return fd;
}

function closeConnection(): i32 {
  const listener = listenTcp(TCP_PORT);
  const client = socket(AF_INET, SOCK_STREAM, 0);
  setAddress(address, INADDR_LOOPBACK, TCP_PORT);
  const connected = connect(client, address, SOCKADDR_SIZE);
  const server = acceptOne(listener);
  readers(server, EVENTS >> 1);
  for (let n = 0; n < EVENTS >> 1; n++) onClose(server, closed, EVF_PRIORITY(20));
  close(server);
  close(client);
  close(listener);
  return connected;
}

/** Sends one datagram to all of them. */
function tell(): void {
  const sender = socket(AF_INET, SOCK_DGRAM, 0);
  setAddress(address, INADDR_LOOPBACK, UDP_PORT);
  sendto(sender, address, 8, 0, address, SOCKADDR_SIZE);
  close(sender);
}

/** `sharers` processes more with copies of `events` events on one socket, all of which hear of a datagram, and end one process after the other. */
function share(events: i32, sharers: i32): i32 {
  const fd = bindUdp(UDP_PORT);
  readers(fd, events);
  let forked = 0;
  for (let n = 0; n < sharers; n++) {
    const pid = fork(FORK_EVENTS);
    if (pid > 0) forked++;
    if (pid != 0) continue;
    // Handlers run behind it.
    nanosleep(20 * MILLISECOND);
    exit(0);
  }
  tell();
  close(fd);
  for (let n = 0; n < forked; n++) if (waitpid(-1, word, 0) < 0 || load<i32>(word) != 0) return -1;
  return forked;
}

/** A datagram as long as there can be, to ourselves: sent in fragments, put together and given to a handler, or read. How many bytes came. */
function longDatagram(reading: i32): i32 {
  received = 0;
  const fd = bindUdp(UDP_PORT);
  const buffer = heap.alloc(LONGEST);
  memory.fill(buffer, 7, LONGEST);
  if (reading == 0) onRead(fd, takeLong);
  setAddress(address, INADDR_LOOPBACK, UDP_PORT);
  const sent = sendto(fd, buffer, <i32>LONGEST, 0, address, SOCKADDR_SIZE);
  if (reading != 0) {
    nanosleep(20 * MILLISECOND);
    received = recv(fd, buffer, <i32>LONGEST, 0);
  } else for (let tries = 0; tries < 100 && received == 0; tries++) nanosleep(MILLISECOND);
  heap.free(buffer);
  close(fd);
  return sent < 0 ? sent : received;
}

let received: i32 = 0;

function takeLong(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {
  received = length;
}

/** A socket with the largest receive buffer of datagrams, full, is closed: how many there were. */
function closeFull(): i32 {
  const fd = bindUdp(UDP_PORT);
  setOption(fd, SOL_SOCKET, SO_RCVBUF, i32.MAX_VALUE);
  setAddress(address, INADDR_LOOPBACK, UDP_PORT);
  let held = -1;
  while (getOption(fd, SOL_SOCKET, SO_DROPS) == 0 && held < 10_000) {
    sendto(fd, address, 8, 0, address, SOCKADDR_SIZE);
    held++;
  }
  close(fd);
  return held;
}

/** A stream, then a datagram, of as many pieces as there can be, an octet each; to ourselves. How many bytes were taken. */
function manyPieces(): i32 {
  const vector = heap.alloc(IOV_MAX * 8);
  for (let n = 0; n < IOV_MAX; n++) {
    const piece = changetype<iovec>(vector + 8 * <usize>n);
    piece.base = vector + <usize>n;
    piece.length = 1;
  }
  const listener = listenTcp(TCP_PORT);
  const client = socket(AF_INET, SOCK_STREAM, 0);
  setAddress(address, INADDR_LOOPBACK, TCP_PORT);
  connect(client, address, SOCKADDR_SIZE);
  const server = acceptOne(listener);
  let sent = writev(client, vector, IOV_MAX);
  const fd = bindUdp(UDP_PORT);
  setAddress(address, INADDR_LOOPBACK, UDP_PORT);
  connect(fd, address, SOCKADDR_SIZE);
  sent += writev(fd, vector, IOV_MAX);
  close(fd);
  close(server);
  close(client);
  close(listener);
  heap.free(vector);
  return sent;
}

// ---- Ports ----

/** Opens connections to a listener that takes no more, so that each stays half open, until there is no port left for one. The last errno, if so many were opened. */
function exhaustPorts(): i32 {
  const listener = listenTcp(TCP_PORT, 1, AF_INET6);
  const fds = heap.alloc((<usize>(PORTS + 1)) << 2);
  setAddress6(address, 0, 1, TCP_PORT);
  let opened = 0;
  let result = 0;
  while (opened <= PORTS) {
    const fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);
    store<i32>(fds + ((<usize>opened) << 2), fd);
    result = fd < 0 ? fd : connect(fd, address, SOCKADDR6_SIZE);
    if (result != -EINPROGRESS && result != 0) break;
    opened++;
  }
  for (let n = 0; n <= opened; n++) close(load<i32>(fds + ((<usize>n) << 2)));
  close(listener);
  heap.free(fds);
  return opened == PORTS ? result : opened;
}

/** Streams, and datagrams, that share one port, each with a peer of its own. */
const STREAMS: i32 = 10_000;
const DATAGRAMS: i32 = 4000;
const SHARED_PORT: u32 = 3002;

/** A socket of `type` that shares SHARED_PORT; or the errno. */
function sharePort(type: i32): i32 {
  const fd = socket(AF_INET, type, 0);
  if (fd < 0) return fd;
  setOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  setAddress(address, 0, SHARED_PORT);
  const bound = bind(fd, address, SOCKADDR_SIZE);
  return bound < 0 ? bound : fd;
}

/** `count` sockets share a port; one is served, with a connection or a datagram; then all are closed, the first of them first. How many. */
function manyShare(type: i32, count: i32): i32 {
  const fds = heap.alloc((<usize>count) << 2);
  let shared = 0;
  for (let n = 0; n < count; n++) {
    const fd = sharePort(type);
    if (fd < 0) {
      row("failed", fd, n);
      break;
    }
    store<i32>(fds + ((<usize>shared) << 2), fd);
    shared++;
    if (type != SOCK_DGRAM) continue;
    setAddress(address, INADDR_LOOPBACK, 10_000 + n);
    connect(fd, address, SOCKADDR_SIZE);
  }
  // Bound by itself it has to look at all of them, or at none.
  const alone = socket(AF_INET, type, 0);
  setAddress(address, INADDR_LOOPBACK, SHARED_PORT);
  if (bind(alone, address, SOCKADDR_SIZE) != -EADDRINUSE) row("failed", 1);
  close(alone);
  if (type == SOCK_DGRAM) {
    const one = load<i32>(fds + ((<usize>count) << 1));
    const sender = bindUdp(10_000 + count / 2);
    setAddress(address, INADDR_LOOPBACK, SHARED_PORT);
    sendto(sender, address, 8, 0, address, SOCKADDR_SIZE);
    if (recv(one, address, 8, 0) != 8) row("failed", 2);
    close(sender);
  } else {
    const one = load<i32>(fds + ((<usize>count) << 1));
    if (listen(one, 5) != 0) row("failed", 3);
    const client = socket(AF_INET, SOCK_STREAM, 0);
    setAddress(address, INADDR_LOOPBACK, SHARED_PORT);
    if (connect(client, address, SOCKADDR_SIZE) != 0) row("failed", 4);
    close(client);
  }
  for (let n = 0; n < shared; n++) close(load<i32>(fds + ((<usize>n) << 2)));
  heap.free(fds);
  return shared;
}

/** Connections that wait to be accepted, of two kinds of end. */
const WAITING: i32 = 1000;

/** A listener is closed, or ends with its process, while connections wait at it. How many of them were reset. */
function closeWaiting(ends: i32): i32 {
  const pid = ends != 0 ? fork(0) : -1;
  if (pid > 0) return ended(pid);
  const listener = listenTcp(TCP_PORT, WAITING);
  setAddress(address, INADDR_LOOPBACK, TCP_PORT);
  const fds = heap.alloc((<usize>WAITING) << 2);
  for (let n = 0; n < WAITING; n++) {
    const fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, address, SOCKADDR_SIZE) != 0) row("failed", n);
    store<i32>(fds + ((<usize>n) << 2), fd);
  }
  if (ends != 0) exit(WAITING / 100);
  close(listener);
  let reset = 0;
  for (let n = 0; n < WAITING; n++) {
    const fd = load<i32>(fds + ((<usize>n) << 2));
    if (recv(fd, word, 4, 0) == -ECONNRESET) reset++;
    close(fd);
  }
  heap.free(fds);
  return reset;
}

// ---- Threads ----

function sleep(jid: i32, overrun: i32): void {
  nanosleep(1000 * MILLISECOND);
}

/** 0: it ends while its threads have nothing to do; else while each of them sleeps in a handler. */
function endThreads(busy: i32): i32 {
  const pid = fork(0);
  if (pid != 0) return ended(pid);
  if (busy == 0) onTimer(1000 * MILLISECOND, 0, sleep, EVF_THREAD);
  else for (let n = 0; n < THREADS; n++) onTimer(MILLISECOND, 0, sleep, EVF_THREAD);
  nanosleep(20 * MILLISECOND);
  return (exit(0), 0);
}

// ---- Random bytes ----

/** As many as one call gives. */
const RANDOM: i32 = 0x100000;

function randomBytes(): i32 {
  const bytes = heap.alloc(RANDOM);
  const filled = getrandom(bytes, RANDOM, 0);
  heap.free(bytes);
  return filled;
}

export function main(): i32 {
  row("done", 1, spawnWide());
  row("done", 2, trap());
  row("done", 3, closeDatagrams());
  row("done", 4, endDatagrams());
  row("done", 5, closeConnection());
  row("done", 6, share(EVENTS, 3));
  row("done", 7, share(1, SHARERS));
  row("done", 8, endThreads(0));
  row("done", 9, endThreads(1));
  row("done", 10, longDatagram(0));
  row("done", 11, longDatagram(1));
  row("done", 12, manyPieces());
  row("done", 13, exhaustPorts());
  row("done", 14, manyShare(SOCK_STREAM, STREAMS));
  row("done", 15, manyShare(SOCK_DGRAM, DATAGRAMS));
  row("done", 16, closeWaiting(0));
  row("done", 17, closeWaiting(1));
  row("done", 18, randomBytes());
  row("done", 19, cleanConnections());
  row("done", 20, cleanStream());
  row("done", 21, cleanDatagrams());
  row("done", 22, cleanMessages());
  row("done", 23, endMessages(0));
  row("done", 24, endMessages(1));
  row("done", 25, closeFull());
  return 0;
}
