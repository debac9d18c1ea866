/**
 * Main code at the default priority that computes and never waits: a row each second of machine time with what it got of it, in
 * per mille, found from the gaps between two looks at the clock.
 */
import { CLOCK_MONOTONIC, clock_gettime } from "../../../../../sdk";
import { row } from "../../report";

const SECOND: i64 = 1_000_000_000;
/** Between two looks at the clock less than this passes when nobody else runs. */
const GAP: i64 = 200_000;

export function main(): i32 {
  let begin = clock_gettime(CLOCK_MONOTONIC);
  let last = begin;
  let own: i64 = 0;
  while (true) {
    const time = clock_gettime(CLOCK_MONOTONIC);
    if (time - last < GAP) own += time - last;
    last = time;
    if (time - begin < SECOND) continue;
    row("share", (own * 1000) / (time - begin));
    begin = time;
    own = 0;
  }
  return 0;
}
