/** Round-trip time and retransmission time-out (RFC 6298), in microseconds. */
import { TcpConnection } from "./connection";
import { RTO_MAXIMUM, RTO_MINIMUM, RTT_GRANULARITY } from "./parameters";

/** Microseconds from `start` to `end`, both in ns; 0 when that is not later. */
// @ts-ignore: decorator
@inline
export function elapsed(start: u64, end: u64): u32 {
  return end <= start ? 0 : <u32>min<u64>((end - start) / 1000, u32.MAX_VALUE);
}

/** What the last acknowledgement measured, in microseconds; 0: nothing. */
export let latestRtt: u32 = 0;

/** A new acknowledgement. */
// @ts-ignore: decorator
@inline
export function nothingMeasured(): void {
  latestRtt = 0;
}

/** A measurement of `rtt` microseconds, never of a segment sent twice (Karn) unless by timestamps. */
export function rttMeasured(c: TcpConnection, rtt: u32): void {
  rtt = max<u32>(min(rtt, RTO_MAXIMUM), 1);
  latestRtt = rtt;
  if (c.smoothedRtt == 0) {
    c.smoothedRtt = rtt;
    c.rttVariance = rtt / 2;
  } else {
    const difference = c.smoothedRtt > rtt ? c.smoothedRtt - rtt : rtt - c.smoothedRtt;
    c.rttVariance = (3 * c.rttVariance + difference) / 4;
    c.smoothedRtt = (7 * c.smoothedRtt + rtt) / 8;
  }
  const rto = c.smoothedRtt + max(RTT_GRANULARITY, 4 * c.rttVariance);
  c.rto = max(RTO_MINIMUM, min(rto, RTO_MAXIMUM));
  c.backoff = 0;
}

/** The time-out with its back-off, in nanoseconds. */
export function retransmitInterval(c: TcpConnection): u64 {
  const micros = min<u64>((<u64>c.rto) << c.backoff, RTO_MAXIMUM);
  return micros * 1000;
}
