/** A handler at the highest priority that never returns. It begins a while after the start, so that the others are under way. */
import { enter_keepalive, evtimer } from "../../../../../sdk";
import { row } from "../../report";

const HIGHEST: i32 = 63;
const BEGIN: i64 = 300_000_000;

let turns: u64 = 0;

function loop(jid: i32, overrun: i32): void {
  row("hog", 1);
  while (true) turns++;
}

export function main(): i32 {
  evtimer(BEGIN, 0, (HIGHEST + 1) << 8, loop.index);
  return enter_keepalive();
}
