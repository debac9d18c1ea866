/**
 * TCP servers for spec/boot/net/options.test.ts. Ports:
 *
 *   7001  sends 5 bytes, closes with SO_LINGER of 2 s, and reports what close returned and how long it took
 *   7002  the same with SO_LINGER of 0
 *   7003  reports what sock events say, and urgent data and soft errors as it asks for them; answers "?" with MSG_OOB
 *   7004  keep-alive: a second, then two probes a second apart; reports how the connection ends
 */
import {
  EVF_ONESHOT,
  IPPROTO_IP,
  IPPROTO_TCP,
  IP_TOS,
  IP_TTL,
  MSG_DONTWAIT,
  MSG_OOB,
  POLLMSG,
  POLLPRI,
  SOL_SOCKET,
  SO_KEEPALIVE,
  SO_LINGER,
  SO_REUSEADDR,
  TCP_INFO,
  TCP_KEEPCNT,
  TCP_KEEPIDLE,
  TCP_KEEPINTVL,
  TCP_NODELAY,
  TCP_SOFT_ERROR,
  TCP_URGENT,
  AcceptHandler,
  CLOCK_MONOTONIC,
  clock_gettime,
  close,
  enter_keepalive,
  getOption,
  getsockopt,
  linger,
  listenTcp,
  logError,
  onAccept,
  onClose,
  onSock,
  recv,
  send,
  setOption,
  setsockopt,
  tcp_info,
} from "../../../../sdk";
import { row } from "../report";

const value = memory.data(112, 8);
const length = memory.data(8, 8);
const text = memory.data<u8>([104, 101, 108, 108, 111]);

function lingerFor(fd: i32, seconds: i32): i32 {
  const wanted = changetype<linger>(value);
  wanted.onoff = 1;
  wanted.seconds = seconds;
  return setsockopt(fd, SOL_SOCKET, SO_LINGER, value, 8);
}

function lingering(jid: i32, listener: i32, fd: i32): void {
  lingerFor(fd, 2);
  send(fd, text, 5, 0);
  const start = clock_gettime(CLOCK_MONOTONIC);
  const result = close(fd);
  row("lingered", result, (clock_gettime(CLOCK_MONOTONIC) - start) / 1000000, close(fd));
}

function resetting(jid: i32, listener: i32, fd: i32): void {
  lingerFor(fd, 0);
  send(fd, text, 5, 0);
  row("reset", close(fd));
}

function watching(jid: i32, listener: i32, fd: i32): void {
  setOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  onSock(fd, happened);
  onClose(fd, ended, EVF_ONESHOT);
  row("watching", fd);
}

function happened(jid: i32, fd: i32, events: i32, error: i32): void {
  if (events & POLLMSG) row("soft", getOption(fd, IPPROTO_TCP, TCP_SOFT_ERROR));
  if (events & POLLPRI) row("urgent", getOption(fd, IPPROTO_TCP, TCP_URGENT));
  const got = recv(fd, value, 100, MSG_DONTWAIT);
  if (got <= 0) return;
  row("read", got, getOption(fd, IPPROTO_TCP, TCP_URGENT));
  send(fd, text, 5, MSG_OOB);
}

function keeping(jid: i32, listener: i32, fd: i32): void {
  setOption(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  setOption(fd, IPPROTO_TCP, TCP_KEEPIDLE, 1);
  setOption(fd, IPPROTO_TCP, TCP_KEEPINTVL, 1);
  setOption(fd, IPPROTO_TCP, TCP_KEEPCNT, 2);
  onClose(fd, died, EVF_ONESHOT);
}

function died(jid: i32, fd: i32, error: i32): void {
  row("died", error);
  close(fd);
}

function ended(jid: i32, fd: i32, error: i32): void {
  close(fd);
}

function options(fd: i32): void {
  row(
    "reuse",
    getOption(fd, SOL_SOCKET, SO_REUSEADDR),
    setOption(fd, SOL_SOCKET, SO_REUSEADDR, 1),
    getOption(fd, SOL_SOCKET, SO_REUSEADDR),
  );
  row(
    "tos",
    setOption(fd, IPPROTO_IP, IP_TOS, 0x28),
    getOption(fd, IPPROTO_IP, IP_TOS),
    setOption(fd, IPPROTO_IP, IP_TOS, 256),
  );
  row("ttl", setOption(fd, IPPROTO_IP, IP_TTL, 200), getOption(fd, IPPROTO_IP, IP_TTL));
  logError("option 15", getOption(fd, SOL_SOCKET, 15));
  row(
    "unknown",
    getOption(fd, SOL_SOCKET, 15),
    setOption(fd, 99, 1, 1),
    setOption(fd, IPPROTO_TCP, TCP_INFO, 1),
  );
  store<i32>(length, 112);
  const error = getsockopt(fd, IPPROTO_TCP, TCP_INFO, value, length);
  const info = changetype<tcp_info>(value);
  row("info", error, load<i32>(length), info.state, info.rcv_space, info.advmss);
  store<i32>(length, 3);
  row("cut", getsockopt(fd, IPPROTO_TCP, TCP_INFO, value, length), load<i32>(length));
  store<i32>(value, 1);
  row("short", setsockopt(fd, SOL_SOCKET, SO_LINGER, value, 4));
}

function serve(port: u32, handler: AcceptHandler): i32 {
  const listener = listenTcp(port);
  onAccept(listener, handler);
  return listener;
}

export function main(): i32 {
  serve(7001, lingering);
  serve(7002, resetting);
  options(serve(7003, watching));
  serve(7004, keeping);
  row("ready", 1);
  return enter_keepalive();
}
