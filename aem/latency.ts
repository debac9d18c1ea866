/**
 * Latencies of an event that is measured (EVJOBHISTOGRAM): from the activation that made it pending to the call of its handler, in a
 * histogram of powers of two.
 */
import { now } from "../kernel/time/clock";
import { LATENCY_BUCKETS, LATENCY_SHIFT } from "./abi";
import { Event, EVENT_MEASURED } from "./event";
import { EventExtra, extraOf } from "./extra";

/** From now on, from nothing. What waits already counts from now. */
export function startMeasuring(event: Event, extra: EventExtra): void {
  memory.fill(extra.buckets, 0, LATENCY_BUCKETS << 2);
  extra.latencyMin = 0;
  extra.latencyMax = 0;
  extra.latencySum = 0;
  extra.activatedAt = now();
  event.mark(EVENT_MEASURED);
}

/** The event has become pending. */
export function markActivation(event: Event): void {
  extraOf(event).activatedAt = now();
}

/** Its handler is called. */
export function recordLatency(extra: EventExtra): void {
  const latency = now() - extra.servedSince;
  const exponent: u32 = 63 - <u32>clz<u64>(latency | 1);
  const bucket = exponent <= LATENCY_SHIFT ? 0 : min(exponent - LATENCY_SHIFT, LATENCY_BUCKETS - 1);
  const word = extra.buckets + (bucket << 2);
  store<u32>(word, load<u32>(word) + 1);
  // A latency of 0 only occurs where the clock stands still.
  if (extra.latencyMin == 0 || latency < extra.latencyMin) extra.latencyMin = latency;
  if (latency > extra.latencyMax) extra.latencyMax = latency;
  extra.latencySum += latency;
}
