/** What the jobs of sockets have in common: the callback of their waiters, and short names for a transport's operations. */
import { Waiter, WAKE_GONE } from "../../kernel/scheduler/wait";
import { BufferQueue } from "../../net/buffer";
import { writeDatagram } from "../../net/socket/datagram";
import { writePayload } from "../../net/socket/payload";
import { Endpoint } from "../../net/flow";
import { Socket } from "../../net/socket/socket";
import { activate } from "../activation";
import { Event } from "../event";
import { sourceGone } from "../unregister";
import {
  ahead,
  consumeShared,
  isShared,
  nextBuffer,
  peekLengthShared,
  peekShared,
  peekSourceShared,
} from "./shared";

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

/** The datagram at `peek`, which there is, to the application. 0 or -EFAULT. */
@inline
export function writePeeked(event: Event, socket: Socket, user: usize, length: u32): i32 {
  const queue = socket.protocol.queue;
  // A transport that does not show its queue has every datagram in one piece.
  if (queue == 0) return writePayload(user, call_indirect<usize>(socket.protocol.peek, socket), length);
  const buffer = isShared(socket)
    ? nextBuffer(event, socket)
    : call_indirect<BufferQueue>(queue, socket).head;
  return writeDatagram(user, buffer!, length);
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
