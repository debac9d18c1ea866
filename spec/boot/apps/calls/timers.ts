/** evtimer: one-shot, periodic, overrun, held. Times in the rows are microseconds. */
import {
  CLOCK_MONOTONIC,
  EVF_ONESHOT,
  EVJOBLOOKUP,
  EVJOBSHTDN,
  EVJOBSTART,
  EVJOBSTOP,
  clock_gettime,
  enter_keepalive,
  evctl,
  onTimer,
} from "../../../../sdk";
import { row } from "../report";

const MILLISECOND: i64 = 1_000_000;
const PERIOD: i64 = 10 * MILLISECOND;
const ROUNDS: i64 = 50;

let started: i64 = 0;
let expirations: i64 = 0;
let overruns: i64 = 0;
let oneshotJid: i32 = 0;
let spun: bool = false;
let held: i32 = 0;
let release: i32 = 0;
let oneshotPeriodic: i32 = 0;
let first: i32 = 0;

function since(time: i64): i64 {
  return (clock_gettime(CLOCK_MONOTONIC) - time) / 1000;
}

function onceExpired(jid: i32, overrun: i32): void {
  row("timer-once", jid, overrun, since(started));
  oneshotJid = jid;
}

function periodicOnce(jid: i32, overrun: i32): void {
  oneshotPeriodic++;
}

/** Every 10 ms; after 50 of them the time gone by is compared with 50 periods. */
function periodic(jid: i32, overrun: i32): void {
  expirations += 1 + overrun;
  if (expirations < ROUNDS) return;
  row("timer-drift", expirations, since(started) - (expirations * PERIOD) / 1000);
  row("timer-shutdown-in-handler", evctl(jid, EVJOBSHTDN, 0), evctl(jid, EVJOBLOOKUP, 0));
}

/** The first time it takes 55 ms, so that at least four expirations are missed. */
function spinning(jid: i32, overrun: i32): void {
  if (!spun) {
    spun = true;
    const begin = clock_gettime(CLOCK_MONOTONIC);
    while (since(begin) < 55_000) {}
    return;
  }
  row("timer-overrun", overrun, since(started));
  evctl(jid, EVJOBSHTDN, 0);
}

/** Stopped at once, started again after 100 ms by `releasing`: what has expired meanwhile is one call with an overrun. */
function holding(jid: i32, overrun: i32): void {
  row("timer-held", overrun, since(started));
  evctl(jid, EVJOBSHTDN, 0);
}

function releasing(jid: i32, overrun: i32): void {
  row("timer-lookup-held", evctl(held, EVJOBLOOKUP, 0));
  row("timer-release", evctl(held, EVJOBSTART, 0));
}

/** 700 ms: all of the above is over. */
function summary(jid: i32, overrun: i32): void {
  row("timer-oneshot-periodic", oneshotPeriodic);
  row("timer-once-ended", evctl(oneshotJid, EVJOBLOOKUP, 0));
  row("timer-keepalive-in-handler", enter_keepalive());
  row("timers-done", 0);
}

export function timers(): void {
  started = clock_gettime(CLOCK_MONOTONIC);
  onTimer(30 * MILLISECOND, 0, onceExpired);
  onTimer(5 * MILLISECOND, 5 * MILLISECOND, periodicOnce, EVF_ONESHOT);
  onTimer(PERIOD, PERIOD, periodic);
  onTimer(PERIOD, PERIOD, spinning);
  held = onTimer(PERIOD, PERIOD, holding);
  row("timer-hold", evctl(held, EVJOBSTOP, 0));
  release = onTimer(105 * MILLISECOND, 0, releasing);
  onTimer(700 * MILLISECOND, 0, summary);
}
