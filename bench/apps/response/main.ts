/**
 * Requests to three servers (worker.ts) of priorities 48, 32 and 16, below a timer of the highest one that posts them: a tenth of what the processor can do to the first, whatever the load is, and
 * of the rest a half to each of the others. The loads follow one another: a half, once and ten times of what it can do. What a server has no room for is not asked for again.
 *
 *     row load HALVES POSTED REFUSED     a load has ended: requests posted, and those that found no room; the servers' rows follow the last
 */
import {
  CLOCK_MONOTONIC,
  EVF_PRIORITY,
  EVJOBSHTDN,
  clock_gettime,
  enter_keepalive,
  evctl,
  evpost,
  getpidof,
  onTimer,
} from "../../../sdk";
import { row } from "../../../spec/boot/apps/report";
import { LOADS, SERVICE } from "./work";

const HIGHEST: i32 = 63;
const PERIOD: i64 = 1_000_000;
/** Periods of a load, and of a pause in which all is done that waits. */
const PERIODS: i32 = 1500;
const PAUSE: i32 = 100;
const HALVES: StaticArray<i32> = [1, 2, 20];
const NAMES: StaticArray<string> = ["high", "middle", "low"];

const text = memory.data(16, 8);
/** When it is posted, and when the load ends. */
const times = memory.data(16, 8);
const pids = new StaticArray<i32>(3);
/** Nanoseconds of work that are due to each. */
const due = new StaticArray<i64>(3);
let phase: i32 = 0;
let period: i32 = 0;
let posted: i32 = 0;
let refused: i32 = 0;

function post(to: i32): void {
  store<i64>(times, clock_gettime(CLOCK_MONOTONIC));
  if (evpost(unchecked(pids[to]), 1, times, 16) < 0) refused++;
  else posted++;
}

function expired(jid: i32, overrun: i32): void {
  if (period == 0) store<i64>(times, clock_gettime(CLOCK_MONOTONIC) + PERIODS * PERIOD, 8);
  period += 1 + overrun;
  if (period > PERIODS + PAUSE) {
    row("load", unchecked(HALVES[phase]), posted, refused);
    for (let i = 0; i < 3; i++) evpost(unchecked(pids[i]), 1, 0, 0);
    period = posted = refused = 0;
    if (++phase < LOADS) return;
    for (let i = 0; i < 3; i++) evpost(unchecked(pids[i]), 1, 0, 0);
    evctl(jid, EVJOBSHTDN, 0);
    return;
  }
  if (period > PERIODS) return;
  const passed = PERIOD * (1 + overrun);
  const tenth = passed / 10;
  const rest = (passed * unchecked(HALVES[phase])) / 2 - tenth;
  // To the highest last: what posting the others takes is the load's, not the system's.
  for (let i = 2; i >= 0; i--) {
    let owed = unchecked(due[i]) + (i == 0 ? tenth : rest / 2);
    for (; owed >= SERVICE; owed -= SERVICE) post(i);
    unchecked((due[i] = owed));
  }
}

export function main(): i32 {
  for (let i = 0; i < 3; i++) {
    const name = unchecked(NAMES[i]);
    String.UTF8.encodeUnsafe(changetype<usize>(name), name.length, text);
    unchecked((pids[i] = getpidof(text, name.length)));
  }
  onTimer(100 * PERIOD, PERIOD, expired, EVF_PRIORITY(HIGHEST));
  return enter_keepalive();
}
