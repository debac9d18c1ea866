/**
 * Received data: in order it goes to the queue of the application, in the buffers in which it came; out of order it
 * waits, sorted, trimmed so that no octet is there twice, for the gap to be filled.
 *
 * So its bytes are copied once, to the application. But a segment of one octet takes a buffer like any other, and a peer must not hold memory out of proportion
 * to what it has sent: the receive queue may take the buffers that its bytes need, BUFFER_COST in each, and as many again as the receive limit needs, so
 * long as half of the machine's buffers are free. What comes beyond that is put together with what came before it, a second copy, which is counted
 * (payloadCopied), of each octet once at most. With segments of 512 octets on average that never happens, however slow the application is; with smaller ones, when it lets 256 and more of
 * them wait (with the usual limit of 256 KiB).
 */
import { addCost } from "../../../kernel/interrupts/polls";
import { POLLIN } from "../../../kernel/scheduler/wait";
import { PacketBuffer, releaseBuffer } from "../../buffer";
import { networkCounters } from "../../counters";
import { SOCKET_ORPHAN } from "../socket";
import { DUPLICATE_DUE, FIN_WAITING, RECEIVE_SHUT, TcpConnection } from "./connection";
import { BUFFER_COST, REASSEMBLY_LIMIT } from "./parameters";
import { blockReceived, blocksAdvance, clearBlocks, duplicateReceived } from "./sack";
import { Segment } from "./segment";
import { before, earlier, upTo } from "./sequence";
import { statistics } from "./statistics";
import { buffersScarce } from "./window";

/**
 * Takes `length` bytes at `address` inside `buffer` behind what is there; RCV.NXT moves. Takes a reference of its own when it keeps
 * the buffer. False: there are hardly any buffers left in the machine, nothing was taken.
 */
export function appendReceived(c: TcpConnection, buffer: PacketBuffer, address: usize, length: u32): bool {
  const full = c.received.count >= (c.receiveLimit + c.receivedBytes) / BUFFER_COST || buffersScarce(2);
  if (!full || !joinTail(c, address, length)) {
    if (full && buffersScarce(16)) return refuse(c);
    buffer.data = address;
    buffer.length = length;
    buffer.references++;
    c.received.append(buffer);
  }
  c.receivedBytes += length;
  c.RCV_NXT += length;
  return true;
}

function refuse(c: TcpConnection): bool {
  statistics.memoryDrops++;
  // Who waits for more than is there waits in vain.
  if ((c.flags & SOCKET_ORPHAN) == 0 && c.receivedBytes != 0) c.wake(POLLIN, 0);
  return false;
}

/** Copies the bytes behind the last ones of the queue, if they fit there: so two buffers in a row hold more than one has room for. */
function joinTail(c: TcpConnection, address: usize, length: u32): bool {
  const tail = c.received.tail;
  if (tail === null || length > tail.tailroom || tail.references != 1) return false;
  memory.copy(tail.data + tail.length, address, length);
  tail.length += length;
  networkCounters().payloadCopied += length;
  return true;
}

/** As appendReceived, for the payload of `s`, which goes on in further pieces: all of it, or nothing. */
export function appendPieces(c: TcpConnection, s: Segment): bool {
  let piece = s.buffer;
  let address = s.payload;
  let left = s.payloadLength;
  if (buffersScarce(16)) return refuse(c);
  let more = piece.more;
  let length = min(left, <u32>(piece.data + piece.length - address));
  // Some 80 instructions each.
  addCost(piece.pieces);
  while (appendReceived(c, piece, address, length) && left != length && more !== null) {
    left -= length;
    piece = more;
    more = piece.more;
    address = piece.data;
    length = min(left, piece.length);
  }
  return true;
}

/** As queueOutOfOrder, for one whose payload goes on in further pieces: each is put in by itself, from where the one before it was. What is left of `s` is of no use. */
export function queuePieces(c: TcpConnection, s: Segment): void {
  let piece = s.buffer;
  let sequence = s.sequence;
  let left = s.payloadLength;
  let place: PacketBuffer | null = null;
  // Some 180 instructions each.
  addCost(2 * piece.pieces);
  for (;;) {
    const more = piece.more;
    const length = min(left, <u32>(s.bufferEnd - s.payload));
    s.sequence = sequence;
    s.payloadLength = length;
    place = queueOutOfOrder(c, s, place);
    sequence += length;
    left -= length;
    if (left == 0 || more === null) return;
    piece = more;
    s.buffer = piece;
    s.payload = piece.data;
  }
}

