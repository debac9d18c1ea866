import { enter_keepalive, listenTcp, onAccept, onRead, close, send } from "../../sdk";

function accepted(jid: i32, listener: i32, fd: i32): void {
  if (fd >= 0) onRead(fd, received);
}

function received(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {
  if (length > 0) send(fd, data, length, 0);
  else close(fd);
}

export function main(): i32 {
  const listener = listenTcp(2000);
  return listener < 0 ? listener : min(onAccept(listener, accepted), enter_keepalive());
}
