/**
 * A DNS stub resolver (RFC 1034, 5.3.1): names to addresses, by asking the servers that the network or the command line has named (sdk/netinfo.ts). It is a
 * library: it runs in the application, and what it needs of the kernel is a UDP or TCP socket for each question, events, and time.
 *
 *     resolve("example.com", found);                          // found(id, addresses, count) is called
 *     const count = lookup("example.com", addresses, 4);      // blocks
 *
 * What is bounded, and what happens there: QUERY_LIMIT requests at once (-EAGAIN), CACHE_LIMIT answers kept (the one not asked for the longest goes),
 * ADDRESS_LIMIT addresses of an answer (the rest is left out), RECORD_LIMIT records looked at and STREAM_LIMIT octets over TCP (-EMSGSIZE),
 * ALIAS_LIMIT aliases (-ELOOP), ROUNDS attempts with each of up to four servers (what the last one has failed with). It needs no memory but the 54 KiB of these
 * tables, and 4 KiB for each answer that comes over TCP, which stay for the next one.
 *
 * **Not** done: search lists, EDNS (an answer of more than 512 octets comes over TCP), DNSSEC, other records than A and AAAA.
 *
 * A child of `fork` has the cache of its parent, and none of the parent's requests.
 */
export { CACHE_LIMIT, NEGATIVE_MOST, TTL_LEAST, TTL_MOST } from "./dns/cache";
export { FIRST_TIMEOUT, ROUNDS, STRAY_LIMIT, STREAM_TIMEOUT } from "./dns/exchange";
export { lookup, lookupName } from "./dns/lookup";
export { ADDRESS_LIMIT, ALIAS_LIMIT, RECORD_LIMIT, TYPE_A, TYPE_AAAA } from "./dns/message";
export { QUERY_LIMIT, STREAM_LIMIT } from "./dns/query";
export { resolve, ResolveHandler, resolveName } from "./dns/resolver";
export { DnsStatistics, dnsStatistics } from "./dns/statistics";
