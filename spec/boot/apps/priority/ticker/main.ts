/** A timer every 70 µs at priority 40. Each message asks for the number of its calls so far; the third ends it. */
import { enter_keepalive, exit, onMessage, onTimer } from "../../../../../sdk";
import { prioritized } from "../../identity";
import { row } from "../../report";

const PERIOD: i64 = 70_000;
let calls: i32 = 0;
let asked: i32 = 0;

function tick(jid: i32, overrun: i32): void {
  calls++;
}

function tell(jid: i32, from: i32, data: usize, length: i32): void {
  row("ticks", calls);
  if (++asked == 2) exit(0);
}

export function main(): i32 {
  onMessage(1, tell, prioritized(40));
  onTimer(PERIOD, PERIOD, tick, prioritized(40));
  return enter_keepalive();
}
