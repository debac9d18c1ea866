/**
 * Congestion control: NewReno (RFC 5681, RFC 6582), initial window of RFC 6928, limited transmit (RFC 3042).
 *
 * The rest of TCP knows these functions only and never touches `congestionWindow` or `slowStartThreshold` itself: another
 * algorithm is another file with the same functions.
 */
import { now } from "../../../kernel/time/clock";
import { IN_RECOVERY, SYN_WAS_LOST, TcpConnection } from "./connection";
import { DUPLICATE_THRESHOLD } from "./parameters";

const WINDOW_MAXIMUM: u32 = 1 << 30;

/** IW = min(10 MSS, max(2 MSS, 14600)); one segment after a lost SYN. */
function initialWindow(c: TcpConnection): u32 {
  if (c.has(SYN_WAS_LOST)) return c.sendMss;
  return min(10 * c.sendMss, max<u32>(2 * c.sendMss, 14600));
}

/** The connection is established; its MSS is known. */
export function congestionEstablished(c: TcpConnection): void {
  c.congestionWindow = initialWindow(c);
  c.slowStartThreshold = u32.MAX_VALUE;
  c.bytesAcked = 0;
}

/** Bytes that may be in flight now. */
// @ts-ignore: decorator
@inline
export function congestionAllows(c: TcpConnection): u32 {
  // RFC 3042: the first two duplicates let one new segment out each.
  const duplicates = <u32>c.duplicateAcks;
  if (duplicates == 0 || duplicates >= DUPLICATE_THRESHOLD || c.has(IN_RECOVERY)) return c.congestionWindow;
  return c.congestionWindow + duplicates * c.sendMss;
}

/** `bytes` of new data were acknowledged outside recovery; `flight`: bytes that had been in flight. */
export function congestionAcked(c: TcpConnection, bytes: u32, flight: u32): void {
  const window = c.congestionWindow;
  // A window that is not used says nothing of the path: it does not grow (RFC 7661).
  if (flight + c.sendMss < window / 2 || window >= WINDOW_MAXIMUM) return;
  if (window < c.slowStartThreshold) {
    c.congestionWindow = window + min(bytes, c.sendMss * 2);
    return;
  }
  c.bytesAcked += bytes;
  if (c.bytesAcked >= window) {
    c.bytesAcked -= window;
    c.congestionWindow = window + c.sendMss;
  }
}

// @ts-ignore: decorator
@inline
function halve(c: TcpConnection): void {
  c.slowStartThreshold = max((c.SND_MAX - c.SND_UNA) / 2, 2 * c.sendMss);
}

/** Third duplicate: fast retransmit, the caller sends the segment. */
export function congestionLoss(c: TcpConnection): void {
  halve(c);
  c.congestionWindow = c.slowStartThreshold + DUPLICATE_THRESHOLD * c.sendMss;
}

/** One more duplicate during recovery: a segment has left the network. */
export function congestionDuplicate(c: TcpConnection): void {
  if (c.congestionWindow < WINDOW_MAXIMUM) c.congestionWindow += c.sendMss;
}

/** An acknowledgement of `bytes` that does not end recovery (RFC 6582, 3.2 step 3). */
export function congestionPartial(c: TcpConnection, bytes: u32): void {
  let window = c.congestionWindow > bytes ? c.congestionWindow - bytes : 0;
  if (bytes >= c.sendMss) window += c.sendMss;
  c.congestionWindow = max(window, c.sendMss);
}

/** Recovery is over. */
export function congestionRecovered(c: TcpConnection): void {
  const flight = c.SND_MAX - c.SND_UNA;
  c.congestionWindow = min(c.slowStartThreshold, max(flight, c.sendMss) + c.sendMss);
  c.bytesAcked = 0;
}

/** The retransmission timer ran out; `first`: for the first time with this data (RFC 5681, 3.1). */
export function congestionTimeout(c: TcpConnection, first: bool): void {
  if (first) halve(c);
  c.congestionWindow = c.sendMss;
  c.bytesAcked = 0;
}

/** About to send with nothing in flight: after an idle time of more than one time-out, start anew (RFC 5681, 4.1). */
export function congestionIdle(c: TcpConnection): void {
  if (c.lastSent != 0 && now() - c.lastSent > <u64>c.rto * 1000)
    c.congestionWindow = min(c.congestionWindow, initialWindow(c));
}
