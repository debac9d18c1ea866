/**
 * A handler at priority 20 that computes with integers and floating-point numbers for a while, and is preempted all the time meanwhile: what comes out
 * does not depend on it. Rows: `sum INTEGER LOW HIGH` (the halves of the double), and the ticks that the ticker had meanwhile.
 */
import {
  EVF_KEEPALIVE,
  EVF_ONESHOT,
  enter_keepalive,
  evpost,
  nanosleep,
  onTimer,
  processNamed,
} from "../../../../../sdk";
import { prioritized } from "../../identity";
import { row } from "../../report";

const TURNS: i32 = 1_000_000;

function compute(jid: i32, overrun: i32): void {
  const ticker = processNamed("ticker");
  evpost(ticker, 1, 0, 0);
  let x: u32 = 2463534242;
  let y: f64 = 0;
  for (let turn: i32 = 0; turn < TURNS; turn++) {
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    y = y * 0.999 + <f64>x / 4294967296.0;
  }
  evpost(ticker, 1, 0, 0);
  const bits = reinterpret<u64>(y);
  row("sum", x, bits & 0xffffffff, bits >> 32);
}

export function main(): i32 {
  nanosleep(10_000_000);
  onTimer(1_000_000, 0, compute, EVF_ONESHOT | EVF_KEEPALIVE | prioritized(20));
  return enter_keepalive();
}
