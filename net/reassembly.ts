/**
 * Reassembly of datagrams of both versions of IP (RFC 791, 3.2; RFC 1122, 3.3.2; RFC 8200, 4.5), as strict with IPv4 as RFC 5722 is with IPv6. How a datagram is put together is in
 * net/pieces.ts; what makes a fragment malformed, the network layers know.
 *
 * The sum of the bytes is made as they come, so that the last fragment of 64 KiB costs no more than any other.
 *
 * Everything is bounded: DATAGRAM_LIMIT datagrams, in a list that is searched from the newest on; PIECES_LIMIT buffers of one, and a share of the pool for all.
 * At a limit the oldest goes, so that a flood of fragments takes only from those that have waited longest, never from the connections beside it.
 *
 * Fragments that overlap end their datagram: all of it is dropped, what is still to come included (the entry stays, empty), and nobody is told. A fragment that comes twice is no overlap (net/pieces.ts).
 */
import { Link } from "../kernel/list";
import { now } from "../kernel/time/clock";
import { Timer, TIMER_SIZE, STEP_PAUSE, timerPending, timerPrepare, timerStart } from "../kernel/time/timers";
import { LINK_BROADCAST, PacketBuffer, releaseBuffer } from "./buffer";
import { checksumAdd } from "./checksum";
import { networkCounters } from "./counters";
import { Flow, FLOW_SIZE } from "./flow";
import {
  agrees,
  Datagram,
  DATAGRAM_SIZE,
  PIECE_KNOWN,
  PIECE_NO_ROOM,
  PIECE_OVERLAPS,
  PIECE_PLACED,
  PIECES_LIMIT,
  place,
  takePieces,
} from "./pieces";

export { PIECES_LIMIT } from "./pieces";

/** Datagrams of which something is missing, at once. */
export const DATAGRAM_LIMIT: u32 = 64;
/** How long a datagram may take, in ns (RFC 1122, 3.3.2; RFC 8200, 4.5). */
export const REASSEMBLY_TIME: u64 = 60_000_000_000;
/** Most bytes of a datagram, with what of its headers its length counts: all of IPv4's, of IPv6's those behind the first. */
export const DATAGRAM_MAXIMUM: u32 = 65535;
/** Datagrams that one call of the timer gives up; the others in the next tick. */
const EXPIRY_BUDGET: u32 = 8;

const LINK_SIZE: usize = (offsetof<Link>() + 7) & ~7;
/** Bytes of storage for initializeReassembly. */
export const REASSEMBLY_STORAGE: usize =
  DATAGRAM_SIZE * DATAGRAM_LIMIT + LINK_SIZE * 2 + TIMER_SIZE + FLOW_SIZE;

/** Whose fragment is handed in: see Datagram.flow. */
export let fragmentFlow: Flow = changetype<Flow>(0);

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
  fragmentFlow = changetype<Flow>(changetype<usize>(timer) + TIMER_SIZE);
  held = 0;
  heldLimit = buffers;
  timeExceeded = tellSender;
}

/** Buffers that wait here now. */
export function reassemblyHeld(): u32 {
  return held;
}

/**
 * A fragment of the datagram that `fragmentFlow` says, at its payload, which begins `offset` bytes into the datagram's and is not empty; networkHeader is set. Takes the
 * reference. `headers`: bytes that a datagram behind the same headers counts beside its payload; with them it ends within DATAGRAM_MAXIMUM. The datagram, with
 * networkHeader at the header of its first fragment, if this was the last that was missing; else null.
 */
