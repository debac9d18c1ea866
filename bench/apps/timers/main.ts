/** A thousand periodic timers of the default priority, each with a period of its own. */
import { enter_keepalive, onTimer } from "../../../sdk";

const TIMERS: i32 = 1000;
const PERIOD: i64 = 20_000_000;
const STEP: i64 = 10_007;

let calls: u64 = 0;

function expired(jid: i32, overrun: i32): void {
  calls++;
}

export function main(): i32 {
  for (let i = 0; i < TIMERS; i++) onTimer(PERIOD, PERIOD + i * STEP, expired);
  return enter_keepalive();
}
