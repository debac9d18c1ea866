/**
 * An event: one registration, made by a process for one source (a socket, a time) and one handler. Its identifier is the jid.
 *
 * An event begins with what its source links: a socket's `Waiter` or the wheel's `Timer` (both begin with a `Link`), so that
 * the source's callback gets the event itself. Its place in the queue of activated events stands inside it as well:
 * reserved by registration, so that no activation can fail for want of memory (3.5.1 of the requirements).
 *
 * With its word in the jid table an event takes less than 100 bytes: process and operations are found by number.
 */
import { Link } from "../kernel/list";
import { Threshold } from "../kernel/scheduler/gauge";
import { Process, processNumbered } from "../kernel/process/process";
import { Waiter } from "../kernel/scheduler/wait";
import { Timer } from "../kernel/time/timers";
import { Socket } from "../net/socket/socket";
import { EVENT_MESSAGE, EVENT_OCCURRED, EVENT_PENDING, EVENT_SK, EVENT_STARVED } from "./abi";
import { waitingExtra } from "./extra";
import { delivererOf, EventJob, jobOf, plainDelivererOf } from "./job";

/**
 * Socket events use the first bytes of the Timer as their Waiter: see `waiter`. What only few events need is elsewhere (extra.ts); the
 * Timer's argument, which no event uses otherwise, leads there.
 */
@unmanaged
export class Event extends Timer {
  /** Storage of `activation`. */
  private activationNext: usize;
  private activationPrev: usize;
  /** Storage of `owned`. */
  private ownedNext: usize;
  private ownedPrev: usize;
  /** Socket that it listens to; 0: none, or gone. Of evsystem: its argument, as long as it listens. Timer: expirations that come with the next one. */
  object: usize;
  /** Code address of the handler. */
  handler: usize;
  jid: i32;
  /** The descriptor as registered; -1: none. */
  fd: i32;
  /** EVF_* bits 0..7. */
  flags: u8;
  /** 0 (least) .. 63. */
  priority: u8;
  /** EVENT_* bits but EVENT_REGISTERED. */
  state: u16;
  /** EVENT_ACCEPT .. EVENT_ERROR */
  type: u8;
  /** Of the process whose event it is: it is there as long as the event. */
  private pid: u8;
  /** Deliveries put off, and addresses that could not be written; modulo 2^16. */
  errors: u16;
  /** Handlers of it that run now: one at most in its process, more on workers and in clones. */
  handlers: u8;
  /** Starved: what is short, an errno, and how much was wanted, in pieces of LACK_UNIT bytes. */
  private lackError: u8;
  private lackUnits: u16;
  /** Timer: expirations to be delivered. Sk: states in `data`. Sock: bits that have become set. Message: messages that wait. Limit: LIMIT_* bits. Read: jobs/shared.ts. */
  count: u32;
  /**
   * Timer: period in nanoseconds. Sk: ring of states. Accept: user addresses (low: sockaddr, high: its length). Close: errno. Message:
   * first (low) and last record. Signal: sender (low), number. Read: jobs/shared.ts.
   */
  data: u64;
  /** Occurrences, and calls of the handler; modulo 2^32. */
  activations: u32;
  handled: u32;

  /** All of it but its links. (A fill of 88 bytes takes 21 instructions.) */
  @inline zero(): void {
    const event = changetype<usize>(this);
    store<u64>(event, 0, 8);
    store<u64>(event, 0, 16);
    store<u64>(event, 0, 40);
    store<u64>(event, 0, 48);
    store<u64>(event, 0, 56);
    store<u64>(event, 0, 64);
    store<u64>(event, 0, 72);
    store<u64>(event, 0, 80);
  }

  /** Whose event it is. */
  @inline get process(): Process {
    return processNumbered(this.pid);
  }


  @inline set process(process: Process) {
    this.pid = <u8>process.pid;
  }
  /** The operations of its type. */
  @inline get job(): EventJob {
    return jobOf(this.type);
  }

  /** How its job delivers: see `delivererOf`. */
  @inline get deliverer(): u32 {
    return delivererOf(this.type);
  }

  /** The same as long as it is not EVENT_PARTICULAR. */
  @inline get plainDeliverer(): u32 {
    return plainDelivererOf(this.type);
  }

  /** What a socket links. */
  @inline get waiter(): Waiter {
    return changetype<Waiter>(this);
  }

  /** What a gauge links. */
  @inline get threshold(): Threshold {
    return changetype<Threshold>(this);
  }


  @inline get socket(): Socket {
    return changetype<Socket>(this.object);
  }
  /** 0: none. */
  @inline get extra(): usize {
    return this.argument;
  }
  /** Member of the process's queue of activated events, or of its list of starved ones. */
  @inline get activation(): Link {
    return changetype<Link>(changetype<usize>(this) + offsetof<Event>("activationNext"));
  }
  /** Member of the process's list of events. */
  @inline get owned(): Link {
    return changetype<Link>(changetype<usize>(this) + offsetof<Event>("ownedNext"));
  }


  @inline setLack(errno: i32, bytes: u32): void {
    this.lackError = <u8>errno;
    this.lackUnits = <u16>min((bytes + LACK_UNIT - 1) / LACK_UNIT, 0xffff);
  }


  @inline get lackErrno(): i32 {
    return this.lackError;
  }


  @inline get lackBytes(): u32 {
    return <u32>this.lackUnits * LACK_UNIT;
  }


  @inline has(bits: u32): bool {
    return ((<u32>this.state) & bits) != 0;
  }


  @inline mark(bits: u32): void {
    this.state |= <u16>bits;
  }


  @inline clear(bits: u32): void {
    this.state &= <u16>~bits;
  }

  /** Activations that have not reached the handler. */
  get waiting(): u32 {
    const more = this.extra == 0 ? 0 : waitingExtra(this);
    if (this.type == EVENT_SK) return more + (this.count == 0 ? 0 : this.count - 1);
    if (this.type == EVENT_MESSAGE) return this.count;
    return more + <u32>this.has(EVENT_PENDING | EVENT_STARVED | EVENT_OCCURRED);
  }
}


@inline
export function eventOfActivation(link: Link): Event {
  return changetype<Event>(changetype<usize>(link) - offsetof<Event>("activationNext"));
}


@inline
export function eventOfOwned(link: Link): Event {
  return changetype<Event>(changetype<usize>(link) - offsetof<Event>("ownedNext"));
}

/** State, kernel only: unregistered while its handler runs; its memory goes when the handler has returned. */
export const EVENT_DEAD: u32 = 256;
/** State, kernel only: a close event that waits until a read event has delivered the end of the stream. */
export const EVENT_BEHIND: u32 = 512;
/** State, kernel only: its latencies are measured. */
export const EVENT_MEASURED: u32 = 1024;
/** State, kernel only: the application's allocator looks for memory for it; its handler is called next. */
export const EVENT_ALLOCATING: u32 = 2048;

/** State, kernel only: pending, but outside of the queue until the process has fewer activated events (limits.ts). */
export const EVENT_HELD: u32 = 4096;
/**
 * State, kernel only: not as most are, so that the short ways leave it to those that look at everything. It has an extra, its handlers do not run on the
 * main thread, or its process has a limit of activated events.
 */
export const EVENT_PARTICULAR: u32 = 8192;

/** What a report of a shortage says is a multiple of this: of a vmtable block. At most 4 MiB. */
export const LACK_UNIT: u32 = 64;

/** Bytes of one registration, for limits and statistics. */
export const EVENT_SIZE: u32 = offsetof<Event>();
