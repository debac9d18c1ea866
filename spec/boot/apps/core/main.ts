/** When handlers run, and when not: one row for each rule (spec/boot/core.test.ts). */
import {
  AF_INET,
  CLOCK_MONOTONIC,
  INADDR_LOOPBACK,
  SOCK_STREAM,
  SOCKADDR_SIZE,
  SHUT_WR,
  accept,
  clock_gettime,
  close,
  connect,
  getpid,
  listenTcp,
  nanosleep,
  onClose,
  onRead,
  onTimer,
  setAddress,
  shutdown,
  socket,
} from "../../../../sdk";
import { row } from "../report";

const MILLISECOND: i64 = 1_000_000;
const PORT: u32 = 4000;

let expired: i32 = 0;
let depth: i32 = 0;
let deepest: i32 = 0;
let ended: i32 = 0;
let work: u64 = 1;

function onExpired(jid: i32, overrun: i32): void {
  expired++;
}

/** For some ten milliseconds of computation without any call. */
function compute(): void {
  let x = work;
  for (let i = 0; i < 30_000_000; i++) x = x * 6364136223846793005 + 1442695040888963407;
  work = x;
}

/** A process that calls but never blocks: its timer has to come all the same. */
function timerWhileCalling(): void {
  expired = 0;
  onTimer(5 * MILLISECOND, 0, onExpired);
  const limit = clock_gettime(CLOCK_MONOTONIC) + 500 * MILLISECOND;
  while (expired == 0 && clock_gettime(CLOCK_MONOTONIC) < limit) {}
  row("timer-calling", expired);
}

/** An allocator grows the memory in the middle of its work: no handler may run there. */
function growWithHandlerPending(): void {
  expired = 0;
  onTimer(MILLISECOND, 0, onExpired);
  compute();
  const before = expired;
  const pages = memory.grow(1);
  const inside = expired;
  getpid();
  row("grow", pages > 0 ? 1 : 0, before, inside, expired);
}

/** Handlers make calls, which must not start the next handler. */
function enter(): void {
  if (++depth > deepest) deepest = depth;
  for (let i = 0; i < 4; i++) getpid();
  depth--;
}

function onData(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {
  enter();
  ended |= length == 0 ? 1 : 0;
}

function onEnd(jid: i32, fd: i32, error: i32): void {
  enter();
  ended |= 2;
}

function handlersDoNotNest(): void {
  const listener = listenTcp(PORT);
  const client = socket(AF_INET, SOCK_STREAM, 0);
  const name = memory.data(16);
  setAddress(name, INADDR_LOOPBACK, PORT);
  const connected = connect(client, name, SOCKADDR_SIZE);
  const server = accept(listener, 0, 0);
  // The close event is looked at first, has to stand behind the read event, and is activated while that one is delivered.
  onClose(server, onEnd);
  onRead(server, onData);
  shutdown(client, SHUT_WR);
  const limit = clock_gettime(CLOCK_MONOTONIC) + 500 * MILLISECOND;
  while (ended != 3 && clock_gettime(CLOCK_MONOTONIC) < limit) nanosleep(MILLISECOND);
  row("nesting", connected, ended, deepest);
  close(server);
  close(client);
  close(listener);
}

export function main(): i32 {
  timerWhileCalling();
  growWithHandlerPending();
  handlersDoNotNest();
  return 0;
}
