/**
 * Congestion control: slow start (RFC 5681, with HyStart++, RFC 9406), initial window of RFC 6928, then CUBIC (RFC 9438) or Reno (RFC 5681), one of them for
 * the whole image.
 *
 * How high the window may be is decided here; how it comes down during recovery, in recovery.ts. Nothing else changes it.
 */
import { now } from "../../../kernel/time/clock";
import { HAS_SACK, SYN_WAS_LOST, TcpConnection, WINDOW_REDUCED } from "./connection";
import { cubicAcked, cubicReduce, cubicTimeout, linearGrowth } from "./cubic";
import { hystartAcked, hystartBegin } from "./hystart";
import { statistics } from "./statistics";

export const CONGESTION_CUBIC: u32 = 0;
export const CONGESTION_NEWRENO: u32 = 1;

const WINDOW_MAXIMUM: u32 = 1 << 30;
let cubic: bool = true;

/** CONGESTION_*, of what all connections do from now on. */
export function chooseCongestionControl(algorithm: u32): void {
  cubic = algorithm != CONGESTION_NEWRENO;
}

/** IW = min(10 MSS, max(2 MSS, 14600)); one segment after a lost SYN. */
function initialWindow(c: TcpConnection): u32 {
  if (c.has(SYN_WAS_LOST)) return c.sendMss;
  return min(10 * c.sendMss, max<u32>(2 * c.sendMss, 14600));
}

/** The connection is established; its MSS is known. */
export function congestionEstablished(c: TcpConnection): void {
  c.congestionWindow = initialWindow(c);
  c.slowStartThreshold = u32.MAX_VALUE;
  c.growthRest = 0;
  c.cubicMaximum = 0;
  c.priorWindow = 0;
  c.cubicEpoch = 0;
  hystartBegin(c);
}

/** `bytes` of new data were acknowledged outside recovery; `flight`: bytes that had been in flight. */
export function congestionAcked(c: TcpConnection, bytes: u32, flight: u32): void {
  const window = c.congestionWindow;
  // A window that is not used says nothing of the path: it does not grow (RFC 7661), and CUBIC's time stands still.
  if (flight + c.sendMss < window / 2 || window >= WINDOW_MAXIMUM) {
    c.cubicEpoch = 0;
    return;
  }
  if (window < c.slowStartThreshold) {
    const growth = min(bytes, c.sendMss * 2);
    c.congestionWindow = window + (c.slowStartThreshold == u32.MAX_VALUE ? hystartAcked(c, growth) : growth);
  } else if (cubic) {
    c.congestionWindow = cubicAcked(c, bytes);
  } else {
    c.congestionWindow = window + linearGrowth(c, bytes);
  }
}

/**
 * ssthresh = max(beta FlightSize, 2 MSS), beta 0.5 or CUBIC's 0.7; what limited transmit has sent beyond the window does not count
 * (RFC 5681, 3.2).
 */
function reduceThreshold(c: TcpConnection): void {
  c.reducedAt = c.SND_MAX;
  c.priorWindow = c.congestionWindow;
  c.status |= WINDOW_REDUCED;
  const flight = min(c.SND_MAX - c.SND_UNA, c.congestionWindow);
  c.slowStartThreshold = cubic ? cubicReduce(c, flight) : max(flight / 2, 2 * c.sendMss);
}

/** Something was lost: the threshold comes down. With SACK the window follows in proportion (recovery.ts), without it comes down at once. */
export function congestionLoss(c: TcpConnection): void {
  reduceThreshold(c);
  if (!c.has(HAS_SACK)) c.congestionWindow = c.slowStartThreshold;
}

/** The peer has heard of congestion (ecn.ts): as if something was lost, but nothing was. */
export function congestionEchoed(c: TcpConnection): void {
  statistics.congestionEchoes++;
  reduceThreshold(c);
  c.congestionWindow = min(c.congestionWindow, c.slowStartThreshold);
}

/** Recovery is over. */
export function congestionRecovered(c: TcpConnection): void {
  c.congestionWindow = c.slowStartThreshold;
  // RFC 6582, 3.2: no burst when little is in flight. Proportional rate reduction has seen to that.
  if (!c.has(HAS_SACK))
    c.congestionWindow = min(c.congestionWindow, max(c.SND_MAX - c.SND_UNA, c.sendMss) + c.sendMss);
  c.growthRest = 0;
}

/** The retransmission timer ran out; `first`: for the first time with this data (RFC 5681, 3.1). */
export function congestionTimeout(c: TcpConnection, first: bool): void {
  if (first) reduceThreshold(c);
  cubicTimeout(c);
  c.congestionWindow = c.sendMss;
  c.growthRest = 0;
}

/** The reduction was for nothing: the windows are at least what they were before. */
export function congestionUndo(c: TcpConnection): void {
  c.congestionWindow = max(c.congestionWindow, c.priorWindow);
  c.slowStartThreshold = max(c.slowStartThreshold, c.priorThreshold);
  c.cubicEpoch = 0;
}

/** About to send with nothing in flight: after an idle time of more than one time-out, start anew (RFC 5681, 4.1). */
export function congestionIdle(c: TcpConnection): void {
  if (c.lastSent == 0 || now() <= c.lastSent + <u64>c.rto * 1000) return;
  c.congestionWindow = min(c.congestionWindow, initialWindow(c));
  c.cubicEpoch = 0;
}
