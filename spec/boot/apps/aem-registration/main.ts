/**
 * For spec/boot/aem/registration.test.ts. What needs nothing from outside runs at once; for the rest the test connects to TCP
 * port 2101, and gives commands on UDP port 2100: a letter and a number of 32 bits in network order.
 */
import { EVJOBLOOKUP, MSG_DONTWAIT, SOCKADDR_SIZE, bindUdp, enter_keepalive } from "../../../../sdk";
import { close, evctl, onRead, sendto } from "../../../../sdk";
import { row } from "../report";
import { handlers } from "./handlers";
import { identifiers } from "./identifiers";
import { refusals } from "./refusals";
import { monitor, timers } from "./timers";

const CONTROL_PORT: u32 = 2100;

function command(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {
  if (length < 5) return;
  const argument = <i32>bswap<u32>(load<u32>(data, 1));
  switch (load<u8>(data)) {
    case 0x6c: // l: look jid up
      row("lookup", argument, evctl(argument, EVJOBLOOKUP, 0));
      break;
    case 0x78: // x: close descriptor
      row("closing", argument, close(argument));
      break;
  }
  sendto(fd, data, length, MSG_DONTWAIT, from, SOCKADDR_SIZE);
}

export function main(): i32 {
  // First: it counts on this process having no event yet.
  refusals();
  identifiers();
  monitor(handlers());
  timers();
  row("control", onRead(bindUdp(CONTROL_PORT), command));
  return enter_keepalive();
}
