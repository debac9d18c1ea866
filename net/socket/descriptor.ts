/** From a descriptor to its socket, and how a thread waits for a socket without being sure that it is still there afterwards. */
import { EBADF } from "../../kernel/errno";
import { NO_DEADLINE } from "../../kernel/interrupts/deadline";
import { HANDLE_SOCKET, handleObject } from "../../kernel/process/handles";
import { currentProcess } from "../../kernel/process/process";
import { waitOn } from "../../kernel/scheduler/block";
import { currentThread } from "../../kernel/scheduler/running";
import { rankSocket, setSocketLevel } from "./rank";
import { Socket, SOCKET_NONBLOCK } from "./socket";

/** Flags of a call: it does not block; and, which says nothing, no signal: there is no SIGPIPE. */
export const MSG_DONTWAIT: u32 = 0x40;
export const MSG_NOSIGNAL: u32 = 0x4000;

/** The socket of a descriptor of the current process; null: -EBADF. */
@inline
export function socketOf(fd: i32): Socket | null {
  return changetype<Socket | null>(handleObject(currentProcess(), fd, HANDLE_SOCKET));
}

/** Whether a call with `flags` may wait for the socket. */
// @ts-ignore: decorator
@inline
export function mayBlock(socket: Socket, flags: u32): bool {
  return (socket.flags & SOCKET_NONBLOCK) == 0 && (flags & MSG_DONTWAIT) == 0;
}

/**
 * Blocks the current thread until `socket`, which is that of `fd`, says one of `events`: as waitOn, and -EBADF when another thread of the process
 * has closed the descriptor meanwhile. Of a negative result the caller must not touch the socket any more: it may be gone.
 *
 * What comes for the socket meanwhile comes at the level of the thread, if nobody of a higher one waits for it (rank.ts).
 */
export function waitOnSocket(fd: i32, socket: Socket, events: u32, deadline: u64 = NO_DEADLINE): i32 {
  const level = <u32>currentThread().level;
  if (level > <u32>socket.level) setSocketLevel(socket, level);
  const result = waitOn(socket, events, deadline);
  if (socketOf(fd) !== socket) return result < 0 ? result : -EBADF;
  rankSocket(socket);
  return result;
}
