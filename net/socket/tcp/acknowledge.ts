/**
 * What an acknowledgement does (RFC 9293, 3.10.7.4, fifth: check the ACK field): takes what it delivers off the send queue
 * (delivered.ts), lets recovery and congestion control know (recovery.ts), moves the windows, and restarts the timer.
 */
import { now } from "../../../kernel/time/clock";
import { POLLOUT } from "../../../kernel/scheduler/wait";
import { ACK_PART, PacketBuffer } from "../../buffer";
import { SOCKET_ORPHAN } from "../socket";
import { HAS_SACK, NO_SPACE, PROBE_SENT, TcpConnection } from "./connection";
import {
  cutShort,
  duplicateReported,
  markBlocks,
  nothingDelivered,
  takeAcknowledged,
  takenTo,
} from "./delivered";
import { probeAcked } from "./probe";
import { recoveryAcked, recoveryDuplicate, recoveryDuplicateReported } from "./recovery";
import { flightEnds, isForFlight, restartTimeout, schedule } from "./retransmission";
import { Segment } from "./segment";
import { after, before, from, later, upTo } from "./sequence";

/**
 * Sequence numbers compare within half of their space (RFC 9293, 3.4), and a connection may send more than that without a loss. So at each multiple of this all that is remembered
 * of the past is brought up to so much behind SND.UNA; then it is never more than twice that, and a window, behind.
 */
const MARKS_BEHIND: u32 = 1 << 29;

/**
 * SND.UNA < SEG.ACK <= SND.MAX, SEG.ACK == SND.UNA, or an old one within the window: nothing else gets here. False: it acknowledges so much that the first part of it is
 * one piece of work. That has left the queue, and the whole segment is to come in again: the last time it does all else.
 */
export function acknowledge(c: TcpConnection, s: Segment): bool {
  const ack = s.acknowledgement;
  const window = s.window << c.sendScale;
  let flight = c.SND_MAX - c.SND_UNA;
  let acked = after(ack, c.SND_UNA) ? ack - c.SND_UNA : 0;
  const time = now();
  let delivered: u32 = 0;
  nothingDelivered();
  if (acked != 0) {
    delivered = takeAcknowledged(c, s, ack, time);
    if (cutShort !== null) {
      call_indirect<void>(partTaken.index, c, s.packet, delivered, flight);
      return false;
    }
    moveUna(c, ack);
    c.retries = 0;
    c.softError = 0;
    const packet = s.packet;
    if (packet.flags & ACK_PART) {
      acked += packet.word0;
      delivered += <u32>packet.checksumStart;
      flight = packet.checksumOffset;
      c.SND_WND += packet.word0;
    }
  }
  // By their indices, as in send.ts: what is seldom done stays where it is.
  if (c.has(HAS_SACK)) {
    if (s.sackCount != 0) {
      delivered += call_indirect<u32>(markBlocks.index, c, s, time);
      if (duplicateReported) recoveryDuplicateReported(c);
    }
    if (c.has(PROBE_SENT)) call_indirect<void>(probeAcked.index, c, s, (acked | delivered) != 0);
  } else if (ack == c.SND_UNA && acked == 0 && isDuplicate(c, s, window))
    call_indirect<void>(recoveryDuplicate.index, c, time);
  if ((acked | delivered) != 0) {
    recoveryAcked(c, s, acked, delivered, flight, time);
    if (acked != 0) roomAgain(c);
    if (c.SND_UNA == c.SND_MAX) flightEnds(c);
    else if (c.flight != 0 && isForFlight(c)) {
      if (acked != 0) restartTimeout(c, time);
      else schedule(c);
    }
  }
  if (from(ack, c.SND_UNA)) updateWindow(c, s, window);
  return true;
}

/** SND.UNA = `ack`. */
// @ts-ignore: decorator
@inline
function moveUna(c: TcpConnection, ack: u32): void {
  const changed = ack ^ c.SND_UNA;
  c.SND_UNA = ack;
  if (before(c.SND_NXT, ack)) c.SND_NXT = ack;
  if (changed >= MARKS_BEHIND) call_indirect<void>(marksFollow.index, c);
}

/** Marks that SND.UNA has left far behind: none of them comes before it again. */
function marksFollow(c: TcpConnection): void {
  const least = c.SND_UNA - MARKS_BEHIND;
  c.recover = later(c.recover, least);
  c.undoStart = later(c.undoStart, least);
  c.reducedAt = later(c.reducedAt, least);
  c.duplicateRound = later(c.duplicateRound, least);
  c.roundEnd = later(c.roundEnd, least);
}

/** Up to `takenTo` the queue is empty. `delivered` bytes of that were news; `flight` had been in flight. */
function partTaken(c: TcpConnection, packet: PacketBuffer, delivered: u32, flight: u32): void {
  const part = takenTo - c.SND_UNA;
  if ((packet.flags & ACK_PART) == 0) {
    packet.flags |= ACK_PART;
    packet.word0 = 0;
    packet.checksumStart = 0;
    packet.checksumOffset = flight;
  }
  packet.word0 += part;
  packet.checksumStart += delivered;
  moveUna(c, takenTo);
  // What the peer offers now it says with SEG.ACK: until that is reached its right edge stays where it was.
  c.SND_WND -= min(part, c.SND_WND);
}

/** SND.WND from a segment that is not older than the one it came from last (RFC 9293, 3.10.7.4). */
// @ts-ignore: decorator
@inline
export function updateWindow(c: TcpConnection, s: Segment, window: u32): void {
  if (before(c.SND_WL1, s.sequence) || (c.SND_WL1 == s.sequence && upTo(c.SND_WL2, s.acknowledgement))) {
    c.SND_WND = window;
    c.SND_WL1 = s.sequence;
    c.SND_WL2 = s.acknowledgement;
    if (window > c.maxWindow) c.maxWindow = window;
    // A probe was answered, or a retransmission into a window that has shrunk (RFC 9293, 3.8.6): the peer lives, however long its window
    // stays shut. An orphan does not wait for ever.
    if ((c.flight == 0 || c.flight > window) && (c.flags & SOCKET_ORPHAN) == 0) c.retries = 0;
  }
}

/** The application may be waiting for room. */
// @ts-ignore: decorator
@inline
function roomAgain(c: TcpConnection): void {
  if (c.has(NO_SPACE) && c.sendBuffers <= c.sendLimit - c.sendLimit / 3) {
    c.status &= ~NO_SPACE;
    if ((c.flags & SOCKET_ORPHAN) == 0) c.wake(POLLOUT, 0);
  }
}

/** RFC 5681, 2: data outstanding, no data in the segment, no FIN, the window as it was. */
// @ts-ignore: decorator
@inline
function isDuplicate(c: TcpConnection, s: Segment, window: u32): bool {
  return s.length == 0 && c.flight != 0 && window == c.SND_WND && window != 0;
}
