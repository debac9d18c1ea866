/** Takes datagrams on port 4000 at the default priority, as fast as they come: a row with their number for each hundred. */
import { bindUdp, enter_keepalive, onRead } from "../../../../../sdk";
import { row } from "../../report";

let datagrams: i32 = 0;

function received(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {
  if (++datagrams % 100 == 0) row("sink", datagrams);
}

export function main(): i32 {
  onRead(bindUdp(4000), received);
  return enter_keepalive();
}
