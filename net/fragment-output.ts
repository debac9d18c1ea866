/**
 * Sending datagrams of both versions that are too long for one packet, FRAGMENT_STRETCH fragments in a step (RFC 791, 2.3; RFC 8200, 4.5).
 *
 * Such a datagram is a chain of pieces, of which the first has its headers in front. Each piece hands them on to the next, with another offset, before it leaves: so the first that is
 * left has all that has to be known to go on, when interrupts have been let in, a tick later, or when its neighbour has been found.
 *
 *     ├ headers ┼ piece ┤ ──more──> ├ piece ┤ ──more──> ├ piece ┤
 */
import { ENOBUFS } from "../kernel/errno";
import { letInterruptIn } from "../kernel/interrupts/vectors";
import { now } from "../kernel/time/clock";
import {
  Timer,
  TIMER_SIZE,
  STEP_PAUSE,
  timerPending,
  timerPrepare,
  timerStartAt,
} from "../kernel/time/timers";
import { BufferQueue, PacketBuffer, releaseBuffer } from "./buffer";
import { checksumAdd, internetChecksum } from "./checksum";
import { networkCounters } from "./counters";
import { FRAGMENT_HEADERS4, FRAGMENT_HEADERS6, FRAGMENT_STRETCH } from "./fragment";
import { isVersion6 } from "./ip";
import { ipv4MustWait, ipv4SendFragment } from "./ipv4-output";
import { ipv6MustWait, ipv6SendFragment } from "./ipv6-output";
import { receiveLevel } from "./levels";
import { IPV4_MF, IPV4_OFFSET, Ipv4Header } from "./wire/ipv4";
import { FRAGMENT_MORE, FRAGMENT_OFFSET, FragmentHeader, IPV6_HEADER, Ipv6Header } from "./wire/ipv6";

/** Datagrams of which a part is sent later, at once. */
const LATER_LIMIT: u32 = 32;
const QUEUE_SIZE: usize = (offsetof<BufferQueue>() + 7) & ~7;
/** Bytes of storage for initializeFragmentOutput. */
export const FRAGMENT_OUTPUT_STORAGE: usize = QUEUE_SIZE + TIMER_SIZE;

let later: BufferQueue = changetype<BufferQueue>(0);
let timer: Timer = changetype<Timer>(0);
/** Of the last sendStretch: 0 or a negative errno. */
let sendResult: i32 = 0;

/** Once at boot. `storage`: FRAGMENT_OUTPUT_STORAGE bytes. */
export function initializeFragmentOutput(storage: usize): void {
  memory.fill(storage, 0, FRAGMENT_OUTPUT_STORAGE);
  later = changetype<BufferQueue>(storage);
  timer = changetype<Timer>(storage + QUEUE_SIZE);
  timerPrepare(timer, onTimer.index);
  sendResult = 0;
}

/**
 * Sends a chain of pieces, of which the first, that the caller keeps, has the headers of the first fragment; the others are taken. `atOnce`: all of it before this returns, and
 * interrupts are let in between; else the rest goes when others have had their turn. 0 or a negative errno.
 */
export function sendFragments(first: PacketBuffer, atOnce: bool): i32 {
  // What is sent is let go of.
  first.references++;
  let rest = sendStretch(first);
  let result = sendResult;
  if (rest === null) return result;
  if (!atOnce) return sendFragmentsLater(rest) ? 0 : -ENOBUFS;
  while (rest !== null) {
    letInterruptIn();
    rest = sendStretch(rest);
    result = sendResult;
  }
  return result;
}

/** The same for a datagram, or the rest of one, that has waited; takes the reference. False: too many do so, and it is dropped. */
export function sendFragmentsLater(rest: PacketBuffer): bool {
  if (later.count >= LATER_LIMIT) {
    networkCounters().ipNoBuffer++;
    releaseBuffer(rest);
    return false;
  }
  later.append(rest);
  if (!timerPending(timer)) timerStartAt(timer, now(), receiveLevel);
  return true;
}

function onTimer(timer: Timer): void {
  const datagram = later.take();
  if (datagram === null) return;
  const rest = sendStretch(datagram);
  if (rest !== null) later.append(rest);
  if (later.count != 0) timerStartAt(timer, now() + STEP_PAUSE, receiveLevel);
}

/** Sends FRAGMENT_STRETCH pieces, and lets go of them. Null: that was all, or the rest is of no use, or waits with the first; else the first that is left. */
function sendStretch(piece: PacketBuffer): PacketBuffer | null {
  // Nobody knows how many packets wait for a neighbour, but one datagram of as many pieces as it has does (net/neighbour-queue.ts).
  if (mustWait(piece)) {
    sendResult = send(piece);
    releaseBuffer(piece);
    return null;
  }
  for (let count: u32 = 0; count < FRAGMENT_STRETCH; count++) {
    const next: PacketBuffer | null = piece.more;
    // Whoever keeps a fragment keeps nothing but that.
    piece.more = null;
    if (next !== null) handHeadersOn(piece, next);
    sendResult = send(piece);
    networkCounters().ipFragmentsSent++;
    releaseBuffer(piece);
    if (next === null) return null;
    if (sendResult < 0) {
      releaseBuffer(next);
      return null;
    }
    piece = next;
  }
  return piece;
}

// @ts-ignore: decorator
@inline
function mustWait(piece: PacketBuffer): bool {
  return isVersion6(piece.data) ? ipv6MustWait(piece) : ipv4MustWait(piece);
}

// @ts-ignore: decorator
@inline
function send(piece: PacketBuffer): i32 {
  return isVersion6(piece.data) ? ipv6SendFragment(piece) : ipv4SendFragment(piece);
}

/** `next` gets the headers of `piece` in front, as they are to be there. */
function handHeadersOn(piece: PacketBuffer, next: PacketBuffer): void {
  const from = piece.data;
  if (isVersion6(from)) {
    const payload = piece.length - FRAGMENT_HEADERS6;
    const to = next.push(FRAGMENT_HEADERS6);
    memory.copy(to, from, FRAGMENT_HEADERS6);
    const fragment = changetype<FragmentHeader>(to + IPV6_HEADER);
    const offset = (fragment.place & FRAGMENT_OFFSET) + payload;
    fragment.place = offset | (next.more !== null ? FRAGMENT_MORE : 0);
    changetype<Ipv6Header>(to).payloadLength = next.length - IPV6_HEADER;
  } else {
    const payload = piece.length - FRAGMENT_HEADERS4;
    const to = next.push(FRAGMENT_HEADERS4);
    memory.copy(to, from, FRAGMENT_HEADERS4);
    const header = changetype<Ipv4Header>(to);
    const offset = (header.fragment & IPV4_OFFSET) + (payload >> 3);
    header.fragment = offset | (next.more !== null ? IPV4_MF : 0);
    header.setFirstWord(next.length, header.service);
    header.checksum = 0;
    header.checksum = internetChecksum(checksumAdd(to, FRAGMENT_HEADERS4, 0));
  }
}
