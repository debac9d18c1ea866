/**
 * Several read events on one socket (AEM 3.6.5): each gets all data from its registration on, at its own pace.
 *
 * There is one copy of the data: the packets in the socket's receive queue. Each event has a position in it, and its job copies from there into
 * whatever memory its executor needs, when its turn comes. What all have had is consumed.
 *
 *     ─ consumed ─┤ received, waits in the socket                      │ ◄── wire
 *                 ▲                      ▲                             ▲
 *                 the slowest event      another one                   the fastest: it has had all
 *
 * So a slow event keeps nobody waiting until the socket's receive buffer (SO_RCVBUF) is full (TCP: its window, which closes; UDP: what comes is dropped). It costs no memory beyond that buffer, and leaves nothing behind when it ends.
 *
 * Of an event whose socket is shared, `count` is how many bytes or datagrams it is ahead of the queue's head, or was before Socket.taken
 * left the queue; `data` is, low, the buffer in which the last of them stands, and high, of a stream the address behind that byte, of
 * datagrams an errno that it has still to be told. The buffer is looked at only while the event is ahead: then it is in the queue.
 * An event that has the socket for itself uses neither: that costs it a comparison for each look at the socket.
 */
import { EAGAIN } from "../../kernel/errno";
import { Link } from "../../kernel/list";
import { Waiter } from "../../kernel/scheduler/wait";
import { PacketBuffer } from "../../net/buffer";
import { networkFlush } from "../../net/interface";
import { SOCK_STREAM, Socket } from "../../net/socket/socket";
import { EVENT_ENDED, EVENT_OCCURRED, EVENT_PENDING, EVENT_READ } from "../abi";
import { activate } from "../activation";
import { Event, EVENT_ALLOCATING } from "../event";
import { jobOf } from "../job";

/** Whether positions count: more than one event has still to be given data of the socket. */
@inline
export function isShared(socket: Socket): bool {
  return socket.readers > 1;
}

// ---- Coming and going ----

/** Before a read event joins the socket's waiters. It begins with what nobody has had yet, as the only one would. At most EVENTS_PER_SHARED_SOCKET steps. */
// @ts-ignore: decorator
@inline
export function readerComes(event: Event, socket: Socket): void {
  if (++socket.readers != 1) furtherReader(event, socket);
}

function furtherReader(event: Event, socket: Socket): void {
  let reader = nextReader(socket, socket)!;
  // So far it had the socket for itself, and took what it had.
  if (socket.readers == 2) {
    place(reader, 0, 0);
    socket.taken = 0;
  } else settle(socket);
  let foremost = reader;
  while (true) {
    if (reader.count > foremost.count) foremost = reader;
    const next = nextReader(socket, reader.waiter);
    if (next === null) break;
    reader = next;
  }
  place(event, foremost.count, isStream(socket) ? foremost.data : foremost.data & 0xffff_ffff);
}

/** A read event has left the socket's waiters, or has told the end. What the others have had, it does not hold back any more. */
export function readerGoes(socket: Socket): void {
  // 0: the socket is no more.
  if (socket.readers == 0) return;
  socket.readers--;
  if (!gathering) readersGone(socket);
}

/** Several read events leave a socket: it is looked at once, after the last of them. */
let gathering: bool = false;

/** `begin`: `readersGone` is called when they have left; false: they have. */
export function gatherReaders(begin: bool): void {
  gathering = begin;
}

/** Read events have left: what those that are left have had goes, and the last one has the socket for itself. */
export function readersGone(socket: Socket): void {
  if (socket.readers == 0) return;
  consumeHad(socket);
  networkFlush();
  if (socket.readers != 1) return;
  const last = nextReader(socket, socket)!;
  if (socket.error == 0 && !isStream(socket)) socket.error = owed(last);
  place(last, 0, 0);
}

/** The socket goes away: nothing in it is kept for anybody, and nothing is consumed, so that its transport knows what was not read. */
export function readersGo(socket: Socket): void {
  socket.readers = 0;
}

/** The read event behind `link` among the socket's waiters, which is a member or the socket, that has not told the end; null: there is none. */
function nextReader(socket: Socket, link: Link): Event | null {
  const read = jobOf(EVENT_READ).occurred;
  link = link.next;
  while (changetype<usize>(link) != changetype<usize>(socket)) {
    if (changetype<Waiter>(link).callback == read) {
      const event = changetype<Event>(link);
      if (!event.has(EVENT_ENDED)) return event;
    }
    link = link.next;
  }
  return null;
}

