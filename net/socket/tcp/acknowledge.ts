/**
 * What an acknowledgement does (RFC 9293, 3.10.7.4, fifth: check the ACK field): takes acknowledged data off the send
 * queue, measures the round trip, moves the windows, and finds losses by duplicates (RFC 5681, RFC 6582).
 */
import { now } from "../../../kernel/time/clock";
import { timerStartAt, timerStop } from "../../../kernel/time/timers";
import { POLLOUT } from "../../../kernel/scheduler/wait";
import { releaseBuffer } from "../../buffer";
import { SOCKET_ORPHAN } from "../socket";
import { milliseconds } from "./clock";
import {
  congestionAcked,
  congestionDuplicate,
  congestionLoss,
  congestionPartial,
  congestionRecovered,
} from "./congestion";
import { HAS_TIMESTAMPS, IN_RECOVERY, NO_SPACE, TcpConnection, TIMER_RETRANSMIT } from "./connection";
import { DUPLICATE_THRESHOLD } from "./parameters";
import { sizeAcked } from "./pmtu";
import { retransmitInterval, rttMeasured } from "./rtt";
import { Segment } from "./segment";
import { retransmitFirst } from "./send";
import { after, before, from, upTo } from "./sequence";
import { statistics } from "./statistics";

/** SND.UNA < SEG.ACK <= SND.MAX, SEG.ACK == SND.UNA, or an old one within the window: nothing else gets here. */
export function acknowledge(c: TcpConnection, s: Segment): void {
  const ack = s.acknowledgement;
  const window = s.window << c.sendScale;
  if (after(ack, c.SND_UNA)) {
    const flight = c.SND_MAX - c.SND_UNA;
    const bytes = ack - c.SND_UNA;
    takeAcknowledged(c, s, ack);
    c.SND_UNA = ack;
    if (before(c.SND_NXT, ack)) c.SND_NXT = ack;
    c.retries = 0;
    c.softError = 0;
    progress(c, bytes, flight);
    if (c.SND_UNA == c.SND_MAX) timerStop(c.retransmitTimer);
    else if (c.timerMode == TIMER_RETRANSMIT && c.flight != 0)
      timerStartAt(c.retransmitTimer, now() + retransmitInterval(c), c.level);
  } else if (ack == c.SND_UNA && isDuplicate(c, s, window)) {
    duplicate(c);
  }
  if (from(ack, c.SND_UNA)) updateWindow(c, s, window);
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
    if ((c.timerMode != TIMER_RETRANSMIT || c.flight > window) && (c.flags & SOCKET_ORPHAN) == 0)
      c.retries = 0;
  }
}

/** Releases every buffer that is acknowledged whole and shortens the one that is in part. */
function takeAcknowledged(c: TcpConnection, s: Segment, ack: u32): void {
  let sentAt: u64 = 0;
  let repeated = false;
  let buffer = c.sendHead;
  while (buffer !== null && upTo(buffer.sequence + buffer.length, ack)) {
    const next = buffer.next;
    sizeAcked(c, buffer.length);
    if (buffer.word0 > 1) repeated = true;
    if (buffer.word0 != 0) sentAt = buffer.time;
    if (c.sendNext === buffer) c.sendNext = next;
    c.sendBuffers--;
    releaseBuffer(buffer);
    buffer = next;
  }
  c.sendHead = buffer;
  if (buffer === null) c.sendTail = null;
  else if (before(buffer.sequence, ack)) {
    const bytes = min(ack - buffer.sequence, buffer.length);
    buffer.pull(bytes);
    buffer.sequence += bytes;
  }
  if (c.has(HAS_TIMESTAMPS) && s.hasTimestamps && repeated) {
    // RFC 7323, 4: the echo tells which transmission it was.
    if (s.timestampEcho != 0) rttMeasured(c, (milliseconds() + c.timestampOffset - s.timestampEcho) * 1000);
  } else if (sentAt != 0 && !repeated) {
    rttMeasured(c, <u32>min<u64>((now() - sentAt) / 1000, u32.MAX_VALUE));
  }
}

/** New data was acknowledged: congestion control, recovery, room for the application. */
function progress(c: TcpConnection, bytes: u32, flight: u32): void {
  c.duplicateAcks = 0;
  if (!c.has(IN_RECOVERY)) congestionAcked(c, bytes, flight);
  else if (before(c.SND_UNA, c.recover)) {
    congestionPartial(c, bytes);
    retransmitFirst(c);
  } else {
    c.status &= ~IN_RECOVERY;
    congestionRecovered(c);
  }
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

function duplicate(c: TcpConnection): void {
  if (c.duplicateAcks < 255) c.duplicateAcks++;
  if (c.has(IN_RECOVERY)) {
    congestionDuplicate(c);
    return;
  }
  // RFC 6582, 3.2 step 2: not for duplicates of what was sent before the last loss.
  if (<u32>c.duplicateAcks != DUPLICATE_THRESHOLD || !after(c.SND_UNA, c.recover - 1)) return;
  statistics.fastRetransmits++;
  c.recover = c.SND_MAX;
  c.status |= IN_RECOVERY;
  congestionLoss(c);
  retransmitFirst(c);
  timerStartAt(c.retransmitTimer, now() + retransmitInterval(c), c.level);
}
