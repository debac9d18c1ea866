/**
 * What a call costs with 1, 1000, … events registered, in ticks of the time-stamp counter: instructions, when QEMU counts those
 * (-icount shift=0). The registered ones are timers that are due in the next days, at times of their own.
 *
 *     row memory EVENTS BYTES          frames that so many timer events took, in bytes, for each number but 1
 *     row cost EVENTS WHAT MEDIAN WORST of SAMPLES calls; WHAT as in `enum` below
 *     row timeouts COUNT BYTES          memory of so many time-outs
 *     row costs 1                      the end, and the process ends with all its events
 *
 * Between the rows of one number of events a periodic timer calls `expired` SAMPLES times while nothing else runs: bench/inside.ts counts its instructions from outside.
 */
import {
  EVF_KEEPALIVE,
  EVJOBSHTDN,
  SYSTEM_INFORMATION_SIZE,
  SystemInformation,
  bindUdp,
  enter_keepalive,
  evctl,
  evpost,
  exit,
  getpid,
  getpidof,
  nanosleep,
  onMessage,
  onRead,
  onTimer,
  setTimeout,
  sysinfo,
} from "../../../sdk";
import { row } from "../../../spec/boot/apps/report";
import { SAMPLES, keep, measureOverhead, report, ticks } from "./samples";

enum What {
  REGISTER,
  REGISTER_TIMER,
  START_TIMER,
  DISPATCH,
  UNREGISTER,
  UNREGISTER_TIMER,
  SYSCALL,
  // bench/apps/receiver says what another process takes.
}

const HOUR: i64 = 3_600_000_000_000;
/** UDP sockets for read events, which may have time-outs. */
const SOCKETS: i32 = 500;
const FIRST_PORT: i32 = 10_000;
const MOST: i32 = 1_000_000;
/** Of the timer whose way to its handler is counted. */
const PERIOD: i64 = 5_000_000;
const RECEIVER = "receiver";
const name = memory.data(8, 8);
const jids = memory.data(500 * 4, 8);
const sockets = memory.data(500 * 4, 8);
const information = memory.data(512, 8);
const question = memory.data(8, 8);

let registered: i32 = 0;
let random: u64 = 0x9e3779b97f4a7c15;
/** The counter at the begin of the message handler. */
let reached: i64 = 0;
let expirations: i32 = 0;

function never(jid: i32, overrun: i32): void {}

function received(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {}

function arrived(jid: i32, from: i32, data: usize, length: i32): void {
  reached = ticks();
}

function expired(jid: i32, overrun: i32): void {
  if (++expirations == SAMPLES) evctl(jid, EVJOBSHTDN, 0);
}

function freeBytes(): i64 {
  sysinfo(information, SYSTEM_INFORMATION_SIZE);
  return changetype<SystemInformation>(information).memoryFree;
}

/** In an hour to five days. */
function someTime(): i64 {
  random ^= random << 13;
  random ^= random >> 7;
  random ^= random << 17;
  return HOUR + <i64>(random % (120 * HOUR));
}

function keepJid(index: i32, jid: i32): void {
  store<i32>(jids + ((<usize>index) << 2), jid);
}

function jidAt(index: i32): i32 {
  return load<i32>(jids + ((<usize>index) << 2));
}

function fill(count: i32): void {
  const before = freeBytes();
  const added = count - registered;
  for (; registered < count; registered++) {
    if (onTimer(someTime(), 0, never) >= 0) continue;
    row("refused", registered);
    exit(1);
  }
  if (count > 1) row("memory", added, before - freeBytes());
}

function measureTimers(): void {
  for (let i = 0; i < SAMPLES; i++) {
    const due = someTime();
    const begin = ticks();
    const jid = onTimer(due, 0, never);
    keep(i, ticks() - begin);
    keepJid(i, jid);
  }
  report(registered, What.REGISTER_TIMER);
  for (let i = 0; i < SAMPLES; i++) {
    const jid = jidAt(i);
    const begin = ticks();
    evctl(jid, EVJOBSHTDN, 0);
    keep(i, ticks() - begin);
  }
  report(registered, What.UNREGISTER_TIMER);
}

function socketAt(index: i32): i32 {
  return load<i32>(sockets + ((<usize>index) << 2));
}

function measureReads(): void {
  for (let i = 0; i < SAMPLES; i++) {
    const fd = socketAt(i);
    const begin = ticks();
    const jid = onRead(fd, received);
    keep(i, ticks() - begin);
    keepJid(i, jid);
  }
  report(registered, What.REGISTER);
  for (let i = 0; i < SAMPLES; i++) setTimeout(jidAt(i), someTime());
  for (let i = 0; i < SAMPLES; i++) {
    const due = someTime();
    const jid = jidAt(i);
    const begin = ticks();
    setTimeout(jid, due);
    keep(i, ticks() - begin);
  }
  report(registered, What.START_TIMER);
  for (let i = 0; i < SAMPLES; i++) {
    const jid = jidAt(i);
    const begin = ticks();
    evctl(jid, EVJOBSHTDN, 0);
    keep(i, ticks() - begin);
  }
  report(registered, What.UNREGISTER);
}

function measureMessages(): void {
  const jid = onMessage(1, arrived);
  for (let i = 0; i < SAMPLES; i++) {
    const begin = ticks();
    evpost(0, jid, 0, 0);
    keep(i, reached - begin);
  }
  report(registered, What.DISPATCH);
  evctl(jid, EVJOBSHTDN, 0);
}

/** A message to a process of the highest priority, which waits for it: the time at which it was sent. */
function measureOtherProcess(): void {
  String.UTF8.encodeUnsafe(changetype<usize>(RECEIVER), RECEIVER.length, name);
  const pid = getpidof(name, RECEIVER.length);
  for (let i = 0; i < SAMPLES; i++) {
    nanosleep(PERIOD);
    store<i64>(question, ticks());
    if (evpost(pid, 1, question, 8) >= 0) continue;
    row("refused", pid);
    exit(1);
  }
}

/** The cheapest one. */
function measureCall(): void {
  for (let i = 0; i < SAMPLES; i++) {
    const begin = ticks();
    getpid();
    keep(i, ticks() - begin);
  }
  report(registered, What.SYSCALL);
}

/** Waits for them in the call that all wait in who only have handlers. */
function measureExpirations(): void {
  expirations = 0;
  onTimer(PERIOD, PERIOD, expired, EVF_KEEPALIVE);
  enter_keepalive();
}

function measureTimeouts(): void {
  for (let i = 0; i < SOCKETS; i++) keepJid(i, onRead(socketAt(i), received));
  const before = freeBytes();
  let refused = 0;
  for (let i = 0; i < SOCKETS; i++) refused += i32(setTimeout(jidAt(i), HOUR) < 0);
  row("timeouts", SOCKETS - refused, before - freeBytes());
}

/** The machine's memory says how many: half of it, at more than any event takes. */
function fits(count: i32): bool {
  freeBytes();
  return count <= MOST && <u64>count * 256 <= changetype<SystemInformation>(information).memoryTotal;
}

export function main(): i32 {
  measureOverhead();
  measureCall();
  measureOtherProcess();
  for (let i = 0; i < SOCKETS; i++) store<i32>(sockets + ((<usize>i) << 2), bindUdp(FIRST_PORT + i));
  for (let count = 1; fits(count); count = count == 1 ? 1000 : count * 10) {
    fill(count);
    measureTimers();
    measureReads();
    measureMessages();
    measureExpirations();
  }
  measureTimeouts();
  row("costs", 1);
  return 0;
}
