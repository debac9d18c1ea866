/**
 * RACK (RFC 8985, 6): a segment is lost when one that was sent sufficiently later has been delivered. "Sufficiently" is the round trip of
 * the latter and a window for reordering, which is none as long as no reordering was seen, and grows when the peer reports that
 * segments were sent again for nothing (RFC 2883).
 *
 * An acknowledgement costs a few instructions for each segment that it delivers or that turns out to be lost, and for one more.
 */
import { PacketBuffer } from "../../buffer";
import { IN_LOSS, IN_RECOVERY, REORDERING_SEEN, TcpConnection } from "./connection";
import { DUPLICATE_THRESHOLD, MINIMUM_RTT_LIFETIME, REORDERING_PERSISTS } from "./parameters";
import { elapsed } from "./rtt";
import { segmentLost } from "./scoreboard";
import { Segment } from "./segment";
import { after, before } from "./sequence";

/** Steps 1 to 3: `buffer` was delivered, as segment `s` says that came at `time`. */
// @ts-ignore: decorator
@inline
export function rackDelivered(c: TcpConnection, s: Segment, buffer: PacketBuffer, time: u64): void {
  const end = buffer.sequence + buffer.length;
  const rtt = elapsed(buffer.time, time);
  if (buffer.word0 > 1) {
    // It may be the first transmission that was delivered.
    if (s.hasTimestamps && before(s.timestampEcho, <u32>(buffer.time / 1000000) + c.timestampOffset)) return;
    if (rtt < c.minimumRtt) return;
  } else {
    // 2^30 ns are a second, near enough.
    const second = <u16>(time >> 30);
    if (rtt <= c.minimumRtt || <u16>(second - c.minimumRttAge) > MINIMUM_RTT_LIFETIME) {
      c.minimumRtt = rtt;
      c.minimumRttAge = second;
    }
    if (before(end, c.rackForward)) c.status |= REORDERING_SEEN;
  }
  if (after(end, c.rackForward)) c.rackForward = end;
  // No two have the same time, so that sequence numbers need not be compared.
  if (buffer.time < c.rackTime) return;
  c.rackTime = buffer.time;
  c.rackRtt = rtt;
}

/** Step 4: the reordering window, in microseconds. */
function reorderingWindow(c: TcpConnection): u32 {
  if (!c.has(REORDERING_SEEN) && (c.has(IN_RECOVERY | IN_LOSS) || c.sackedCount >= DUPLICATE_THRESHOLD))
    return 0;
  return <u32>min<u64>((<u64>c.reorderingQuarters * c.minimumRtt) / 4, c.smoothedRtt);
}

/** How long after its transmission a segment counts as lost, ns. */
// @ts-ignore: decorator
@inline
export function rackAllowance(c: TcpConnection): u64 {
  return (<u64>c.rackRtt + reorderingWindow(c)) * 1000;
}

/**
 * Step 5: marks as lost what was sent so long before something delivered that it will not come any more. What was sent before it too but may
 * still come counts as lost at `reorderingEnd`. True: something was marked.
 */
export function rackDetect(c: TcpConnection, time: u64): bool {
  c.reorderingEnd = 0;
  let buffer = c.firstSent;
  if (buffer === null || buffer.time >= c.rackTime) return false;
  const allowance = rackAllowance(c);
  let found = false;
  while (buffer !== null && buffer.time < c.rackTime) {
    if (buffer.time + allowance > time) {
      c.reorderingEnd = c.rackTime + allowance;
      break;
    }
    const next = buffer.sentAfter;
    segmentLost(c, buffer);
    found = true;
    buffer = next;
  }
  return found;
}

/** The peer reports a duplicate: once in a round trip the window grows by a quarter of the least round trip. */
export function rackDuplicate(c: TcpConnection): void {
  if (before(c.SND_UNA, c.duplicateRound)) return;
  c.duplicateRound = c.SND_NXT;
  if (c.reorderingQuarters < 255) c.reorderingQuarters++;
  c.reorderingPersists = REORDERING_PERSISTS;
}

/** A recovery is over. After some without duplicates the window is what it was. */
export function rackRecovered(c: TcpConnection): void {
  if (c.reorderingPersists == 0) return;
  if (--c.reorderingPersists == 0) c.reorderingQuarters = 1;
}
