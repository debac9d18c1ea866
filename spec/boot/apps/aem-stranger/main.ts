/** A process that tries to control an event of another one: its jid comes in 4 bytes, network order, to UDP port 2102. */
import { EVJOBLOOKUP, EVJOBSHTDN, EVJOBSTOP, bindUdp, enter_keepalive, evctl, onRead } from "../../../../sdk";
import { row } from "../report";

function received(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {
  if (length < 4) return;
  const other = <i32>bswap<u32>(load<u32>(data));
  row(
    "stranger",
    other,
    evctl(other, EVJOBLOOKUP, 0),
    evctl(other, EVJOBSTOP, 0),
    evctl(other, EVJOBSHTDN, 0),
  );
}

export function main(): i32 {
  row("stranger-ready", onRead(bindUdp(2102), received));
  return enter_keepalive();
}
