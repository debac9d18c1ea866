/** EVF_KEEPALIVE: enter_keepalive returns 0 when the last event that has the flag has ended. */
import { EVF_KEEPALIVE, enter_keepalive, onTimer } from "../../../../sdk";
import { row } from "../report";

const MILLISECOND: i64 = 1_000_000;

function short(jid: i32, overrun: i32): void {
  row("keepalive-short", overrun);
}

function long(jid: i32, overrun: i32): void {
  row("keepalive-long", overrun);
}

/** Has no flag: goes on, and holds nobody. */
function other(jid: i32, overrun: i32): void {}

export function main(): i32 {
  onTimer(20 * MILLISECOND, 0, short, EVF_KEEPALIVE);
  onTimer(60 * MILLISECOND, 0, long, EVF_KEEPALIVE);
  onTimer(5 * MILLISECOND, 5 * MILLISECOND, other);
  row("keepalive-result", enter_keepalive());
  return 0;
}
