/**
 * An application's own memory, filters and time-outs on the real machine (spec/boot/aem/control.test.ts): a UDP socket that sends to itself and
 * a TCP connection inside the machine. One step follows from the handler of the one before.
 */
import {
  BUFFER_WAIT,
  EVJOBSHTDN,
  INADDR_LOOPBACK,
  MSG_DONTWAIT,
  SOCKADDR_SIZE,
  STATISTICS_SIZE,
  AF_INET,
  EVJOBALLOCATOR,
  EVJOBRETRY,
  EventStatistics,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  bindUdp,
  close,
  connect,
  enter_keepalive,
  evctl,
  eventStatistics,
  filterLeast,
  filterPeers,
  giveBuffer,
  listenTcp,
  measureLatency,
  onAccept,
  onRead,
  onTimer,
  send,
  sendto,
  setAddress,
  setAllocator,
  setReadHandler,
  setTimeout,
  sigtake,
  socket,
} from "../../../../sdk";
import { row } from "../report";

const PORT: u32 = 3000;
const STREAM_PORT: u32 = 3001;
const TIMEOUT: u64 = 20_000_000;

const name = memory.data(16, 8);
const message = memory.data(1024);
const buffer = memory.data(512);
const pool = memory.data(8192, 16);
const statistics = memory.data(200, 8);

let udp: i32 = -1;
let reader: i32 = 0;
let step: i32 = 0;
let allocations: i32 = 0;
let asked: i32 = 0;
let client: i32 = -1;
let server: i32 = -1;

/** Calls the kernel while the kernel waits for its answer; the first time there is no memory. */
function allocate(bytes: i32): usize {
  allocations++;
  asked = bytes;
  row("allocate", bytes, evctl(reader, EVJOBRETRY, 0));
  return allocations == 1 ? 0 : pool;
}

function sum(data: usize, length: i32): i32 {
  let total = 0;
  for (let i = 0; i < length; i++) total += load<u8>(data + i);
  return total;
}

function sendSelf(length: i32): void {
  sendto(udp, message, length, MSG_DONTWAIT, name, SOCKADDR_SIZE);
}

function received(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {
  const place = data == buffer + 16 ? 1 : data == pool + 16 ? 2 : 0;
  row("datagram", step, place, length, sum(data, length), from == data - 16 ? 1 : 0);
  step++;
  if (step == 1) {
    // No buffer is left: the allocator, which has nothing at first.
    row("allocator", setAllocator(jid, allocate), evctl(jid, EVJOBALLOCATOR, received.index));
    sendSelf(200);
    onTimer(10_000_000, 0, again);
  } else if (step == 2) {
    row("handler", setReadHandler(jid, later));
    sendSelf(300);
  }
}

function again(jid: i32, overrun: i32): void {
  row("retry", allocations, evctl(reader, EVJOBRETRY, 0));
}

function later(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {
  if (length < 0) {
    row("timeout", length, <i64>data, <i64>from);
    evctl(jid, EVJOBSHTDN, 0);
    stream();
    return;
  }
  row("later", length, sum(data, length), asked, allocations);
  eventStatistics(jid, statistics);
  const s = changetype<EventStatistics>(statistics);
  let buckets: u32 = 0;
  for (let i = 0; i < 24; i++) buckets += s.latencyCount(i);
  const left = s.activations - s.handled - s.coalesced - s.filtered - s.cleaned - s.waiting;
  row("statistics", s.size, s.handled, buckets, left, s.latencyMin <= s.latencyMax ? 1 : 0, s.errors);
  row("filter", filterPeers(jid, 0x0a000000, 8));
  sendSelf(1);
  row("set-timeout", setTimeout(jid, TIMEOUT));
}

// ---- A stream, whose handler is called for 5000 bytes at least ----

function stream(): void {
  onAccept(listenTcp(STREAM_PORT), accepted);
  client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  setAddress(name, INADDR_LOOPBACK, STREAM_PORT);
  connect(client, name, SOCKADDR_SIZE);
}

function accepted(jid: i32, fd: i32, newfd: i32): void {
  server = newfd;
  const reading = onRead(newfd, bytes);
  row("least", filterLeast(reading, 5000));
  for (let i = 0; i < 12; i++) send(client, message, 1000, MSG_DONTWAIT);
  close(client);
}

function bytes(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {
  row("bytes", length);
  if (length > 0) return;
  close(fd);
  row("done", 1);
}

export function main(): i32 {
  for (let i = 0; i < 1024; i++) store<u8>(message + i, <u8>i);
  udp = bindUdp(PORT);
  setAddress(name, INADDR_LOOPBACK, PORT);
  reader = onRead(udp, received);
  row("measure", measureLatency(reader, true));
  row("give", giveBuffer(reader, buffer, 512, BUFFER_WAIT), giveBuffer(reader, 0xfffffff0, 512));
  row("size", STATISTICS_SIZE);
  sendSelf(100);
  while (sigtake() == 0) enter_keepalive();
  return 0;
}
