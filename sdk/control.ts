/**
 * Control of an event after its registration: filter, time-out, another handler, own memory, statistics (docs/aem-calls.md, "Control").
 * Each is an operation of `evctl`; the structs and numbers agree with aem/abi.ts.
 *
 * All return 0 or more, or a negative errno: -ESRCH: this process has no such event; -EINVAL: it makes no sense for
 * this type of event; -ENOSPC: the system has no memory left for what only some events need.
 */
import {
  AcceptHandler,
  CloseHandler,
  evctl,
  EVJOBSTAT,
  ReadHandler,
  SockHandler,
  StateHandler,
  TimerHandler,
} from "./aem";

// ---- Operations of evctl, beyond those in sdk/aem.ts ----

export const EVJOBFILTER: i32 = 8;
export const EVJOBTIMEOUT: i32 = 9;
/** argument: index of another function of the same type, called from now on. */
export const EVJOBHANDLER: i32 = 10;
/** argument: flags as at registration, with the same executor; a priority field of 0 leaves the priority. */
export const EVJOBFLAGS: i32 = 11;
/** Drops what waits; returns how many occurrences that were. The event goes on, and ends are not dropped. */
export const EVJOBCLEAN: i32 = 12;
/** argument 1: measures latencies from now on; 0: no more. */
export const EVJOBHISTOGRAM: i32 = 13;
export const EVJOBBUFFER: i32 = 14;
export const EVJOBALLOCATOR: i32 = 15;
/** An event that waits for memory or a descriptor tries again. */
export const EVJOBRETRY: i32 = 16;

// ---- States (EVJOBLOOKUP, and `state` of the statistics) ----

export const EVENT_REGISTERED: i32 = 1;
export const EVENT_PENDING: i32 = 2;
export const EVENT_HANDLING: i32 = 4;
export const EVENT_STOPPED: i32 = 8;
export const EVENT_OCCURRED: i32 = 16;
export const EVENT_STARVED: i32 = 32;
export const EVENT_DRAINING: i32 = 64;
export const EVENT_ENDED: i32 = 128;

// ---- Statistics ----

/** Buckets of the latencies: bucket i counts those from 2^(8 + i) ns to less than twice that; the first also all below, the last all above. */
export const LATENCY_BUCKETS: i32 = 24;

/** At any moment: activations = handled + coalesced + filtered + cleaned + waiting. Counters are modulo 2^32. */
@unmanaged
export class EventStatistics {
  size: u32;
  /** EVENT_* bits. */
  state: u32;
  /** EVENT_ACCEPT .. EVENT_ERROR */
  type: u32;
  flags: u32;
  priority: u32;
  /** -1: none. */
  fd: i32;
  waiting: u32;
  reserved: u32;
  activations: u64;
  handled: u64;
  coalesced: u64;
  errors: u64;
  filtered: u64;
  cleaned: u64;
  /** Nanoseconds from activations to the calls of the handler, since `measureLatency`; 0: none yet. */
  latencyMin: u64;
  latencyMax: u64;
  latencySum: u64;

  /** Calls with a latency of bucket `index`, 0 .. LATENCY_BUCKETS - 1. */
  latencyCount(index: i32): u32 {
    return load<u32>(changetype<usize>(this) + offsetof<EventStatistics>() + ((<usize>index) << 2));
  }
}

/** Bytes of the statistics with their buckets: what `eventStatistics` needs. */
export const STATISTICS_SIZE: i32 = offsetof<EventStatistics>() + (LATENCY_BUCKETS << 2);

/** Writes the statistics to STATISTICS_SIZE bytes at `address`, 8-aligned. */
export function eventStatistics(jid: i32, address: usize): i32 {
  memory.fill(address, 0, STATISTICS_SIZE);
  store<u32>(address, STATISTICS_SIZE);
  return evctl(jid, EVJOBSTAT, <i32>address);
}

/** Measures from now on how long activations wait for their handler; false: no more, and what was measured stays. */
export function measureLatency(jid: i32, on: bool): i32 {
  return evctl(jid, EVJOBHISTOGRAM, <i32>on);
}

// ---- Filter ----

/** Conditions; what does not say anything about the type of the event has to be 0. */
@unmanaged
export class EventFilter {
  size: u32;
  /** Sk: bit n lets transitions into state n through. Sock: POLL* bits. */
  mask: u32;
  /** Accept, and read of datagrams: peers in the network address/prefix, 0..128 bits. */
  prefix: u32;
  /** Read of a stream: the handler is not called for fewer bytes, up to READ_LIMIT, unless the stream ends. */
  least: u32;
  /** The halves of the address, in network order; one of IPv4 is ::ffff:a.b.c.d. */
  high: u64;
  low: u64;
}

const filter = memory.data(32, 8);

function setFilter(jid: i32, mask: u32, least: u32, high: u64, low: u64, prefix: u32): i32 {
  const f = changetype<EventFilter>(filter);
  f.size = offsetof<EventFilter>();
  f.mask = mask;
  f.prefix = prefix;
  f.least = least;
  f.high = bswap<u64>(high);
  f.low = bswap<u64>(low);
  return evctl(jid, EVJOBFILTER, <i32>filter);
}