// ---- Positions ----

@inline
function isStream(socket: Socket): bool {
  return socket.type == SOCK_STREAM;
}


@inline
function place(event: Event, count: u32, data: u64): void {
  event.count = count;
  event.data = data;
}

/** Bytes or datagrams in the queue that the event has had. A recv may have taken what it has not had. */
export function ahead(event: Event, socket: Socket): u32 {
  return event.count > socket.taken ? event.count - socket.taken : 0;
}

/** Takes `taken` into account in all positions: they are those of the queue as it is. */
function settle(socket: Socket): void {
  if (socket.taken == 0) return;
  let reader = nextReader(socket, socket);
  while (reader !== null) {
    reader.count = ahead(reader, socket);
    reader = nextReader(socket, reader.waiter);
  }
  socket.taken = 0;
}

/** The buffer in which the event's next byte or datagram stands; null: it has had all. */
export function nextBuffer(event: Event, socket: Socket): PacketBuffer | null {
  if (ahead(event, socket) == 0) return socket.received.head;
  const last = changetype<PacketBuffer>(<usize>(<u32>event.data));
  return isStream(socket) && behind(event) < last.data + last.length ? last : last.next;
}

/** Address behind the last byte of a stream that the event has had. */
@inline
function behind(event: Event): usize {
  return <usize>(event.data >> 32);
}

/** Where the event's next byte stands, in its buffer, which is `nextBuffer`. */
export function nextAddress(event: Event, socket: Socket, buffer: PacketBuffer): usize {
  // In the buffer of the byte before?
  const same = <usize>(<u32>event.data) == changetype<usize>(buffer);
  return same && isStream(socket) && ahead(event, socket) != 0 ? behind(event) : buffer.data;
}

/** What all have had goes. */
function consumeHad(socket: Socket): void {
  let least: u32 = u32.MAX_VALUE;
  let reader = nextReader(socket, socket);
  while (reader !== null) {
    least = min(least, ahead(reader, socket));
    if (least == 0) return;
    reader = nextReader(socket, reader.waiter);
  }
  if (least == u32.MAX_VALUE) return;
  const consume = socket.protocol.consume;
  if (isStream(socket)) call_indirect<void>(consume, socket, least);
  else for (; least != 0; least--) call_indirect<void>(consume, socket, <u32>0);
}

// ---- The socket as one of several events sees it ----

/** Done with that many bytes, at most those that stand in `nextBuffer`; of datagrams with one. */
export function consumeShared(event: Event, socket: Socket, bytes: u32): void {
  const buffer = nextBuffer(event, socket);
  if (buffer === null) return;
  settle(socket);
  const count = event.count;
  const stream = isStream(socket);
  const high = stream ? <u64>(nextAddress(event, socket, buffer) + bytes) : event.data >> 32;
  place(event, count + (stream ? bytes : 1), (<u64>changetype<usize>(buffer)) | (high << 32));
  // Only a step of the slowest, or of one of them, can be the last.
  if (count == 0) consumeHad(socket);
}

// ---- Errors of datagrams ----

/** Errno that the event has still to be told, of a socket of datagrams; 0: none. */
@inline
function owed(event: Event): i32 {
  return <i32>(event.data >> 32);
}

/** Whether an error of the socket waits for the event. */
export function errorWaits(event: Event, socket: Socket): bool {
  return socket.error != 0 || (isShared(socket) && !isStream(socket) && owed(event) != 0);
}

/** SocketProtocol.end. A transport tells the error of a datagram once; here each event is told it. */
export function endShared(event: Event, socket: Socket): i32 {
  if (!isStream(socket) && owed(event) != 0) {
    const errno = owed(event);
    event.data &= 0xffff_ffff;
    return -errno;
  }
  const why = call_indirect<i32>(socket.protocol.end, socket);
  if (why < 0 && why != -EAGAIN && !isStream(socket)) owe(event, socket, -why);
  return why;
}

/** The other events have to be told `errno`. */
function owe(event: Event, socket: Socket, errno: i32): void {
  let reader = nextReader(socket, socket);
  while (reader !== null) {
    if (changetype<usize>(reader) != changetype<usize>(event)) {
      reader.data = (reader.data & 0xffff_ffff) | ((<u64>errno) << 32);
      // The wake that told of the error has done it, but for those that came first and found data only.
      if (!reader.has(EVENT_PENDING | EVENT_OCCURRED | EVENT_ALLOCATING)) activate(reader);
    }
    reader = nextReader(socket, reader.waiter);
  }
}
