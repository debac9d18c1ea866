/** What TCP derives from the clock and the keyed hash: timestamps (RFC 7323) and initial sequence numbers (RFC 6528). */
import { now } from "../../../kernel/time/clock";
import { HASH_SEQUENCE, HASH_TIMESTAMP, tupleHash } from "./demux";

/** Milliseconds since boot, modulo 2^32: the timestamp clock before a connection's offset. */
// @ts-ignore: decorator
@inline
export function milliseconds(): u32 {
  return <u32>(now() / 1000000);
}

/** A number of its own for each four-tuple, so that timestamps tell nothing of the uptime (RFC 7323, 5.4). */
export function timestampOffset(local: u32, remote: u32, localPort: u32, remotePort: u32): u32 {
  return <u32>tupleHash(local, remote, localPort, remotePort, HASH_TIMESTAMP);
}

/** ISN = M + F(four-tuple, secret), M a clock of 4 microseconds. */
export function initialSequence(local: u32, remote: u32, localPort: u32, remotePort: u32): u32 {
  return <u32>(now() / 4000) + <u32>tupleHash(local, remote, localPort, remotePort, HASH_SEQUENCE);
}
