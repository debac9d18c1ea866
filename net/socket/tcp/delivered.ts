/**
 * What an acknowledgement delivers: the segments up to SEG.ACK leave the send queue, those in its SACK blocks are marked (RFC 2018, 5), and the round trip is
 * measured.
 *
 * The blocks are four at most. They are sorted and then marked in one pass over the part of the queue that was sent, which ends behind the last
 * block: as many steps as the connection has segments in flight, however the peer cuts or repeats its blocks. Blocks outside of SND.UNA
 * to SND.MAX, and parts of a segment, count for nothing.
 */
import { addCost } from "../../../kernel/interrupts/polls";
import { ACK_ORIGINAL, ACK_REPEATED, releaseBuffer } from "../../buffer";
import { milliseconds } from "./clock";
import { HAS_SACK, HAS_TIMESTAMPS, TcpConnection } from "./connection";
import { sizeAcked } from "./pmtu";
import { rackDelivered } from "./rack";
import { elapsed, nothingMeasured, rttMeasured } from "./rtt";
import { SACKED, segmentGone, segmentSacked, segmentShortened, UNSENT } from "./scoreboard";
import { Segment } from "./segment";
import { after, before, from, upTo } from "./sequence";

/** Something was delivered that was sent only once. */
export let originalDelivered: bool = false;

/** An acknowledgement begins: it has delivered nothing yet. */
// @ts-ignore: decorator
@inline
export function nothingDelivered(): void {
  originalDelivered = false;
}

/** Segments that leave the send queue at once; they are about 100 instructions each. */
export const ACK_STEP: u32 = 24;
/** Up to where takeAcknowledged has got, and whether that is less than what was acknowledged: the connection. */
export let takenTo: u32 = 0;
export let cutShort: TcpConnection | null = null;

/** An acknowledgement that was cut short comes in again (input.ts). */
export function clearCutShort(): void {
  cutShort = null;
}

/**
 * Releases every buffer that is acknowledged whole up to `ack`, but ACK_STEP at most, and shortens the one that is in part. Returns the bytes that had not been
 * acknowledged selectively before.
 */
export function takeAcknowledged(c: TcpConnection, s: Segment, ack: u32, time: u64): u32 {
  nothingMeasured();
  const packet = s.packet;
  let sentAt: u64 = 0;
  let repeated = (packet.flags & ACK_REPEATED) != 0;
  if (packet.flags & ACK_ORIGINAL) originalDelivered = true;
  let delivered: u32 = 0;
  const selective = c.has(HAS_SACK);
  const queued = c.sendBuffers;
  const least = queued > ACK_STEP ? queued - ACK_STEP : 0;
  let buffer = c.sendHead;
  while (buffer !== null && upTo(buffer.sequence + buffer.length, ack)) {
    if (c.sendBuffers == least) {
      cutShort = c;
      ack = buffer.sequence;
      break;
    }
    const next = buffer.next;
    sizeAcked(c, buffer.length);
    if (buffer.word0 > 1) repeated = true;
    if (buffer.state != SACKED) {
      delivered += buffer.length;
      if (buffer.word0 == 1) originalDelivered = true;
      if (buffer.word0 != 0) {
        sentAt = buffer.time;
        if (selective) rackDelivered(c, s, buffer, time);
      }
    }
    segmentGone(c, buffer);
    if (c.sendNext === buffer) c.sendNext = next;
    c.sendBuffers--;
    releaseBuffer(buffer);
    buffer = next;
  }
  addCost(queued - c.sendBuffers);
  takenTo = ack;
  c.sendHead = buffer;
  if (buffer === null) c.sendTail = null;
  else if (before(buffer.sequence, ack)) {
    const bytes = min(ack - buffer.sequence, buffer.length);
    segmentShortened(c, buffer, bytes);
    if (buffer.state != SACKED) delivered += bytes;
    buffer.pull(bytes);
    buffer.sequence += bytes;
  }
  if (cutShort !== null) {
    // How long the last of them took is known when that is reached.
    if (repeated) packet.flags |= ACK_REPEATED;
    if (originalDelivered) packet.flags |= ACK_ORIGINAL;
    return delivered;
  }
  if (repeated && c.has(HAS_TIMESTAMPS) && s.hasTimestamps) {
    // RFC 7323, 4: the echo tells which transmission it was.
    if (s.timestampEcho != 0) rttMeasured(c, (milliseconds() + c.timestampOffset - s.timestampEcho) * 1000);
  } else if (sentAt != 0 && !repeated) {
    rttMeasured(c, elapsed(sentAt, time));
  }
  return delivered;
}

