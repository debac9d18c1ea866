/** Takes what comes to UDP port 9 (discard, RFC 863). */
import { bindUdp, enter_keepalive, onRead } from "../../../sdk";

let bytes: u64 = 0;

function received(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {
  bytes += length;
}

export function main(): i32 {
  onRead(bindUdp(9), received);
  return enter_keepalive();
}
