/** What the resolver of this process has done. Counters are modulo 2^32. */

@unmanaged
export class DnsStatistics {
  /** Requests made, and those of them that were answered out of the cache, joined another one, or were refused at QUERY_LIMIT. */
  requests: u32;
  cached: u32;
  joined: u32;
  refused: u32;
  /** Questions sent: over UDP, over TCP. */
  asked: u32;
  askedOverTcp: u32;
  /** Messages that came where an answer was expected and were none: forged ones, or late ones. */
  strays: u32;
  /** Attempts that ended without an answer in time, and with an answer that was none. */
  timeouts: u32;
  errors: u32;
  /** Requests that ended with an error, -ENOENT and -ENODATA among them. */
  failed: u32;
}

const storage = memory.data(40, 8);

/** The counters themselves: they go on changing. */
// @ts-ignore: decorator
@inline
export function dnsStatistics(): DnsStatistics {
  return changetype<DnsStatistics>(storage);
}
