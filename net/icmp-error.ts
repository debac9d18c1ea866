/**
 * What the errors of ICMP and ICMPv6 that we send have in common: their head, what they quote, and the limit of their rate (RFC 1812, 4.3.2.8; RFC 4443, 2.4 f).
 */
import { random32 } from "../kernel/random";
import { now } from "../kernel/time/clock";
import { allocateBuffer, BUFFER_HEADROOM, PacketBuffer } from "./buffer";
import { networkCounters } from "./counters";
import { ICMP_HEADER, IcmpHeader } from "./wire/icmp";

/** Errors sent: this many at once, and then one per ICMP_INTERVAL ns on average. */
export const ICMP_BURST: u32 = 50;
export const ICMP_INTERVAL: u64 = 10_000_000;
/** Of them those of one class, so that a flood of one kind leaves the others some. */
export const ICMP_CLASS_BURST: u32 = 40;
export const ICMP_CLASS_INTERVAL: u64 = 12_500_000;
/** Buckets, each the time up to which it has been paid for (virtual scheduling), never before the present: of each class, and the one for all. */
export const CLASS_UNREACHABLE: usize = 0;
export const CLASS_TIME_EXCEEDED: usize = 8;
const ALL: usize = 16;
/** Bytes of storage for initializeIcmpErrors. */
export const ICMP_ERRORS_STORAGE: usize = 24;

let buckets: usize = 0;

/** Once at boot. `storage`: ICMP_ERRORS_STORAGE bytes. */
export function initializeIcmpErrors(storage: usize): void {
  buckets = storage;
  memory.fill(buckets, 0, ICMP_ERRORS_STORAGE);
}

/**
 * A message about the packet of which `quoted` bytes at `packet` are repeated; its checksum is still to be made. Null: too many were sent, or there is no buffer; both are
 * counted.
 */
export function composeError(
  class_: usize,
  type: u32,
  code: u32,
  rest: u32,
  packet: usize,
  quoted: u32,
): PacketBuffer | null {
  const counters = networkCounters();
  if (!takeToken(class_)) {
    counters.icmpRateLimited++;
    return null;
  }
  const message = allocateBuffer(BUFFER_HEADROOM);
  if (message === null) {
    counters.ipNoBuffer++;
    return null;
  }
  const header = changetype<IcmpHeader>(message.data);
  header.type = type;
  header.code = code;
  header.checksum = 0;
  header.rest = rest;
  memory.copy(message.data + ICMP_HEADER, packet, quoted);
  message.length = ICMP_HEADER + quoted;
  counters.icmpErrorsSent++;
  return message;
}

/** Whether one more error of the class may be sent. */
function takeToken(class_: usize): bool {
  const time = now();
  const own = max(load<u64>(buckets + class_), time);
  const all = max(load<u64>(buckets + ALL), time);
  if (own + ICMP_CLASS_INTERVAL > time + <u64>ICMP_CLASS_BURST * ICMP_CLASS_INTERVAL) return false;
  if (all + ICMP_INTERVAL > time + <u64>ICMP_BURST * ICMP_INTERVAL) return false;
  // What one costs is random, so that nobody can count how many were sent to others (Man et al. 2020: ports were found out in this way).
  const share = <u64>random32();
  store<u64>(buckets + class_, own + cost(ICMP_CLASS_INTERVAL, share));
  store<u64>(buckets + ALL, all + cost(ICMP_INTERVAL, share));
  return true;
}

/** From a half to one and a half of the interval. `share`: 32 random bits. */
function cost(interval: u64, share: u64): u64 {
  return interval / 2 + ((interval * share) >> 32);
}