/**
 * Keeps the segment, which begins behind RCV.NXT, until what is missing has come. Trims what is known already. `place`: one of those that wait that it does
 * not go before; null: of none that is known. The same for what comes behind it.
 */
export function queueOutOfOrder(
  c: TcpConnection,
  s: Segment,
  place: PacketBuffer | null,
): PacketBuffer | null {
  statistics.outOfOrder++;
  if (c.reassemblyCount >= REASSEMBLY_LIMIT || buffersScarce(8)) {
    statistics.memoryDrops++;
    return place;
  }
  // The last one before which it belongs; most often it goes to the end.
  let previous = place;
  let next = place === null ? c.reassemblyHead : place.next;
  const tail = c.reassemblyTail;
  if (tail !== null && upTo(tail.endSequence, s.sequence)) {
    previous = tail;
    next = null;
  }
  while (next !== null && upTo(next.sequence, s.sequence)) {
    previous = next;
    next = next.next;
  }
  if (previous !== null && before(s.sequence, previous.endSequence)) {
    const known = previous.endSequence - s.sequence;
    duplicateReceived(c, s.sequence, s.sequence + min(known, s.payloadLength));
    if (known >= s.payloadLength) {
      statistics.duplicates++;
      blockReceived(c, s.sequence, s.sequence + s.payloadLength);
      return previous;
    }
    s.payload += known;
    s.payloadLength -= known;
    s.sequence += known;
  }
  const end = s.sequence + s.payloadLength;
  while (next !== null && before(next.sequence, end)) {
    if (!c.has(DUPLICATE_DUE)) duplicateReceived(c, next.sequence, earlier(end, next.endSequence));
    if (before(end, next.endSequence)) {
      s.payloadLength -= end - next.sequence;
      break;
    }
    const covered = next;
    next = next.next;
    c.reassemblyCount--;
    releaseBuffer(covered);
  }
  const buffer = s.buffer;
  buffer.data = s.payload;
  buffer.length = s.payloadLength;
  buffer.sequence = s.sequence;
  buffer.endSequence = s.sequence + s.payloadLength;
  blockReceived(c, buffer.sequence, buffer.endSequence);
  buffer.references++;
  buffer.next = next;
  if (next === null) c.reassemblyTail = buffer;
  if (previous === null) c.reassemblyHead = buffer;
  else previous.next = buffer;
  c.reassemblyCount++;
  return buffer;
}

/** Moves what has become in order to the application's queue, or passes over it when the application reads no more. */
export function takeInOrder(c: TcpConnection): void {
  let buffer = c.reassemblyHead;
  while (buffer !== null && upTo(buffer.sequence, c.RCV_NXT)) {
    const next = buffer.next;
    const end = buffer.endSequence;
    let taken = true;
    if (before(c.RCV_NXT, end)) {
      const known = c.RCV_NXT - buffer.sequence;
      if (c.has(RECEIVE_SHUT)) c.RCV_NXT = end;
      else taken = appendReceived(c, buffer, buffer.data + known, buffer.length - known);
    }
    c.reassemblyCount--;
    releaseBuffer(buffer);
    buffer = next;
    if (!taken) break;
  }
  c.reassemblyHead = buffer;
  if (buffer === null) c.reassemblyTail = null;
  blocksAdvance(c);
}

/** Throws away what waits out of order. */
export function clearReassembly(c: TcpConnection): void {
  let buffer = c.reassemblyHead;
  while (buffer !== null) {
    const next = buffer.next;
    releaseBuffer(buffer);
    buffer = next;
  }
  c.reassemblyHead = null;
  c.reassemblyTail = null;
  c.reassemblyCount = 0;
  c.status &= ~FIN_WAITING;
  clearBlocks(c);
}
