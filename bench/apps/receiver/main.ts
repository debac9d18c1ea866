/**
 * A process of the highest priority that waits for messages of another one (bench/apps/costs): the time at which each was sent, in ticks of the time-stamp counter.
 *
 *     row cost 1 7 MEDIAN WORST     of SAMPLES: from there to its handler
 */
import { EVF_PRIORITY, enter_keepalive, exit, onMessage } from "../../../sdk";
import { SAMPLES, keep, measureOverhead, report, ticks } from "../costs/samples";

const OTHER_PROCESS: i32 = 7;
const HIGHEST: i32 = 63;

let count: i32 = 0;

function received(jid: i32, from: i32, data: usize, length: i32): void {
  const now = ticks();
  keep(count, now - load<i64>(data));
  if (++count < SAMPLES) return;
  report(1, OTHER_PROCESS);
  exit(0);
}

export function main(): i32 {
  measureOverhead();
  onMessage(1, received, EVF_PRIORITY(HIGHEST));
  return enter_keepalive();
}
