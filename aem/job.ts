/**
 * The job (AEM 2.2, 2.5): the kernel element that looks after one type of event ahead of its handlers. What is particular to a type of
 * event is here and in the file of the type under jobs/; registry and dispatch are the same for all.
 *
 * A struct of function indices, filled in once at boot.
 */
import { ENOMEM } from "../kernel/errno";
import { FRAME_SIZE } from "../kernel/memory/frames";
import { EVENT_TYPES, PRIORITY_DEFAULT } from "./abi";

/** `deliver`: the arguments of the handler are set, it has to be called. */
export const DELIVERED: i32 = 1;
/** `deliver`: the application's allocator has to be called first, its argument is set. Then `deliver` is called again. */
export const ALLOCATE: i32 = 2;
/** `deliver`: the source has nothing (any more). */
export const EMPTY: i32 = 0;

// What is short decides who can give it back (queue.ts), so each kind has queues of its own: SHORTAGE_KINDS of them.
/** What the process, or its clone, has for itself: a vmtable block, a descriptor, memory of the application's own. */
export const SHORT_OWN: u32 = 0;
/** Frames. */
export const SHORT_FRAMES: u32 = 1;
/** A place for one more clone: among the children or the capsules, or a process number. */
export const SHORT_PLACE: u32 = 2;
/** Of the events whose handlers run on workers: what the process has for itself or, with `Process.workersLackFrames`, frames. */
export const SHORT_WORK: u32 = 3;

/** Bytes that the delivery which returned `shortage` wanted, and what is short (SHORT_*). */
export let shortageBytes: u32 = 0;
export let shortageKind: u32 = 0;

/**
 * For `return shortage(…)` in `deliver`: there is something, but nothing to hand it over in. It stays where it is. `errno`: what the process is
 * short of (ENOMEM: memory, EMFILE: descriptors); `bytes`: how much of it was wanted, 0 where it is not memory. Less than 0.
 */
// @ts-ignore: decorator
@inline
export function shortage(errno: i32, bytes: u32): i32 {
  shortageKind = SHORT_OWN;
  shortageBytes = bytes;
  return -errno;
}

/** The same where the machine is short of frames. */
export function noFrame(): i32 {
  shortageKind = SHORT_FRAMES;
  shortageBytes = <u32>FRAME_SIZE;
  return -ENOMEM;
}


@unmanaged
export class EventJob {
  /** EVENT_ACCEPT .. EVENT_ERROR */
  type: u32;
  /** Called by the source: a Waiter's (waiter, events, detail) => void, or a Timer's (timer) => void. */
  occurred: u32;
  /** POLL* and WAKE_* bits to listen to; 0: the source is a timer. */
  mask: u32;
  /** POLL* bits that, when they hold at registration, activate the event at once. */
  initial: u32;
  /** Of an event that is registered without one. */
  priority: u32;
  // For evsystem; 0 with the events that have calls of their own.
  /** (process: Process, argument: u32) => i32: whether such an event may be registered: 0 or a negative errno. Changes nothing. */
  check: u32;
  /** (event: Event, argument: u32) => void: links the event to its source. Cannot fail. */
  attach: u32;
  /** (event: Event) => void: the event has left its source's list for good; 0: nothing is to be done then. */
  detach: u32;
}

/** Bytes that `initializeJobs` needs: twice EVENT_TYPES × { deliver: u32 }, then EVENT_TYPES × EventJob. */
export const JOB_STORAGE: usize = (8 + offsetof<EventJob>()) * EVENT_TYPES;

let jobs: usize = 0;

/** Once at boot. `storage`: JOB_STORAGE bytes, 4-aligned. */
export function initializeJobs(storage: usize): void {
  memory.fill(storage, 0, JOB_STORAGE);
  jobs = storage;
}


@inline
export function jobOf(type: u32): EventJob {
  return changetype<EventJob>(jobs + 8 * EVENT_TYPES + <usize>type * offsetof<EventJob>());
}

/**
 * (event: Event) => i32: just before the handler is called, in the context of its process: fetches what the event carries, and sets
 * the handler's arguments. DELIVERED, EMPTY or a `shortage`. 0: the kernel has no such job.
 */
// @ts-ignore: decorator
@inline
export function delivererOf(type: u32): u32 {
  return load<u32>(jobs + (type << 2));
}

/** The same of an event that is not EVENT_PARTICULAR. */
// @ts-ignore: decorator
@inline
export function plainDelivererOf(type: u32): u32 {
  return load<u32>(jobs + (type << 2), 4 * EVENT_TYPES);
}

export function setPlainDeliverer(type: u32, deliver: u32): void {
  store<u32>(jobs + (type << 2), deliver, 4 * EVENT_TYPES);
}

export function defineJob(type: u32, deliver: u32, occurred: u32, mask: u32, initial: u32): void {
  const job = jobOf(type);
  job.type = type;
  store<u32>(jobs + (type << 2), deliver);
  setPlainDeliverer(type, deliver);
  job.occurred = occurred;
  job.mask = mask;
  job.initial = initial;
  job.priority = PRIORITY_DEFAULT;
}

/** A job of evsystem: all its events' waiters listen to `mask`. */
export function defineSystemJob(
  type: u32,
  deliver: u32,
  occurred: u32,
  mask: u32,
  check: u32,
  attach: u32,
  detach: u32,
  priority: u32,
): void {
  defineJob(type, deliver, occurred, mask, 0);
  const job = jobOf(type);
  job.check = check;
  job.attach = attach;
  job.detach = detach;
  job.priority = priority;
}
