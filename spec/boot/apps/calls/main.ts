/**
 * The calls of AEM, row by row, for spec/boot/calls.test.ts. What needs nothing from outside runs at once; for the rest the test
 * connects (sockets.ts) and gives commands on UDP port 2000: a letter and numbers of 32 bits in network order.
 */
import {
  EVJOBLOOKUP,
  EVJOBSHTDN,
  EVJOBSTART,
  EVTBLINIT,
  MSG_DONTWAIT,
  SHUT_WR,
  SIGTERM,
  SOCKADDR_SIZE,
  bindUdp,
  close,
  enter_keepalive,
  evctl,
  kill,
  onRead,
  sendto,
  shutdown,
  sigtake,
} from "../../../../sdk";
import { row } from "../report";
import { control, plain, process, registrations } from "./errors";
import { dial, sockets } from "./sockets";
import { timers } from "./timers";

const CONTROL_PORT: u32 = 2000;

function command(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {
  if (length < 9) return;
  const a = <i32>bswap<u32>(load<u32>(data, 1));
  const b = <i32>bswap<u32>(load<u32>(data, 5));
  sendto(fd, data, length, MSG_DONTWAIT, from, SOCKADDR_SIZE);
  switch (load<u8>(data)) {
    case 0x64: // d: dial port a
      dial(a);
      break;
    case 0x6b: // k: signal b to process a
      row("kill", a, b, kill(a, b));
      break;
    case 0x6c: // l
      row("lookup", a, evctl(a, EVJOBLOOKUP, 0));
      break;
    case 0x73: // s
      row("start", a, evctl(a, EVJOBSTART, 0));
      break;
    case 0x68: // h: b 0 or 1: what waits is dropped or delivered
      row("shtdn", a, evctl(a, EVJOBSHTDN, b));
      break;
    case 0x77: // w
      row("shutdown", shutdown(a, SHUT_WR));
      break;
    case 0x78: // x
      row("closing", close(a));
      break;
    case 0x74: // t: ends every event, this one too
      row("tblinit", evctl(0, EVTBLINIT, 0), evctl(0, EVTBLINIT, 0), evctl(jid, EVJOBLOOKUP, 0));
      break;
  }
}

export function main(): i32 {
  process();
  plain();
  registrations();
  control();
  row("control", onRead(bindUdp(CONTROL_PORT), command));
  sockets();
  timers();
  let signal = 0;
  while (signal != SIGTERM) {
    const result = enter_keepalive();
    signal = sigtake();
    row("keepalive", result, signal);
  }
  return 0;
}
