/**
 * Plain fork (spec/boot/aem/executors.test.ts): what each side has of its own, how the end of a child is told, and which events a child
 * has. Rows say what was seen; the test says what is right.
 */
import {
  EVF_KEEPALIVE,
  EVF_ONESHOT,
  EVF_THREAD,
  EVTBLINIT,
  FORK_EVENTS,
  FORK_NO_WAIT,
  SIGKILL,
  WNOHANG,
  enter_keepalive,
  evctl,
  evpost,
  exit,
  fork,
  getpid,
  kill,
  nanosleep,
  onChild,
  onMessage,
  onTimer,
  waitpid,
} from "../../../../sdk";
import { parentPid } from "../identity";
import { row } from "../report";

const MILLISECOND: i64 = 1_000_000;
const PAGE: i32 = 65536;
/** Of 4 KiB: more than a fork keeps frames back for. */
const BLOCK_PAGES: i32 = 100;

let value: i32 = 1;
let ticks: i32 = 0;
let block: usize = 0;
const cell = memory.data(8);

/** Forks at the bottom: both sides come back through frames of their own. */
function recursive(depth: i32, a: i32, b: i32): i32 {
  if (depth == 0) {
    const pid = fork(0);
    if (pid == 0) value = 1000;
    return pid;
  }
  const below = recursive(depth - 1, a + depth, b ^ a);
  // In the child the frames add 1000 each, in the parent 1.
  return below + (value == 1000 ? 1000 : 1) + (a - a) + (b ^ b);
}

/** How many of the block's pages hold `wanted` at their beginning. */
function pagesWith(wanted: i32): i32 {
  let count = 0;
  for (let page = 0; page < BLOCK_PAGES; page++) if (load<i32>(block + page * 4096) == wanted) count++;
  return count;
}

function fill(wanted: i32): void {
  for (let page = 0; page < BLOCK_PAGES; page++) store<i32>(block + page * 4096, wanted);
}

/** In the child of `sides`: its parent has changed everything meanwhile. */
function childLooks(jid: i32, from: i32, data: usize, length: i32): void {
  row("child-later", value, pagesWith(7), memory.size(), load<i32>(data));
  value = 20;
  fill(9);
  memory.grow(3);
  store<i32>(memory.size() * PAGE - 4, 77);
  row("child-grown", memory.size(), load<i32>(memory.size() * PAGE - 4));
  exit(5);
}

function sides(): void {
  const result = recursive(10, 3, 4);
  if (value == 1000) {
    row("stack-child", result, getpid() == parentPid() ? 1 : 0);
    exit(0);
  }
  row("stack-parent", result - waitpid(-1, 0, 0), value);

  block = heap.alloc(BLOCK_PAGES * 4096);
  fill(7);
  value = 2;
  row("pages", memory.size());
  const pid = fork(0);
  if (pid == 0) {
    onMessage(1, childLooks);
    evpost(parentPid(), 2, 0, 0);
    enter_keepalive();
  }
  value = 3;
  fill(8);
  memory.grow(1);
  const pages = memory.size();
  // The child tells when it listens.
  onMessage(2, ready, EVF_KEEPALIVE | EVF_ONESHOT);
  enter_keepalive();
  store<i32>(cell, 42);
  row("posted", evpost(pid, 1, cell, 4));
  row("waited", waitpid(pid, cell, 0) == pid ? 1 : 0, load<i32>(cell));
  row("parent-later", value, pagesWith(8), memory.size() - pages);
}

function ready(jid: i32, from: i32, data: usize, length: i32): void {}

function ended(jid: i32, pid: i32, status: i32): void {
  row("child-event", pid, status);
}

/** Ends of children: waitpid, the event, and those that nobody waits for. */
function ends(): void {
  row(
    "nobody",
    waitpid(-1, 0, 0),
    waitpid(1, 0, WNOHANG),
    waitpid(0, 0, 0),
    waitpid(-1, 0, 2),
    waitpid(-1, 0xffffff00, 0),
  );
  let pid = fork(0);
  if (pid == 0) {
    nanosleep(5 * MILLISECOND);
    exit(17);
  }
  row("not-yet", waitpid(pid, 0, WNOHANG), waitpid(-1, 0, WNOHANG));
  row("exited", waitpid(pid, cell, 0) == pid ? 1 : 0, load<i32>(cell), waitpid(pid, 0, 0));

  pid = fork(0);
  if (pid == 0) while (true) value++;
  nanosleep(2 * MILLISECOND);
  kill(pid, SIGKILL);
  row("killed", waitpid(-1, cell, 0) == pid ? 1 : 0, load<i32>(cell));

  pid = fork(0);
  if (pid == 0) unreachable();
  row("trapped", waitpid(-1, cell, 0) == pid ? 1 : 0, load<i32>(cell));

  pid = fork(FORK_NO_WAIT);
  if (pid == 0) {
    nanosleep(5 * MILLISECOND);
    exit(1);
  }
  row("no-wait", waitpid(-1, 0, 0), waitpid(pid, 0, 0), kill(pid, 0));

  const jid = onChild(0, ended);
  const first = fork(0);
  if (first == 0) exit(21);
  const second = fork(0);
  if (second == 0) {
    nanosleep(5 * MILLISECOND);
    exit(22);
  }
  row("children", first, second);
  nanosleep(20 * MILLISECOND);
  row("no-child", waitpid(-1, 0, 0), onChild(first, ended), onChild(getpid(), ended));
  evctl(jid, EVTBLINIT, 0);
}

function tick(jid: i32, overrun: i32): void {
  ticks++;
}

/** The child's timers: its parent's, or none. */
function inheritance(flags: i32): void {
  onTimer(2 * MILLISECOND, 2 * MILLISECOND, tick);
  nanosleep(5 * MILLISECOND);
  ticks = 0;
  const pid = fork(flags);
  nanosleep(21 * MILLISECOND);
  const count = evctl(0, EVTBLINIT, 0);
  if (pid == 0) {
    row("inherited", flags, ticks, count);
    exit(0);
  }
  waitpid(pid, 0, 0);
  row("kept", flags, ticks, count);
}

/** A fork inside of a handler: the child goes on in the handler, and then to where its parent's main code is. */
function forking(jid: i32, overrun: i32): void {
  value = fork(0) == 0 ? 31 : 30;
}

function threaded(jid: i32, overrun: i32): void {
  row("thread-fork", fork(0));
}

export function main(): i32 {
  sides();
  ends();
  inheritance(0);
  inheritance(FORK_EVENTS);
  row("flags", fork(4), fork(-1));
  onTimer(MILLISECOND, 0, forking, EVF_ONESHOT);
  nanosleep(5 * MILLISECOND);
  row("handler-fork", value);
  if (value == 31) exit(31);
  row("handler-child", waitpid(-1, cell, 0) > 0 ? 1 : 0, load<i32>(cell));
  onTimer(MILLISECOND, 0, threaded, EVF_ONESHOT | EVF_THREAD);
  nanosleep(5 * MILLISECOND);
  row("done", 1);
  return 0;
}
