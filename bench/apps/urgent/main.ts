/**
 * A periodic timer at the highest priority, and how late its handler runs. The period is a prime, so that expirations fall anywhere between two ticks of the timing wheel.
 *
 *     row late LATEST, in nanoseconds, for each ROUND calls
 */
import { CLOCK_MONOTONIC, clock_gettime, enter_keepalive, evtimer } from "../../../sdk";
import { row } from "../../../spec/boot/apps/report";

const HIGHEST: i32 = 63;
const PERIOD: i64 = 4_999_999;
const ROUND: i32 = 100;

let due: i64 = 0;
let latest: i64 = 0;
let calls: i32 = 0;

function urgent(jid: i32, overrun: i32): void {
  due += PERIOD * (overrun + 1);
  const late = clock_gettime(CLOCK_MONOTONIC) - due;
  if (late > latest) latest = late;
  if (++calls % ROUND == 0) row("late", latest);
}

export function main(): i32 {
  due = clock_gettime(CLOCK_MONOTONIC);
  evtimer(PERIOD, PERIOD, (HIGHEST + 1) << 8, urgent.index);
  return enter_keepalive();
}
