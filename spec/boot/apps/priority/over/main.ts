/** Main code at the default priority that computes from 100 ms to 250 ms after the start. */
import { CLOCK_MONOTONIC, clock_gettime, nanosleep } from "../../../../../sdk";
import { row } from "../../report";

const BEGIN: i64 = 100_000_000;
const SPAN: i64 = 150_000_000;

export function main(): i32 {
  nanosleep(BEGIN);
  const begin = clock_gettime(CLOCK_MONOTONIC);
  row("over-begins", begin);
  while (clock_gettime(CLOCK_MONOTONIC) - begin < SPAN) {}
  row("over-ends", clock_gettime(CLOCK_MONOTONIC));
  return 0;
}
