/** What TCP derives from the clock and the keyed hash: timestamps (RFC 7323) and initial sequence numbers (RFC 6528). */
import { now } from "../../../kernel/time/clock";
import { Flow, flowHash, HASH_TIMESTAMP } from "../../flow";
import { after } from "./sequence";

/** Milliseconds since boot, modulo 2^32: the timestamp clock before a connection's offset. */
// @ts-ignore: decorator
@inline
export function milliseconds(): u32 {
  return <u32>(now() / 1000000);
}

/** Seconds since boot, near enough (2^30 ns): of an age that may be more than the 49 days after which milliseconds begin anew. These do so after 146 years. */
export function seconds(): u32 {
  return <u32>(now() >> 30);
}

/** A number of its own for each flow, so that timestamps tell nothing of the uptime (RFC 7323, 5.4). */
export function timestampOffset(flow: Flow): u32 {
  return <u32>flowHash(flow, HASH_TIMESTAMP);
}

/** ISN = M + F(flow, secret), M a clock of 4 microseconds. `hash`: HASH_TABLE of the flow. */
export function initialSequence(hash: u64): u32 {
  return <u32>(now() / 4000) + <u32>(hash >> 32);
}

/** The same over a connection in TIME-WAIT: beyond `least`, all that it has sent (RFC 9293, 3.6.1). */
export function sequenceBeyond(hash: u64, least: u32): u32 {
  const sequence = initialSequence(hash);
  return after(sequence, least + 65536) ? sequence : least + 65536;
}
