/**
 * An asynchronous application that uses poll in its handler: a datagram on UDP port 2103 makes it wait up to 10 s for one on port 2104,
 * and answer with that. An empty wait (a datagram "0") reports how long it took.
 */
import {
  CLOCK_MONOTONIC,
  MSG_DONTWAIT,
  POLLIN,
  SOCKADDR_SIZE,
  bindUdp,
  clock_gettime,
  enter_keepalive,
  onRead,
  onTimer,
  poll,
  pollfd,
  recv,
  sendto,
} from "../../../../sdk";
import { row } from "../report";

const list = memory.data(8, 8);
const buffer = memory.data(256, 8);
let other: i32 = 0;
let handling: bool = false;
let nested: i32 = 0;

function received(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {
  if (length <= 0) return;
  const entry = changetype<pollfd>(list);
  entry.fd = other;
  entry.events = <u16>POLLIN;
  handling = true;
  if (load<u8>(data) == 0x30) {
    const start = clock_gettime(CLOCK_MONOTONIC);
    const result = poll(list, 1, 40);
    row("waiter-empty", result, (clock_gettime(CLOCK_MONOTONIC) - start) / 1000, nested);
  } else {
    row("waiter-waits", 0);
    const result = poll(list, 1, 10_000);
    const got = recv(other, buffer, 256, MSG_DONTWAIT);
    row("waiter-ready", result, entry.revents, got, nested);
    if (got > 0) sendto(fd, buffer, got, 0, from, SOCKADDR_SIZE);
  }
  handling = false;
}

/** Never while the other handler is in poll. */
function tick(jid: i32, overrun: i32): void {
  if (handling) nested++;
}

export function main(): i32 {
  other = bindUdp(2104);
  onTimer(5_000_000, 5_000_000, tick);
  row("waiter-registered", onRead(bindUdp(2103), received));
  return enter_keepalive();
}
