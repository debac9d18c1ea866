/**
 * The job of sockasync_read. Source: what a socket has received. Before the handler is called the data are copied, once, from the
 * packets into a vmtable block of its process: of a stream all that is there up to READ_LIMIT, or one datagram with its sender's
 * address in front:
 *
 *     stream     ├ data … ┤                      datagram   ├ sockaddr_in, 16 bytes ┼ data … ┤
 *
 * When there is no block, the data stay in the socket (a stream's window closes, datagrams queue up to their limit), and the
 * event is tried again when one is freed. Several events on one socket each get all of it (shared.ts). The end of a stream, or the error that ended it, comes once, after all data.
 */
import { EAGAIN, ENOMEM, ENOTCONN } from "../../kernel/errno";
import { setUpcallArguments } from "../../kernel/glue";
import { vmtableAllocate, vmtableFree } from "../../kernel/memory/vmtable";
import { currentProcess } from "../../kernel/process/process";
import { currentThread } from "../../kernel/scheduler/running";
import { POLLERR, POLLHUP, POLLIN, POLLRDHUP, Waiter, WAKE_GONE } from "../../kernel/scheduler/wait";
import { networkFlush } from "../../net/interface";
import { writePayload } from "../../net/socket/payload";
import { nameRoom, putUserSockaddr } from "../../net/socket/sockaddr";
import { SOCK_STREAM, Socket } from "../../net/socket/socket";
import { EVENT_DRAINING, EVENT_ENDED, EVENT_READ } from "../abi";
import { activate, again, countActivations } from "../activation";
import { Event } from "../event";
import { defineJob, DELIVERED, EMPTY, noFrame, shortage } from "../job";
import { sourceGone } from "../unregister";
import { readerGone } from "./close";
import { dropDatagrams, tooLittle } from "./filter";
import { deliverToOwn, streamLength, USE_VMTABLE } from "./own";
import { errorWaits, isShared, readerGoes } from "./shared";
import { consume, peek, peekLength, peekSource, writePeeked } from "./source";

/** A stream's data are taken in smaller pieces rather than not at all. */
const SMALLEST_BLOCK: u32 = 64;

export function defineRead(): void {
  const mask = POLLIN | POLLERR | POLLHUP | POLLRDHUP;
  defineJob(EVENT_READ, deliver.index, occurred.index, mask, mask);
}

function occurred(waiter: Waiter, events: u32, detail: u32): void {
  const event = changetype<Event>(waiter);
  if (events & WAKE_GONE) sourceGone(event, detail);
  else if (event.extra != 0 && event.socket.type == SOCK_STREAM && tooLittle(event, event.socket)) {
    // Delivered together with what is to come.
    countActivations(event, 1);
  } else activate(event);
}

function deliver(event: Event): i32 {
  if (event.has(EVENT_ENDED)) return EMPTY;
  const socket = event.socket;
  if (event.extra != 0) {
    const stream = socket.type == SOCK_STREAM;
    if (stream ? tooLittle(event, socket) : !dropDatagrams(event, socket)) return EMPTY;
    const outcome = peek(event, socket) == 0 ? USE_VMTABLE : deliverToOwn(event, socket);
    if (outcome != USE_VMTABLE) return outcome;
  }
  const source = peek(event, socket);
  if (source == 0) return deliverEnd(event, socket);
  return socket.type == SOCK_STREAM ? deliverStream(event, socket, source) : deliverDatagram(event, socket);
}

function deliverStream(event: Event, socket: Socket, first: usize): i32 {
  let source = first;
  let room = streamLength(event, socket);
  const wanted = room;
  const vmtable = currentProcess().vmtable;
  let block = vmtableAllocate(vmtable, room);
  while (block == 0 && room > SMALLEST_BLOCK) {
    room >>= 1;
    block = vmtableAllocate(vmtable, room);
  }
  if (block == 0) return shortage(ENOMEM, wanted);
  let filled: u32 = 0;
  do {
    const bytes = min(<u32>peekLength(event, socket), room - filled);
    // Fails only where a page that a fork has shared cannot be had for this process alone.
    if (writePayload(block + filled, source, bytes) < 0) break;
    consume(event, socket, bytes);
    filled += bytes;
    source = peek(event, socket);
  } while (source != 0 && filled < room);
  if (filled == 0) {
    vmtableFree(vmtable, block);
    return noFrame();
  }
  networkFlush();
  hand(event, block, block, filled, 0, source != 0 || peekLength(event, socket) != -EAGAIN);
  return DELIVERED;
}

function deliverDatagram(event: Event, socket: Socket): i32 {
  const length = <u32>peekLength(event, socket);
  const vmtable = currentProcess().vmtable;
  const room = nameRoom(socket);
  const block = vmtableAllocate(vmtable, room + length);
  if (block == 0) return shortage(ENOMEM, room + length);
  const sender = peekSource(event, socket);
  if (putUserSockaddr(block, socket, sender) < 0 || writePeeked(event, socket, block + room, length) < 0) {
    vmtableFree(vmtable, block);
    return noFrame();
  }
  consume(event, socket, length);
  hand(event, block, block + room, length, block, peek(event, socket) != 0 || errorWaits(event, socket));
  return DELIVERED;
}

/** Sets the arguments. `more`: there are data left, or an end or error behind them, which want their turn. */
@inline
function hand(event: Event, block: usize, data: usize, length: u32, from: usize, more: bool): void {
  currentThread().block = block;
  wantMore(event, more);
  setUpcallArguments(<u32>event.jid, <u32>event.fd, <u32>data, length, <u32>from);
}

/** If there is more, the event gets another turn for it; one that drains does not. */
export function wantMore(event: Event, more: bool): void {
  if (!more || event.has(EVENT_DRAINING)) return;
  countActivations(event, 1);
  again(event);
}

/** There are no data: the end of a stream, an error, or nothing. */
function deliverEnd(event: Event, socket: Socket): i32 {
  const why = peekLength(event, socket);
  if (why == -EAGAIN || why == -ENOTCONN) return EMPTY;
  const stream = socket.type == SOCK_STREAM;
  // A datagram socket's error is about one datagram; its end is shutdown(SHUT_RD).
  if (stream || why == 0) {
    event.mark(EVENT_ENDED);
    readerGoes(socket);
  }
  if (stream) readerGone(socket);
  else if (isShared(socket)) wantMore(event, errorWaits(event, socket));
  else socket.error = 0;
  setUpcallArguments(<u32>event.jid, <u32>event.fd, 0, <u32>why, 0);
  return DELIVERED;
}
