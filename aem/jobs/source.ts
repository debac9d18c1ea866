/** What the jobs of sockets have in common: the callback of their waiters, and short names for a transport's operations. */
import { Waiter, WAKE_GONE } from "../../kernel/scheduler/wait";
import { Socket } from "../../net/socket/socket";
import { activate } from "../dispatch";
import { Event } from "../event";
import { sourceGone } from "../registry";

/** For jobs that find at delivery what there is. */
export function sourceOccurred(waiter: Waiter, events: u32, detail: u32): void {
  const event = changetype<Event>(waiter);
  if (events & WAKE_GONE) sourceGone(event, detail);
  else activate(event);
}


@inline
export function pollSocket(socket: Socket): u32 {
  return call_indirect<u32>(socket.protocol.poll, socket);
}


@inline
export function peek(socket: Socket): usize {
  return call_indirect<usize>(socket.protocol.peek, socket);
}


@inline
export function peekLength(socket: Socket): i32 {
  return call_indirect<i32>(socket.protocol.peekLength, socket);
}


@inline
export function consume(socket: Socket, bytes: u32): void {
  call_indirect<void>(socket.protocol.consume, socket, bytes);
}
