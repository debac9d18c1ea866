/** What the jobs of sockets have in common: the callback of their waiters, and what a read event sees of its socket. */
import { Waiter, WAKE_GONE } from "../../kernel/scheduler/wait";
import { PacketBuffer } from "../../net/buffer";
import { writePayload } from "../../net/socket/payload";
import { Socket } from "../../net/socket/socket";
import { activate } from "../activation";
import { Event } from "../event";
import { sourceGone } from "../unregister";
import { ahead, consumeShared, endShared, isShared, nextAddress, nextBuffer } from "./shared";

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

// ---- What a read event has still to be given: what the socket has received, or its own part of it where that is shared (shared.ts) ----

/** The buffer in which the next byte or datagram stands; null: there is none, and `end` says why. */
@inline
export function peek(event: Event, socket: Socket): PacketBuffer | null {
  return isShared(socket) ? nextBuffer(event, socket) : socket.received.head;
}

/** Of a stream: where in `buffer`, which is what `peek` gave, the next byte stands. */
@inline
export function peekAddress(event: Event, socket: Socket, buffer: PacketBuffer): usize {
  return isShared(socket) ? nextAddress(event, socket, buffer) : buffer.data;
}

/** And how many bytes are there; of a datagram, of which all is consumed together, it does not matter. */
@inline
export function peekLength(event: Event, socket: Socket, buffer: PacketBuffer): u32 {
  return <u32>(buffer.data + buffer.length - peekAddress(event, socket, buffer));
}

/** Why there is nothing (SocketProtocol.end). */
@inline
export function end(event: Event, socket: Socket): i32 {
  return isShared(socket) ? endShared(event, socket) : call_indirect<i32>(socket.protocol.end, socket);
}


@inline
export function consume(event: Event, socket: Socket, bytes: u32): void {
  if (isShared(socket)) consumeShared(event, socket, bytes);
  else call_indirect<void>(socket.protocol.consume, socket, bytes);
}

/** Bytes of a stream that are there. */
@inline
export function available(event: Event, socket: Socket): u32 {
  const bytes = socket.receivedBytes;
  return isShared(socket) ? bytes - ahead(event, socket) : bytes;
}

/** Datagrams that are there. */
export function datagrams(event: Event, socket: Socket): u32 {
  const count = socket.received.count;
  return isShared(socket) ? count - ahead(event, socket) : count;
}

/**
 * Copies up to `room` bytes of a stream, of which `first` has the next, to the application, and consumes them. How many; 0: nothing can be written there, which in a vmtable block is so only
 * where a page that a fork has shared cannot be had for this process alone.
 */
@inline
export function takeStream(event: Event, socket: Socket, first: PacketBuffer, user: usize, room: u32): u32 {
  let buffer: PacketBuffer | null = first;
  let taken: u32 = 0;
  do {
    const bytes = min(peekLength(event, socket, buffer), room - taken);
    if (writePayload(user + taken, peekAddress(event, socket, buffer), bytes) < 0) break;
    consume(event, socket, bytes);
    taken += bytes;
    buffer = peek(event, socket);
  } while (buffer !== null && taken < room);
  return taken;
}
