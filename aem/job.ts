/**
 * The job (AEM 2.2, 2.5): the kernel element that looks after one type of event ahead of its handlers. What is particular to a type of
 * event is here and in the file of the type under jobs/; registry and dispatch are the same for all.
 *
 * A struct of function indices, filled in once at boot.
 */
import { EVENT_TYPES } from "./abi";

/** `deliver`: the arguments of the handler are set, it has to be called. */
export const DELIVERED: i32 = 1;
/** `deliver`: the application's allocator has to be called first, its argument is set. Then `deliver` is called again. */
export const ALLOCATE: i32 = 2;
/** `deliver`: the source has nothing (any more). */
export const EMPTY: i32 = 0;
/** `deliver`: there is something, but no memory or descriptor to hand it over in. It stays where it is. */
export const SHORTAGE: i32 = -1;


@unmanaged
export class EventJob {
  /** EVENT_ACCEPT .. EVENT_TIMER */
  type: u32;
  /**
   * (event: Event) => i32: just before the handler is called, in the context of its process: fetches what the event carries, and sets
   * the handler's arguments. One of the values above.
   */
  deliver: u32;
  /** Called by the source: a Waiter's (waiter, events, detail) => void, or a Timer's (timer) => void. */
  occurred: u32;
  /** POLL* and WAKE_* bits to listen to; 0: the source is a timer. */
  mask: u32;
  /** POLL* bits that, when they hold at registration, activate the event at once. */
  initial: u32;
}

/** Bytes that `initializeJobs` needs. */
export const JOB_STORAGE: usize = offsetof<EventJob>() * EVENT_TYPES;

let jobs: usize = 0;

/** Once at boot. `storage`: JOB_STORAGE bytes, 4-aligned. */
export function initializeJobs(storage: usize): void {
  jobs = storage;
}


@inline
export function jobOf(type: u32): EventJob {
  return changetype<EventJob>(jobs + <usize>type * offsetof<EventJob>());
}

export function defineJob(type: u32, deliver: u32, occurred: u32, mask: u32, initial: u32): void {
  const job = jobOf(type);
  job.type = type;
  job.deliver = deliver;
  job.occurred = occurred;
  job.mask = mask;
  job.initial = initial;
}
