/**
 * What only few events need, and is made at the first evctl that needs it: time-out, filter, own buffers, allocator, latencies, and the
 * counters that go with them. It goes with its event.
 *
 *     ├ EventExtra ┼ latencies: LATENCY_BUCKETS × u32 ┼ buffers: PLACES × (address, length) ┤
 *
 * There may be one for each EVENTS_PER_EXTRA events that the system has room for; at the limit evctl says -ENOSPC.
 */
import { Pool } from "../kernel/memory/pool";
import { VMTABLE_BASE } from "../kernel/memory/layout";
import { userRange } from "../kernel/memory/user";
import { Timer, timerPrepare, timerStartIn, timerStop } from "../kernel/time/timers";
import { IpAddress } from "../net/flow";
import { SOCKADDR6_ROOM } from "../net/socket/sockaddr";
import {
  BUFFERS_PER_EVENT,
  EVENT_DRAINING,
  EVENT_ENDED,
  EVENT_PENDING,
  EVENT_SK,
  EVENT_STARVED,
  EVENT_STOPPED,
  LATENCY_BUCKETS,
} from "./abi";
import { activate } from "./activation";
import { retry } from "./queue";
import { Event, EVENT_ALLOCATING, EVENT_MEASURED, EVENT_PARTICULAR } from "./event";
import { DELIVERED, EMPTY } from "./job";
import { setTimeoutArguments } from "./jobs/timeout";
import { recordLatency } from "./latency";

/** Bits of `status`. The time-out has run out, and is told unless something else comes first. */
export const EXTRA_TIMED_OUT: u32 = 1;
/** With no buffer left the event waits for one (BUFFER_WAIT). */
export const EXTRA_BUFFERS_ONLY: u32 = 2;
/** The allocator has just answered: for this delivery it is not asked again. */
export const EXTRA_ANSWERED: u32 = 4;

const EVENTS_PER_EXTRA: u32 = 8;
const BUFFER_SHIFT: u32 = 3;
/** One more than the application may give: for what the allocator finds. */
const PLACES: u32 = BUFFERS_PER_EVENT + 1;

/** The Timer is that of the time-out; its argument is the event. */
@unmanaged
export class EventExtra extends Timer {
  /** Nanoseconds; 0: no time-out. */
  timeout: u64;
  /** When the event became pending, if it is measured; and the same of the activation that is being delivered. */
  activatedAt: u64;
  servedSince: u64;
  latencyMin: u64;
  latencyMax: u64;
  latencySum: u64;
  /** Occurrences, modulo 2^32. */
  filtered: u32;
  cleaned: u32;
  // Storage of `network`.
  private network0: u64;
  private network8: u64;
  /** Filter: states or POLL* bits; bits of `network` that count; bytes. 0: no such condition. */
  mask: u32;
  prefix: u32;
  least: u32;
  /** Code address of the application's allocator; 0: none. Bytes that it was asked for. */
  allocator: usize;
  asked: u32;
  /** EXTRA_* bits. */
  status: u16;
  /** Ring of the buffers that wait. */
  bufferFirst: u8;
  bufferCount: u8;


  @inline get event(): Event {
    return changetype<Event>(this.argument);
  }

  /** The peers that the filter lets through: those whose first `prefix` bits are the same. */
  @inline get network(): IpAddress {
    return changetype<IpAddress>(changetype<usize>(this) + offsetof<EventExtra>("network0"));
  }


  @inline has(bits: u32): bool {
    return ((<u32>this.status) & bits) != 0;
  }


  @inline mark(bits: u32): void {
    this.status |= <u16>bits;
  }


  @inline clear(bits: u32): void {
    this.status &= <u16>~bits;
  }

  /** LATENCY_BUCKETS words. */
  get buckets(): usize {
    return changetype<usize>(this) + offsetof<EventExtra>();
  }

  /** Address and length of the first buffer, 8 bytes. There is one. */
  get buffer(): usize {
    return this.place(this.bufferFirst);
  }

  /** The application's memory from `address` on is next behind the other buffers. False: there are as many as there may be. */
  addBuffer(address: u32, length: u32): bool {
    if (<u32>this.bufferCount >= PLACES) return false;
    const place = this.place(<u32>this.bufferFirst + this.bufferCount);
    store<u32>(place, address);
    store<u32>(place, length, 4);
    this.bufferCount++;
    return true;
  }

  takeBuffer(): void {
    this.bufferFirst = <u8>((<u32>this.bufferFirst + 1) % PLACES);
    this.bufferCount--;
  }

  /** What the allocator has returned is a buffer like others. False: it is 0, or no memory of the application's. */
  answer(address: u32): bool {
    if (address == 0 || !isOwnMemory(address, this.asked)) return false;
    return this.addBuffer(address, this.asked);
  }

