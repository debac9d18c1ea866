/** No handler may run after any call but enter_keepalive: a timer is due all the time. */
import {
  EVF_KEEPALIVE,
  EVF_ONESHOT,
  MSG_DONTWAIT,
  SOCKADDR_SIZE,
  bindUdp,
  enter_keepalive,
  getpid,
  nanosleep,
  onTimer,
  poll,
  recvfrom,
  sendto,
  setAddress,
  sockaddr_in,
} from "../../../../sdk";
import { row } from "../report";

const LOOPBACK: u32 = 0x7f000001;
const PORT: u32 = 2201;
const MILLISECOND: i64 = 1_000_000;
const name = memory.data(16, 8);
const nameLength = memory.data(4, 4);
const buffer = memory.data(64, 8);
let calls = 0;

function expired(jid: i32, overrun: i32): void {
  calls++;
}
function last(jid: i32, overrun: i32): void {}

export function main(): i32 {
  const fd = bindUdp(PORT);
  onTimer(MILLISECOND, MILLISECOND, expired);
  row("hushed-sleep", nanosleep(30 * MILLISECOND), calls);
  row("hushed-poll", poll(0, 0, 20), calls);
  getpid();
  // The calls with six parameters.
  setAddress(name, LOOPBACK, PORT);
  store<u32>(buffer, 0x64636261);
  row("hushed-sendto", sendto(fd, buffer, 4, MSG_DONTWAIT, name, SOCKADDR_SIZE), calls);
  nanosleep(5 * MILLISECOND);
  memory.fill(name, 0, 16);
  store<i32>(nameLength, SOCKADDR_SIZE);
  const got = recvfrom(fd, buffer + 32, 32, MSG_DONTWAIT, name, nameLength);
  row(
    "hushed-recvfrom",
    got,
    load<u32>(buffer + 32),
    changetype<sockaddr_in>(name).port,
    load<i32>(nameLength),
    calls,
  );
  onTimer(10 * MILLISECOND, 0, last, EVF_KEEPALIVE | EVF_ONESHOT);
  const result = enter_keepalive();
  row("hushed-keepalive", result, <i32>(calls > 0));
  const before = calls;
  nanosleep(10 * MILLISECOND);
  row("hushed-after", calls - before);
  return 0;
}
