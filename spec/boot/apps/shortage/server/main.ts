/**
 * A transaction server with too little of everything: its error handler is told what is short, and decides (AEM 3.5.2). One part follows
 * from the other.
 *
 *     row error PART ERRNO BYTES STATE OWN      OWN: it is about the event that it has to be about
 */
import {
  EVENT_PENDING,
  EVENT_STARVED,
  EVF_CAPSULE,
  EVF_FORK,
  EVF_NOCLDWAIT,
  EVF_THREAD,
  EVJOBLOOKUP,
  EVJOBRETRY,
  EventStatistics,
  SIGKILL,
  STATISTICS_SIZE,
  close,
  enter_keepalive,
  evctl,
  eventStatistics,
  evpost,
  exit,
  getpid,
  kill,
  listenTcp,
  nanosleep,
  onAccept,
  onError,
  onMessage,
  onRead,
  onTimer,
  processNamed,
  send,
} from "../../../../../sdk";
import { row } from "../../report";

const PORT: u32 = 3100;
const MILLISECOND: i64 = 1_000_000;
const BURST: i32 = 6;

const WORKERS: i32 = 1;
const DESCRIPTORS: i32 = 2;
const CHILDREN: i32 = 3;
const CAPSULES: i32 = 4;
const FRAMES: i32 = 5;

const statistics = memory.data(256, 8);
/** Descriptors of connections that have had their answer. */
const served = memory.data(64, 8);
let servedCount: i32 = 0;

let part: i32 = 0;
/** The event that a report has to be about; of workers and children: between these two. */
let about: i32 = 0;
let runs: i32 = 0;
let burst: i32 = 0;
let parent: i32 = 0;
let glutton: i32 = 0;

function shortage(jid: i32, event: i32, errno: i32, bytes: i32): void {
  const state = evctl(event, EVJOBLOOKUP, 0) & (EVENT_PENDING | EVENT_STARVED);
  row("error", part, errno, bytes, state, about == 0 || event == about ? 1 : 0);
  if (part == DESCRIPTORS) {
    // The oldest connection that has been answered makes room.
    const fd = load<i32>(served);
    memory.copy(served, served + 4, 60);
    servedCount--;
    close(fd);
  } else if (part == FRAMES) {
    if (glutton != 0) kill(glutton, SIGKILL);
    glutton = 0;
    onTimer(5 * MILLISECOND, 0, tryAgain);
  }
}

// ---- Workers: a burst of handlers that block, more than there are threads; twice ----

function blocking(jid: i32, overrun: i32): void {
  nanosleep(5 * MILLISECOND);
  if (++runs % BURST != 0) return;
  burst++;
  row("worked", burst, runs);
  if (burst == 1) onTimer(10 * MILLISECOND, 0, workers);
  else onTimer(10 * MILLISECOND, 0, descriptors);
}

function workers(jid: i32, overrun: i32): void {
  part = WORKERS;
  for (let i = 0; i < BURST; i++) onTimer(2 * MILLISECOND, 0, blocking, EVF_THREAD);
}

// ---- Descriptors ----

function descriptors(jid: i32, overrun: i32): void {
  part = DESCRIPTORS;
  about = onAccept(listenTcp(PORT), accepted);
  evpost(processNamed("client"), 1, 0, 0);
}

function accepted(jid: i32, listener: i32, fd: i32): void {
  onRead(fd, asked);
}

function asked(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {
  if (length <= 0) return;
  send(fd, data, length, 0);
  store<i32>(served + (servedCount << 2), fd);
  servedCount++;
  if (++runs < 2 * BURST + 10) return;
  eventStatistics(about, statistics);
  const s = changetype<EventStatistics>(statistics);
  row("accepted", s.activations, s.handled, s.waiting, s.errors > 0 ? 1 : 0);
  onTimer(20 * MILLISECOND, 0, children);
}

// ---- Children and capsules: five handlers, each in a process of its own ----

function children(jid: i32, overrun: i32): void {
  part = CHILDREN;
  about = 0;
  onMessage(2, childSpoke);
  runs = 0;
  for (let i = 0; i < 5; i++) onTimer(2 * MILLISECOND, 0, forked, EVF_FORK | EVF_NOCLDWAIT);
}

function forked(jid: i32, overrun: i32): void {
  nanosleep(5 * MILLISECOND);
  evpost(parent, 2, 0, 0);
}

function childSpoke(jid: i32, from: i32, data: usize, length: i32): void {
  if (++runs != 5) return;
  row("children", part, runs);
  runs = 0;
  if (part == CHILDREN) {
    part = CAPSULES;
    for (let i = 0; i < 5; i++) onTimer(2 * MILLISECOND, 0, forked, EVF_CAPSULE);
  } else onTimer(20 * MILLISECOND, 0, frames);
}

// ---- Frames: there are none for a fork ----

function frames(jid: i32, overrun: i32): void {
  part = FRAMES;
  onMessage(1, eaten);
  onMessage(3, lateChild);
  glutton = processNamed("glutton");
  evpost(glutton, 1, 0, 0);
}

function eaten(jid: i32, from: i32, data: usize, length: i32): void {
  about = onTimer(MILLISECOND, 0, transaction, EVF_FORK | EVF_NOCLDWAIT);
}

function tryAgain(jid: i32, overrun: i32): void {
  row("retry", evctl(about, EVJOBRETRY, 0));
}

function transaction(jid: i32, overrun: i32): void {
  evpost(parent, 3, 0, 0);
}

function lateChild(jid: i32, from: i32, data: usize, length: i32): void {
  row("forked", from != parent ? 1 : 0);
  row("done", 1);
  exit(0);
}

export function main(): i32 {
  parent = getpid();
  row("handler", onError(shortage) > 0 ? 1 : 0);
  workers(0, 0);
  return enter_keepalive();
}
