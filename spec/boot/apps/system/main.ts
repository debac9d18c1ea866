/**
 * Events that are no sockets, on demand: the first byte of a datagram to port 2000 says what to do (spec/boot/aem/system.test.ts); its
 * answer is the datagram itself. TCP port 2001 keeps the blocks of what it receives until the error handler frees them.
 */
import {
  CLOCK_MONOTONIC,
  EVF_ONESHOT,
  MSG_DONTWAIT,
  SOCKADDR_SIZE,
  bindUdp,
  clock_gettime,
  close,
  enter_keepalive,
  evctl,
  evpost,
  getpid,
  kill,
  nanosleep,
  sysinfo,
  listenTcp,
  onAccept,
  onError,
  onLimit,
  onLink,
  onMemory,
  onOverload,
  onRead,
  onTimer,
  processNamed,
  sendto,
  vmtable_free,
  vmtable_keep,
  EVJOBSHTDN,
} from "../../../../sdk";
import { row } from "../report";

const MILLISECOND: i64 = 1_000_000;
const THRESHOLD_KIB: i32 = 81_920;
const EATER_PORT: i32 = 1;
const TIMERS: i32 = 40;
const OVERLOAD: i32 = 20;
const KEPT_LIMIT: i32 = 4096;

const argument = memory.data(4, 4);

// ---- Memory, link, limits ----

function memoryShort(jid: i32, freeKiB: i32, totalKiB: i32): void {
  row("memory", jid, freeKiB, totalKiB);
}

function linkMoved(jid: i32, up: i32): void {
  row("link", jid, up);
}

function limitHit(jid: i32, what: i32, value: i32): void {
  row("limit", jid, what, value);
}

/** More read events on one socket than it may have. */
function exceed(): void {
  const fd = bindUdp(0);
  let result = 1;
  let count = -1;
  for (; result > 0; count++) result = onRead(fd, command);
  row("exceeded", count, result);
  close(fd);
}

// ---- Overload ----

let expired: i32 = 0;
let overloads: i32 = 0;

function timerExpired(jid: i32, overrun: i32): void {
  expired++;
  if (expired % TIMERS == 0) row("expired", expired, overloads);
}

function overloaded(jid: i32, waiting: i32, limit: i32): void {
  overloads++;
  row("overload", jid, waiting, limit, expired);
}

/** So many timers are due, while this handler keeps all others waiting. */
function congest(): void {
  for (let i = 0; i < TIMERS; i++) onTimer(MILLISECOND, 0, timerExpired);
  const end = clock_gettime(CLOCK_MONOTONIC) + 60 * MILLISECOND;
  while (clock_gettime(CLOCK_MONOTONIC) < end) {}
}

// ---- Shortage of memory for data ----

const kept = heap.alloc(16384);
let keptCount: i32 = 0;
let reader: i32 = 0;
let position: i64 = 0;
let wrong: i32 = 0;
let errors: i32 = 0;
let badReports: i32 = 0;

function shortage(jid: i32, about: i32, errno: i32, bytes: i32): void {
  errors++;
  if (errors == 1) row("error", jid, about, errno, bytes, keptCount);
  if (about != reader || errno != -12 || bytes <= 0) badReports++;
  // Only now do blocks go back.
  while (keptCount > 0) {
    keptCount--;
    vmtable_free(<usize>load<u32>(kept + (keptCount << 2)));
  }
}

function received(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {
  if (length <= 0) {
    row("received", position, wrong, errors, badReports, length);
    close(fd);
    return;
  }
  for (let i = 0; i < length; i++) {
    const at = <u32>(position + i);
    if (load<u8>(data + i) != <u8>(at * 7 + (at >> 8) * 13 + (at >> 16))) wrong++;
  }
  position += length;
  if (keptCount == KEPT_LIMIT) unreachable();
  vmtable_keep(data);
  store<u32>(kept + (keptCount << 2), <u32>data);
  keptCount++;
}

function accepted(jid: i32, listener: i32, fd: i32): void {
  reader = onRead(fd, received);
}

// ---- Commands: a letter, and two numbers ----

const information = memory.data(40);

function freeMemory(): u64 {
  sysinfo(information, 40);
  return load<u64>(information, 32);
}

function eaterPid(which: u32): i32 {
  return processNamed(which == 1 ? "eater-1" : "eater-2");
}

function command(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {
  if (length != 9) return;
  const a = bswap<u32>(load<u32>(data, 1));
  const b = bswap<u32>(load<u32>(data, 5));
  switch (load<u8>(data)) {
    case 0x65: // e: eater a takes b pages
      store<i32>(argument, <i32>b);
      row("eat", evpost(eaterPid(a), EATER_PORT, argument, 4));
      break;
    case 0x6b: // k: signal b to eater a
      row("kill", eaterPid(a), kill(eaterPid(a), <i32>b));
      break;
    case 0x66: // f: waits until more than a KiB are free: what a process had goes back bit by bit
      while (freeMemory() < (<u64>a) << 10) nanosleep(1_000_000);
      row("free", a);
      break;
    case 0x73: // s: signal b to eater 1, a times
      for (let i: u32 = 0; i < a; i++) kill(eaterPid(1), <i32>b);
      break;
    case 0x6f: // o
      congest();
      break;
    case 0x71: // q
      exceed();
      break;
  }
  sendto(fd, data, length, MSG_DONTWAIT, from, SOCKADDR_SIZE);
}

export function main(): i32 {
  row("registered", getpid(), onMemory(THRESHOLD_KIB, memoryShort), onLink(linkMoved), onLimit(limitHit));
  row("registered-more", onOverload(OVERLOAD, overloaded), onError(shortage));
  // Of no use, and gone at once: an event that has ended is told nothing.
  evctl(onOverload(1, overloaded, EVF_ONESHOT), EVJOBSHTDN, 0);
  onAccept(listenTcp(2001), accepted);
  onRead(bindUdp(2000), command);
  return -enter_keepalive();
}
