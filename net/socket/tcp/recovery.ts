/**
 * Recovery from loss: when the congestion window is reduced, how it comes down, and when that is over.
 *
 *               something is lost                    SND.UNA reaches `recover`
 *     open ─────────────────────────> IN_RECOVERY ──────────────────────────────> open
 *       │                                  │  time-out
 *       │ time-out                         ▼         SND.UNA reaches `recover`
 *       └────────────────────────────> IN_LOSS ───────────────────────────────> open
 *
 * With SACK, RACK (rack.ts) says what is lost, and proportional rate reduction (RFC 9937) brings what is in the network down to the threshold. Without it
 * the third duplicate does, each partial acknowledgement shows the next hole, and each duplicate counts as a segment that has left
 * the network (RFC 6582: the window that is inflated there is a pipe that is deflated here).
 *
 * A reduction is taken back when the first acknowledgement of what was sent again echoes a timestamp from before (RFC 3522, Eifel), when duplicates
 * are reported for all that was (RFC 2883; RFC 3708), and without timestamps a time-out when the acknowledgements that follow are for what was not sent again
 * (RFC 5682, F-RTO).
 */
import {
  congestionAcked,
  congestionLoss,
  congestionRecovered,
  congestionTimeout,
  congestionUndo,
} from "./congestion";
import { milliseconds } from "./clock";
import { TCP_ECE } from "../../wire/tcp";
import {
  DOUBT_FIRST,
  DOUBT_SECOND,
  HAS_ECN,
  HAS_SACK,
  HAS_TIMESTAMPS,
  IN_LOSS,
  IN_RECOVERY,
  MAY_UNDO,
  PROBE_SENT,
  TcpConnection,
} from "./connection";
import { duplicateEnd, duplicateStart, originalDelivered } from "./delivered";
import { nagleHolds } from "./nagle";
import { DUPLICATE_THRESHOLD } from "./parameters";
import { rackAllowance, rackDetect, rackDuplicate, rackRecovered } from "./rack";
import { schedule } from "./retransmission";
import { forgetSacked, IN_FLIGHT, SACKED, segmentLost, unmarkLost } from "./scoreboard";
import { Segment } from "./segment";
import { retransmitFirst } from "./send";
import { after, before } from "./sequence";
import { statistics } from "./statistics";

// ---- Acknowledgements ----

/**
 * `acked` bytes of new data up to SND.UNA and `delivered` bytes in all, SACK blocks included, were acknowledged by `s` at `time`; one of them is not 0.
 * `flight`: bytes that had been in flight.
 */
export function recoveryAcked(
  c: TcpConnection,
  s: Segment,
  acked: u32,
  delivered: u32,
  flight: u32,
  time: u64,
): void {
  // Not to be inlined, as in send.ts: an acknowledgement while nothing is lost would cost more.
  if (c.has(IN_RECOVERY | IN_LOSS))
    return call_indirect<void>(recoveryGoesOn.index, c, s, acked, delivered, flight, time);
  c.duplicateAcks = 0;
  c.duplicateBytes = 0;
  if (c.has(HAS_SACK) && rackDetect(c, time)) {
    enterRecovery(c, delivered, time);
    reduce(c, delivered, false);
  } else if (acked != 0) grow(c, s, acked, flight);
}

/** The same while something is lost. */
function recoveryGoesOn(
  c: TcpConnection,
  s: Segment,
  acked: u32,
  delivered: u32,
  flight: u32,
  time: u64,
): void {
  // The acknowledgement that ends a recovery lets the window grow by what it has delivered; without SACK nobody knows what that is.
  const grown = !c.has(IN_RECOVERY) ? acked : c.has(HAS_SACK) ? min(acked, delivered) : 0;
  if (acked != 0) {
    eifel(c, s);
    if (c.has(IN_RECOVERY | IN_LOSS) && !before(c.SND_UNA, c.recover)) recovered(c);
  }
  const found = c.has(HAS_SACK) ? rackDetect(c, time) : c.has(IN_RECOVERY) && partial(c, acked);
  if (found && !c.has(IN_RECOVERY | IN_LOSS)) enterRecovery(c, delivered, time);
  if (!c.has(IN_RECOVERY)) {
    if (grown != 0) grow(c, s, grown, flight);
  } else if (c.has(HAS_SACK)) reduce(c, delivered, acked != 0 && !found);
  if (c.has(DOUBT_FIRST | DOUBT_SECOND)) doubt(c, s, acked);
}

