/**
 * The application's own memory for received data (AEM 3.4.1): buffers that it has given (EVJOBBUFFER), each used once, in order; with none
 * left, what its allocator finds (EVJOBALLOCATOR), which becomes such a buffer; with no allocator either, the vmtable, as ever.
 *
 * A datagram needs nameRoom bytes more than its length, for its sender. One that does not fit into the first buffer comes in
 * a vmtable block, and the buffer waits for the next: so none is cut off, and none stands in the way of those behind it.
 */
import { EAGAIN, ENOMEM } from "../../kernel/errno";
import { setUpcallArguments } from "../../kernel/glue";
import { writeUser } from "../../kernel/memory/user";
import { networkFlush } from "../../net/interface";
import { writePayload } from "../../net/socket/payload";
import { nameRoom, putName } from "../../net/socket/sockaddr";
import { SOCK_STREAM, Socket } from "../../net/socket/socket";
import { READ_LIMIT } from "../abi";
import { Event } from "../event";
import { EventExtra, EXTRA_ANSWERED, EXTRA_BUFFERS_ONLY, extraOf, sockaddrScratch } from "../extra";
import { ALLOCATE, DELIVERED, shortage } from "../job";
import { wantMore } from "./read";
import { errorWaits } from "./shared";
import { available, consume, peek, peekLength, peekSource, writePeeked } from "./source";

/** Not an outcome of `deliver`: a vmtable block is to be used. */
export const USE_VMTABLE: i32 = 3;

/** There are data. An outcome of `deliver`, or USE_VMTABLE. */
export function deliverToOwn(event: Event, socket: Socket): i32 {
  const extra = extraOf(event);
  const stream = socket.type == SOCK_STREAM;
  while (extra.bufferCount != 0) {
    const address = load<u32>(extra.buffer);
    const length = load<u32>(extra.buffer, 4);
    if (!stream && nameRoom(socket) + <u32>peekLength(event, socket) > length) {
      event.errors++;
      return USE_VMTABLE;
    }
    extra.takeBuffer();
    if (stream ? fillFromStream(event, socket, address, length) : fillFromDatagram(event, socket, address)) {
      return DELIVERED;
    }
    // The memory is no more. What comes next takes its place.
    event.errors++;
  }
  if (extra.allocator != 0) {
    // An answer that could not be used: not to ask for ever.
    if (extra.has(EXTRA_ANSWERED)) return shortage(ENOMEM, extra.asked);
    ask(extra, stream ? streamLength(event, socket) : nameRoom(socket) + <u32>peekLength(event, socket));
    return ALLOCATE;
  }
  if (!extra.has(EXTRA_BUFFERS_ONLY)) return USE_VMTABLE;
  return shortage(
    ENOMEM,
    stream ? streamLength(event, socket) : nameRoom(socket) + <u32>peekLength(event, socket),
  );
}


@inline
function ask(extra: EventExtra, bytes: u32): void {
  extra.asked = bytes;
  setUpcallArguments(bytes, 0, 0, 0, 0);
}

/** Bytes of a stream for one call of the handler. */
export function streamLength(event: Event, socket: Socket): u32 {
  const first = <u32>peekLength(event, socket);
  return min(socket.protocol.available == 0 ? first : max(first, available(event, socket)), READ_LIMIT);
}

/** False: nothing could be written there. */
function fillFromStream(event: Event, socket: Socket, address: u32, length: u32): bool {
  const room = min(length, READ_LIMIT);
  let source = peek(event, socket);
  let filled: u32 = 0;
  do {
    const bytes = min(<u32>peekLength(event, socket), room - filled);
    if (writePayload(address + filled, source, bytes) < 0) break;
    consume(event, socket, bytes);
    filled += bytes;
    source = peek(event, socket);
  } while (source != 0 && filled < room);
  if (filled == 0) return false;
  networkFlush();
  wantMore(event, source != 0 || peekLength(event, socket) != -EAGAIN);
  setUpcallArguments(<u32>event.jid, <u32>event.fd, address, filled, 0);
  return true;
}

/** There is room. False: nothing could be written there. */
function fillFromDatagram(event: Event, socket: Socket, address: u32): bool {
  const length = <u32>peekLength(event, socket);
  const room = nameRoom(socket);
  const data = address + room;
  putName(sockaddrScratch, socket, peekSource(event, socket));
  if (writeUser(address, sockaddrScratch, room) < 0) return false;
  if (writePeeked(event, socket, data, length) < 0) return false;
  consume(event, socket, length);
  wantMore(event, peek(event, socket) != 0 || errorWaits(event, socket));
  setUpcallArguments(<u32>event.jid, <u32>event.fd, data, length, address);
  return true;
}
