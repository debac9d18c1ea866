/**
 * The scoreboard (RFC 6675, 3; RFC 8985, 5.2): what has become of each segment that was sent. It is a state in the segment's buffer, so it is bounded
 * by the send queue, whatever the peer says.
 *
 *     UNSENT ──sent──> IN_FLIGHT ──said to have come──> SACKED      all three of these leave when SND.UNA passes them
 *                       │      ▲                          ▲
 *                     lost   sent again                   │
 *                       ▼      │                          │
 *                        LOST ─┴──said to have come───────┘
 *
 * Those in flight are linked in the order in which they were last sent: loss detection looks at the oldest ones only. `pipe` is the bytes in
 * that list. The FIN has no buffer and is no part of all this; the retransmission time-out and the tail loss probe look after it.
 */
import { PacketBuffer } from "../../buffer";
import { TcpConnection } from "./connection";
import { before } from "./sequence";

export const UNSENT: u32 = 0;
export const IN_FLIGHT: u32 = 1;
export const SACKED: u32 = 2;
export const LOST: u32 = 3;

/** Puts `buffer` into the list of what is in flight, behind `previous`; null: first. */
function link(c: TcpConnection, buffer: PacketBuffer, previous: PacketBuffer | null): void {
  const next = previous === null ? c.firstSent : previous.sentAfter;
  buffer.sentBefore = previous;
  buffer.sentAfter = next;
  if (previous === null) c.firstSent = buffer;
  else previous.sentAfter = buffer;
  if (next === null) c.lastSentBuffer = buffer;
  else next.sentBefore = buffer;
}

// @ts-ignore: decorator
@inline
function unlink(c: TcpConnection, buffer: PacketBuffer): void {
  const previous = buffer.sentBefore;
  const next = buffer.sentAfter;
  if (previous === null) c.firstSent = next;
  else previous.sentAfter = next;
  if (next === null) c.lastSentBuffer = previous;
  else next.sentBefore = previous;
}

/** Takes it out of what its present state counts. */
// @ts-ignore: decorator
@inline
function leave(c: TcpConnection, buffer: PacketBuffer): void {
  const state = buffer.state;
  if (state == IN_FLIGHT) {
    unlink(c, buffer);
    c.pipe -= buffer.length;
  } else if (state == LOST) c.lostBytes -= buffer.length;
  else if (state == SACKED) c.sackedCount--;
}

/** It was sent, for the first time or again, a moment ago. */
// @ts-ignore: decorator
@inline
export function segmentSent(c: TcpConnection, buffer: PacketBuffer): void {
  if (buffer.state != UNSENT) leave(c, buffer);
  buffer.state = IN_FLIGHT;
  c.pipe += buffer.length;
  const last = c.lastSentBuffer;
  buffer.sentBefore = last;
  buffer.sentAfter = null;
  if (last === null) c.firstSent = buffer;
  else last.sentAfter = buffer;
  c.lastSentBuffer = buffer;
}

/** The peer says that it has it. */
export function segmentSacked(c: TcpConnection, buffer: PacketBuffer): void {
  leave(c, buffer);
  buffer.state = SACKED;
  c.sackedCount++;
}

/** It has to be sent again. */
export function segmentLost(c: TcpConnection, buffer: PacketBuffer): void {
  leave(c, buffer);
  buffer.state = LOST;
  const first = c.lostFrom;
  if (c.lostBytes == 0 || first === null || before(buffer.sequence, first.sequence)) c.lostFrom = buffer;
  c.lostBytes += buffer.length;
}

/** It is acknowledged whole, and leaves the queue. */
// @ts-ignore: decorator
@inline
export function segmentGone(c: TcpConnection, buffer: PacketBuffer): void {
  leave(c, buffer);
  if (c.lostFrom === buffer) c.lostFrom = buffer.next;
}

/** Its first `bytes` are acknowledged; they are still in it. */
export function segmentShortened(c: TcpConnection, buffer: PacketBuffer, bytes: u32): void {
  if (buffer.state == IN_FLIGHT) c.pipe -= bytes;
  else if (buffer.state == LOST) c.lostBytes -= bytes;
}

/** `rest`, which stands behind it in the queue now, was a part of it. */
export function segmentSplit(c: TcpConnection, buffer: PacketBuffer, rest: PacketBuffer): void {
  rest.state = buffer.state;
  if (buffer.state == IN_FLIGHT) link(c, rest, buffer);
  else if (buffer.state == SACKED) c.sackedCount++;
}

/** The first of the lost segments, or null. */
export function firstLost(c: TcpConnection): PacketBuffer | null {
  if (c.lostBytes == 0) return null;
  let buffer = c.lostFrom;
  while (buffer !== null && buffer.state != LOST) buffer = buffer.next;
  c.lostFrom = buffer;
  return buffer;
}

/** The peer has taken back what it said (RFC 2018, 8): all that it had selectively acknowledged is lost. */
export function forgetSacked(c: TcpConnection): void {
  let buffer = c.sendHead;
  while (buffer !== null && buffer.state != UNSENT) {
    if (buffer.state == SACKED) segmentLost(c, buffer);
    buffer = buffer.next;
  }
}

/** Nothing was lost after all: what was not sent again yet is in flight as it was, older than all that was. */
export function unmarkLost(c: TcpConnection): void {
  let previous: PacketBuffer | null = null;
  for (let buffer = firstLost(c); buffer !== null; buffer = firstLost(c)) {
    leave(c, buffer);
    buffer.state = IN_FLIGHT;
    c.pipe += buffer.length;
    link(c, buffer, previous);
    previous = buffer;
  }
}

/** The queue is cleared. */
export function clearScoreboard(c: TcpConnection): void {
  c.firstSent = null;
  c.lastSentBuffer = null;
  c.lostFrom = null;
  c.pipe = 0;
  c.lostBytes = 0;
  c.sackedCount = 0;
}
