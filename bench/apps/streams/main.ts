/**
 * Streams in both directions, and connections, to be counted from outside (bench/tcp.ts):
 *
 *     port 8    sends as many bytes as each four that come ask for, by blocking calls
 *     port 9    takes what comes, in a read handler (discard, RFC 863), and closes when the peer has
 *     port 10   accepts, and no more
 */
import {
  AF_INET,
  INADDR_ANY,
  SOCKADDR_SIZE,
  SOCK_STREAM,
  accept,
  bind,
  close,
  listen,
  listenTcp,
  onAccept,
  onRead,
  recv,
  send,
  setAddress,
  socket,
} from "../../../sdk";

const SOURCE: u32 = 8;
const SINK: u32 = 9;
const CONNECTIONS: u32 = 10;
const PIECE: i32 = 64 * 1024;

const name = memory.data(16, 8);
const wanted = memory.data(4, 4);
const bytes = memory.data(65536, 64);
let taken: u64 = 0;

function received(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {
  if (length <= 0) close(fd);
  else taken += length;
}

function begins(jid: i32, listener: i32, fd: i32): void {
  if (fd >= 0) onRead(fd, received);
}

function accepted(jid: i32, listener: i32, fd: i32): void {}

/** One connection after the other. */
function serve(listener: i32): void {
  while (true) {
    const fd = accept(listener, 0, 0);
    while (fd >= 0 && recv(fd, wanted, 4, 0) == 4) {
      let left = load<i32>(wanted);
      while (left > 0) {
        const sent = send(fd, bytes, min(left, PIECE), 0);
        if (sent < 0) break;
        left -= sent;
      }
    }
    if (fd >= 0) close(fd);
  }
}

export function main(): i32 {
  onAccept(listenTcp(SINK), begins);
  onAccept(listenTcp(CONNECTIONS, 1024), accepted);
  const listener = socket(AF_INET, SOCK_STREAM, 0);
  setAddress(name, INADDR_ANY, SOURCE);
  if (bind(listener, name, SOCKADDR_SIZE) < 0 || listen(listener, 16) < 0) return 1;
  serve(listener);
  return 0;
}
