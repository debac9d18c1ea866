/**
 * Handlers to be reached: `expired` from a timer, SAMPLES times, then `received` and `datagram` from what a peer sends to the port, which is sent back. What is
 * measured is counted outside of the guest (bench/bursts.c).
 *
 *     row listening FD    row timers SAMPLES, after the last one
 */
import {
  EVJOBSHTDN,
  MSG_DONTWAIT,
  SOCKADDR_SIZE,
  bindUdp,
  close,
  enter_keepalive,
  evctl,
  listenTcp,
  onAccept,
  onRead,
  onTimer,
  send,
  sendto,
} from "../../../sdk";
import { row } from "../../../spec/boot/apps/report";

const PORT: u32 = 4000;
const PERIOD: i64 = 5_000_000;
const SAMPLES: i32 = 100;

let expirations: i32 = 0;

function expired(jid: i32, overrun: i32): void {
  if (++expirations < SAMPLES) return;
  evctl(jid, EVJOBSHTDN, 0);
  row("timers", expirations);
}

function accepted(jid: i32, listener: i32, fd: i32): void {
  if (fd >= 0) onRead(fd, received);
}

function received(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {
  if (length <= 0) close(fd);
  else send(fd, data, length, MSG_DONTWAIT);
}

function datagram(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {
  if (length >= 0 && from != 0) sendto(fd, data, length, MSG_DONTWAIT, from, SOCKADDR_SIZE);
}

export function main(): i32 {
  const listener = listenTcp(PORT);
  onAccept(listener, accepted);
  onRead(bindUdp(PORT), datagram);
  row("listening", listener);
  onTimer(PERIOD, PERIOD, expired);
  return enter_keepalive();
}
