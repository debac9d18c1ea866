/**
 * The pieces of a datagram of which something is missing (RFC 815): a chain of buffers, sorted by offset.
 *
 *     offset 0        1480                  4440
 *     ├─ piece ───────┼─ piece ──┤   gap    ├─ piece ─┤ total, known from the last fragment on
 *
 * Each stands in the buffer in which it came. A fragment that follows the piece before it, or comes right ahead of the next, is copied into the same buffer if it fits, where the
 * pieces are out of proportion to the bytes held (PIECE_COST, PIECES_SPARE), or a transport has to have its packet in one piece (inOnePiece). That copy is counted
 * (payloadCopied). What there may be of datagrams is the business of net/reassembly.ts.
 *
 * A fragment that has come before, with the same place, length and bytes, is a repetition, which networks make; any other that meets bytes which are there is an overlap, also where the bytes
 * are the same (RFC 5722; RFC 8200, 4.5). So a piece knows the size of its fragments (PacketBuffer.fragmentSize).
 */
import { Link } from "../kernel/list";
import { PacketBuffer, releaseBuffer } from "./buffer";
import { networkCounters } from "./counters";
import { Flow } from "./flow";


@unmanaged
export class Datagram extends Link {
  // Storage of `flow`.
  private local0: u64;
  private local1: u64;
  private local2: u64;
  private remote0: u64;
  private remote1: u64;
  private remote2: u64;
  /** LINK_BROADCAST if one of the fragments had it. */
  flags: u32;
  head: PacketBuffer | null;
  tail: PacketBuffer | null;
  /** Buffers, and bytes in them. */
  pieces: u32;
  received: u32;
  /** Bytes of all of it, 0 as long as the last fragment has not come. */
  total: u32;
  /** Of the bytes that have come (net/checksum.ts). */
  sum: u32;
  /** Bytes that the length of its packet counts beside it: those of headers. Of the first fragment, once it has come. */
  headers: u32;
  expires: u64;
  /** 1: given up; what still comes is dropped. */
  dead: u32;

  /** Its addresses; in the place of the ports identification and, of IPv4, protocol. */
  @inline get flow(): Flow {
    return changetype<Flow>(changetype<usize>(this) + offsetof<Datagram>("local0"));
  }
}

/** Buffers of one datagram: 64 KiB in frames of Ethernet are 45, in packets that every path of IPv6 takes 54. */
export const PIECES_LIMIT: u32 = 64;
/** Buffers that it may have beyond those that its bytes need, and bytes for each of these. */
const PIECES_SPARE: u32 = 16;
const PIECE_COST: u32 = 65536 / (PIECES_LIMIT - PIECES_SPARE);

/** Bytes of a Datagram, 8-aligned. */
export const DATAGRAM_SIZE: usize = (offsetof<Datagram>() + 7) & ~7;

/** What became of a fragment: its buffer is the datagram's, or gone; it is a repetition; it overlaps with others; there may be no more buffers. */
export const PIECE_PLACED: u32 = 0;
export const PIECE_KNOWN: u32 = 1;
export const PIECE_OVERLAPS: u32 = 2;
export const PIECE_NO_ROOM: u32 = 3;

/** Whether a fragment that ends at `end` agrees with what is known of the datagram's length. */
export function agrees(datagram: Datagram, end: u32, last: bool): bool {
  const total = datagram.total;
  if (!last) return total == 0 || end < total;
  const tail = datagram.tail;
  if (total != 0 ? total != end : tail !== null && tail.endSequence >= end) return false;
  datagram.total = end;
  return true;
}

/** Puts the fragment in `buffer`, which begins at `sequence` and ends at `endSequence`, where it belongs: PIECE_*. `room`: there may be one more buffer. */
export function place(datagram: Datagram, buffer: PacketBuffer, room: bool): u32 {
  const offset = buffer.sequence;
  const end = buffer.endSequence;
  let previous = datagram.tail;
  let next: PacketBuffer | null = null;
  if (previous !== null && offset < previous.endSequence) {
    previous = null;
    next = datagram.head;
    while (next !== null && next.sequence <= offset) {
      previous = next;
      next = next.more;
    }
  }
  if (previous !== null && offset < previous.endSequence)
    return repeats(previous, buffer) ? PIECE_KNOWN : PIECE_OVERLAPS;
  if (next !== null && next.sequence < end) return PIECE_OVERLAPS;
  buffer.fragmentSize = buffer.length;
  const joins = mustJoin(datagram);
  if (joins && previous !== null && join(previous, buffer)) buffer = previous;
  else if (!room) return PIECE_NO_ROOM;
  else insert(datagram, previous, buffer, next);
  if (joins && next !== null && join(buffer, next)) {
    datagram.pieces--;
    if (datagram.tail === next) datagram.tail = buffer;
  }
  return PIECE_PLACED;
}

/** Is `buffer`, which begins inside of `piece`, one of its fragments again? */
function repeats(piece: PacketBuffer, buffer: PacketBuffer): bool {
  const size = piece.fragmentSize;
  const place = buffer.sequence - piece.sequence;
  if (
    size == 0 ||
    place % size != 0 ||
    buffer.endSequence != min(piece.sequence + place + size, piece.endSequence)
  )
    return false;
  return memory.compare(piece.data + place, buffer.data, buffer.length) == 0;
}

/** Whether one more piece would be one too many. */
function mustJoin(datagram: Datagram): bool {
  return datagram.pieces >= PIECES_SPARE + datagram.received / PIECE_COST;
}

/** The bytes of `next` go behind those of `piece`, if they follow them and fit; then its buffer is gone. */
function join(piece: PacketBuffer, next: PacketBuffer): bool {
  if (piece.endSequence != next.sequence || next.length > piece.tailroom) return false;
  // The last one may be shorter. Where they are of several sizes, nothing is a repetition any more.
  const size = piece.fragmentSize;
  const alike = size != 0 && piece.length % size == 0;
  const fits = next.fragmentSize == size || (next.fragmentSize == next.length && next.length < size);
  piece.fragmentSize = alike && fits ? size : 0;
  memory.copy(piece.data + piece.length, next.data, next.length);
  networkCounters().payloadCopied += next.length;
  piece.length += next.length;
  piece.endSequence = next.endSequence;
  if (piece.more === next) piece.more = next.more;
  next.more = null;
  releaseBuffer(next);
  return true;
}

function insert(
  datagram: Datagram,
  previous: PacketBuffer | null,
  buffer: PacketBuffer,
  next: PacketBuffer | null,
): void {
  buffer.more = next;
  if (next === null) datagram.tail = buffer;
  if (previous === null) datagram.head = buffer;
  else previous.more = buffer;
  datagram.pieces++;
}

/** Puts all of a datagram that is whole into its first buffer. False: it does not fit, and stays as far as it has come. */
export function inOnePiece(head: PacketBuffer): bool {
  let next = head.more;
  while (next !== null && join(head, next)) next = head.more;
  return next === null;
}

/** Its chain is no longer the datagram's, but whoever's asks for it; null: it has none. */
export function takePieces(datagram: Datagram): PacketBuffer | null {
  const head = datagram.head;
  datagram.pieces = 0;
  datagram.head = null;
  datagram.tail = null;
  return head;
}
