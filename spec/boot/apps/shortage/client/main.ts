/** Ten clients at once: each connects, sends its number and waits for the same number. Blocking calls, in the old way. */
import {
  AF_INET,
  INADDR_LOOPBACK,
  SOCKADDR_SIZE,
  SOCK_STREAM,
  connect,
  enter_keepalive,
  onMessage,
  recv,
  send,
  setAddress,
  socket,
} from "../../../../../sdk";
import { row } from "../../report";

const PORT: u32 = 3100;
const CLIENTS: i32 = 10;

const name = memory.data(16, 8);
const word = memory.data(8, 8);
const fds = memory.data(64, 8);

function run(jid: i32, from: i32, data: usize, length: i32): void {
  setAddress(name, INADDR_LOOPBACK, PORT);
  for (let i = 0; i < CLIENTS; i++) {
    const fd = socket(AF_INET, SOCK_STREAM, 0);
    store<i32>(fds + (i << 2), fd);
    const error = connect(fd, name, SOCKADDR_SIZE);
    if (error < 0) row("client-failed", i, error);
    store<i32>(word, i);
    send(fd, word, 4, 0);
  }
  let answered = 0;
  for (let i = 0; i < CLIENTS; i++) {
    store<i32>(word, -1);
    const length = recv(load<i32>(fds + (i << 2)), word, 4, 0);
    if (length == 4 && load<i32>(word) == i) answered++;
    else row("client-failed", i, length, load<i32>(word));
  }
  row("answered", answered);
}

export function main(): i32 {
  onMessage(1, run);
  return enter_keepalive();
}
