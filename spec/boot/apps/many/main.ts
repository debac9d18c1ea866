/**
 * Many connections. TCP port 7 is an echo; who connects to port 13 is closed at once, so that the TIME-WAIT stays with this side. A datagram to UDP port 9 asks
 * for the counters of the system (struct SystemInformation as it is). One of three words before, `count`, `port` and `ports`, has `count` connections opened to its
 * sender, to its ports from `port` on in turn, each of them closed as soon as it is open:
 *
 *     row opened COUNT ERROR      how many were, and with which errno one was not: the last
 *
 * It opens PACE a second at most: a port toward the same address and port can be used again one to two seconds after its connection (net/socket/tcp/timewait.ts), and
 * there are 28,232 of them.
 */
import {
  AF_INET,
  CLOCK_MONOTONIC,
  EINPROGRESS,
  MSG_DONTWAIT,
  SOCKADDR_SIZE,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SYSTEM_INFORMATION_SIZE,
  TCP_CLOSE,
  TCP_ESTABLISHED,
  bindUdp,
  clock_gettime,
  close,
  connect,
  enter_keepalive,
  listenTcp,
  onAccept,
  onClose,
  onRead,
  onState,
  onTimer,
  send,
  sendto,
  setAddress,
  sockaddr_in,
  socket,
  sysinfo,
} from "../../../../sdk";
import { row } from "../report";

const ECHO: u32 = 7;
const DAYTIME: u32 = 13;
const CONTROL: u32 = 9;
const BACKLOG: i32 = 4096;
/** Connections that are being opened at once. */
const WINDOW: u32 = 64;
/** Connections that are opened in a second, at most. */
const PACE: u64 = 12_000;
const SECOND: u64 = 1_000_000_000;
const TICK: i64 = 1_000_000;

const information = memory.data(SYSTEM_INFORMATION_SIZE, 8);
const destination = memory.data(16, 8);
/** What is asked for, and how far it is. */
let client: u32 = 0;
let port: u32 = 0;
let ports: u32 = 1;
let wanted: u32 = 0;
let begun: u32 = 0;
let ended: u32 = 0;
let failed: u32 = 0;
let error: i32 = 0;
/** When the first was begun; those that may begin, as far as the pace allows. */
let start: u64 = 0;
let due: u32 = 0;
/** A timer runs until more may begin. */
let waits: bool = false;

function accepted(jid: i32, listener: i32, fd: i32): void {
  if (fd < 0) return;
  if (onRead(fd, received) < 0 || onClose(fd, closed) < 0) close(fd);
}

function dismissed(jid: i32, listener: i32, fd: i32): void {
  if (fd >= 0) close(fd);
}

function received(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {
  if (length > 0) send(fd, data, length, MSG_DONTWAIT);
}

function closed(jid: i32, fd: i32, error: i32): void {
  close(fd);
}

function asked(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {
  if (from == 0) return;
  sysinfo(information, SYSTEM_INFORMATION_SIZE);
  sendto(fd, information, SYSTEM_INFORMATION_SIZE, MSG_DONTWAIT, from, SOCKADDR_SIZE);
  if (length != 12) return;
  client = changetype<sockaddr_in>(from).address;
  wanted = load<u32>(data);
  port = load<u32>(data, 4);
  ports = load<u32>(data, 8);
  begun = ended = failed = 0;
  error = 0;
  start = clock_gettime(CLOCK_MONOTONIC);
  due = WINDOW;
  openDue();
}

/** Opens as many as are due and the pace allows. */
function openDue(): void {
  const allowed = WINDOW + <u32>(((<u64>clock_gettime(CLOCK_MONOTONIC) - start) * PACE) / SECOND);
  for (; due > 0 && begun < allowed && begun < wanted; due--) openNext();
  if (due == 0 || begun == wanted || waits) return;
  waits = onTimer(TICK, 0, ticked) >= 0;
}

function ticked(jid: i32, overrun: i32): void {
  waits = false;
  openDue();
}

/** Begins one more. What cannot even begin is the last one. */
function openNext(): void {
  setAddress(destination, client, port + (begun % ports));
  begun++;
  const fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  const result = fd < 0 ? fd : connect(fd, destination, SOCKADDR_SIZE);
  const watched = result == -EINPROGRESS ? onState(fd, changed) : result;
  if (watched >= 0) return;
  error = watched;
  if (fd >= 0) close(fd);
  wanted = begun;
  finished(false);
}

function changed(jid: i32, fd: i32, oldState: i32, newState: i32): void {
  if (newState != TCP_ESTABLISHED && newState != TCP_CLOSE) return;
  close(fd);
  finished(newState == TCP_ESTABLISHED);
  due++;
  openDue();
}

function finished(opened: bool): void {
  if (!opened) failed++;
  if (++ended == wanted) row("opened", ended - failed, error);
}

export function main(): i32 {
  const echo = listenTcp(ECHO, BACKLOG);
  const daytime = listenTcp(DAYTIME, BACKLOG);
  if (onAccept(echo, accepted) < 0 || onAccept(daytime, dismissed) < 0) return 1;
  if (onRead(bindUdp(CONTROL), asked) < 0) return 1;
  enter_keepalive();
  return 1;
}
