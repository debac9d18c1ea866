/** evctl (AEM 3.1.7). Messages to oneself are events that occur when one wants them to. */
import {
  AF_INET,
  AF_INET6,
  EVF_KEEPALIVE,
  EVF_ONESHOT,
  EVJOBCLEAN,
  EVJOBFLAGS,
  EVJOBLOOKUP,
  EVJOBPRIO,
  EVJOBSHTDN,
  EVJOBSTART,
  EVJOBSTOP,
  EventStatistics,
  INADDR_LOOPBACK,
  SOCKADDR6_SIZE,
  SOCKADDR_SIZE,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  TCP_CLOSE_WAIT,
  TCP_ESTABLISHED,
  bindUdp,
  close,
  connect,
  enter_keepalive,
  evctl,
  eventStatistics,
  evpost,
  filterPeers,
  filterPeers6,
  filterStates,
  listenTcp,
  measureLatency,
  nanosleep,
  onAccept,
  onMessage,
  onRead,
  onState,
  onTimer,
  sendto,
  setAddress,
  setAddress6,
  setTimeout,
  setTimerHandler,
  socket,
} from "../../../../sdk";
import { row } from "../report";
import { MILLISECOND, await_, look, note, noted } from "./trace";

const statistics = memory.data(256, 8);
const s = changetype<EventStatistics>(statistics);
const word = memory.data(8, 8);
const name = memory.data(28, 8);

function message(jid: i32, from: i32, data: usize, length: i32): void {
  note(load<u8>(data));
}

function post(jid: i32, digit: i32): i32 {
  store<u8>(word, <u8>digit);
  return evpost(0, jid, word, 1);
}

function post123(jid: i32): void {
  for (let i = 1; i <= 3; i++) post(jid, i);
}

function startAndStop(): void {
  const jid = onMessage(1, message);
  post(jid, 7);
  row("enabled", noted(), evctl(jid, EVJOBLOOKUP, 0));
  evctl(jid, EVJOBSTOP, 0);
  post123(jid);
  nanosleep(MILLISECOND);
  row("disabled", noted(), evctl(jid, EVJOBLOOKUP, 0));
  evctl(jid, EVJOBSTART, 0);
  row("enabled-again", noted(), evctl(jid, EVJOBLOOKUP, 0));
  evctl(jid, EVJOBSHTDN, 0);
}

function shutdown(): void {
  let jid = onMessage(1, message);
  evctl(jid, EVJOBSTOP, 0);
  post123(jid);
  row("dropped", evctl(jid, EVJOBSHTDN, 0), noted(), post(jid, 4), evctl(jid, EVJOBLOOKUP, 0));
  jid = onMessage(1, message);
  evctl(jid, EVJOBSTOP, 0);
  post123(jid);
  row("delivered", evctl(jid, EVJOBSHTDN, 1), noted(), post(jid, 4), evctl(jid, EVJOBLOOKUP, 0));
  row("vmtable", look().vmtableUsed);
}

/** What waits is dropped, with its memory; the event goes on. */
function clean(): void {
  const jid = onMessage(1, message);
  evctl(jid, EVJOBSTOP, 0);
  post123(jid);
  const before = look().vmtableUsed;
  const dropped = evctl(jid, EVJOBCLEAN, 0);
  const after = look().vmtableUsed;
  evctl(jid, EVJOBSTART, 0);
  post(jid, 9);
  row("cleaned", dropped, noted(), before > 0 ? 1 : 0, after);
  eventStatistics(jid, statistics);
  row("cleaned-statistics", s.activations, s.handled, s.cleaned, s.waiting);
  evctl(jid, EVJOBSHTDN, 0);
}

/** A thousand times 64 KiB of messages would not fit, if what is dropped were not given back. */
function cleanForever(): void {
  const jid = onMessage(1, message);
  evctl(jid, EVJOBSTOP, 0);
  const big = heap.alloc(1024);
  let posted = 0;
  for (let i = 0; i < 1000; i++) {
    for (let k = 0; k < 64; k++) if (evpost(0, jid, big, 1000) == 0) posted++;
    evctl(jid, EVJOBCLEAN, 0);
  }
  row("cleaned-forever", posted, look().vmtableUsed);
  evctl(jid, EVJOBSHTDN, 0);
}

