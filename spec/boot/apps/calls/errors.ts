/** Calls that have to fail, and how; and plain calls whose result is known. Each is a row. */
import {
  AF_INET,
  CLOCK_MONOTONIC,
  EVF_CAPSULE,
  EVF_FORK,
  EVF_NOCLDWAIT,
  EVF_THREAD,
  EVJOBLOOKUP,
  EVJOBPRIO,
  EVJOBSHTDN,
  EVJOBSTAT,
  EVJOBSTART,
  EVJOBSTOP,
  IPPROTO_TCP,
  IPPROTO_UDP,
  LOG_DEBUG,
  LOG_INFO,
  MSG_DONTWAIT,
  SHUT_WR,
  SOCKADDR_SIZE,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  accept,
  bind,
  bindUdp,
  clock_gettime,
  close,
  connect,
  evctl,
  evtimer,
  getpeername,
  getpid,
  getrandom,
  kill,
  listen,
  listenTcp,
  log,
  nanosleep,
  onAccept,
  onClose,
  onRead,
  onSock,
  onState,
  onTimer,
  recv,
  send,
  setAddress,
  shutdown,
  sigtake,
  sockasync_accept,
  sockasync_read,
  socket,
  sysinfo,
  vmtable_free,
  vmtable_keep,
} from "../../../../sdk";
import { row } from "../report";

const FAR: i64 = 3600_000_000_000;
/** An address that no memory is at. */
const NOWHERE: usize = 0x7fff0000;
const name = memory.data(16, 8);
const random = memory.data(64, 8);
const statistics = memory.data(64, 8);

function onAccepted(jid: i32, fd: i32, newfd: i32): void {}
function onData(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {}
function onClosed(jid: i32, fd: i32, error: i32): void {}
function onChange(jid: i32, fd: i32, a: i32, b: i32): void {}
function onExpiry(jid: i32, overrun: i32): void {}
function onNothing(): void {}

/** 1 for a registration that was accepted, which ends again; else its errno. */
function taken(jid: i32): i32 {
  return jid > 0 ? 1 + evctl(jid, EVJOBSHTDN, 0) : jid;
}

/** sockasync_*: flags, descriptors, handlers. */
export function registrations(): void {
  const listener = listenTcp(2090);
  const udp = bindUdp(2090);
  const flags = memory.data<i32>([
    EVF_FORK,
    EVF_CAPSULE,
    EVF_FORK | EVF_NOCLDWAIT,
    EVF_NOCLDWAIT,
    EVF_FORK | EVF_CAPSULE,
    EVF_THREAD | EVF_FORK,
  ]);
  for (let i = 0; i < 6; i++) {
    const flag = load<i32>(flags + ((<usize>i) << 2));
    row("flag-accept", flag, taken(onAccept(listener, onAccepted, flag)));
    row("flag-read", flag, taken(onRead(udp, onData, flag)));
    row("flag-close", flag, taken(onClose(udp, onClosed, flag)));
    row("flag-sk", flag, taken(onState(listener, onChange, flag)));
    row("flag-sock", flag, taken(onSock(udp, onChange, flag)));
    row("flag-timer", flag, taken(onTimer(FAR, 0, onExpiry, flag)));
  }
  row("unknown-flag", onRead(udp, onData, 0x40000000));
  row("priority-63", onRead(udp, onData, 64 << 8) > 0 ? 1 : 0);
  row("priority-64", onRead(udp, onData, 65 << 8));
  row("accept-bad-fd", onAccept(4000, onAccepted));
  row("read-bad-fd", onRead(-1, onData));
  row("close-bad-fd", onClose(4000, onClosed));
  row("sk-bad-fd", onState(4000, onChange));
  row("sock-bad-fd", onSock(4000, onChange));
  row("accept-on-udp", onAccept(udp, onAccepted));
  row("close-on-udp", onClose(udp, onClosed));
  row("sk-on-udp", onState(udp, onChange));
  row("read-on-listener", onRead(listener, onData));
  row("accept-bad-address", sockasync_accept(listener, NOWHERE, NOWHERE, 0, onAccepted.index));
  row("handler-no-entry", sockasync_read(udp, 0, 1000000));
  row("handler-other-type", sockasync_read(udp, 0, onNothing.index));
  row("handler-timer-type", evtimer(FAR, 0, 0, onData.index));
  row("timer-negative", onTimer(-1, 0, onExpiry));
  row("timer-negative-period", onTimer(1, -1, onExpiry));
  // The same event twice is two registrations.
  const first = onSock(udp, onChange);
  const second = onSock(udp, onChange);
  row("twice", first > 0 && second > 0 && first != second ? 1 : 0);
  close(udp);
  row("gone-with-fd", evctl(first, EVJOBLOOKUP, 0));
  close(listener);
}

/** evctl on a timer that never expires. */
export function control(): void {
  const jid = onTimer(FAR, FAR, onExpiry);
  row("evctl-lookup", evctl(jid, EVJOBLOOKUP, 0));
  row("evctl-priority", evctl(jid, EVJOBPRIO, 63));
  row("evctl-priority-64", evctl(jid, EVJOBPRIO, 64));
  store<u32>(statistics, 64);
  row("evctl-statistics", evctl(jid, EVJOBSTAT, <i32>statistics), load<u32>(statistics));
  row("evctl-statistics-type", load<u32>(statistics, 8));
  row("evctl-statistics-priority", load<u32>(statistics, 16));
  row(
    "evctl-statistics-counts",
    load<i64>(statistics, 32),
    load<i64>(statistics, 40),
    load<i64>(statistics, 48),
  );
  row("evctl-statistics-nowhere", evctl(jid, EVJOBSTAT, <i32>NOWHERE));
  row("evctl-stop", evctl(jid, EVJOBSTOP, 0));
  row("evctl-lookup-stopped", evctl(jid, EVJOBLOOKUP, 0));
  row("evctl-start", evctl(jid, EVJOBSTART, 0));
  row("evctl-lookup-started", evctl(jid, EVJOBLOOKUP, 0));
  // No filter, no time-out (a timer has none), no handler, and the flags as they are.
  row("evctl-of-a-timer", evctl(jid, 8, 0), evctl(jid, 9, 0), evctl(jid, 10, 0), evctl(jid, 11, 0));
  row("evctl-unknown-operation", evctl(jid, 99, 0), evctl(jid, 0, 0));
  row("evctl-shutdown-argument", evctl(jid, EVJOBSHTDN, 7));
  row("evctl-shutdown", evctl(jid, EVJOBSHTDN, 0));
  row("evctl-lookup-ended", evctl(jid, EVJOBLOOKUP, 0));
  row("evctl-unknown-jid", evctl(123456, EVJOBSTART, 0));
  row("evctl-jid-0", evctl(0, EVJOBLOOKUP, 0));
}

/** The plain calls. */
export function plain(): void {
  row("socket-family", socket(9, SOCK_STREAM, 0));
  row("socket-type", socket(AF_INET, 3, 0));
  row("socket-protocol", socket(AF_INET, SOCK_STREAM, IPPROTO_UDP));
  const fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, IPPROTO_TCP);
  setAddress(name, 0x01020304, 2091);
  row("bind-foreign", bind(fd, name, SOCKADDR_SIZE));
  row("bind-short", bind(fd, name, 4));
  row("bind-nowhere", bind(fd, NOWHERE, SOCKADDR_SIZE));
  setAddress(name, 0, 2091);
  row("bind", bind(fd, name, SOCKADDR_SIZE));
  setAddress(name, 0, 2092);
  row("bind-again", bind(fd, name, SOCKADDR_SIZE));
  row("peer-none", getpeername(fd, name, random));
  row("send-none", send(fd, name, 1, MSG_DONTWAIT));
  row("recv-none", recv(fd, name, 1, MSG_DONTWAIT));
  row("shutdown-none", shutdown(fd, SHUT_WR));
  row("listen", listen(fd, 1));
  row("accept-none", accept(fd, 0, 0));
  const other = socket(AF_INET, SOCK_STREAM, 0);
  setAddress(name, 0, 2091);
  row("bind-used", bind(other, name, SOCKADDR_SIZE));
  row("close", close(other));
  row("close-again", close(other));
  row("close-never", close(-5));
  const udp = socket(AF_INET, SOCK_DGRAM, 0);
  row("listen-udp", listen(udp, 1));
  setAddress(name, 0x0a000202, 0);
  row("connect-nowhere", connect(fd, NOWHERE, SOCKADDR_SIZE));
  row("udp-send-none", send(udp, name, 1, MSG_DONTWAIT));
  close(udp);
  close(fd);
}

