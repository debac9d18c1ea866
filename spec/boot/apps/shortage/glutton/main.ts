/** Takes all memory that there is when a message asks for it, and keeps it until it is ended. */
import { enter_keepalive, evpost, onMessage } from "../../../../../sdk";

function eat(jid: i32, from: i32, data: usize, length: i32): void {
  while (memory.grow(1) >= 0) {}
  evpost(from, 1, 0, 0);
}

export function main(): i32 {
  onMessage(1, eat);
  return enter_keepalive();
}
