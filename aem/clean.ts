/**
 * EVJOBCLEAN: drops what waits for an event, which goes on. Received data and datagrams are thrown away, connections that wait are reset,
 * kept transitions and expirations are forgotten.
 *
 * An end is no occurrence among others: nothing would ever tell of it again. So the end of a stream and the error that ended it still come,
 * and a close event has nothing that can be dropped.
 *
 * There may be thousands of connections or packets: CLEAN_BUDGET at a time, between which interrupts and other threads have their turn.
 */
import { ENOSPC } from "../kernel/errno";
import { yieldPoint } from "../kernel/scheduler/preempt";
import { POLLERR, POLLHUP, POLLIN, POLLRDHUP } from "../kernel/scheduler/wait";
import { networkFlush } from "../net/interface";
import { SOCK_STREAM, Socket } from "../net/socket/socket";
import { BACKLOG_LIMIT } from "../net/socket/tcp/parameters";
import {
  EVENT_ACCEPT,
  EVENT_CLOSE,
  EVENT_DRAINING,
  EVENT_ENDED,
  EVENT_MESSAGE,
  EVENT_OCCURRED,
  EVENT_PENDING,
  EVENT_READ,
  EVENT_STARVED,
  EVENT_TIMER,
} from "./abi";
import { activate, countActivations } from "./activation";
import { withdraw } from "./queue";
import { Event, EVENT_ALLOCATING } from "./event";
import { EXTRA_TIMED_OUT, extraOf, needExtra, startTimeout } from "./extra";
import { eventOfJid } from "./jids";
import { errorWaits } from "./jobs/shared";
import { dropMessages } from "./jobs/message";
import { available, consume, datagrams, peek, peekLength, pollSocket } from "./jobs/source";
import { unregister } from "./unregister";

/** Connections, packets or messages that one step takes: a connection that waits is reset, some 2,000 instructions. */
const CLEAN_BUDGET: u32 = 4;

/**
 * How many occurrences were dropped; -ENOSPC: they could not be counted, and nothing was. Others run meanwhile: the event may end, and is dropped from then on as any that ends; and
 * more may come, which is not dropped, but for connections: those go as long as there are some, up to one more than a backlog may have.
 */
export function clean(event: Event): i32 {
  const type = event.type;
  if (type == EVENT_CLOSE) return 0;
  if (needExtra(event) === null) return -ENOSPC;
  const process = event.process;
  const jid = event.jid;
  // All bytes of a stream are one occurrence.
  const most: u32 = type == EVENT_READ && event.socket.type == SOCK_STREAM ? 1 : u32.MAX_VALUE;
  let left = atSource(event, type);
  let found: u32 = 0;
  while (left != 0) {
    const part = takeSome(event, type, left);
    found += part;
    left -= part;
    if (part == 0 || left == 0) break;
    // Thousands of resets are more than can wait to be sent.
    if (type == EVENT_ACCEPT) networkFlush();
    yieldPoint();
    const there = eventOfJid(process, jid);
    if (there === null) {
      networkFlush();
      return <i32>min(found, most);
    }
    event = there;
  }
  found = min(found, most);
  // What has come meanwhile keeps its activation.
  const dropped = hasMore(event, type) ? countDropped(event, type, found, 0) : forget(event, type, found);
  // Not before: what peers send now that there is room is new, and its activation counts.
  networkFlush();
  return <i32>dropped;
}

/** The activation goes, with what the event itself has kept; `found` was taken from its source, where nothing is left. How many occurrences all of it was. */
function forget(event: Event, type: u32, found: u32): u32 {
  // What the allocator has been asked for is on its way.
  const waiting = event.waiting - <u32>event.has(EVENT_ALLOCATING);
  if (type == EVENT_TIMER) found = event.count;
  if (type != EVENT_READ) event.count = 0;
  withdraw(event);
  event.clear(EVENT_PENDING | EVENT_STARVED | EVENT_OCCURRED);
  const extra = extraOf(event);
  if (extra.has(EXTRA_TIMED_OUT)) {
    extra.clear(EXTRA_TIMED_OUT);
    startTimeout(extra);
  }
  const dropped = countDropped(event, type, found, waiting);
  // With nothing left to deliver, it ends: now, or when its handler returns.
  if (event.has(EVENT_DRAINING) && event.handlers == 0) unregister(event);
  else if (type == EVENT_READ && hasEnd(event)) activate(event);
  return dropped;
}

/** `waiting` activations, and what was `found`, are dropped: how many occurrences that is. */
function countDropped(event: Event, type: u32, found: u32, waiting: u32): u32 {
  // As at delivery, each connection and datagram is an activation, also if they were announced together.
  if (found > waiting && (type == EVENT_ACCEPT || type == EVENT_READ))
    countActivations(event, found - waiting);
  const dropped = max(found, waiting);
  extraOf(event).cleaned += dropped;
  return dropped;
}

// ---- Sources of which there may be much: connections, bytes of a stream, datagrams, messages ----

/** How much of it waits for the event, at most. */
function atSource(event: Event, type: u32): u32 {
  if (type == EVENT_ACCEPT) return BACKLOG_LIMIT + 1;
  if (type == EVENT_MESSAGE) return event.count;
  // What comes behind an end is not this event's.
  if (type != EVENT_READ || event.has(EVENT_ENDED)) return 0;
  return event.socket.type == SOCK_STREAM ? available(event, event.socket) : datagrams(event, event.socket);
}

/** Takes some of it, `left` at most: how much; 0: there is none. */
function takeSome(event: Event, type: u32, left: u32): u32 {
  const most = min(left, CLEAN_BUDGET);
  if (type == EVENT_ACCEPT) return takeConnections(event.socket, most);
  if (type == EVENT_MESSAGE) return dropMessages(event, most);
  return takeData(event, event.socket, left);
}

function takeConnections(listener: Socket, most: u32): u32 {
  let taken: u32 = 0;
  while (taken < most && (pollSocket(listener) & POLLIN) != 0) {
    const connection = call_indirect<usize>(listener.protocol.accept, listener);
    if (connection == 0) break;
    const socket = changetype<Socket>(connection);
    call_indirect<void>(socket.protocol.abort, socket);
    taken++;
  }
  return taken;
}

function takeData(event: Event, socket: Socket, left: u32): u32 {
  const stream = socket.type == SOCK_STREAM;
  let taken: u32 = 0;
  for (let budget = CLEAN_BUDGET; budget != 0 && taken < left; budget--) {
    const buffer = peek(event, socket);
    if (buffer === null) break;
    const bytes = peekLength(event, socket, buffer);
    const part = stream ? min(bytes, left - taken) : 1;
    consume(event, socket, stream ? part : bytes);
    taken += part;
  }
  return taken;
}

function hasMore(event: Event, type: u32): bool {
  if (type == EVENT_ACCEPT) return (pollSocket(event.socket) & POLLIN) != 0;
  if (type == EVENT_MESSAGE) return event.count != 0;
  return type == EVENT_READ && !event.has(EVENT_ENDED) && peek(event, event.socket) !== null;
}

function hasEnd(event: Event): bool {
  if (event.has(EVENT_ENDED)) return false;
  const socket = event.socket;
  return errorWaits(event, socket) || (pollSocket(socket) & (POLLERR | POLLHUP | POLLRDHUP)) != 0;
}