/** Life, clock, log, random numbers. */
export function process(): void {
  row("getpid", getpid());
  row("kill-none", kill(60, 0));
  row("kill-signal", kill(getpid(), 5));
  row("kill-ask", kill(getpid(), 0));
  row("sigtake-none", sigtake());
  const before = clock_gettime(CLOCK_MONOTONIC);
  row("nanosleep", nanosleep(20_000_000));
  // The shortest of some: a busy host makes one long, hardly all.
  let slept = clock_gettime(CLOCK_MONOTONIC) - before;
  for (let i = 0; i < 9; i++) {
    const begin = clock_gettime(CLOCK_MONOTONIC);
    nanosleep(20_000_000);
    slept = min(slept, clock_gettime(CLOCK_MONOTONIC) - begin);
  }
  row("slept-20ms", slept);
  row("nanosleep-negative", nanosleep(-1));
  row("clock-unknown", clock_gettime(77));
  row("getrandom", getrandom(random, 32, 0), getrandom(random + 32, 32, 0));
  row("getrandom-differs", memory.compare(random, random + 32, 32) != 0 ? 1 : 0);
  row("getrandom-nowhere", getrandom(NOWHERE, 8, 0));
  row("getrandom-flags", getrandom(random, 8, 12345));
  row("log-nowhere", log(LOG_INFO, NOWHERE, 5));
  row("log-level", log(LOG_DEBUG + 1, name, 5));
  row("log-wraps", log(LOG_INFO, <usize>0xfffffff0, 32));
  row("sysinfo", sysinfo(random, 16), load<u64>(random, 8) > <u64>before ? 1 : 0);
  row("sysinfo-nowhere", sysinfo(NOWHERE, 64));
  row("keep-none", vmtable_keep(name));
  row("free-none", vmtable_free(0xf0000000), vmtable_free(0));
}
