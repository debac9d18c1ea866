/**
 * CUBIC (RFC 9438), in integers: windows in bytes, times in milliseconds. After a reduction the window grows along a cubic function of the time, which is
 * flat where the last loss was, W_max, and does not depend on the round trip; nor is it ever slower than Reno would be.
 *
 *     W_cubic(t) = C (t - K)^3 + W_max        C = 0.4 segments / s^3        K = cube root of ((W_max - cwnd at t = 0) / C)
 */
import { milliseconds } from "./clock";
import { TcpConnection } from "./connection";

/** t - K is not believed beyond this, 65 s: the cube of it times the segment size fits. */
const TIME_LIMIT: i64 = 1 << 16;

/** The largest integer whose cube is not above `value`: one bit of it in each of 22 steps. */
export function cubeRoot(value: u64): u32 {
  let root: u64 = 0;
  for (let shift: i32 = 63; shift >= 0; shift -= 3) {
    root <<= 1;
    const next = 3 * root * (root + 1) + 1;
    if (value >> shift >= next) {
      value -= next << shift;
      root++;
    }
  }
  return <u32>root;
}

/**
 * What Reno's window grows by for `bytes` that were acknowledged: a segment for each window of them (RFC 5681, 3.1). What is less than a byte
 * is kept for the next time.
 */
export function linearGrowth(c: TcpConnection, bytes: u32): u32 {
  const window = c.congestionWindow;
  const product = <u64>bytes * c.sendMss + c.growthRest;
  c.growthRest = <u32>(product % window);
  return <u32>(product / window);
}

/** Something was lost, or congestion was echoed: the next window that is aimed at, with fast convergence (4.7). Returns the threshold. */
export function cubicReduce(c: TcpConnection, flight: u32): u32 {
  const window = c.congestionWindow;
  c.cubicMaximum = window < c.cubicMaximum ? <u32>((<u64>window * 17) / 20) : window;
  c.cubicEpoch = 0;
  return max(<u32>((<u64>flight * 7) / 10), 2 * c.sendMss);
}

/** After a time-out the function begins at its flat place, wherever congestion avoidance begins (4.8). */
export function cubicTimeout(c: TcpConnection): void {
  c.cubicMaximum = 0;
  c.cubicEpoch = 0;
}

function begin(c: TcpConnection): void {
  const window = c.congestionWindow;
  c.cubicEpoch = milliseconds() | 1;
  c.cubicReno = window;
  c.growthRest = 0;
  c.cubicRise = 0;
  if (window >= c.cubicMaximum) c.cubicMaximum = window;
  // ms^3: bytes / segment size / 0.4 * 10^9
  else c.cubicRise = cubeRoot((<u64>(c.cubicMaximum - window) * 2500000000) / c.sendMss);
}

/** W_cubic(t). */
function cubicWindow(c: TcpConnection, t: u32): u32 {
  const distance = min(max(<i64>t - c.cubicRise, -TIME_LIMIT), TIME_LIMIT);
  const offset = (distance * distance * distance * 4 * c.sendMss) / 10000000000;
  return <u32>max(min(<i64>c.cubicMaximum + offset, <i64>u32.MAX_VALUE), 0);
}

/** What the window is after `acked` bytes were acknowledged in congestion avoidance. */
export function cubicAcked(c: TcpConnection, acked: u32): u32 {
  if (c.cubicEpoch == 0) begin(c);
  const window = c.congestionWindow;
  // 4.3: what Reno would have, with an addition that makes up for the smaller reduction until it is where it was.
  c.cubicReno += linearGrowth(c, c.cubicReno >= c.priorWindow ? acked : (acked * 9) / 17);
  const t = milliseconds() - c.cubicEpoch;
  if (cubicWindow(c, t) < c.cubicReno) return max(window, c.cubicReno);
  // 4.4 and 4.5: towards where it is to be in a round trip, by half of the window at most.
  const target = min(cubicWindow(c, t + c.smoothedRtt / 1000), window + window / 2);
  return target <= window ? window : window + <u32>((<u64>(target - window) * acked) / window);
}
