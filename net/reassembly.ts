/**
 * Reassembly of IPv4 datagrams (RFC 791, 3.2; RFC 815; RFC 1122, 3.3.2), as strict as RFC 5722 is with IPv6.
 *
 * A datagram is a chain of pieces (net/buffer.ts), sorted by offset, each in the buffer in which it came. A fragment that follows the piece before it, or comes right
 * ahead of the next, is copied into the same buffer if it fits, where TCP has to have its segment in one piece, and where the pieces are out of proportion to the
 * bytes held (PIECE_COST, PIECES_SPARE). That copy is counted (payloadCopied). The sum of the bytes is made as they come, so
 * that the last fragment of 64 KiB costs no more than any other.
 *
 *     offset 0        1480                  4440
 *     ├─ piece ───────┼─ piece ──┤   gap    ├─ piece ─┤ total, known from the last fragment on
 *
 * Everything is bounded: DATAGRAM_LIMIT datagrams, in a list that is searched from the newest on; PIECES_LIMIT buffers of one, and a share of the pool for all.
 * At a limit the oldest goes, so that a flood of fragments takes only from those that have waited longest, never from the connections beside it.
 *
 * Fragments that overlap end their datagram: all of it is dropped, what is still to come included (the entry stays, empty). An exact repetition is no overlap.
 */
import { Link } from "../kernel/list";
import { now } from "../kernel/time/clock";
import { Timer, TIMER_SIZE, TIMER_TICK, timerPending, timerPrepare, timerStart } from "../kernel/time/timers";
import { LINK_BROADCAST, PacketBuffer, releaseBuffer } from "./buffer";
import { checksumAdd } from "./checksum";
import { networkCounters } from "./counters";
import { IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP } from "./socket/socket";
import { ICMP_HEADER } from "./wire/icmp";
import { IPV4_LENGTH_MAXIMUM, IPV4_MF, IPV4_OFFSET, Ipv4Header } from "./wire/ipv4";
import { TCP_HEADER } from "./wire/tcp";
import { UDP_HEADER } from "./wire/udp";

/** Datagrams of which something is missing, at once. */
export const DATAGRAM_LIMIT: u32 = 64;
/** Buffers of one datagram: 64 KiB in frames of Ethernet are 45. */
export const PIECES_LIMIT: u32 = 64;
/** Buffers that it may have beyond those that its bytes need, and bytes for each of these. */
const PIECES_SPARE: u32 = 16;
const PIECE_COST: u32 = 65536 / (PIECES_LIMIT - PIECES_SPARE);
/** How long a datagram may take, in ns (RFC 1122, 3.3.2). */
export const REASSEMBLY_TIME: u64 = 60_000_000_000;
/** Datagrams that one call of the timer gives up; the others in the next tick. */
const EXPIRY_BUDGET: u32 = 8;


@unmanaged
class Datagram extends Link {
  source: u32;
  destination: u32;
  /** Identification and protocol. */
  key: u32;
  /** LINK_BROADCAST if one of the fragments had it. */
  flags: u32;
  head: PacketBuffer | null;
  tail: PacketBuffer | null;
  /** Buffers, and bytes in them. */
  pieces: u32;
  received: u32;
  /** Bytes of all of it, 0 as long as the last fragment has not come. */
  total: u32;
  sum: u32;
  expires: u64;
  /** 1: given up; what still comes is dropped. */
  dead: u32;
}

const DATAGRAM_SIZE: usize = (offsetof<Datagram>() + 7) & ~7;
const LINK_SIZE: usize = (offsetof<Link>() + 7) & ~7;
/** Bytes of storage for initializeReassembly. */
export const REASSEMBLY_STORAGE: usize = DATAGRAM_SIZE * DATAGRAM_LIMIT + LINK_SIZE * 2 + TIMER_SIZE;

/** Those under way, the oldest first, and those that are free. */
let waiting: Link = changetype<Link>(0);
let free: Link = changetype<Link>(0);
let timer: Timer = changetype<Timer>(0);
/** Buffers in all of them, and how many there may be. */
let held: u32 = 0;
let heldLimit: u32 = 0;
let timeExceeded: u32 = 0;

/**
 * Once at boot. `storage`: REASSEMBLY_STORAGE bytes; `buffers`: most buffers that may wait here; `tellSender`: (buffer) => void, borrows the first fragment
 * of a datagram whose time is over, networkHeader set.
 */
export function initializeReassembly(storage: usize, buffers: u32, tellSender: u32): void {
  memory.fill(storage, 0, REASSEMBLY_STORAGE);
  waiting = changetype<Link>(storage + DATAGRAM_SIZE * DATAGRAM_LIMIT);
  free = changetype<Link>(changetype<usize>(waiting) + LINK_SIZE);
  waiting.initialize();
  free.initialize();
  for (let i: u32 = 0; i < DATAGRAM_LIMIT; i++)
    free.append(changetype<Link>(storage + DATAGRAM_SIZE * <usize>i));
  timer = changetype<Timer>(changetype<usize>(free) + LINK_SIZE);
  timerPrepare(timer, onTimer.index);
  held = 0;
  heldLimit = buffers;
  timeExceeded = tellSender;
}

