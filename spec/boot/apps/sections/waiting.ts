/** What waits for events, and is dropped: by EVJOBCLEAN, by EVTBLINIT, and with the process. Each returns how much that was. */
import {
  AF_INET,
  ECONNRESET,
  EVJOBCLEAN,
  EVJOBSTOP,
  EVTBLINIT,
  INADDR_LOOPBACK,
  IPPROTO_TCP,
  SOCKADDR_SIZE,
  SOCK_DGRAM,
  SOCK_STREAM,
  TCP_NODELAY,
  bindUdp,
  close,
  connect,
  evctl,
  evpost,
  exit,
  fork,
  listenTcp,
  nanosleep,
  onAccept,
  onMessage,
  onRead,
  recv,
  send,
  sendto,
  setAddress,
  setsockopt,
  socket,
} from "../../../../sdk";
import { row } from "../report";
import { acceptOne, ended } from "./main";

const MILLISECOND: i64 = 1_000_000;
const TCP_PORT: u32 = 3003;
const UDP_PORT: u32 = 3004;
const CONNECTIONS: i32 = 1000;
const SEGMENTS: i32 = 400;
const SEGMENT: i32 = 500;
/** As many as a socket keeps (UDP_QUEUE_COUNT), and as can listen to one. */
const DATAGRAMS: i32 = 128;
const READERS: i32 = 32;
/** As many as an event keeps (MESSAGE_QUEUE), and events enough for all kinds of budgets. */
const MESSAGES: i32 = 64;
const LISTENERS: i32 = 64;

const address = memory.data(32, 8);
const word = memory.data(4, 4);

function accepted(jid: i32, fd: i32, connection: i32): void {}
function readData(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {}
function message(jid: i32, from: i32, data: usize, length: i32): void {}

/** Nothing of an event is delivered: it is stopped. */
function stopped(jid: i32): i32 {
  if (jid < 0 || evctl(jid, EVJOBSTOP, 0) < 0) row("failed", jid);
  return jid;
}

function toPort(port: u32): void {
  setAddress(address, INADDR_LOOPBACK, port);
}

export function cleanConnections(): i32 {
  const listener = listenTcp(TCP_PORT, CONNECTIONS);
  const jid = stopped(onAccept(listener, accepted));
  const fds = heap.alloc((<usize>CONNECTIONS) << 2);
  toPort(TCP_PORT);
  for (let n = 0; n < CONNECTIONS; n++) {
    const fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, address, SOCKADDR_SIZE) != 0) row("failed", n);
    store<i32>(fds + ((<usize>n) << 2), fd);
  }
  nanosleep(20 * MILLISECOND);
  const dropped = evctl(jid, EVJOBCLEAN, 0);
  let reset = 0;
  for (let n = 0; n < CONNECTIONS; n++) {
    const fd = load<i32>(fds + ((<usize>n) << 2));
    if (recv(fd, word, 4, 0) == -ECONNRESET) reset++;
    close(fd);
  }
  if (reset != dropped) row("failed", reset, dropped);
  heap.free(fds);
  close(listener);
  return dropped;
}

/** All of a stream is one. */
export function cleanStream(): i32 {
  const listener = listenTcp(TCP_PORT);
  const client = socket(AF_INET, SOCK_STREAM, 0);
  toPort(TCP_PORT);
  connect(client, address, SOCKADDR_SIZE);
  const server = acceptOne(listener);
  const jid = stopped(onRead(server, readData));
  store<i32>(word, 1);
  setsockopt(client, IPPROTO_TCP, TCP_NODELAY, word, 4);
  const bytes = heap.alloc(SEGMENT);
  for (let n = 0; n < SEGMENTS; n++) if (send(client, bytes, SEGMENT, 0) != SEGMENT) row("failed", n);
  nanosleep(20 * MILLISECOND);
  const dropped = evctl(jid, EVJOBCLEAN, 0);
  heap.free(bytes);
  close(client);
  close(server);
  close(listener);
  return dropped;
}

/** For each of the socket's events. */
export function cleanDatagrams(): i32 {
  const fd = bindUdp(UDP_PORT);
  const jids = heap.alloc((<usize>READERS) << 2);
  for (let n = 0; n < READERS; n++) store<i32>(jids + ((<usize>n) << 2), stopped(onRead(fd, readData)));
  const sender = socket(AF_INET, SOCK_DGRAM, 0);
  toPort(UDP_PORT);
  for (let n = 0; n < DATAGRAMS; n++) sendto(sender, address, 8, 0, address, SOCKADDR_SIZE);
  nanosleep(20 * MILLISECOND);
  let dropped = 0;
  for (let n = 0; n < READERS; n++) dropped += evctl(load<i32>(jids + ((<usize>n) << 2)), EVJOBCLEAN, 0);
  heap.free(jids);
  close(sender);
  close(fd);
  return dropped;
}

/** An event at which as many messages wait as may; its jid. */
function full(port: i32): i32 {
  const jid = stopped(onMessage(port, message));
  for (let n = 0; n < MESSAGES; n++) {
    // Of different sizes, so that the allocator has to put blocks together.
    const error = evpost(0, jid, address, n & 1 ? 8 : 32);
    if (error != 0) row("failed", error, n);
  }
  return jid;
}

export function cleanMessages(): i32 {
  const jid = full(1);
  const dropped = evctl(jid, EVJOBCLEAN, 0);
  evctl(0, EVTBLINIT, 0);
  return dropped;
}

/** `ends`: they go with their process; else by EVTBLINIT. */
export function endMessages(ends: i32): i32 {
  const pid = ends != 0 ? fork(0) : -1;
  if (pid > 0) return ended(pid);
  for (let n = 0; n < LISTENERS; n++) full(n);
  if (ends != 0) exit(LISTENERS);
  return evctl(0, EVTBLINIT, 0);
}
