/** Forks of each kind: what the sides have of their own, what they share, and how the end is told (spec/boot/aem/executors.test.ts). */
import {
  CLOCK_MONOTONIC,
  EVF_CAPSULE,
  EVF_FORK,
  EVF_NOCLDWAIT,
  EVF_THREAD,
  WNOHANG,
  clock_gettime,
  enter_keepalive,
  evctl,
  exit,
  fork,
  getpid,
  nanosleep,
  onTimer,
  waitpid,
  EVJOBSHTDN,
} from "../../../../sdk";
import { row } from "../report";

const MILLISECOND: i64 = 1_000_000;
let value: i32 = 1;
const cell = memory.data(8);

function recursive(depth: i32): i32 {
  if (depth > 0) return recursive(depth - 1) + 1;
  const pid = fork(0);
  if (pid == 0) {
    value += 10;
    store<i32>(cell, load<i32>(cell) + 10);
    return 1000;
  }
  return pid;
}

function plain(): void {
  store<i32>(cell, 5);
  const result = recursive(10);
  if (result >= 1000) {
    row("child", result, value, load<i32>(cell), getpid());
    exit(value);
  }
  value += 100;
  row("parent", result, value, load<i32>(cell), getpid());
  const pid = waitpid(-1, cell, 0);
  row("waited", pid, load<i32>(cell), waitpid(-1, 0, 0), waitpid(-1, 0, WNOHANG));
}

let calls: i32 = 0;

function forked(jid: i32, overrun: i32): void {
  calls++;
  row("forked", getpid(), calls, value);
}

function threaded(jid: i32, overrun: i32): void {
  calls++;
  row("thread-begins", getpid(), calls);
  nanosleep(30 * MILLISECOND);
  row("thread-ends", getpid(), calls);
}

function function_(jid: i32, overrun: i32): void {
  row("function", getpid(), calls);
}

export function main(): i32 {
  plain();
  let jid = onTimer(5 * MILLISECOND, 5 * MILLISECOND, forked, EVF_FORK);
  nanosleep(22 * MILLISECOND);
  evctl(jid, EVJOBSHTDN, 0);
  row("calls", calls, jid > 0 ? 1 : jid);
  let reaped = 0;
  while (waitpid(-1, cell, 0) > 0) reaped++;
  row("reaped", reaped);
  jid = onTimer(5 * MILLISECOND, 5 * MILLISECOND, forked, EVF_CAPSULE);
  nanosleep(32 * MILLISECOND);
  evctl(jid, EVJOBSHTDN, 0);
  row("calls", calls, jid > 0 ? 1 : jid);
  jid = onTimer(5 * MILLISECOND, 5 * MILLISECOND, forked, EVF_FORK | EVF_NOCLDWAIT);
  nanosleep(12 * MILLISECOND);
  evctl(jid, EVJOBSHTDN, 0);
  row("nowait", waitpid(-1, 0, WNOHANG));
  jid = onTimer(10 * MILLISECOND, 10 * MILLISECOND, threaded, EVF_THREAD);
  const second = onTimer(15 * MILLISECOND, 10 * MILLISECOND, function_);
  row("thread", jid > 0 ? 1 : jid);
  nanosleep(100 * MILLISECOND);
  evctl(jid, EVJOBSHTDN, 0);
  evctl(second, EVJOBSHTDN, 0);
  row("done", 1);
  nanosleep(100 * MILLISECOND);
  return 7;
}
