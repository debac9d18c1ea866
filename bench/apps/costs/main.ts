/**
 * What a call costs with 1, 1000, … events registered, in ticks of the time-stamp counter: instructions, when QEMU counts those
 * (-icount shift=0). The registered ones are timers that are due in the next days, at times of their own.
 *
 *     row memory EVENTS BYTES           frames that so many timer events took, in bytes, for each number but 1
 *     row cost EVENTS WHAT MEDIAN WORST of SAMPLES calls; WHAT as in `enum` below
 *     row timeouts COUNT BYTES           memory of so many time-outs
 *     row costs 1                       the end, and the process ends with all its events
 */
import {
  CLOCK_TSC,
  EVJOBSHTDN,
  SYSTEM_INFORMATION_SIZE,
  SystemInformation,
  bindUdp,
  clock_gettime,
  evctl,
  evpost,
  exit,
  getpid,
  onMessage,
  onRead,
  onTimer,
  setTimeout,
  sysinfo,
} from "../../../sdk";
import { row } from "../../../spec/boot/apps/report";

enum What {
  REGISTER,
  REGISTER_TIMER,
  START_TIMER,
  DISPATCH,
  UNREGISTER,
  UNREGISTER_TIMER,
}

const SAMPLES: i32 = 101;
const HOUR: i64 = 3_600_000_000_000;
/** UDP sockets for read events, which may have time-outs. */
const SOCKETS: i32 = 500;
const FIRST_PORT: i32 = 10_000;
const MOST: i32 = 1_000_000;
const samples = memory.data(101 * 8, 8);
const jids = memory.data(500 * 4, 8);
const sockets = memory.data(500 * 4, 8);
const information = memory.data(512, 8);

/** What two looks at the counter cost themselves. */
let overhead: i64 = 0;
let registered: i32 = 0;
let random: u64 = 0x9e3779b97f4a7c15;
/** The counter at the begin of the message handler. */
let reached: i64 = 0;

function never(jid: i32, overrun: i32): void {}

function received(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {}

function arrived(jid: i32, from: i32, data: usize, length: i32): void {
  reached = clock_gettime(CLOCK_TSC);
}


@inline
function ticks(): i64 {
  return clock_gettime(CLOCK_TSC);
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

function keep(index: i32, value: i64): void {
  store<i64>(samples + ((<usize>index) << 3), value - overhead);
}

/** Sorts the samples and says the middle and the last one. */
function report(what: What): void {
  for (let i: usize = 8; i < (<usize>SAMPLES) << 3; i += 8) {
    const value = load<i64>(samples + i);
    let at = i;
    for (; at > 0 && load<i64>(samples + at - 8) > value; at -= 8)
      store<i64>(samples + at, load<i64>(samples + at - 8));
    store<i64>(samples + at, value);
  }
  row(
    "cost",
    registered,
    what,
    load<i64>(samples + ((SAMPLES >> 1) << 3)),
    load<i64>(samples + ((SAMPLES - 1) << 3)),
  );
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
  report(What.REGISTER_TIMER);
  for (let i = 0; i < SAMPLES; i++) {
    const jid = jidAt(i);
    const begin = ticks();
    evctl(jid, EVJOBSHTDN, 0);
    keep(i, ticks() - begin);
  }
  report(What.UNREGISTER_TIMER);
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
  report(What.REGISTER);
  for (let i = 0; i < SAMPLES; i++) setTimeout(jidAt(i), someTime());
  for (let i = 0; i < SAMPLES; i++) {
    const due = someTime();
    const jid = jidAt(i);
    const begin = ticks();
    setTimeout(jid, due);
    keep(i, ticks() - begin);
  }
  report(What.START_TIMER);
  for (let i = 0; i < SAMPLES; i++) {
    const jid = jidAt(i);
    const begin = ticks();
    evctl(jid, EVJOBSHTDN, 0);
    keep(i, ticks() - begin);
  }
  report(What.UNREGISTER);
}

function measureMessages(): void {
  const pid = getpid();
  for (let i = 0; i < SAMPLES; i++) keepJid(i, onMessage(i + 1, arrived));
  for (let i = 0; i < SAMPLES; i++) {
    const begin = ticks();
    evpost(pid, i + 1, samples, 0);
    keep(i, reached - begin);
  }
  report(What.DISPATCH);
  for (let i = 0; i < SAMPLES; i++) evctl(jidAt(i), EVJOBSHTDN, 0);
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
  overhead = i64.MAX_VALUE;
  for (let i = 0; i < 16; i++) {
    const begin = ticks();
    overhead = min(overhead, ticks() - begin);
  }
  for (let i = 0; i < SOCKETS; i++) store<i32>(sockets + ((<usize>i) << 2), bindUdp(FIRST_PORT + i));
  for (let count = 1; fits(count); count = count == 1 ? 1000 : count == 1000 ? 100_000 : count * 10) {
    fill(count);
    measureTimers();
    measureReads();
    measureMessages();
  }
  measureTimeouts();
  row("costs", 1);
  return 0;
}