export function reassemble(buffer: PacketBuffer, offset: u32, last: bool, headers: u32): PacketBuffer | null {
  const counters = networkCounters();
  const length = buffer.length;
  buffer.sequence = offset;
  buffer.endSequence = offset + length;
  const found = find();
  const datagram = found !== null ? found : begin();
  if (datagram.dead != 0) {
    counters.ipFragmentOverlaps++;
    releaseBuffer(buffer);
    return null;
  }
  datagram.flags |= buffer.flags & LINK_BROADCAST;
  // The buffer may be gone after this, its bytes in another one.
  const sum = checksumAdd(buffer.data, length, datagram.sum);
  const placed = agrees(datagram, offset + length, last) ? placeWithin(datagram, buffer) : PIECE_OVERLAPS;
  if (placed == PIECE_PLACED) {
    datagram.sum = sum;
    datagram.received += length;
    if (offset == 0) datagram.headers = headers;
    return datagram.received == datagram.total ? complete(datagram) : null;
  }
  releaseBuffer(buffer);
  if (placed == PIECE_KNOWN) return null;
  if (placed == PIECE_OVERLAPS) counters.ipFragmentOverlaps++;
  else counters.ipFragmentOverflows++;
  giveUp(datagram);
  return null;
}

/** From the newest on: fragments of one datagram come one after the other. DATAGRAM_LIMIT steps at most. */
function find(): Datagram | null {
  for (let link = waiting.prev; changetype<usize>(link) != changetype<usize>(waiting); link = link.prev) {
    const datagram = changetype<Datagram>(link);
    if (datagram.flow.same(fragmentFlow)) return datagram;
  }
  return null;
}

function begin(): Datagram {
  if (free.isEmpty) dropOldest();
  const datagram = changetype<Datagram>(free.next);
  datagram.remove();
  datagram.flow.copy(fragmentFlow);
  datagram.flags = 0;
  datagram.received = 0;
  datagram.total = 0;
  datagram.sum = 0;
  datagram.headers = 0;
  datagram.dead = 0;
  datagram.expires = now() + REASSEMBLY_TIME;
  waiting.append(datagram);
  if (!timerPending(timer)) timerStart(timer, datagram.expires);
  return datagram;
}

/** As place, within the limits, and with the buffers counted. */
function placeWithin(datagram: Datagram, buffer: PacketBuffer): u32 {
  const before = datagram.pieces;
  const mayGrow = before < PIECES_LIMIT;
  let placed = place(datagram, buffer, mayGrow && held < heldLimit);
  if (placed == PIECE_NO_ROOM && mayGrow && dropHolder(datagram)) placed = place(datagram, buffer, true);
  held += datagram.pieces - before;
  return placed;
}

// ---- Ends ----

/** Nothing is missing. Null: with the headers that its first fragment has, it is too long. */
function complete(datagram: Datagram): PacketBuffer | null {
  const flags = datagram.flags;
  held -= datagram.pieces;
  const head = takePieces(datagram)!;
  head.checksumStart = datagram.sum;
  datagram.remove();
  free.append(datagram);
  if (datagram.headers + datagram.total > DATAGRAM_MAXIMUM) {
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
  held -= datagram.pieces;
  const head = takePieces(datagram);
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

/** Drops the oldest that holds a buffer. False: that is `datagram` itself. */
function dropHolder(datagram: Datagram): bool {
  let oldest = changetype<Datagram>(waiting.next);
  while (oldest.pieces == 0 && changetype<usize>(oldest) != changetype<usize>(datagram))
    oldest = changetype<Datagram>(oldest.next);
  if (changetype<usize>(oldest) == changetype<usize>(datagram)) return false;
  networkCounters().ipFragmentOverflows++;
  forget(oldest);
  return true;
}

function onTimer(timer: Timer): void {
  const time = now();
  for (let budget = EXPIRY_BUDGET; !waiting.isEmpty; budget--) {
    const oldest = changetype<Datagram>(waiting.next);
    if (oldest.expires > time || budget == 0) {
      timerStart(timer, max(oldest.expires, time + STEP_PAUSE));
      return;
    }
    if (oldest.dead == 0) {
      networkCounters().ipFragmentTimeouts++;
      const head = oldest.head;
      // The sender is told, if its first fragment is here to be quoted.
      if (head !== null && head.sequence == 0) call_indirect<void>(timeExceeded, head);
    }
    forget(oldest);
  }
}
