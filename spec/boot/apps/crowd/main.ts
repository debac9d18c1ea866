/**
 * More work than there may be children and capsules (spec/boot/aem/executors.test.ts): 24 messages for handlers in clones that take a while each. Each
 * clone reports to its parent when it begins and when it ends; the parent counts.
 */
import {
  EVF_CAPSULE,
  EVF_FORK,
  EVF_NOCLDWAIT,
  EVJOBSHTDN,
  EVJOBSTAT,
  EventStatistics,
  STATISTICS_SIZE,
  WNOHANG,
  eventStatistics,
  evctl,
  evpost,
  getpid,
  nanosleep,
  onMessage,
  waitpid,
} from "../../../../sdk";
import { parentPid } from "../identity";
import { row } from "../report";

const MESSAGES: i32 = 24;
const MILLISECOND: i64 = 1_000_000;
const WORK_PORT: i32 = 1;
const REPORT_PORT: i32 = 2;

const letter = memory.data(16);
const statistics = memory.data(200, 8);
/** In each process its own. */
let calls: i32 = 0;
/** In the parent: clones that work now, most there were, reports of the end, sum of their numbers, pids seen, longest memory of a clone. */
let busy: i32 = 0;
let most: i32 = 0;
let ended: i32 = 0;
let sum: i32 = 0;
let longest: i32 = 0;
let distinct: i32 = 0;
const seen = memory.data(256);

function report(begin: bool, number: i32): void {
  store<i32>(letter, begin);
  store<i32>(letter, number, 4);
  store<i32>(letter, getpid(), 8);
  store<i32>(letter, calls, 12);
  evpost(parentPid(), REPORT_PORT, letter, 16);
}

function work(jid: i32, from: i32, data: usize, length: i32): void {
  const number = load<i32>(data);
  calls++;
  report(true, number);
  nanosleep(3 * MILLISECOND);
  report(false, number);
}

function reported(jid: i32, from: i32, data: usize, length: i32): void {
  if (load<i32>(data) != 0) {
    most = max(most, ++busy);
    return;
  }
  busy--;
  ended++;
  sum += load<i32>(data, 4);
  const pid = load<i32>(data, 8);
  if (load<u8>(seen + pid) == 0) distinct++;
  store<u8>(seen + pid, 1);
  longest = max(longest, load<i32>(data, 12));
}

function round(kind: i32, flags: i32): void {
  busy = most = ended = sum = distinct = longest = calls = 0;
  memory.fill(seen, 0, 256);
  const jid = onMessage(WORK_PORT, work, flags);
  for (let number: i32 = 1; number <= MESSAGES; number++) {
    store<i32>(letter, number);
    const error = evpost(getpid(), WORK_PORT, letter, 4);
    if (error != 0) row("post", error);
  }
  for (let wait = 0; wait < 400 && ended < MESSAGES; wait++) {
    nanosleep(MILLISECOND);
    // Ended children hold their places until they are waited for.
    while (waitpid(-1, 0, WNOHANG) > 0) {}
  }
  nanosleep(2 * MILLISECOND);
  let reaped = 0;
  while (waitpid(-1, 0, WNOHANG) > 0) reaped++;
  eventStatistics(jid, statistics);
  const s = changetype<EventStatistics>(statistics);
  row("crowd", kind, most, ended, sum, distinct, longest);
  row("crowd-event", kind, s.activations, s.handled, s.waiting, calls, reaped);
  evctl(jid, EVJOBSHTDN, 0);
}

export function main(): i32 {
  onMessage(REPORT_PORT, reported, 64 << 8);
  round(1, EVF_FORK);
  round(2, EVF_FORK | EVF_NOCLDWAIT);
  round(3, EVF_CAPSULE);
  row("left", waitpid(-1, 0, WNOHANG), evctl(0, EVJOBSTAT, 0));
  return 0;
}
