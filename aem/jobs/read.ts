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
import { PacketBuffer } from "../../net/buffer";
import { networkFlush } from "../../net/interface";
import { writeDatagram } from "../../net/socket/datagram";
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
import { consume, end, peek, takeStream } from "./source";

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
    const first = peek(event, socket);
    const outcome = first === null ? USE_VMTABLE : deliverToOwn(event, socket, first);
    if (outcome != USE_VMTABLE) return outcome;
  }
  const first = peek(event, socket);
  if (first === null) return deliverEnd(event, socket);
  return socket.type == SOCK_STREAM
    ? deliverStream(event, socket, first)
    : deliverDatagram(event, socket, first);
}

function deliverStream(event: Event, socket: Socket, first: PacketBuffer): i32 {
  let room = streamLength(event, socket);
  const wanted = room;
  const vmtable = currentProcess().vmtable;
  let block = vmtableAllocate(vmtable, room);
  while (block == 0 && room > SMALLEST_BLOCK) {
    room >>= 1;
    block = vmtableAllocate(vmtable, room);
  }
  if (block == 0) return shortage(ENOMEM, wanted);
  const filled = takeStream(event, socket, first, block, room);
  if (filled == 0) {
    vmtableFree(vmtable, block);
    return noFrame();
  }
  networkFlush();
  hand(event, block, block, filled, 0, streamGoesOn(event, socket));
  return DELIVERED;
}

/** There is more of a stream, or its end, to be told. */
@inline
export function streamGoesOn(event: Event, socket: Socket): bool {
  return peek(event, socket) !== null || end(event, socket) != -EAGAIN;
}

function deliverDatagram(event: Event, socket: Socket, datagram: PacketBuffer): i32 {
  const length = datagram.wholeLength;
  const vmtable = currentProcess().vmtable;
  const room = nameRoom(socket);
  const block = vmtableAllocate(vmtable, room + length);
  if (block == 0) return shortage(ENOMEM, room + length);
  if (
    putUserSockaddr(block, socket, datagram.source) < 0 ||
    writeDatagram(block + room, datagram, length) < 0
  ) {
    vmtableFree(vmtable, block);
    return noFrame();
  }
  consume(event, socket, length);
  hand(event, block, block + room, length, block, datagramsGoOn(event, socket));
  return DELIVERED;
}

/** There are more datagrams, or the error of one, to be told. */
@inline
export function datagramsGoOn(event: Event, socket: Socket): bool {
  return peek(event, socket) !== null || errorWaits(event, socket);
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
  const why = end(event, socket);
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
