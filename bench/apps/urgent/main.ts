/**
 * A periodic timer at the highest priority, and how late its handler runs. The period is a whole number of ticks of the timing wheel, so
 * that the wheel makes each call late by the same time: what counts is the difference between the latest call and the earliest one.
 *
 *     row late EARLIEST LATEST, in nanoseconds, for each ROUND calls
 */
import { CLOCK_MONOTONIC, clock_gettime, enter_keepalive, evtimer } from "../../../sdk";
import { row } from "../../../spec/boot/apps/report";

const HIGHEST: i32 = 63;
const PERIOD: i64 = 65_536 * 76;
const ROUND: i32 = 100;

let due: i64 = 0;
let earliest: i64 = i64.MAX_VALUE;
let latest: i64 = 0;
let calls: i32 = 0;

function urgent(jid: i32, overrun: i32): void {
  due += PERIOD * (overrun + 1);
  const late = clock_gettime(CLOCK_MONOTONIC) - due;
  if (late > latest) latest = late;
  if (late < earliest) earliest = late;
  if (++calls % ROUND == 0) row("late", earliest, latest);
}

export function main(): i32 {
  due = clock_gettime(CLOCK_MONOTONIC);
  evtimer(PERIOD, PERIOD, (HIGHEST + 1) << 8, urgent.index);
  return enter_keepalive();
}
