/**
 * SO_LINGER with a time: close first sends the FIN and waits, with the descriptor still open, until the peer has acknowledged everything, or
 * the time is up. Then, or when a signal comes, it closes as always: what is left goes on by itself.
 *
 * A socket that does not block does not linger. With a time of 0, close resets (tcp/close.ts).
 */
import { ERESTART } from "../../kernel/errno";
import { currentThread } from "../../kernel/scheduler/running";
import { WAKE_STATE } from "../../kernel/scheduler/wait";
import { now, SECOND } from "../../kernel/time/clock";
import { networkFlush } from "../interface";
import { waitOnSocket } from "./descriptor";
import { SHUT_WR, SOCK_STREAM, Socket, SOCKET_LINGER, SOCKET_NONBLOCK } from "./socket";
import { shutdownConnection } from "./tcp/close";
import { TcpConnection } from "./tcp/connection";
import { stateIn, TCP_CLOSING, TCP_FIN_WAIT1, TCP_LAST_ACK } from "./tcp/state";

/** Our FIN, and maybe data before it, is not acknowledged. */
const UNACKNOWLEDGED: u32 = (1 << TCP_FIN_WAIT1) | (1 << TCP_CLOSING) | (1 << TCP_LAST_ACK);

/** 0: the socket can be closed now. -ERESTART: after the handlers, in the same call made again. */
export function lingerOn(fd: i32, socket: Socket): i32 {
  if ((socket.flags & (SOCKET_LINGER | SOCKET_NONBLOCK)) != SOCKET_LINGER || socket.type != SOCK_STREAM)
    return 0;
  const c = changetype<TcpConnection>(socket);
  if (c.linger == 0) return 0;
  shutdownConnection(c, SHUT_WR);
  networkFlush();
  const thread = currentThread();
  // As in nanosleep: a wait that handlers interrupted goes on to its first end; a handler's own has an end of its own.
  const handling = thread.handling != 0;
  let deadline = handling ? 0 : thread.deadline;
  if (deadline == 0) deadline = now() + <u64>c.linger * SECOND;
  let result = 0;
  while (result == 0 && stateIn(c.state, UNACKNOWLEDGED))
    result = waitOnSocket(fd, socket, WAKE_STATE, deadline);
  if (!handling) thread.deadline = result == -ERESTART ? deadline : 0;
  return result == -ERESTART ? result : 0;
}
