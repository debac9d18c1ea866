/**
 * Looks at the processor time of all processes at the highest priority: a row for each of them and each look, `cpu LOOK TIME PID NANOSECONDS`. After three looks, or
 * as many as the name says (`witness-99`), it stops them.
 */
import {
  CLOCK_MONOTONIC,
  SIGKILL,
  clock_gettime,
  enter_keepalive,
  exit,
  getpid,
  kill,
  onTimer,
} from "../../../../../sdk";
import { nameNumber, prioritized, processorTime } from "../../identity";
import { row } from "../../report";

const BEGIN: i64 = 140_000_000;
const PERIOD: i64 = 300_000_000;
const LOOKS: i32 = 3;
/** No image here has more processes. */
const MOST: i32 = 8;
let looks: i32 = 0;
let wanted: i32 = LOOKS;

function look(jid: i32, overrun: i32): void {
  const time = clock_gettime(CLOCK_MONOTONIC);
  for (let pid: i32 = 1; pid <= MOST; pid++) {
    const used = processorTime(pid);
    if (used >= 0) row("cpu", looks, time, pid, used);
  }
  if (++looks < wanted) return;
  for (let pid: i32 = 1; pid <= MOST; pid++) if (pid != getpid()) kill(pid, SIGKILL);
  exit(0);
}

export function main(): i32 {
  if (nameNumber() > 0) wanted = nameNumber();
  onTimer(BEGIN, PERIOD, look, prioritized(63));
  return enter_keepalive();
}
