/**
 * A synchronous server: one loop around poll, which echoes on TCP port 2101. It uses events a little: a timer counts, while the loop is in
 * poll. A client that sends "T" gets the count, 4 bytes.
 */
import {
  MSG_DONTWAIT,
  POLLIN,
  accept,
  close,
  listenTcp,
  onTimer,
  poll,
  pollfd,
  recv,
  send,
} from "../../../../sdk";
import { row } from "../report";

const PORT: u32 = 2101;
const CLIENTS: i32 = 64;
const list = memory.data(520, 8);
const buffer = memory.data(4096, 8);
let count = 0;
let ticks: u32 = 0;

function at(index: i32): pollfd {
  return changetype<pollfd>(list + index * offsetof<pollfd>());
}

function add(fd: i32): void {
  const entry = at(count++);
  entry.fd = fd;
  entry.events = <u16>POLLIN;
}

function tick(jid: i32, overrun: i32): void {
  ticks += 1 + overrun;
}

/** False: the client is gone. */
function serve(fd: i32): bool {
  const got = recv(fd, buffer, 4096, MSG_DONTWAIT);
  if (got <= 0) return false;
  if (got == 1 && load<u8>(buffer) == 0x54) {
    store<u32>(buffer, ticks);
    return send(fd, buffer, 4, 0) == 4;
  }
  return send(fd, buffer, got, 0) == got;
}

export function main(): i32 {
  add(listenTcp(PORT));
  // Time passes in poll, whatever handlers run: 60 ms are 60 ms.
  onTimer(5_000_000, 5_000_000, tick);
  const none = poll(list, count, 60);
  row("poller-timeout", none, ticks);
  while (true) {
    const ready = poll(list, count, -1);
    if (ready <= 0) return -ready;
    for (let index = count - 1; index > 0; index--) {
      if (at(index).revents == 0 || serve(at(index).fd)) continue;
      close(at(index).fd);
      const last = at(--count);
      at(index).fd = last.fd;
    }
    if (at(0).revents == 0) continue;
    const fd = accept(at(0).fd, 0, 0);
    if (fd >= 0 && count <= CLIENTS) {
      add(fd);
      row("poller-clients", count - 1);
    } else if (fd >= 0) close(fd);
  }
}