/** Buffers that wait here now. */
export function reassemblyHeld(): u32 {
  return held;
}

/**
 * A fragment, whose headers have been checked, at its IPv4 header; takes the reference. The datagram, at its transport header and with networkHeader at that
 * of its first fragment, if this was the last that was missing; else null.
 */
export function reassemble(buffer: PacketBuffer, header: Ipv4Header, headerLength: u32): PacketBuffer | null {
  const counters = networkCounters();
  counters.ipFragments++;
  const fragment = header.fragment;
  const offset = (fragment & IPV4_OFFSET) << 3;
  const length = header.totalLength - headerLength;
  const last = (fragment & IPV4_MF) == 0;
  if (
    !wellFormed(header.protocol, offset, length, last) ||
    headerLength + offset + length > IPV4_LENGTH_MAXIMUM
  ) {
    counters.ipBadFragments++;
    releaseBuffer(buffer);
    return null;
  }
  buffer.networkHeader = changetype<usize>(header);
  buffer.length = headerLength + length;
  buffer.pull(headerLength);
  buffer.sequence = offset;
  buffer.endSequence = offset + length;
  const found = find(header);
  const datagram = found !== null ? found : begin(header);
  if (datagram.dead != 0) {
    counters.ipFragmentOverlaps++;
    releaseBuffer(buffer);
    return null;
  }
  datagram.flags |= buffer.flags & LINK_BROADCAST;
  // The buffer may be gone after this, its bytes in another one.
  const sum = checksumAdd(buffer.data, length, datagram.sum);
  const placed = agrees(datagram, offset + length, last) ? place(datagram, buffer) : OVERLAPS;
  if (placed == PLACED) {
    datagram.sum = sum;
    datagram.received += length;
    return datagram.received == datagram.total ? complete(datagram) : null;
  }
  releaseBuffer(buffer);
  if (placed == KNOWN) return null;
  if (placed == OVERLAPS) counters.ipFragmentOverlaps++;
  else counters.ipFragmentOverflows++;
  giveUp(datagram);
  return null;
}

/** Nobody sends less than a transport's header first, or the rest of one (RFC 1858; RFC 3128), or a length that leaves the next without an offset. */
function wellFormed(protocol: u32, offset: u32, length: u32, last: bool): bool {
  if (length == 0 || (!last && (length & 7) != 0)) return false;
  let least: u32 = 0;
  if (protocol == IPPROTO_TCP) least = TCP_HEADER;
  else if (protocol == IPPROTO_UDP) least = UDP_HEADER;
  else if (protocol == IPPROTO_ICMP) least = ICMP_HEADER;
  return offset == 0 ? length >= least : offset >= least;
}

function keyOf(header: Ipv4Header): u32 {
  return (header.protocol << 16) | header.identification;
}

/** From the newest on: fragments of one datagram come one after the other. DATAGRAM_LIMIT steps at most. */
function find(header: Ipv4Header): Datagram | null {
  const source = header.source;
  const destination = header.destination;
  const key = keyOf(header);
  for (let link = waiting.prev; changetype<usize>(link) != changetype<usize>(waiting); link = link.prev) {
    const datagram = changetype<Datagram>(link);
    if (datagram.key == key && datagram.source == source && datagram.destination == destination)
      return datagram;
  }
  return null;
}

function begin(header: Ipv4Header): Datagram {
  if (free.isEmpty) dropOldest();
  const datagram = changetype<Datagram>(free.next);
  datagram.remove();
  datagram.source = header.source;
  datagram.destination = header.destination;
  datagram.key = keyOf(header);
  datagram.flags = 0;
  datagram.received = 0;
  datagram.total = 0;
  datagram.sum = 0;
  datagram.dead = 0;
  datagram.expires = now() + REASSEMBLY_TIME;
  waiting.append(datagram);
  if (!timerPending(timer)) timerStart(timer, datagram.expires);
  return datagram;
}

// ---- Pieces ----

const PLACED: u32 = 0;
const KNOWN: u32 = 1;
const OVERLAPS: u32 = 2;
const NO_ROOM: u32 = 3;

/** Whether a fragment that ends at `end` agrees with what is known of the datagram's length. */
function agrees(datagram: Datagram, end: u32, last: bool): bool {
  const total = datagram.total;
  if (!last) return total == 0 || end < total;
  const tail = datagram.tail;
  if (total != 0 ? total != end : tail !== null && tail.endSequence >= end) return false;
  datagram.total = end;
  return true;
}

