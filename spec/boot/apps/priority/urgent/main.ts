/** A periodic timer at the highest priority: how late its handler runs at most, a row for each hundred calls. */
import { CLOCK_MONOTONIC, clock_gettime, enter_keepalive, evtimer } from "../../../../../sdk";
import { row } from "../../report";

const HIGHEST: i32 = 63;
const PERIOD: i64 = 5_000_000;

let first: i64 = 0;
let due: i64 = 0;
let latest: i64 = 0;
let calls: i32 = 0;

function expired(jid: i32, overrun: i32): void {
  due += PERIOD * (overrun + 1);
  const late = clock_gettime(CLOCK_MONOTONIC) - due;
  if (late > latest) latest = late;
  if (++calls % 100 != 0) return;
  row("late", latest);
  latest = 0;
}

export function main(): i32 {
  due = clock_gettime(CLOCK_MONOTONIC);
  evtimer(PERIOD, PERIOD, (HIGHEST + 1) << 8, expired.index);
  return enter_keepalive();
}
