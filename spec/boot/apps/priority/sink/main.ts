/**
 * Takes datagrams as fast as they come: a row with their number for each hundred, `sink NUMBER LEVEL`. At the default priority on port 4000; `sink-63` at 63, on
 * port 4063, with a row for each.
 */
import { bindUdp, enter_keepalive, onRead } from "../../../../../sdk";
import { nameNumber, prioritized } from "../../identity";
import { row } from "../../report";

const PORT: i32 = 4000;
let level: i32 = -1;
let datagrams: i32 = 0;

function received(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {
  datagrams++;
  if (level == 63 || datagrams % 100 == 0) row("sink", datagrams, level);
}

export function main(): i32 {
  level = nameNumber();
  onRead(bindUdp(<u16>(PORT + max(level, 0))), received, level < 0 ? 0 : prioritized(level));
  return enter_keepalive();
}
