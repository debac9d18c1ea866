/** A timer at the default priority that tells on UDP port 5001 how often it has expired. */
import {
  MSG_DONTWAIT,
  SOCKADDR_SIZE,
  bindUdp,
  enter_keepalive,
  onRead,
  onTimer,
  sendto,
} from "../../../../sdk";

const PERIOD: i64 = 10_000_000;
const answer = memory.data(4);
let beats: u32 = 0;

function beat(jid: i32, overrun: i32): void {
  beats++;
}

function asked(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {
  store<u32>(answer, beats);
  sendto(fd, answer, 4, MSG_DONTWAIT, from, SOCKADDR_SIZE);
}

export function main(): i32 {
  onTimer(PERIOD, PERIOD, beat);
  onRead(bindUdp(5001), asked);
  return enter_keepalive();
}
