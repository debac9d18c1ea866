/**
 * HyStart++ (RFC 9406): the first slow start ends before it has filled the queues of the path. When the least round trip of a round is clearly above that of
 * the round before, growth is slower for some rounds (conservative slow start), and then over, unless the round trip comes down again.
 */
import { TcpConnection } from "./connection";
import { latestRtt } from "./rtt";
import { before } from "./sequence";

const MIN_RTT_THRESH: u32 = 4000;
const MAX_RTT_THRESH: u32 = 16000;
const MIN_RTT_DIVISOR: u32 = 8;
const N_RTT_SAMPLE: u8 = 8;
const CSS_GROWTH_DIVISOR: u32 = 4;
const CSS_ROUNDS: u8 = 5;
const INFINITE: u32 = u32.MAX_VALUE;

/** The connection is established. */
export function hystartBegin(c: TcpConnection): void {
  c.roundEnd = c.SND_NXT;
  c.roundRtt = INFINITE;
  c.lastRoundRtt = INFINITE;
  c.roundSamples = 0;
  c.conservativeRtt = INFINITE;
  c.conservativeRounds = 0;
}

/** An acknowledgement in the first slow start that lets the window grow by `bytes`: by how much it shall. Slow start may be over then. */
export function hystartAcked(c: TcpConnection, bytes: u32): u32 {
  if (latestRtt != 0) {
    c.roundRtt = min(c.roundRtt, latestRtt);
    if (c.roundSamples < N_RTT_SAMPLE) c.roundSamples++;
  }
  const measured = c.roundSamples == N_RTT_SAMPLE;
  const conservative = c.conservativeRtt != INFINITE;
  if (!conservative) {
    if (measured && c.lastRoundRtt != INFINITE && c.roundRtt >= c.lastRoundRtt + threshold(c.lastRoundRtt)) {
      c.conservativeRtt = c.roundRtt;
      c.conservativeRounds = 0;
    }
  } else if (measured && c.roundRtt < c.conservativeRtt) c.conservativeRtt = INFINITE;
  if (!before(c.SND_UNA, c.roundEnd)) nextRound(c);
  return conservative ? bytes / CSS_GROWTH_DIVISOR : bytes;
}

// @ts-ignore: decorator
@inline
function threshold(rtt: u32): u32 {
  return max(MIN_RTT_THRESH, min(rtt / MIN_RTT_DIVISOR, MAX_RTT_THRESH));
}

function nextRound(c: TcpConnection): void {
  c.roundEnd = c.SND_NXT;
  c.lastRoundRtt = c.roundRtt;
  c.roundRtt = INFINITE;
  c.roundSamples = 0;
  if (c.conservativeRtt == INFINITE) return;
  if (++c.conservativeRounds == CSS_ROUNDS) c.slowStartThreshold = c.congestionWindow;
}