// ---- SACK blocks ----

/** Blocks that were found useful, in `sortedBlocks` of the segment. */
let blockCount: u32 = 0;
/** `markBlocks`: the segment's first block reports a duplicate (RFC 2883), [duplicateStart, duplicateEnd). */
export let duplicateReported: bool = false;
export let duplicateStart: u32 = 0;
export let duplicateEnd: u32 = 0;

/** So many segments that are looked at cost 1/COST_UNIT of a packet; one that is marked as much. */
const LOOKED_SHIFT: u32 = 2;

/** Marks what the SACK blocks of `s` say; the bytes that are new. SEG.ACK has been dealt with. */
export function markBlocks(c: TcpConnection, s: Segment, time: u64): u32 {
  readBlocks(c, s);
  let delivered: u32 = 0;
  let sentAt: u64 = 0;
  let buffer = c.sendHead;
  let index: u32 = 0;
  let looked: u32 = 0;
  let marked: u32 = 0;
  for (; buffer !== null && index < blockCount && buffer.state != UNSENT; looked++) {
    const block = s.sortedBlocks + ((<usize>index) << 3);
    if (upTo(load<u32>(block, 4), buffer.sequence)) {
      index++;
      continue;
    }
    if (
      buffer.state != SACKED &&
      from(buffer.sequence, load<u32>(block)) &&
      upTo(buffer.sequence + buffer.length, load<u32>(block, 4))
    ) {
      marked++;
      delivered += buffer.length;
      rackDelivered(c, s, buffer, time);
      if (buffer.word0 == 1) {
        sentAt = max(sentAt, buffer.time);
        originalDelivered = true;
      }
      segmentSacked(c, buffer);
    }
    buffer = buffer.next;
  }
  addCost((looked >> LOOKED_SHIFT) + marked);
  // A measurement of a segment sent once; one that was acknowledged in order has been made already.
  if (sentAt != 0 && s.acknowledgement == c.SND_UNA) rttMeasured(c, elapsed(sentAt, time));
  return delivered;
}

/** Fills `sortedBlocks` with those that may say something new, in order, and finds out whether the first is a duplicate. */
function readBlocks(c: TcpConnection, s: Segment): void {
  blockCount = 0;
  duplicateReported = false;
  for (let i: u32 = 0; i < s.sackCount; i++) {
    const start = s.blockStart(i);
    const end = s.blockEnd(i);
    if (!after(end, start)) continue;
    if (i == 0 && isDuplicate(s, start, end)) {
      duplicateReported = from(start, c.SND_UNA - c.maxWindow) && upTo(end, c.SND_MAX);
      duplicateStart = start;
      duplicateEnd = end;
    } else if (!before(start, c.SND_UNA) && !after(end, c.SND_MAX)) insert(s, start, end);
  }
}

/** RFC 2883, 4: below SEG.ACK, or within the second block. */
function isDuplicate(s: Segment, start: u32, end: u32): bool {
  if (before(start, s.acknowledgement)) return true;
  return s.sackCount > 1 && from(start, s.blockStart(1)) && upTo(end, s.blockEnd(1));
}

/** Keeps them in the order of their starts. */
function insert(s: Segment, start: u32, end: u32): void {
  let at = s.sortedBlocks + ((<usize>blockCount) << 3);
  while (at > s.sortedBlocks && before(start, load<u32>(at - 8))) {
    store<u64>(at, load<u64>(at - 8));
    at -= 8;
  }
  store<u32>(at, start);
  store<u32>(at, end, 4);
  blockCount++;
}
