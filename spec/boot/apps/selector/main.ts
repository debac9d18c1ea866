/** A synchronous server around select, on TCP port 2102: it echoes. */
import {
  FD_CLR,
  FD_ISSET,
  FD_SET,
  FD_SETSIZE,
  FD_SET_BYTES,
  MSG_DONTWAIT,
  accept,
  close,
  listenTcp,
  recv,
  select,
  send,
} from "../../../../sdk";
import { row } from "../report";

const PORT: u32 = 2102;
const open = memory.data(128, 8);
const ready = memory.data(128, 8);
const buffer = memory.data(4096, 8);

export function main(): i32 {
  FD_SET(900, ready);
  row("selector-bad", select(FD_SETSIZE, ready, 0, 0, 0), <i32>FD_ISSET(900, ready));
  const listener = listenTcp(PORT);
  FD_SET(listener, open);
  memory.copy(ready, open, FD_SET_BYTES);
  row("selector-timeout", select(listener + 1, ready, 0, 0, 20), <i32>FD_ISSET(listener, ready));
  while (true) {
    memory.copy(ready, open, FD_SET_BYTES);
    const count = select(FD_SETSIZE, ready, 0, 0, -1);
    if (count <= 0) return -count;
    let seen = 0;
    for (let fd = 0; fd < FD_SETSIZE; fd++) {
      if (!FD_ISSET(fd, ready)) continue;
      seen++;
      if (fd == listener) {
        const client = accept(listener, 0, 0);
        if (client >= 0) FD_SET(client, open);
        continue;
      }
      const got = recv(fd, buffer, 4096, MSG_DONTWAIT);
      if (got > 0 && send(fd, buffer, got, 0) == got) continue;
      FD_CLR(fd, open);
      close(fd);
    }
    if (seen != count) row("selector-count", count, seen);
  }
}
