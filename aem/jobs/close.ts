/**
 * The job of sockasync_close: the peer has closed, or the connection has failed. Once.
 *
 * It comes after the data that came before it: while a read event on the same socket has not delivered the end of the stream, the close
 * event stands behind it, and is activated when that has delivered it or is unregistered. With no read event it comes at once, and
 * what has been received can still be read.
 */
import { EAGAIN, ECONNABORTED, ENOTCONN } from "../../kernel/errno";
import { setUpcallArguments } from "../../kernel/glue";
import { POLLERR, POLLHUP, POLLRDHUP, Waiter, WAKE_GONE } from "../../kernel/scheduler/wait";
import { Socket, SOCKET_BEHIND } from "../../net/socket/socket";
import { EVENT_CLOSE, EVENT_DRAINING, EVENT_ENDED, EVENT_READ } from "../abi";
import { activate } from "../activation";
import { Event, EVENT_BEHIND } from "../event";
import { defineJob, DELIVERED, EMPTY, jobOf } from "../job";
import { sourceGone } from "../unregister";
import { pollSocket } from "./source";

const ENDS: u32 = POLLERR | POLLHUP | POLLRDHUP;

export function defineClose(): void {
  defineJob(EVENT_CLOSE, deliver.index, occurred.index, ENDS, ENDS);
}

function occurred(waiter: Waiter, events: u32, detail: u32): void {
  const event = changetype<Event>(waiter);
  if (events & WAKE_GONE) {
    sourceGone(event, detail);
    return;
  }
  if (event.has(EVENT_ENDED)) return;
  // SO_ERROR is told once, to whoever asks first: the event keeps what it saw.
  const error = event.socket.error;
  if (error != 0) event.data = error;
  activate(event);
}

/** The transport has let go of a socket that is still open. */
export function connectionLost(event: Event): void {
  if (event.has(EVENT_ENDED)) return;
  if (event.data == 0) event.data = ECONNABORTED;
  activate(event);
}

function deliver(event: Event): i32 {
  if (event.has(EVENT_ENDED)) return EMPTY;
  let error = -(<i32>event.data);
  if (event.object != 0) {
    const socket = event.socket;
    if ((pollSocket(socket) & ENDS) == 0) return EMPTY;
    if (!event.has(EVENT_DRAINING) && hasReader(socket)) {
      event.mark(EVENT_BEHIND);
      socket.flags |= SOCKET_BEHIND;
      return EMPTY;
    }
    if (error == 0) {
      const empty = socket.received.head === null;
      error = empty ? call_indirect<i32>(socket.protocol.end, socket) : -socket.error;
      if (error == -EAGAIN || error == -ENOTCONN) return EMPTY;
    }
  }
  event.mark(EVENT_ENDED);
  setUpcallArguments(<u32>event.jid, <u32>event.fd, <u32>error, 0, 0);
  return DELIVERED;
}

/** Whether a read event on the socket has still to deliver the end of the stream. */
function hasReader(socket: Socket): bool {
  const read = jobOf(EVENT_READ).occurred;
  let link = socket.next;
  while (changetype<usize>(link) != changetype<usize>(socket)) {
    if (changetype<Waiter>(link).callback == read) {
      const event = changetype<Event>(link);
      if (event.job.type == EVENT_READ && !event.has(EVENT_ENDED)) return true;
    }
    link = link.next;
  }
  return false;
}

/** A read event has delivered the end of the stream, or is no more: whoever stood behind it may look again. */
export function readerGone(socket: Socket): void {
  if (!(socket.flags & SOCKET_BEHIND)) return;
  socket.flags &= ~SOCKET_BEHIND;
  const close = jobOf(EVENT_CLOSE).occurred;
  let link = socket.next;
  while (changetype<usize>(link) != changetype<usize>(socket)) {
    const waiter = changetype<Waiter>(link);
    link = link.next;
    if (waiter.callback != close) continue;
    const event = changetype<Event>(waiter);
    if (!event.has(EVENT_BEHIND)) continue;
    event.clear(EVENT_BEHIND);
    activate(event);
  }
}