/** RFC 3168, 6.1.2: the window does not grow for an acknowledgement that echoes congestion. */
// @ts-ignore: decorator
@inline
function grow(c: TcpConnection, s: Segment, bytes: u32, flight: u32): void {
  if (!(c.has(HAS_ECN) && s.has(TCP_ECE))) congestionAcked(c, bytes, flight);
}

/** What may have been overtaken has not come. True: segments are to be sent again. */
export function reorderingExpired(c: TcpConnection, time: u64): bool {
  if (!rackDetect(c, time)) return false;
  if (!c.has(IN_RECOVERY | IN_LOSS)) enterRecovery(c, 0, time);
  if (c.has(IN_RECOVERY)) reduce(c, 0, false);
  return true;
}

function enterRecovery(c: TcpConnection, delivered: u32, time: u64): void {
  statistics.fastRetransmits++;
  remember(c);
  c.recover = c.SND_MAX;
  c.status |= IN_RECOVERY;
  // The retransmission that follows is waited for in full.
  c.rtoStart = time;
  congestionLoss(c);
  c.prrDelivered = 0;
  c.prrOut = 0;
  // What had been in flight and not been acknowledged in any way before this acknowledgement.
  c.recoverFlight = max<u32>(c.pipe + c.lostBytes + delivered, 1);
}

/** All that was in flight when something was lost has been acknowledged. */
function recovered(c: TcpConnection): void {
  if (c.has(IN_RECOVERY)) congestionRecovered(c);
  c.status &= ~(IN_RECOVERY | IN_LOSS | DOUBT_FIRST | DOUBT_SECOND);
  c.duplicateAcks = 0;
  c.duplicateBytes = 0;
  rackRecovered(c);
}

/**
 * RFC 9937, 6: sets the congestion window so that it lets out, in proportion to what is delivered, what the threshold allows. `safe`: SND.UNA has
 * moved and nothing more was lost.
 */
function reduce(c: TcpConnection, delivered: u32, safe: bool): void {
  if (delivered == 0 && c.prrOut != 0) return;
  c.prrDelivered += delivered;
  const pipe = c.pipe;
  const threshold = c.slowStartThreshold;
  let out: u32;
  if (pipe > threshold) {
    const share = <u32>((<u64>c.prrDelivered * threshold + c.recoverFlight - 1) / c.recoverFlight);
    out = share > c.prrOut ? share - c.prrOut : 0;
  } else {
    out = max(c.prrDelivered > c.prrOut ? c.prrDelivered - c.prrOut : 0, delivered);
    if (safe) out += c.sendMss;
    out = min(threshold - pipe, out);
  }
  // The first segment goes at once.
  if (c.prrOut == 0) out = max(out, c.sendMss);
  c.congestionWindow = pipe + out;
}

// ---- Without SACK (RFC 6582) ----

/** A duplicate (RFC 5681, 2). */
export function recoveryDuplicate(c: TcpConnection, time: u64): void {
  if (c.has(IN_LOSS)) {
    c.status &= ~(DOUBT_FIRST | DOUBT_SECOND);
    return;
  }
  if (c.duplicateAcks < 255) c.duplicateAcks++;
  // RFC 3042: the first two let one new segment out each, as those in recovery do.
  c.duplicateBytes += c.sendMss;
  if (c.has(IN_RECOVERY) || <u32>c.duplicateAcks < DUPLICATE_THRESHOLD) return;
  const head = c.sendHead;
  // 3.2, step 2: not for duplicates of what was sent before the last loss.
  if (<u32>c.duplicateAcks > DUPLICATE_THRESHOLD || !after(c.SND_UNA, c.recover) || head === null) {
    c.duplicateBytes = 0;
    return;
  }
  enterRecovery(c, 0, time);
  segmentLost(c, head);
  retransmitFirst(c);
  schedule(c);
}

/** 3.2, step 3: `acked` bytes, but not all: the next segment is lost too. The window is deflated by what was acknowledged, less a segment. */
function partial(c: TcpConnection, acked: u32): bool {
  const gone = acked >= c.sendMss ? acked - c.sendMss : acked;
  c.duplicateBytes -= min(c.duplicateBytes, gone);
  c.duplicateAcks = 0;
  const head = c.sendHead;
  if (head === null || head.state != IN_FLIGHT || head.word0 != 1) return false;
  segmentLost(c, head);
  retransmitFirst(c);
  return true;
}

// ---- Time-out ----

/**
 * The retransmission time-out (RFC 6298, 5.4 to 5.6; RFC 5681, 3.1; RFC 8985, 6.3), for the first time with this data or again. What was sent too
 * short a time ago to be lost stays in flight.
 */
