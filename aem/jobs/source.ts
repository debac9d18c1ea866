/** What the jobs of sockets have in common: the callback of their waiters, and short names for a transport's operations. */
import { Waiter, WAKE_GONE } from "../../kernel/scheduler/wait";
import { Endpoint } from "../../net/flow";
import { Socket } from "../../net/socket/socket";
import { activate } from "../dispatch";
import { Event } from "../event";
import { sourceGone } from "../registry";
import { ahead, consumeShared, isShared, peekLengthShared, peekShared, peekSourceShared } from "./shared";

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

// ---- What a read event has still to be given: the socket's queue, or its own part of it where it is shared (shared.ts) ----

@inline
export function peek(event: Event, socket: Socket): usize {
  return isShared(socket) ? peekShared(event, socket) : call_indirect<usize>(socket.protocol.peek, socket);
}


@inline
export function peekLength(event: Event, socket: Socket): i32 {
  return isShared(socket)
    ? peekLengthShared(event, socket)
    : call_indirect<i32>(socket.protocol.peekLength, socket);
}


@inline
export function peekSource(event: Event, socket: Socket): Endpoint {
  return isShared(socket)
    ? peekSourceShared(event, socket)
    : call_indirect<Endpoint>(socket.protocol.peekSource, socket);
}


@inline
export function consume(event: Event, socket: Socket, bytes: u32): void {
  if (isShared(socket)) consumeShared(event, socket, bytes);
  else call_indirect<void>(socket.protocol.consume, socket, bytes);
}

/** Bytes of a stream that are there, of a transport that can say it (SocketProtocol.available). */
@inline
export function available(event: Event, socket: Socket): u32 {
  const bytes = call_indirect<u32>(socket.protocol.available, socket);
  return isShared(socket) ? bytes - ahead(event, socket) : bytes;
}
