/**
 * Filters (EVJOBFILTER): what of an event's source its handler is not called for. What is filtered is counted; each of it is one activation
 * of its own, like each that is delivered.
 *
 * A connection from a peer that is not wanted is reset, and not left in the listener's queue: it was established before anybody could
 * look at it, there is one queue, and what nobody takes would stay in front of those that are wanted. A reset and not
 * an orderly end, for that would tell the peer that it was served.
 */
import { EINVAL } from "../../kernel/errno";
import { POLLERR, POLLHUP, POLLIN, POLLMSG, POLLOUT, POLLPRI, POLLRDHUP } from "../../kernel/scheduler/wait";
import { IpAddress } from "../../net/flow";
import { networkFlush } from "../../net/interface";
import { samePrefix } from "../../net/scope";
import { SOCK_STREAM, Socket } from "../../net/socket/socket";
import { loadAddress } from "../../net/wire/ipv6";
import { EVENT_ACCEPT, EVENT_READ, EVENT_SK, EVENT_SOCK, EventFilter, READ_LIMIT } from "../abi";
import { activate, again, countActivations } from "../activation";
import { Event } from "../event";
import { EventExtra, extraOf } from "../extra";
import { errorWaits } from "./shared";
import { available, consume, peek, pollSocket } from "./source";

/** States 1 (ESTABLISHED) .. 11 (CLOSING). */
const STATES: u32 = 0xffe;
const POLL_BITS: u32 = POLLIN | POLLPRI | POLLOUT | POLLERR | POLLHUP | POLLMSG | POLLRDHUP;
const ENDS: u32 = POLLERR | POLLHUP | POLLRDHUP;
/** Connections or datagrams that one turn of an event drops at most: others want theirs. */
const DROPS: u32 = 32;

/** 0; -EINVAL: a condition that says nothing about events of this type, or out of range. */
export function checkFilter(event: Event, filter: EventFilter): i32 {
  const type = event.type;
  const stream = type <= EVENT_SOCK && event.object != 0 && event.socket.type == SOCK_STREAM;
  const named = (load<u64>(filter.address) | load<u64>(filter.address, 8)) != 0;
  if (filter.prefix > 128 || (filter.prefix == 0 && named)) return -EINVAL;
  if (filter.prefix != 0 && type != EVENT_ACCEPT && (type != EVENT_READ || stream)) return -EINVAL;
  if (filter.least != 0 && (type != EVENT_READ || !stream)) return -EINVAL;
  const known = type == EVENT_SK ? STATES : type == EVENT_SOCK ? POLL_BITS : 0;
  return filter.mask & ~known ? -EINVAL : 0;
}

/** Puts a filter that was checked in the place of the one before. */
export function setFilter(event: Event, extra: EventExtra, filter: EventFilter): void {
  const heldBack = extra.least != 0;
  extra.mask = filter.mask;
  extra.prefix = filter.prefix;
  loadAddress(extra.network, filter.address);
  extra.least = min(filter.least, READ_LIMIT);
  // There may be enough now.
  if (heldBack && event.object != 0 && (pollSocket(event.socket) & POLLIN) != 0) activate(event);
}

/** Whether a peer with this address passes. */
@inline
function passes(extra: EventExtra, address: IpAddress): bool {
  return samePrefix(address, extra.network, extra.prefix);
}

// ---- Peers ----

/** As the listener's `accept`: the next connection that passes; 0: none, or none yet. */
export function acceptFiltered(event: Event, listener: Socket): usize {
  const extra = extraOf(event);
  for (let dropped: u32 = 0; dropped < DROPS; dropped++) {
    const connection = call_indirect<usize>(listener.protocol.accept, listener);
    if (connection == 0) return 0;
    const socket = changetype<Socket>(connection);
    if (passes(extra, socket.flow.remote)) return connection;
    call_indirect<void>(socket.protocol.abort, socket);
    networkFlush();
    extra.filtered++;
    if ((pollSocket(listener) & POLLIN) == 0) return 0;
    // The one behind it is an activation more.
    countActivations(event, 1);
  }
  again(event);
  return 0;
}

/** Drops datagrams of others from the head of the queue. False: there is nothing to be delivered now. */
export function dropDatagrams(event: Event, socket: Socket): bool {
  const extra = extraOf(event);
  for (let dropped: u32 = 0; dropped < DROPS; dropped++) {
    const datagram = peek(event, socket);
    if (datagram === null || passes(extra, datagram.source)) return true;
    consume(event, socket, datagram.wholeLength);
    extra.filtered++;
    const more = peek(event, socket) !== null || errorWaits(event, socket);
    if (!more && (pollSocket(socket) & ENDS) == 0) return false;
    countActivations(event, 1);
  }
  again(event);
  return false;
}

// ---- Bytes ----

/**
 * Whether a stream has fewer bytes than its filter asks for, and more may come: the stream goes on, and its window has room for what is
 * missing. Without that, a window that is smaller than the filter would stop both sides for ever.
 */
export function tooLittle(event: Event, socket: Socket): bool {
  const least = extraOf(event).least;
  if (least == 0 || pollSocket(socket) & ENDS) return false;
  const there = available(event, socket);
  return there < least && least - there <= call_indirect<u32>(socket.protocol.room, socket);
}
