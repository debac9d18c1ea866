/**
 * An event: one registration, made by a process for one source (a socket, a time) and one handler. Its identifier is the jid.
 *
 * An event begins with what its source links: a socket's `Waiter` or the wheel's `Timer` (both begin with a `Link`), so that
 * the source's callback gets the event itself. Its place in the queue of activated events stands inside it as well:
 * reserved by registration, so that no activation can fail for want of memory (3.5.1 of the requirements).
 */
import { Link } from "../kernel/list";
import { Process } from "../kernel/process/process";
import { Waiter } from "../kernel/scheduler/wait";
import { Timer } from "../kernel/time/wheel";
import { Socket } from "../net/socket/socket";
import { EVENT_OCCURRED, EVENT_PENDING, EVENT_SK, EVENT_STARVED } from "./abi";
import { EventJob } from "./job";

/** Socket events use the first bytes of the Timer as their Waiter: see `waiter`. */
@unmanaged
export class Event extends Timer {
  /** Storage of `activation`. */
  private activationNext: usize;
  private activationPrev: usize;
  /** Storage of `owned`. */
  private ownedNext: usize;
  private ownedPrev: usize;
  /** Whose event it is. */
  process: Process;
  /** The operations of its type. */
  job: EventJob;
  /** Socket that it listens to; 0: none, or gone. */
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
  /** Deliveries put off, and addresses that could not be written. */
  errors: u32;
  /** Kernel address of the vmtable block that the handler has now; 0: none, or kept by the handler. */
  block: usize;
  /** Timer: expirations to be delivered. Sk: states in `data`. Sock: bits that have become set. */
  count: u32;
  /** Timer: period in nanoseconds. Sk: ring of states. Accept: user addresses (low: sockaddr, high: its length). Close: errno. */
  data: u64;
  /** Occurrences, and calls of the handler; modulo 2^32. */
  activations: u32;
  handled: u32;

  /** What a socket links. */
  @inline get waiter(): Waiter {
    return changetype<Waiter>(this);
  }


  @inline get socket(): Socket {
    return changetype<Socket>(this.object);
  }
  /** Member of the process's queue of activated events, or of its list of starved ones. */
  @inline get activation(): Link {
    return changetype<Link>(changetype<usize>(this) + offsetof<Event>("activationNext"));
  }
  /** Member of the process's list of events. */
  @inline get owned(): Link {
    return changetype<Link>(changetype<usize>(this) + offsetof<Event>("ownedNext"));
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
    if (this.job.type == EVENT_SK) return this.count == 0 ? 0 : this.count - 1;
    return <u32>this.has(EVENT_PENDING | EVENT_STARVED | EVENT_OCCURRED);
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
/** State, kernel only: pending, but outside of the queue until the process has fewer activated events (limits.ts). */
export const EVENT_HELD: u32 = 1024;

/** Bytes of one registration, for limits and statistics. */
export const EVENT_SIZE: u32 = offsetof<Event>();
