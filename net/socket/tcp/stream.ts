/**
 * The application's side of a connection: where received bytes stand, where bytes to be sent may be written, and what
 * `poll` says. The bytes themselves are moved by the caller (net/socket/socket.ts).
 */
import { EAGAIN, ENOTCONN, EPIPE } from "../../../kernel/errno";
import {
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLMSG,
  POLLOUT,
  POLLPRI,
  POLLRDHUP,
} from "../../../kernel/scheduler/wait";
import { allocateBuffer, BUFFER_HEADROOM, BUFFER_RETAINED, PacketBuffer, releaseBuffer } from "../../buffer";
import {
  FIN_QUEUED,
  FIN_RECEIVED,
  NO_SPACE,
  RECEIVE_SHUT,
  SOFT_NEWS,
  TcpConnection,
  URGENT_AHEAD,
  WAS_CONNECTED,
} from "./connection";
import { output } from "./send";
import { UNSENT } from "./scoreboard";
import { starve } from "./starved";
import { MAY_RECEIVE, MAY_SEND, stateIn, TCP_CLOSE, TCP_LISTEN, TCP_SYN_RECV, TCP_SYN_SENT } from "./state";
import { sendAck } from "./transmit";
import { announceUrgent, markUrgent, urgentReached } from "./urgent";
import { buffersScarce, windowUpdateDue } from "./window";

// ---- Receiving ----

/** Address of the next received bytes, or 0; `peekLength` says how many, or why there are none. */
export function peek(c: TcpConnection): usize {
  const head = c.received.head;
  return head === null ? 0 : head.data;
}

/** Bytes at `peek`; else 0 at the end of the stream, -EAGAIN, -ENOTCONN, or the negative errno that ended it. */
export function peekLength(c: TcpConnection): i32 {
  const head = c.received.head;
  return head !== null ? <i32>head.length : endOf(c);
}

/** What `peekLength` says when nothing is left. */
export function endOf(c: TcpConnection): i32 {
  if (c.error != 0) return -c.error;
  if (c.has(FIN_RECEIVED | RECEIVE_SHUT)) return 0;
  if (c.state == TCP_CLOSE) return c.has(WAS_CONNECTED) ? 0 : -ENOTCONN;
  return c.state == TCP_LISTEN ? -ENOTCONN : -EAGAIN;
}

/** The application is done with `bytes`; tells the peer when that opens the window enough. */
export function consume(c: TcpConnection, bytes: u32): void {
  let head = c.received.head;
  while (head !== null && bytes != 0) {
    const part = min(bytes, head.length);
    head.pull(part);
    bytes -= part;
    c.receivedBytes -= part;
    c.left(part);
    if (head.length == 0) {
      c.received.take();
      releaseBuffer(head);
      head = c.received.head;
    }
  }
  if (c.has(URGENT_AHEAD)) urgentReached(c);
  if (stateIn(c.state, MAY_RECEIVE) && !c.has(FIN_RECEIVED) && windowUpdateDue(c)) sendAck(c);
}

// ---- Sending ----

/** The buffer that the next bytes go into when it is there already: the last one, not sent and not full. */
function openTail(c: TcpConnection): PacketBuffer | null {
  const tail = c.sendTail;
  if (tail === null || tail.word0 != 0 || tail.references != 1) return null;
  if (tail.length >= c.sendMss || tail.tailroom == 0) return null;
  return tail;
}

/** What `reserveLength` says. */
let reserved: i32 = 0;

/** Address of room for bytes to be sent, or 0; `reserveLength` says how much, or why there is none. */
export function reserve(c: TcpConnection): usize {
  if (!stateIn(c.state, MAY_SEND) || c.has(FIN_QUEUED) || c.error != 0) {
    reserved = refusal(c);
    return 0;
  }
  const tail = openTail(c);
  if (tail !== null) {
    reserved = min(c.sendMss - tail.length, tail.tailroom);
    return tail.data + tail.length;
  }
  let spare = c.spare;
  if (spare === null) {
    spare = newSpare(c);
    if (spare === null) {
      reserved = -EAGAIN;
      return 0;
    }
  }
  reserved = min(c.sendMss, spare.tailroom);
  return spare.data;
}