// ---- Filters ----

let accepted: i32 = -1;

function accept(jid: i32, listener: i32, fd: i32): void {
  accepted = fd;
}

function state(jid: i32, fd: i32, oldState: i32, newState: i32): void {
  note(newState);
}

/** Of all the transitions of a connection, two are wanted. */
function byState(): void {
  const listener = listenTcp(3200);
  onAccept(listener, accept);
  const fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  const jid = onState(fd, state);
  row("filter-states", filterStates(jid, (1 << TCP_ESTABLISHED) | (1 << TCP_CLOSE_WAIT)));
  setAddress(name, INADDR_LOOPBACK, 3200);
  connect(fd, name, SOCKADDR_SIZE);
  await_(1);
  while (accepted < 0) nanosleep(MILLISECOND);
  close(accepted);
  await_(2);
  nanosleep(5 * MILLISECOND);
  row("states", noted());
  eventStatistics(jid, statistics);
  row("states-statistics", s.activations - s.handled - s.coalesced - s.waiting, s.filtered, s.handled);
  close(fd);
  close(listener);
}

function datagram(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {
  note(length < 0 ? 15 : length);
}

/** The same over IPv6. */
function byPeer6(): void {
  const fd = bindUdp(3202, AF_INET6);
  const jid = onRead(fd, datagram);
  setAddress6(name, 0, 1, 3202);
  row("filter-peers6", filterPeers6(jid, 0x2001_0db8_0000_0000, 0, 32));
  sendto(fd, word, 1, 0, name, SOCKADDR6_SIZE);
  nanosleep(5 * MILLISECOND);
  row("foreign6", noted());
  filterPeers6(jid, 0, 1, 128);
  sendto(fd, word, 2, 0, name, SOCKADDR6_SIZE);
  await_(1);
  row("own6", noted());
  close(fd);
}

function byPeer(): void {
  const fd = bindUdp(3201);
  const jid = onRead(fd, datagram);
  setAddress(name, INADDR_LOOPBACK, 3201);
  row("filter-peers", filterPeers(jid, 0x0a000000, 8));
  sendto(fd, word, 1, 0, name, SOCKADDR_SIZE);
  nanosleep(5 * MILLISECOND);
  row("foreign", noted());
  filterPeers(jid, 0x7f000000, 8);
  sendto(fd, word, 2, 0, name, SOCKADDR_SIZE);
  await_(1);
  row("own", noted());
  // Nothing comes: the time-out does.
  row("timeout", setTimeout(jid, 3_000_000));
  await_(2);
  setTimeout(jid, 0);
  row("timed-out", noted() & 0xff);
  byPeer6();
  close(fd);
}

// ---- Priority, handler, flags, statistics ----

function first(jid: i32, overrun: i32): void {
  note(1);
}

function second(jid: i32, overrun: i32): void {
  note(2);
}

function change(): void {
  // Not before latencies are measured.
  const jid = onTimer(100 * MILLISECOND, MILLISECOND, first);
  measureLatency(jid, true);
  await_(3);
  setTimerHandler(jid, second);
  noted();
  await_(2);
  row("handler", noted() & 0xff);
  evctl(jid, EVJOBFLAGS, EVF_KEEPALIVE | (11 << 8));
  eventStatistics(jid, statistics);
  row("flags", s.flags & 0xff, s.priority);
  row("priority", evctl(jid, EVJOBPRIO, 50), evctl(jid, EVJOBPRIO, 64));
  eventStatistics(jid, statistics);
  let buckets: u32 = 0;
  for (let i = 0; i < 24; i++) buckets += s.latencyCount(i);
  const ordered = s.latencyMin > 0 && s.latencyMin <= s.latencyMax && s.latencySum >= s.latencyMax;
  row("changed", s.priority, s.handled >= 5 ? 1 : 0, s.handled - buckets, ordered ? 1 : 0);
  // The last one that keeps the process here, and one-shot now.
  evctl(jid, EVJOBFLAGS, EVF_ONESHOT | EVF_KEEPALIVE);
  row("keepalive", enter_keepalive(), evctl(jid, EVJOBLOOKUP, 0));
  noted();
}

export function controls(): void {
  startAndStop();
  shutdown();
  clean();
  cleanForever();
  byState();
  byPeer();
  change();
}
