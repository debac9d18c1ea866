/**
 * The application's own memory for received data (AEM 3.4.1): buffers that it has given (EVJOBBUFFER), each used once, in order; with none
 * left, what its allocator finds (EVJOBALLOCATOR), which becomes such a buffer; with no allocator either, the vmtable, as ever.
 *
 * A datagram needs nameRoom bytes more than its length, for its sender. One that does not fit into the first buffer comes in
 * a vmtable block, and the buffer waits for the next: so none is cut off, and none stands in the way of those behind it.
 */
import { ENOMEM } from "../../kernel/errno";
import { setUpcallArguments } from "../../kernel/glue";
import { writeUser } from "../../kernel/memory/user";
import { PacketBuffer } from "../../net/buffer";
import { networkFlush } from "../../net/interface";
import { writeDatagram } from "../../net/socket/datagram";
import { nameRoom, putName } from "../../net/socket/sockaddr";
import { SOCK_STREAM, Socket } from "../../net/socket/socket";
import { READ_LIMIT } from "../abi";
import { Event } from "../event";
import { EventExtra, EXTRA_ANSWERED, EXTRA_BUFFERS_ONLY, extraOf, sockaddrScratch } from "../extra";
import { ALLOCATE, DELIVERED, shortage } from "../job";
import { datagramsGoOn, streamGoesOn, wantMore } from "./read";
import { available, consume, takeStream } from "./source";

/** Not an outcome of `deliver`: a vmtable block is to be used. */
export const USE_VMTABLE: i32 = 3;

/** There are data, the next in `first`. An outcome of `deliver`, or USE_VMTABLE. */
export function deliverToOwn(event: Event, socket: Socket, first: PacketBuffer): i32 {
  const extra = extraOf(event);
  const stream = socket.type == SOCK_STREAM;
  while (extra.bufferCount != 0) {
    const address = load<u32>(extra.buffer);
    const length = load<u32>(extra.buffer, 4);
    if (!stream && nameRoom(socket) + first.wholeLength > length) {
      event.errors++;
      return USE_VMTABLE;
    }
    extra.takeBuffer();
    if (
      stream
        ? fillFromStream(event, socket, first, address, length)
        : fillFromDatagram(event, socket, first, address)
    ) {
      return DELIVERED;
    }
    // The memory is no more. What comes next takes its place.
    event.errors++;
  }
  if (extra.allocator != 0) {
    // An answer that could not be used: not to ask for ever.
    if (extra.has(EXTRA_ANSWERED)) return shortage(ENOMEM, extra.asked);
    ask(extra, lengthOf(event, socket, first));
    return ALLOCATE;
  }
  if (!extra.has(EXTRA_BUFFERS_ONLY)) return USE_VMTABLE;
  return shortage(ENOMEM, lengthOf(event, socket, first));
}

function lengthOf(event: Event, socket: Socket, first: PacketBuffer): u32 {
  return socket.type == SOCK_STREAM ? streamLength(event, socket) : nameRoom(socket) + first.wholeLength;
}


@inline
function ask(extra: EventExtra, bytes: u32): void {
  extra.asked = bytes;
  setUpcallArguments(bytes, 0, 0, 0, 0);
}

/** Bytes of a stream for one call of the handler. */
export function streamLength(event: Event, socket: Socket): u32 {
  return min(available(event, socket), READ_LIMIT);
}

/** False: nothing could be written there. */
function fillFromStream(event: Event, socket: Socket, first: PacketBuffer, address: u32, length: u32): bool {
  const filled = takeStream(event, socket, first, address, min(length, READ_LIMIT));
  if (filled == 0) return false;
  networkFlush();
  wantMore(event, streamGoesOn(event, socket));
  setUpcallArguments(<u32>event.jid, <u32>event.fd, address, filled, 0);
  return true;
}

/** There is room. False: nothing could be written there. */
function fillFromDatagram(event: Event, socket: Socket, datagram: PacketBuffer, address: u32): bool {
  const length = datagram.wholeLength;
  const room = nameRoom(socket);
  const data = address + room;
  putName(sockaddrScratch, socket, datagram.source);
  if (writeUser(address, sockaddrScratch, room) < 0) return false;
  if (writeDatagram(data, datagram, length) < 0) return false;
  consume(event, socket, length);
  wantMore(event, datagramsGoOn(event, socket));
  setUpcallArguments(<u32>event.jid, <u32>event.fd, data, length, address);
  return true;
}
