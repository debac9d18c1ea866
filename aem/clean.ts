/**
 * EVJOBCLEAN: drops what waits for an event, which goes on. Received data and datagrams are thrown away, connections that wait are reset,
 * kept transitions and expirations are forgotten.
 *
 * An end is no occurrence among others: nothing would ever tell of it again. So the end of a stream and the error that ended it still come,
 * and a close event has nothing that can be dropped.
 */
import { ENOSPC } from "../kernel/errno";
import { POLLERR, POLLHUP, POLLIN, POLLRDHUP } from "../kernel/scheduler/wait";
import { networkFlush } from "../net/interface";
import { SOCK_STREAM, Socket } from "../net/socket/socket";
import {
  EVENT_ACCEPT,
  EVENT_CLOSE,
  EVENT_DRAINING,
  EVENT_ENDED,
  EVENT_MESSAGE,
  EVENT_OCCURRED,
  EVENT_PENDING,
  EVENT_READ,
  EVENT_SK,
  EVENT_STARVED,
  EVENT_TIMER,
} from "./abi";
import { activate, countActivations } from "./activation";
import { withdraw } from "./queue";
import { Event, EVENT_ALLOCATING } from "./event";
import { EXTRA_TIMED_OUT, needExtra, startTimeout } from "./extra";
import { errorWaits, isShared, skipShared } from "./jobs/shared";
import { dropMessages } from "./jobs/message";
import { pollSocket } from "./jobs/source";
import { unregister } from "./unregister";

/** How many occurrences were dropped; -ENOSPC: they could not be counted, and nothing was. O(what waits). */
export function clean(event: Event): i32 {
  const type = event.type;
  if (type == EVENT_CLOSE) return 0;
  const extra = needExtra(event);
  if (extra === null) return -ENOSPC;
  // What the allocator has been asked for is on its way.
  const waiting = event.waiting - <u32>event.has(EVENT_ALLOCATING);
  const found = dropWaiting(event, type);
  withdraw(event);
  event.clear(EVENT_PENDING | EVENT_STARVED | EVENT_OCCURRED);
  if (extra.has(EXTRA_TIMED_OUT)) {
    extra.clear(EXTRA_TIMED_OUT);
    startTimeout(extra);
  }
  // As at delivery, each connection and datagram is an activation, also if they were announced together.
  if (found > waiting && type != EVENT_TIMER) countActivations(event, found - waiting);
  const dropped = max(found, waiting);
  extra.cleaned += dropped;
  // With nothing left to deliver, it ends: now, or when its handler returns.
  if (event.has(EVENT_DRAINING) && event.handlers == 0) unregister(event);
  else if (type == EVENT_READ && hasEnd(event)) activate(event);
  // Not before: what peers send now that there is room is new, and its activation counts.
  networkFlush();
  return <i32>dropped;
}

/** Takes what waits from the source, or from the event; returns how much of it there was. */
function dropWaiting(event: Event, type: u32): u32 {
  const count = event.count;
  if (type == EVENT_ACCEPT) return dropConnections(event.socket);
  if (type == EVENT_READ) return dropData(event, event.socket);
  if (type == EVENT_MESSAGE) return dropMessages(event);
  event.count = 0;
  if (type == EVENT_SK) return count == 0 ? 0 : count - 1;
  return type == EVENT_TIMER ? count : 0;
}

function dropConnections(listener: Socket): u32 {
  let dropped: u32 = 0;
  while ((pollSocket(listener) & POLLIN) != 0) {
    const connection = call_indirect<usize>(listener.protocol.accept, listener);
    if (connection == 0) break;
    const socket = changetype<Socket>(connection);
    call_indirect<void>(socket.protocol.abort, socket);
    dropped++;
  }
  return dropped;
}

/** All bytes of a stream are one occurrence. */
function dropData(event: Event, socket: Socket): u32 {
  // What comes behind an end is not this event's.
  if (event.has(EVENT_ENDED)) return 0;
  let dropped: u32 = 0;
  if (isShared(socket)) dropped = skipShared(event, socket);
  else
    for (let buffer = socket.received.head; buffer !== null; buffer = socket.received.head) {
      call_indirect<void>(socket.protocol.consume, socket, buffer.length);
      dropped++;
    }
  return socket.type == SOCK_STREAM ? min<u32>(dropped, 1) : dropped;
}

function hasEnd(event: Event): bool {
  if (event.has(EVENT_ENDED)) return false;
  const socket = event.socket;
  return errorWaits(event, socket) || (pollSocket(socket) & (POLLERR | POLLHUP | POLLRDHUP)) != 0;
}
