/**
 * Main code below the default priority: computes in rounds, and makes a call only at the end of each (a row with the time). While others take all of
 * the processor an event of priority 50 is activated: what is left of the round runs at its priority, then its handler, and no round more.
 */
import { CLOCK_MONOTONIC, clock_gettime, onTimer } from "../../../../../sdk";
import { prioritized } from "../../identity";
import { row } from "../../report";

const EXPIRES: i64 = 150_000_000;
const END: i64 = 270_000_000;
const TURNS: i32 = 1_000_000;
let sum: u32 = 1;

function expired(jid: i32, overrun: i32): void {
  row("handler", clock_gettime(CLOCK_MONOTONIC));
}

export function main(): i32 {
  const begin = clock_gettime(CLOCK_MONOTONIC);
  row("under-begins", begin);
  onTimer(EXPIRES, 0, expired, prioritized(50));
  while (true) {
    for (let turn: i32 = 0; turn < TURNS; turn++) sum = (sum << 1) ^ (sum >> 3) ^ turn;
    const time = clock_gettime(CLOCK_MONOTONIC);
    row("round", time, sum);
    if (time - begin > END) return 0;
  }
  return 0;
}
