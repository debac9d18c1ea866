/** A short handler of a periodic timer at the highest priority: for each hundred calls a row with how late one began at most after it was due, and after its activation (ns). */
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
let calls: i32 = 0;

function expired(jid: i32, overrun: i32): void {
  due += PERIOD * (overrun + 1);
  latest = max(latest, clock_gettime(CLOCK_MONOTONIC) - due);
  if (++calls % CALLS != 0) return;
  eventStatistics(jid, statistics);
  const latency = changetype<EventStatistics>(statistics).latencyMax;
  measureLatency(jid, true);
  row("urgent", calls, latest, latency);
  latest = 0;
}

export function main(): i32 {
  due = clock_gettime(CLOCK_MONOTONIC);
  measureLatency(onTimer(PERIOD, PERIOD, expired, prioritized(63)), true);
  return enter_keepalive();
}