export function recoveryTimeout(c: TcpConnection, time: u64, first: bool): void {
  statistics.retransmitTimeouts++;
  // Whether it was for nothing can be told as long as nothing is sent again but what is first when the timer runs out.
  let doubts = c.has(DOUBT_FIRST | DOUBT_SECOND) ? DOUBT_FIRST : 0;
  if (!c.has(IN_RECOVERY | IN_LOSS)) {
    remember(c);
    // With timestamps the first acknowledgement decides.
    if (!c.has(HAS_TIMESTAMPS)) doubts = DOUBT_FIRST;
  }
  congestionTimeout(c, first);
  c.status = (c.status & ~(IN_RECOVERY | PROBE_SENT | DOUBT_SECOND)) | IN_LOSS | doubts;
  c.duplicateAcks = 0;
  c.duplicateBytes = 0;
  c.recover = c.SND_MAX;
  c.reorderingEnd = 0;
  const head = c.sendHead;
  if (head === null) return;
  if (head.state == SACKED) {
    // RFC 2018, 8: it would have been acknowledged.
    statistics.reneged++;
    forgetSacked(c);
  }
  const allowance = c.has(HAS_SACK) ? rackAllowance(c) : 0;
  let buffer = c.firstSent;
  while (buffer !== null && buffer.time + allowance <= time) {
    const next = buffer.sentAfter;
    segmentLost(c, buffer);
    buffer = next;
  }
}

// ---- What was for nothing ----

/** Before a reduction. */
function remember(c: TcpConnection): void {
  c.status |= MAY_UNDO;
  c.priorThreshold = c.slowStartThreshold;
  c.undoStart = c.SND_UNA;
  c.undoCount = 0;
  c.undoStamp = 0;
}

/** A segment is sent again. */
// @ts-ignore: decorator
@inline
export function recoveryRetransmits(c: TcpConnection): void {
  if (c.undoCount < u16.MAX_VALUE) c.undoCount++;
  if (c.undoCount == 1) c.undoStamp = (milliseconds() + c.timestampOffset) | 1;
}

/** RFC 3522: the first acknowledgement of new data since something was sent again. */
function eifel(c: TcpConnection, s: Segment): void {
  const stamp = c.undoStamp;
  c.undoStamp = 0;
  if (stamp == 0 || !c.has(MAY_UNDO) || !c.has(HAS_TIMESTAMPS) || s.timestampEcho == 0) return;
  if (before(s.timestampEcho | 1, stamp)) undo(c);
}

/**
 * RFC 5682, 2.1 and 3.1; not all that was in flight is acknowledged. Step 2: the segment that the time-out repeated is acknowledged: new data goes instead of more repetitions, if there is
 * some. Step 3: if the next acknowledgement is for new data only, what was lost stays lost; if it is for what was sent once before the time-out,
 * nothing was. `acked`: bytes of new data. A duplicate without SACK ends it (recoveryDuplicate).
 */
function doubt(c: TcpConnection, s: Segment, acked: u32): void {
  if (c.has(DOUBT_FIRST)) {
    if (acked == 0) return;
    c.status &= ~DOUBT_FIRST;
    // With SACK we would have heard of what had come behind a segment that was lost (so Linux, too): there need not be new data.
    if (c.has(HAS_SACK) && originalDelivered) return undoTimeout(c);
    const next = c.sendNext;
    const window = s.window << c.sendScale;
    // What Nagle's algorithm holds does not go, and nothing else would before the next time-out.
    if (next !== null && c.flight + next.length <= window && !nagleHolds(c, next, true))
      c.status |= DOUBT_SECOND;
  } else if (c.has(HAS_SACK) && after(c.rackForward, c.recover)) {
    c.status &= ~DOUBT_SECOND;
  } else if (originalDelivered) {
    undoTimeout(c);
  }
}

/** What came first was not what the time-out has sent: RACK has taken it for that. */
function undoTimeout(c: TcpConnection): void {
  c.rackTime = 0;
  c.reorderingEnd = 0;
  undo(c);
}

/** The peer reports a duplicate (delivered.ts). */
export function recoveryDuplicateReported(c: TcpConnection): void {
  statistics.duplicatesHeardOf++;
  rackDuplicate(c);
  if (!c.has(MAY_UNDO) || before(duplicateStart, c.undoStart) || after(duplicateEnd, c.recover)) return;
  if (c.undoCount != 0 && --c.undoCount == 0) undo(c);
}

/** Nothing was lost: the windows are what they were. */
function undo(c: TcpConnection): void {
  statistics.undone++;
  c.status &= ~(MAY_UNDO | IN_RECOVERY | IN_LOSS | DOUBT_FIRST | DOUBT_SECOND);
  congestionUndo(c);
  unmarkLost(c);
}
