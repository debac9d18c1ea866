/**
 * One level of a system with periodic deadlines: a timer whose handler computes for a while, at the priority that the process's name ends with. A
 * row at the end: the calls, how late one began at most after it was due, and how long one waited at most after its activation (ns).
 */
import {
  CLOCK_MONOTONIC,
  EventStatistics,
  clock_gettime,
  enter_keepalive,
  eventStatistics,
  exit,
  measureLatency,
  onTimer,
} from "../../../../../sdk";
import { nameNumber, prioritized } from "../../identity";
import { row } from "../../report";

/** Each level has a period of its own, so that they meet in all ways: 5 ms and 37 µs for each level below 63. */
const PERIOD: i64 = 5_000_000;
const PERIOD_STEP: i64 = 37_000;
/** Turns of the handler's loop, some three instructions each. */
const WORK: i32 = 100_000;
/** Of the measurement, from its start: how long the machine takes to get there differs from boot to boot (it measures its clocks). */
const LENGTH: i64 = 250_000_000;

const statistics = memory.data(200, 8);
let level: i32 = 0;
let period: i64 = 0;
let end: i64 = 0;
let due: i64 = 0;
let calls: i32 = 0;
let latest: i64 = 0;
let longest: i64 = 0;
let sum: u32 = 1;

function expired(jid: i32, overrun: i32): void {
  const begin = clock_gettime(CLOCK_MONOTONIC);
  due += period * (overrun + 1);
  latest = max(latest, begin - due);
  calls++;
  for (let turn: i32 = 0; turn < WORK; turn++) sum = (sum << 1) ^ (sum >> 3) ^ turn;
  longest = max(longest, clock_gettime(CLOCK_MONOTONIC) - begin);
  if (begin < end) return;
  eventStatistics(jid, statistics);
  row(
    "level",
    level,
    calls,
    latest,
    changetype<EventStatistics>(statistics).latencyMax,
    longest,
    sum == 0 ? 0 : period,
  );
  exit(0);
}

export function main(): i32 {
  level = nameNumber();
  period = PERIOD + PERIOD_STEP * (63 - level);
  due = clock_gettime(CLOCK_MONOTONIC);
  end = due + LENGTH;
  measureLatency(onTimer(period, period, expired, prioritized(level)), true);
  return enter_keepalive();
}
