/**
 * Main code that computes and looks at the clock all the time: from the gaps between two looks it finds when others ran. At the end a
 * row: slices, the longest slice, the longest gap, the time that it had, all time (ns).
 */
import { CLOCK_MONOTONIC, clock_gettime, nanosleep } from "../../../../../sdk";
import { row } from "../../report";

const BEGIN: i64 = 100_000_000;
const SPAN: i64 = 300_000_000;
/** Between two looks at the clock less than this passes when nobody else runs. */
const GAP: i64 = 100_000;

export function main(): i32 {
  nanosleep(BEGIN);
  const begin = clock_gettime(CLOCK_MONOTONIC);
  let last = begin;
  let start = begin;
  let own: i64 = 0;
  let slices = 0;
  let longest: i64 = 0;
  let longestGap: i64 = 0;
  while (true) {
    const time = clock_gettime(CLOCK_MONOTONIC);
    if (time - last > GAP) {
      slices++;
      longest = max(longest, last - start);
      longestGap = max(longestGap, time - last);
      own += last - start;
      start = time;
    }
    last = time;
    if (time - begin > SPAN) break;
  }
  row("slices", slices, longest, longestGap, own + last - start, last - begin);
  nanosleep(BEGIN);
  return 0;
}
