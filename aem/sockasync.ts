/** The calls sockasync_* (AEM 4.2): each registers an event on a socket and returns its jid, or a negative errno (docs/aem-calls.md). */
import { EFAULT } from "../kernel/errno";
import { userRange } from "../kernel/memory/user";
import { currentProcess } from "../kernel/process/process";
import { socketOf } from "../net/socket/descriptor";
import { nameSize, SOCKADDR_SIZE } from "../net/socket/sockaddr";
import { EVENT_ACCEPT, EVENT_CLOSE, EVENT_READ, EVENT_SK, EVENT_SOCK } from "./abi";
import { eventOfJid } from "./jids";
import { replayTransitions } from "./jobs/sk";
import { registerOnSocket } from "./registry";

/** `address` and `lengthPointer` as with accept, filled in before each call of the handler; 0: not wanted. */
export function sys_sockasync_accept(
  fd: i32,
  address: u32,
  lengthPointer: u32,
  flags: u32,
  handler: u32,
): i32 {
  let data: u64 = 0;
  if (address != 0) {
    const socket = socketOf(fd);
    const size = socket === null ? SOCKADDR_SIZE : nameSize(socket);
    if (!userRange(address, size) || !userRange(lengthPointer, 4)) return -EFAULT;
    data = (<u64>address) | ((<u64>lengthPointer) << 32);
  }
  return registerOnSocket(EVENT_ACCEPT, fd, flags, handler, data);
}

export function sys_sockasync_read(fd: i32, flags: u32, handler: u32): i32 {
  return registerOnSocket(EVENT_READ, fd, flags, handler, 0);
}

export function sys_sockasync_close(fd: i32, flags: u32, handler: u32): i32 {
  return registerOnSocket(EVENT_CLOSE, fd, flags, handler, 0);
}

export function sys_sockasync_sk(fd: i32, flags: u32, handler: u32): i32 {
  const jid = registerOnSocket(EVENT_SK, fd, flags, handler, 0);
  const event = eventOfJid(currentProcess(), jid);
  if (event !== null) replayTransitions(event, event.socket.history);
  return jid;
}

export function sys_sockasync_sock(fd: i32, flags: u32, handler: u32): i32 {
  return registerOnSocket(EVENT_SOCK, fd, flags, handler, 0);
}
