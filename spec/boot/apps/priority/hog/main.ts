/** A handler that never returns, at the priority that the process's name ends with. It begins a while after the start, so that the others are under way. */
import { enter_keepalive, onTimer } from "../../../../../sdk";
import { nameNumber, prioritized } from "../../identity";
import { row } from "../../report";

const BEGIN: i64 = 100_000_000;
/** Those of higher levels begin a little later, in the midst of what the lower ones owe or do not owe yet. */
const STEP: i64 = 2_100_000;
let turns: u64 = 0;

function loop(jid: i32, overrun: i32): void {
  row("hog", 1);
  while (true) turns++;
}

export function main(): i32 {
  const level = nameNumber();
  onTimer(BEGIN + level * STEP, 0, loop, prioritized(level));
  return enter_keepalive();
}
