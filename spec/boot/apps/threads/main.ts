/**
 * Handlers on threads (spec/boot/aem/executors.test.ts): one at a time in the memory, so that a counter needs no lock between two system calls; and a
 * thread that blocks does not keep the others waiting. A second process competes for the processor, so that there are preemptions.
 */
import {
  EVF_THREAD,
  EVTBLINIT,
  close,
  evctl,
  evpost,
  getpid,
  nanosleep,
  onMessage,
  onTimer,
  recv,
  setAddress,
  sendto,
  INADDR_LOOPBACK,
  SOCKADDR_SIZE,
  SOCK_DGRAM,
  AF_INET,
  socket,
  bind,
} from "../../../../sdk";
import { nameNumber } from "../identity";
import { row } from "../report";

const MILLISECOND: i64 = 1_000_000;
const SPAN: i64 = 400 * MILLISECOND;
/** Turns of a critical section: several time slices. */
const WORK: i32 = 300_000;

let inside: i32 = 0;
let intrusions: i32 = 0;
let counter: i32 = 0;
let calls: i32 = 0;
let sleeping: i32 = 0;
let mostSleeping: i32 = 0;
let sum: u32 = 1;
const buffer = memory.data(64);

/** No system call in here: whoever comes in meanwhile loses an increment, and is seen. */
function critical(): void {
  if (inside != 0) intrusions++;
  inside = 1;
  const before = counter;
  for (let turn: i32 = 0; turn < WORK; turn++) sum = (sum << 1) ^ (sum >> 3) ^ turn;
  counter = before + 1;
  inside = 0;
}

function threaded(jid: i32, overrun: i32): void {
  calls++;
  critical();
  mostSleeping = max(mostSleeping, ++sleeping);
  nanosleep(3 * MILLISECOND);
  sleeping--;
  calls++;
  critical();
}

function inContext(jid: i32, overrun: i32): void {
  calls++;
  critical();
}

let steps: i32 = 0;

/** Blocks in a call until something comes. */
function receiving(jid: i32, from: i32, data: usize, length: i32): void {
  const fd = load<i32>(data);
  const before = steps;
  const result = recv(fd, buffer, 64, 0);
  row("received", result, load<u8>(buffer), steps - before, data == 0 ? 0 : load<i32>(data) == fd ? 1 : 0);
}

function step(jid: i32, overrun: i32): void {
  steps++;
}

function blocking(): void {
  const fd = socket(AF_INET, SOCK_DGRAM, 0);
  setAddress(buffer, INADDR_LOOPBACK, 5000);
  row("bound", bind(fd, buffer, SOCKADDR_SIZE));
  onMessage(1, receiving, EVF_THREAD);
  const timer = onTimer(MILLISECOND, MILLISECOND, step);
  store<i32>(buffer, fd);
  evpost(getpid(), 1, buffer, 4);
  nanosleep(20 * MILLISECOND);
  row("steps", steps, timer > 0 ? 1 : timer);
  const sender = socket(AF_INET, SOCK_DGRAM, 0);
  setAddress(buffer + 16, INADDR_LOOPBACK, 5000);
  store<u8>(buffer, 99);
  row("sent", sendto(sender, buffer, 3, 0, buffer + 16, SOCKADDR_SIZE));
  nanosleep(5 * MILLISECOND);
  close(fd);
  close(sender);
  evctl(0, EVTBLINIT, 0);
}

let given: i32 = 0;

/** What came for the socket wakes the thread, and before that can go on the socket is closed. In a handler, so that no equal comes in between. */
function closing(jid: i32, overrun: i32): void {
  const sender = socket(AF_INET, SOCK_DGRAM, 0);
  setAddress(buffer + 16, INADDR_LOOPBACK, 5001);
  sendto(sender, buffer, 3, 0, buffer + 16, SOCKADDR_SIZE);
  // The thread is still in its call, and has its data.
  row("closed", close(given), outside);
  close(sender);
}

let outside: i32 = 0;

function losing(jid: i32, from: i32, data: usize, length: i32): void {
  const result = recv(given, buffer + 32, 16, 0);
  outside = 1;
  row("lost", result);
}

function lost(): void {
  given = socket(AF_INET, SOCK_DGRAM, 0);
  setAddress(buffer, INADDR_LOOPBACK, 5001);
  bind(given, buffer, SOCKADDR_SIZE);
  onMessage(1, losing, EVF_THREAD);
  onTimer(5 * MILLISECOND, 0, closing);
  evpost(getpid(), 1, buffer, 4);
  nanosleep(20 * MILLISECOND);
  row("outside", outside);
  evctl(0, EVTBLINIT, 0);
}

export function main(): i32 {
  if (nameNumber() == 2) {
    nanosleep(30 * MILLISECOND);
    // Ends by a call of its own, so that the machine ends.
    for (let turn: i32 = 0; turn < 700; turn++) {
      for (let n: i32 = 0; n < 100_000; n++) sum = (sum << 1) ^ (sum >> 3) ^ n;
    }
    return 0;
  }
  blocking();
  lost();
  for (let n: i32 = 0; n < 3; n++) onTimer(MILLISECOND * (n + 1), 40 * MILLISECOND, threaded, EVF_THREAD);
  onTimer(MILLISECOND, 20 * MILLISECOND, inContext);
  nanosleep(SPAN);
  evctl(0, EVTBLINIT, 0);
  // Those that sleep come to their end.
  nanosleep(60 * MILLISECOND);
  row("protocol", calls, counter, intrusions, sleeping, mostSleeping);
  return 0;
}
