/**
 * Timers with the shortest period that can be asked for, a nanosecond, at the priority that the process's name ends with. They begin when the others have had
 * some time for themselves. Rows, one for SAMPLE calls of the first: `timers CALLS EXPIRATIONS TIME`, TIME since they began.
 */
import { CLOCK_MONOTONIC, clock_gettime, enter_keepalive, nanosleep, onTimer } from "../../../../../sdk";
import { nameNumber, prioritized } from "../../identity";
import { row } from "../../report";

const BEGIN: i64 = 300_000_000;
/** So much later they expire first: by then all are there. */
const INTERVAL: i64 = 1_000_000;
const TIMERS: i32 = 16;
/** Calls of the first timer that are one row. */
const SAMPLE: u64 = 50;
let begun: i64 = 0;
let first: i32 = 0;
let calls: u64 = 0;
let expirations: u64 = 0;

function expired(jid: i32, overrun: i32): void {
  if (jid != first) return;
  calls++;
  expirations += 1 + <u64>overrun;
  if (calls % SAMPLE == 0) row("timers", calls, expirations, clock_gettime(CLOCK_MONOTONIC) - begun);
}

export function main(): i32 {
  const level = nameNumber();
  nanosleep(BEGIN);
  begun = clock_gettime(CLOCK_MONOTONIC) + INTERVAL;
  first = onTimer(INTERVAL, 1, expired, prioritized(level));
  for (let timer: i32 = 1; timer < TIMERS; timer++) onTimer(INTERVAL, 1, expired, prioritized(level));
  return enter_keepalive();
}
