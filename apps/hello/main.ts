import { close, enter_keepalive, listenTcp, onAccept, onRead, send } from "../../sdk";

function received(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {
  if (length > 0) send(fd, data, length, 0);
  else close(fd);
}

function accepted(jid: i32, listener: i32, fd: i32): void {
  onRead(fd, received);
}

export function main(): i32 {
  onAccept(listenTcp(2000), accepted);
  return enter_keepalive();
}