/** An empty buffer for the end of the queue; null: the application has to wait. */
// @ts-ignore: decorator
@inline
function newSpare(c: TcpConnection): PacketBuffer | null {
  // Some buffers are left for acknowledgements and for the device; a connection that has none gets its first.
  if (c.sendBuffers < c.sendLimit && !buffersScarce(c.sendBuffers == 0 ? 16 : 4)) {
    const spare = allocateBuffer(BUFFER_HEADROOM);
    if (spare !== null) {
      spare.flags = BUFFER_RETAINED;
      c.spare = spare;
      return spare;
    }
  }
  c.status |= NO_SPACE;
  if (c.sendBuffers < c.sendLimit) starve(c);
  return null;
}

/** Why nothing may be sent. */
function refusal(c: TcpConnection): i32 {
  if (c.error != 0) return -c.error;
  if (c.state == TCP_SYN_SENT || (c.state == TCP_SYN_RECV && !c.has(FIN_QUEUED))) return -EAGAIN;
  if (c.state == TCP_LISTEN || !c.has(WAS_CONNECTED)) return -ENOTCONN;
  return -EPIPE;
}

/** After `reserve`. Bytes there, > 0; else -EAGAIN, -EPIPE, -ENOTCONN or the errno that ended the connection. */
export function reserveLength(): i32 {
  return reserved;
}

/** `bytes`, at least one and not more than there is room, were written at `reserve`. They leave with `push`. */
export function commit(c: TcpConnection, bytes: u32): void {
  const tail = openTail(c);
  if (tail !== null) tail.length += bytes;
  else {
    const spare = c.spare;
    if (spare === null) return;
    c.spare = null;
    spare.length = bytes;
    spare.sequence = c.writeSequence;
    spare.word0 = 0;
    spare.state = UNSENT;
    spare.next = null;
    const last = c.sendTail;
    if (last === null) c.sendHead = spare;
    else last.next = spare;
    c.sendTail = spare;
    if (c.sendNext === null) c.sendNext = spare;
    c.sendBuffers++;
  }
  c.writeSequence += bytes;
}

/** `urgent`: what was committed, up to here, is urgent. */
export function push(c: TcpConnection, urgent: bool): void {
  if (urgent) markUrgent(c);
  output(c);
  if (urgent) announceUrgent(c);
}

// ---- Readiness ----

/** POLL* bits as they hold now, as Linux has them. */
export function poll(c: TcpConnection): u32 {
  const state = c.state;
  if (state == TCP_LISTEN) {
    const listener = c.listener;
    return listener !== null && listener.acceptCount != 0 ? POLLIN : 0;
  }
  let events: u32 = c.error != 0 ? POLLERR : 0;
  if (c.softError != 0 && c.has(SOFT_NEWS)) events |= POLLMSG;
  if (state == TCP_CLOSE) {
    events |= POLLOUT | POLLHUP;
    return c.has(WAS_CONNECTED) || c.error != 0 ? events | POLLIN | POLLRDHUP : events;
  }
  if (state == TCP_SYN_SENT || state == TCP_SYN_RECV) return events;
  const end = c.has(FIN_RECEIVED | RECEIVE_SHUT);
  if (end) events |= POLLIN | POLLRDHUP;
  if (c.receivedBytes != 0) events |= POLLIN;
  if (c.has(URGENT_AHEAD)) events |= POLLPRI;
  if (end && c.has(FIN_QUEUED)) events |= POLLHUP;
  if (c.has(FIN_QUEUED) || c.sendBuffers < c.sendLimit) events |= POLLOUT;
  return events;
}