/** Puts the fragment where it belongs, or says why not. PLACED: its buffer is the datagram's, or gone. */
function place(datagram: Datagram, buffer: PacketBuffer): u32 {
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
  if (previous !== null && offset < previous.endSequence) {
    const known =
      end <= previous.endSequence &&
      memory.compare(previous.data + (offset - previous.sequence), buffer.data, buffer.length) == 0;
    return known ? KNOWN : OVERLAPS;
  }
  if (next !== null && next.sequence < end) return OVERLAPS;
  const joins = mustJoin(datagram);
  if (joins && previous !== null && join(previous, buffer)) buffer = previous;
  else if (!insert(datagram, previous, buffer, next)) return NO_ROOM;
  if (joins && next !== null && join(buffer, next)) {
    datagram.pieces--;
    held--;
    if (datagram.tail === next) datagram.tail = buffer;
  }
  return PLACED;
}

/** Whether one more piece would be one too many. */
function mustJoin(datagram: Datagram): bool {
  return (
    datagram.key >> 16 == IPPROTO_TCP || datagram.pieces >= PIECES_SPARE + datagram.received / PIECE_COST
  );
}

/** The bytes of `next` go behind those of `piece`, if they follow them and fit; then its buffer is gone. */
function join(piece: PacketBuffer, next: PacketBuffer): bool {
  if (piece.endSequence != next.sequence || next.length > piece.tailroom) return false;
  memory.copy(piece.data + piece.length, next.data, next.length);
  networkCounters().payloadCopied += next.length;
  piece.length += next.length;
  piece.endSequence = next.endSequence;
  if (piece.more === next) piece.more = next.more;
  next.more = null;
  releaseBuffer(next);
  return true;
}

/** False: there may be no more buffers. */
function insert(
  datagram: Datagram,
  previous: PacketBuffer | null,
  buffer: PacketBuffer,
  next: PacketBuffer | null,
): bool {
  if (held >= heldLimit) dropHolder(datagram);
  if (held >= heldLimit || datagram.pieces >= PIECES_LIMIT) return false;
  buffer.more = next;
  if (next === null) datagram.tail = buffer;
  if (previous === null) datagram.head = buffer;
  else previous.more = buffer;
  datagram.pieces++;
  held++;
  return true;
}

// ---- Ends ----

/** Nothing is missing. Null: with the header that its first fragment has, it is too long. */
function complete(datagram: Datagram): PacketBuffer | null {
  const head = datagram.head!;
  const flags = datagram.flags;
  head.checksumStart = datagram.sum;
  held -= datagram.pieces;
  datagram.pieces = 0;
  datagram.head = null;
  datagram.tail = null;
  datagram.remove();
  free.append(datagram);
  if (<u32>(head.data - head.networkHeader) + datagram.total > IPV4_LENGTH_MAXIMUM) {
    networkCounters().ipBadFragments++;
    releaseBuffer(head);
    return null;
  }
  networkCounters().ipReassembled++;
  // What the device may have said of the checksum was said of a fragment.
  head.flags = flags;
  return head;
}

/** Lets go of its buffers. The entry stays until its time is over, to drop what still comes. */
function giveUp(datagram: Datagram): void {
  const head = datagram.head;
  held -= datagram.pieces;
  datagram.pieces = 0;
  datagram.head = null;
  datagram.tail = null;
  datagram.dead = 1;
  if (head !== null) releaseBuffer(head);
}

function forget(datagram: Datagram): void {
  giveUp(datagram);
  datagram.remove();
  free.append(datagram);
}

function dropOldest(): void {
  const oldest = changetype<Datagram>(waiting.next);
  if (oldest.dead == 0) networkCounters().ipFragmentOverflows++;
  forget(oldest);
}

/** Drops the oldest that holds a buffer, unless that is `datagram` itself. */
function dropHolder(datagram: Datagram): void {
  let oldest = changetype<Datagram>(waiting.next);
  while (oldest.pieces == 0 && changetype<usize>(oldest) != changetype<usize>(datagram))
    oldest = changetype<Datagram>(oldest.next);
  if (changetype<usize>(oldest) == changetype<usize>(datagram)) return;
  networkCounters().ipFragmentOverflows++;
  forget(oldest);
}

function onTimer(timer: Timer): void {
  const time = now();
  for (let budget = EXPIRY_BUDGET; !waiting.isEmpty; budget--) {
    const oldest = changetype<Datagram>(waiting.next);
    if (oldest.expires > time || budget == 0) {
      timerStart(timer, max(oldest.expires, time + TIMER_TICK));
      return;
    }
    if (oldest.dead == 0) {
      networkCounters().ipFragmentTimeouts++;
      const head = oldest.head;
      // RFC 1122, 3.3.2: the sender is told, if its first fragment is here to be quoted.
      if (head !== null && head.sequence == 0) call_indirect<void>(timeExceeded, head);
    }
    forget(oldest);
  }
}
