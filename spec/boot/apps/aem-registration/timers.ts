/** 3.6.3: one-shot, periodic without drift, and another event watched periodically. Times in the rows are microseconds. */
import { CLOCK_MONOTONIC, EVJOBSHTDN, clock_gettime, evctl, onTimer } from "../../../../sdk";
import { row } from "../report";
import { statistics } from "./statistics";

const MILLISECOND: i64 = 1_000_000;
const PERIOD: i64 = 10 * MILLISECOND;
/** What each call of the periodic handler computes: a timer that began anew from its handler would drift by this. */
const WORK: i64 = 3 * MILLISECOND;
const CALLS: i32 = 60;
/** Calls whose distance from the grid counts. */
const LAST: i32 = 20;

let started: i64 = 0;
let onceCalls: i32 = 0;
let calls: i32 = 0;
let expirations: i64 = 0;
let earliest: i64 = i64.MAX_VALUE;
let nearest: i64 = i64.MAX_VALUE;
let watched: i32 = 0;
let seen: u64 = 0;
let looks: i32 = 0;

function elapsed(): i64 {
  return clock_gettime(CLOCK_MONOTONIC) - started;
}

function once(jid: i32, overrun: i32): void {
  onceCalls++;
  row("timer-once", jid, overrun, elapsed() / 1000);
}

/** 500 ms: `once` would have come again by now. */
function afterOnce(jid: i32, overrun: i32): void {
  row("timer-once-calls", onceCalls);
}

/** How far behind the grid `started + n * PERIOD` a call comes: never before it, and no farther with every call. */
function periodic(jid: i32, overrun: i32): void {
  expirations += 1 + overrun;
  const begin = elapsed();
  const behind = (begin - expirations * PERIOD) / 1000;
  earliest = min(earliest, behind);
  if (++calls > CALLS - LAST) nearest = min(nearest, behind);
  if (calls < CALLS) {
    while (elapsed() - begin < WORK) {}
    return;
  }
  row("timer-periodic", calls, expirations, earliest, nearest, evctl(jid, EVJOBSHTDN, 0));
}

/** Every 20 ms: reports when the event that it watches has been activated again. */
function look(jid: i32, overrun: i32): void {
  looks++;
  const now = statistics(watched);
  if (now.activations == seen) return;
  seen = now.activations;
  row("monitor", watched, now.activations, now.handled + now.coalesced + now.waiting, looks);
}

/** Watches the event `jid` from now on. */
export function monitor(jid: i32): void {
  watched = jid;
  row("monitoring", onTimer(20 * MILLISECOND, 20 * MILLISECOND, look));
}

export function timers(): void {
  started = clock_gettime(CLOCK_MONOTONIC);
  row("timer-registered", onTimer(30 * MILLISECOND, 0, once), onTimer(PERIOD, PERIOD, periodic));
  onTimer(500 * MILLISECOND, 0, afterOnce);
}