/** Of an sk event: only transitions into one of the states, bit n for state n (`1 << TCP_ESTABLISHED`). */
export function filterStates(jid: i32, states: u32): i32 {
  return setFilter(jid, states, 0, 0, 0, 0);
}

/** Of a sock event: only these POLL* bits. */
export function filterPoll(jid: i32, bits: u32): i32 {
  return setFilter(jid, bits, 0, 0, 0, 0);
}

/**
 * Of an accept event: connections from elsewhere are reset. Of a read event on UDP: datagrams from elsewhere are dropped. `address`: of IPv4, 10.0.2.15 being 0x0A00020F,
 * with `prefix` 1..32; peers of IPv6 are elsewhere. Address and prefix 0: all peers.
 */
export function filterPeers(jid: i32, address: u32, prefix: u32): i32 {
  if ((address | prefix) == 0) return setFilter(jid, 0, 0, 0, 0, 0);
  return setFilter(jid, 0, 0, 0, MAPPED | address, prefix == 0 ? 0 : prefix + MAPPED_BITS);
}

/** The same for the address of IPv6 with these halves (see setAddress6), and `prefix` 1..128; peers of IPv4 are ::ffff:a.b.c.d. All 0: all peers. */
export function filterPeers6(jid: i32, high: u64, low: u64, prefix: u32): i32 {
  return setFilter(jid, 0, 0, high, low, prefix);
}

/** In front of an address of IPv4 in the form of IPv6, and the bits of that. */
const MAPPED: u64 = 0xffff_0000_0000;
const MAPPED_BITS: u32 = 96;

/** Of a read event on TCP: the handler is called for `bytes` at once, as with SO_RCVLOWAT. */
export function filterLeast(jid: i32, bytes: u32): i32 {
  return setFilter(jid, 0, bytes, 0, 0, 0);
}

export function clearFilter(jid: i32): i32 {
  return evctl(jid, EVJOBFILTER, 0);
}

// ---- Time-out ----

const nanosecondsPlace = memory.data(8, 8);

/** The handler is also called, with -ETIMEDOUT, when it was not called for so long; 0: never. Not for timers. */
export function setTimeout(jid: i32, nanoseconds: u64): i32 {
  store<u64>(nanosecondsPlace, nanoseconds);
  return evctl(jid, EVJOBTIMEOUT, <i32>nanosecondsPlace);
}

// ---- Another handler ----

// @ts-ignore: decorator
@inline
export function setAcceptHandler(jid: i32, handler: AcceptHandler): i32 {
  return evctl(jid, EVJOBHANDLER, handler.index);
}

// @ts-ignore: decorator
@inline
export function setReadHandler(jid: i32, handler: ReadHandler): i32 {
  return evctl(jid, EVJOBHANDLER, handler.index);
}

// @ts-ignore: decorator
@inline
export function setCloseHandler(jid: i32, handler: CloseHandler): i32 {
  return evctl(jid, EVJOBHANDLER, handler.index);
}

// @ts-ignore: decorator
@inline
export function setStateHandler(jid: i32, handler: StateHandler): i32 {
  return evctl(jid, EVJOBHANDLER, handler.index);
}

// @ts-ignore: decorator
@inline
export function setSockHandler(jid: i32, handler: SockHandler): i32 {
  return evctl(jid, EVJOBHANDLER, handler.index);
}

// @ts-ignore: decorator
@inline
export function setTimerHandler(jid: i32, handler: TimerHandler): i32 {
  return evctl(jid, EVJOBHANDLER, handler.index);
}

// ---- Own memory ----

/** Where the next data of a read event go. */
@unmanaged
export class EventBuffer {
  size: u32;
  address: u32;
  length: u32;
  /** BUFFER_WAIT or 0. */
  flags: u32;
}

/** With no buffer left the event waits for a further one, and does not take memory of the vmtable. Holds until the next `giveBuffer`. */
export const BUFFER_WAIT: u32 = 1;
/** Most buffers that may wait for one event's data. */
export const BUFFERS_PER_EVENT: i32 = 16;

const bufferPlace = memory.data(16, 8);

/**
 * The next data of the read event go to the `length` bytes at `address`; each buffer is used once, in order. UDP: 16 bytes more than
 * the datagram, for its sender. -EDQUOT: BUFFERS_PER_EVENT wait already; -EFAULT: not this application's linear memory.
 */
export function giveBuffer(jid: i32, address: usize, length: u32, flags: u32 = 0): i32 {
  const b = changetype<EventBuffer>(bufferPlace);
  b.size = offsetof<EventBuffer>();
  b.address = <u32>address;
  b.length = length;
  b.flags = flags;
  return evctl(jid, EVJOBBUFFER, <i32>bufferPlace);
}

/** Finds `bytes` of memory: its address, or 0 when there is none. The memory is the application's, and never given back by the kernel. */
export type Allocator = (bytes: i32) => usize;

/** The data of the read event go where `allocator` says, which is called just before the handler. */
// @ts-ignore: decorator
@inline
export function setAllocator(jid: i32, allocator: Allocator): i32 {
  return evctl(jid, EVJOBALLOCATOR, allocator.index);
}

export function clearAllocator(jid: i32): i32 {
  return evctl(jid, EVJOBALLOCATOR, 0);
}
