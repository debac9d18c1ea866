/** Main code that computes in rounds and makes no call meanwhile but to read the clock. Rows: `rounds COUNT TIME`, those of each SPAN. */
import { CLOCK_MONOTONIC, clock_gettime } from "../../../../../sdk";
import { row } from "../../report";

const SPAN: i64 = 100_000_000;
const TURNS: i32 = 10_000;
let sum: u32 = 1;

export function main(): i32 {
  let begin = clock_gettime(CLOCK_MONOTONIC);
  let rounds = 0;
  while (true) {
    for (let turn: i32 = 0; turn < TURNS; turn++) sum = (sum << 1) ^ (sum >> 3) ^ turn;
    rounds++;
    const time = clock_gettime(CLOCK_MONOTONIC);
    if (time - begin < SPAN) continue;
    row("rounds", rounds, time - begin, sum);
    rounds = 0;
    begin = clock_gettime(CLOCK_MONOTONIC);
  }
  return 0;
}
