/**
 * More events than its handlers can take (AEM 3.5.1): timers whose handlers together want more than all of the processor, streams, datagrams and
 * messages beside them. It counts what it gets; spec/boot/aem/delivery.test.ts knows what was sent.
 *
 * TCP 4001: streams, byte n of each being n * 7 mod 256. UDP 4002: datagrams that begin with their number. UDP 4003: `s` ends the timers and
 * the source, `r` reports; the answer is the datagram itself.
 */
import {
  CLOCK_MONOTONIC,
  EVENT_REGISTERED,
  EVJOBLOOKUP,
  EVJOBSHTDN,
  EventStatistics,
  MSG_DONTWAIT,
  SIGTERM,
  SOCKADDR_SIZE,
  STATISTICS_SIZE,
  SYSTEM_INFORMATION_SIZE,
  SystemInformation,
  bindUdp,
  clock_gettime,
  close,
  enter_keepalive,
  evctl,
  eventStatistics,
  kill,
  listenTcp,
  onAccept,
  onMessage,
  onRead,
  onTimer,
  processNamed,
  sendto,
  sysinfo,
} from "../../../../../sdk";
import { row } from "../../report";

const TIMERS: i32 = 8;
const PERIOD: i64 = 500_000;
/** What a timer's handler takes: eight of them every 500 us want 1.6 processors. */
const WORK: i64 = 100_000;
/** Priority 60 */
const CONTROL: i32 = 61 << 8;
const DESCRIPTORS: i32 = 64;

const statistics = memory.data(256, 8);
const s = changetype<EventStatistics>(statistics);
const system = changetype<SystemInformation>(memory.data(256, 8));

// ---- Timers ----

const timers = memory.data(64, 8);
/** When each was registered, and how many expirations its handler has been told of. */
const starts = memory.data(128, 8);
const told = memory.data(128, 8);

/** A timer may be due before its registration has returned: then it is the first that is not known yet. */
function indexOf(jid: i32): i32 {
  let i = 0;
  while (load<i32>(timers + (i << 2)) != jid && load<i32>(timers + (i << 2)) != 0) i++;
  return i;
}

function expired(jid: i32, overrun: i32): void {
  const place = told + (indexOf(jid) << 3);
  store<i64>(place, load<i64>(place) + 1 + overrun);
  const end = clock_gettime(CLOCK_MONOTONIC) + WORK;
  while (clock_gettime(CLOCK_MONOTONIC) < end) {}
}

function endTimers(): void {
  for (let i = 0; i < TIMERS; i++) {
    const jid = load<i32>(timers + (i << 2));
    const time = clock_gettime(CLOCK_MONOTONIC);
    eventStatistics(jid, statistics);
    const due = (time - load<i64>(starts + (i << 3))) / PERIOD;
    const left = s.activations - s.handled - s.coalesced - s.waiting;
    evctl(jid, EVJOBSHTDN, 1);
    // The machine may have stood still since the counters were read: so many had come when the event ended, at most.
    const most = (clock_gettime(CLOCK_MONOTONIC) - load<i64>(starts + (i << 3))) / PERIOD;
    row("timer", i, due, most, s.activations, s.coalesced, left);
  }
}

// ---- Streams ----

const positions = memory.data(512, 8);
let wrong: i32 = 0;

function accepted(jid: i32, listener: i32, fd: i32): void {
  if (fd >= DESCRIPTORS) return;
  store<i64>(positions + (fd << 3), 0);
  onRead(fd, received);
}

function received(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {
  const position = load<i64>(positions + (fd << 3));
  if (length <= 0) {
    eventStatistics(jid, statistics);
    const left = s.activations - s.handled - s.coalesced - s.waiting;
    row("stream", position, length, s.activations, s.handled, left);
    close(fd);
    return;
  }
  for (let i = 0; i < length; i++) if (load<u8>(data + i) != <u8>((<u32>position + i) * 7)) wrong++;
  store<i64>(positions + (fd << 3), position + length);
}

// ---- Datagrams ----

let reader: i32 = 0;
let datagrams: i64 = 0;
let next: u32 = 0;
let unordered: i32 = 0;

function datagram(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {
  if (length < 4) return;
  const number = load<u32>(data);
  if (number < next) unordered++;
  next = number + 1;
  datagrams++;
}

// ---- Messages ----

let messages: i64 = 0;
let messageGaps: i32 = 0;
let mailbox: i32 = 0;

function message(jid: i32, from: i32, data: usize, length: i32): void {
  if (load<u32>(data) != <u32>messages) messageGaps++;
  messages++;
}

// ---- Control ----

function report(): void {
  let pending = 0;
  for (let i = 0; i < TIMERS; i++) {
    const state = evctl(load<i32>(timers + (i << 2)), EVJOBLOOKUP, 0);
    if (state > 0 && (state & EVENT_REGISTERED) != 0) pending++;
    else row("told", i, load<i64>(told + (i << 3)));
  }
  eventStatistics(reader, statistics);
  const left = s.activations - s.handled - s.coalesced - s.waiting;
  row("datagrams", datagrams, unordered, s.handled, s.waiting, left);
  eventStatistics(mailbox, statistics);
  row("messages", messages, messageGaps, s.activations, s.handled, s.waiting, s.coalesced);
  sysinfo(changetype<usize>(system), SYSTEM_INFORMATION_SIZE);
  row("system", system.framesDropped, wrong, pending);
}

function control(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {
  if (length == 0) return;
  const letter = load<u8>(data);
  if (letter == 0x73) {
    if (load<i32>(timers) != 0 && evctl(load<i32>(timers), EVJOBLOOKUP, 0) > 0) {
      endTimers();
      kill(processNamed("source"), SIGTERM);
    }
  } else if (letter == 0x72) report();
  sendto(fd, data, length, MSG_DONTWAIT, from, SOCKADDR_SIZE);
}

export function main(): i32 {
  onAccept(listenTcp(4001), accepted);
  reader = onRead(bindUdp(4002), datagram);
  onRead(bindUdp(4003), control, CONTROL);
  mailbox = onMessage(1, message);
  for (let i = 0; i < TIMERS; i++) {
    store<i64>(starts + (i << 3), clock_gettime(CLOCK_MONOTONIC));
    store<i32>(timers + (i << 2), onTimer(PERIOD, PERIOD, expired));
  }
  return enter_keepalive();
}