  private place(index: u32): usize {
    return this.buckets + (LATENCY_BUCKETS << 2) + <usize>((index % PLACES) << BUFFER_SHIFT);
  }
}

const EXTRA_SIZE: usize = offsetof<EventExtra>() + (LATENCY_BUCKETS << 2) + (PLACES << BUFFER_SHIFT);
const POOL_SIZE: usize = (offsetof<Pool>() + 7) & ~7;
/** Bytes that `initializeExtras` needs: a pool, and a sockaddr. */
export const EXTRA_STORAGE: usize = POOL_SIZE + SOCKADDR6_ROOM;

let pool: Pool = changetype<Pool>(0);
/** Where a sender's address is composed, on its way to the application. */
export let sockaddrScratch: usize = 0;

/** Once at boot. `storage`: EXTRA_STORAGE bytes, 8-aligned; `events`: most events that there may be. */
export function initializeExtras(storage: usize, events: u32): void {
  pool = changetype<Pool>(storage);
  pool.initialize(<u32>EXTRA_SIZE, max(events / EVENTS_PER_EXTRA, 1));
  sockaddrScratch = storage + POOL_SIZE;
}

export function extraPool(): Pool {
  return pool;
}


@inline
export function extraOf(event: Event): EventExtra {
  return changetype<EventExtra>(event.extra);
}

/** The event's, made now if need be; null: -ENOSPC. */
// @ts-ignore: decorator
@inline
export function needExtra(event: Event): EventExtra | null {
  return event.extra != 0 ? extraOf(event) : makeExtra(event);
}

function makeExtra(event: Event): EventExtra | null {
  const address = pool.allocate();
  if (address == 0) return null;
  const extra = changetype<EventExtra>(address);
  timerPrepare(extra, expired.index);
  extra.argument = changetype<usize>(event);
  event.argument = address;
  event.mark(EVENT_PARTICULAR);
  return extra;
}

/** The event ends. */
export function dropExtra(event: Event): void {
  const extra = extraOf(event);
  timerStop(extra);
  event.argument = 0;
  pool.release(changetype<usize>(extra));
}

/** Whether a range is linear memory of the current process. The vmtable zone is not: the kernel hands that out. */
export function isOwnMemory(address: usize, length: usize): bool {
  return address < VMTABLE_BASE && userRange(address, length);
}

/** What such an event has to wait for beside what all have. */
export function waitingExtra(event: Event): u32 {
  const timedOut = event.type == EVENT_SK && extraOf(event).has(EXTRA_TIMED_OUT);
  return <u32>timedOut + <u32>event.has(EVENT_ALLOCATING);
}

// ---- Delivery ----

/**
 * In the place of the job's own delivery, and with its outcomes. A time-out that has run out is told when there is nothing else to tell; it
 * counts as coalesced when there is.
 */
export function deliverExtra(event: Event): i32 {
  const extra = extraOf(event);
  // The allocator's answer belongs to the activation that made it asked.
  if (!extra.has(EXTRA_ANSWERED)) extra.servedSince = extra.activatedAt;
  let outcome = call_indirect<i32>(event.deliverer, event);
  extra.clear(EXTRA_ANSWERED);
  if (extra.has(EXTRA_TIMED_OUT) && !(outcome == EMPTY && event.has(EVENT_PENDING))) {
    extra.clear(EXTRA_TIMED_OUT);
    startTimeout(extra);
    if (outcome == EMPTY && !event.has(EVENT_ENDED)) {
      setTimeoutArguments(event);
      outcome = DELIVERED;
    }
  }
  if (outcome == DELIVERED) {
    startTimeout(extra);
    if (event.has(EVENT_MEASURED)) recordLatency(extra);
  }
  return outcome;
}

// ---- Time-out ----

/** (Re)starts it, if there is one. */
export function startTimeout(extra: EventExtra): void {
  if (extra.timeout != 0) timerStartIn(extra, extra.timeout, extra.event.priority);
}

/**
 * The handler was not called for that long. A real activation that waits goes first, and the time begins again; one that starves is tried
 * once more on this occasion. Nor does time run out for an event that is stopped.
 */
function expired(timer: Timer): void {
  const extra = changetype<EventExtra>(timer);
  const event = extra.event;
  if (event.has(EVENT_ENDED | EVENT_DRAINING)) return;
  retry(event);
  if (event.has(EVENT_PENDING | EVENT_STARVED | EVENT_STOPPED | EVENT_ALLOCATING)) {
    startTimeout(extra);
    return;
  }
  extra.mark(EXTRA_TIMED_OUT);
  activate(event);
}
