/**
 * A short handler of a periodic timer at the highest priority: for each hundred calls a row with how late one began at most after it was due, and after its
 * activation (ns), and how many of them were punctual: less than half a period later, measured by the promptest of all calls. (In real time the timer starts
 * some time after `due` has been read: QEMU has to translate the code of the registration, and the host may be busy.)
 */
import {
  CLOCK_MONOTONIC,
  EventStatistics,
  clock_gettime,
  enter_keepalive,
  eventStatistics,
  measureLatency,
  onTimer,
} from "../../../../../sdk";
import { prioritized } from "../../identity";
import { row } from "../../report";

const PERIOD: i64 = 1_000_000;
const CALLS: i32 = 100;
const statistics = memory.data(200, 8);

let due: i64 = 0;
let latest: i64 = 0;
let least: i64 = i64.MAX_VALUE;
let punctual: i32 = 0;
let calls: i32 = 0;

function expired(jid: i32, overrun: i32): void {
  due += PERIOD * (overrun + 1);
  const late = clock_gettime(CLOCK_MONOTONIC) - due;
  latest = max(latest, late);
  least = min(least, late);
  if (late - least < PERIOD / 2) punctual++;
  if (++calls % CALLS != 0) return;
  eventStatistics(jid, statistics);
  const latency = changetype<EventStatistics>(statistics).latencyMax;
  measureLatency(jid, true);
  row("urgent", calls, latest, latency, punctual);
  latest = 0;
  punctual = 0;
}

export function main(): i32 {
  due = clock_gettime(CLOCK_MONOTONIC);
  measureLatency(onTimer(PERIOD, PERIOD, expired, prioritized(63)), true);
  return enter_keepalive();
}
