/** Two activated events at once, at most: twenty timers are due while a handler is busy. */
import {
  CLOCK_MONOTONIC,
  EVF_KEEPALIVE,
  ProcessInformation,
  PROCESS_INFORMATION_SIZE,
  clock_gettime,
  enter_keepalive,
  onTimer,
  processinfo,
} from "../../../../sdk";
import { row } from "../report";

const TIMERS: i32 = 20;
const MILLISECOND: i64 = 1_000_000;
const information = changetype<ProcessInformation>(memory.data(256, 8));
let handled = 0;
let most: u64 = 0;

/** Registers the timers, and goes on until all of them are due. */
function busy(jid: i32, overrun: i32): void {
  for (let i = 0; i < TIMERS; i++) onTimer(MILLISECOND, 0, expired, EVF_KEEPALIVE);
  const end = clock_gettime(CLOCK_MONOTONIC) + 5000 * MILLISECOND;
  do {
    processinfo(0, changetype<usize>(information), PROCESS_INFORMATION_SIZE);
    if (information.pending > most) most = information.pending;
  } while (information.pending + information.held < <u64>TIMERS && clock_gettime(CLOCK_MONOTONIC) < end);
  row("held-busy", information.pending, information.held, information.events);
}

function expired(jid: i32, overrun: i32): void {
  handled++;
}

export function main(): i32 {
  onTimer(MILLISECOND, 0, busy, EVF_KEEPALIVE);
  const result = enter_keepalive();
  processinfo(0, changetype<usize>(information), PROCESS_INFORMATION_SIZE);
  row("held-done", result, handled, most, information.pending, information.held, information.heldTotal);
  return 0;
}
