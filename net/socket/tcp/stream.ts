/**
 * The application's side of a connection: what it has read, what is to be sent, and what `poll` says. Received bytes are moved by the caller (net/socket/socket.ts), those
 * to be sent come from net/socket/gather.ts.
 */
import { EAGAIN, EFAULT, ENOTCONN, EPIPE } from "../../../kernel/errno";
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
import { gather } from "../gather";
import { MSG_MORE, MSG_OOB } from "../socket";
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
import { pend } from "./pending";
import { output } from "./send";
import { UNSENT } from "./scoreboard";
import { starve, offerWindow } from "./starved";
import {
  MAY_RECEIVE,
  MAY_SEND,
  MAY_TRANSMIT,
  stateIn,
  TCP_CLOSE,
  TCP_LISTEN,
  TCP_SYN_RECV,
  TCP_SYN_SENT,
} from "./state";
import { announceUrgent, markUrgent, urgentReached } from "./urgent";
import { buffersScarce, windowUpdateDue } from "./window";

// ---- Receiving ----

/** Why nothing is received when nothing is left: 0 at the end of the stream, -EAGAIN, -ENOTCONN, or the negative errno that ended it. */
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
  if (stateIn(c.state, MAY_RECEIVE) && windowUpdateDue(c)) offerWindow(c);
}

// ---- Sending ----

/** The buffer that the next bytes go into when it is there already: the last one, not sent and not full. */
function openTail(c: TcpConnection): PacketBuffer | null {
  const tail = c.sendTail;
  if (tail === null || tail.word0 != 0 || tail.references != 1) return null;
  if (tail.length >= c.sendMss || tail.tailroom == 0) return null;
  return tail;
}

/** What `fillError` says. */
let unfilled: i32 = 0;

/**
 * Takes the next bytes that gather() gives into the send queue, from which they leave with `push`: `total`, or fewer, when there is no room for more, or they are not where
 * the application says; `fillError` tells. How many.
 */
export function fill(c: TcpConnection, total: u32): u32 {
  if (!stateIn(c.state, MAY_SEND) || c.has(FIN_QUEUED) || c.error != 0) {
    unfilled = refusal(c);
    return 0;
  }
  let taken: u32 = 0;
  const tail = openTail(c);
  if (tail !== null) {
    const bytes = min(total, min(c.sendMss - tail.length, tail.tailroom));
    if (gather(tail.data + tail.length, bytes) < 0) {
      unfilled = -EFAULT;
      return 0;
    }
    tail.length += bytes;
    taken = bytes;
  }
  while (taken != total) {
    const buffer = newBuffer(c);
    if (buffer === null) {
      unfilled = -EAGAIN;
      break;
    }
    const bytes = min(total - taken, min(c.sendMss, buffer.tailroom));
    if (gather(buffer.data, bytes) < 0) {
      releaseBuffer(buffer);
      unfilled = -EFAULT;
      break;
    }
    buffer.length = bytes;
    append(c, buffer, c.writeSequence + taken);
    taken += bytes;
  }
  c.writeSequence += taken;
  return taken;
}

/** After `fill`, when it has taken fewer than it was to: -EAGAIN, -EFAULT, -EPIPE, -ENOTCONN or the errno that ended the connection. */
export function fillError(): i32 {
  return unfilled;
}

/** `buffer` becomes the last one of the queue. */
// @ts-ignore: decorator
@inline
function append(c: TcpConnection, buffer: PacketBuffer, sequence: u32): void {
  buffer.flags = BUFFER_RETAINED;
  buffer.sequence = sequence;
  buffer.word0 = 0;
  buffer.state = UNSENT;
  const last = c.sendTail;
  if (last === null) c.sendHead = buffer;
  else last.next = buffer;
  c.sendTail = buffer;
  if (c.sendNext === null) c.sendNext = buffer;
  c.sendBuffers++;
}

/** An empty buffer for the end of the queue; null: the application has to wait. */
// @ts-ignore: decorator
@inline
function newBuffer(c: TcpConnection): PacketBuffer | null {
  // Some buffers are left for acknowledgements and for the device; a connection that has none gets its first.
  if (c.sendBuffers < c.sendLimit && !(c.sendBuffers == 0 ? buffersScarce(16) : buffersScarce(4))) {
    const buffer = allocateBuffer(BUFFER_HEADROOM);
    if (buffer !== null) return buffer;
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

/** `marks`: MSG_OOB, what was filled in, up to here, is urgent; MSG_MORE, it may wait until the connection has its turn (pending.ts). */
export function push(c: TcpConnection, marks: u32): void {
  if (marks == MSG_MORE) {
    if (stateIn(c.state, MAY_TRANSMIT)) pend(c);
    return;
  }
  const urgent = (marks & MSG_OOB) != 0;
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
