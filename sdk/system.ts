/**
 * Events that are no sockets: messages, signals, children, memory, overload, the link, limits, errors of the event system (docs/aem-calls.md). One
 * call, `evsystem`, registers them all; flags and control (`evctl`) are those of sdk/aem.ts. Numbers agree with aem/abi.ts.
 */

// ---- Handlers ----

/**
 * A message from process `from`: `length` bytes at `data`, in a vmtable block that is the handler's until it returns (or
 * `vmtable_keep`). An empty message has `data` 0.
 */
export type MessageHandler = (jid: i32, from: i32, data: usize, length: i32) => void;
/** `signal` was sent, by process `from` (the last one; 0: before the registration). */
export type SignalHandler = (jid: i32, signal: i32, from: i32) => void;
/** Child `pid` has ended with `status`, and with this call it is waited for: `waitpid` does not find it any more. */
export type ChildHandler = (jid: i32, pid: i32, status: i32) => void;
/** Memory is short: so much is free now. */
export type MemoryHandler = (jid: i32, freeKiB: i32, totalKiB: i32) => void;
/** `limit` activated events have waited for their handlers; `waiting` do now. */
export type OverloadHandler = (jid: i32, waiting: i32, limit: i32) => void;
/** The network link is up (1) or down (0). */
export type LinkHandler = (jid: i32, up: i32) => void;
/** A call was refused for limit `what` (LIMIT_*), which is `value`. */
export type LimitHandler = (jid: i32, what: i32, value: i32) => void;
/** Event `about` has to wait: `errno` (negative) says what is short, `bytes` how much was wanted. */
export type ErrorHandler = (jid: i32, about: i32, errno: i32, bytes: i32) => void;

// ---- Kinds ----

export const EVENT_MESSAGE: i32 = 6;
export const EVENT_SIGNAL: i32 = 7;
export const EVENT_CHILD: i32 = 8;
export const EVENT_MEMORY: i32 = 9;
export const EVENT_OVERLOAD: i32 = 10;
export const EVENT_LINK: i32 = 11;
export const EVENT_LIMIT: i32 = 12;
export const EVENT_ERROR: i32 = 13;

/** Bytes of a message. */
export const MESSAGE_LIMIT: i32 = 65536;
/** Messages that wait at one event. */
export const MESSAGE_QUEUE: i32 = 64;

// ---- What a limit handler hears of ----

/** Events of the process. */
export const LIMIT_EVENTS: i32 = 1;
/** Events in the whole system. */
export const LIMIT_SYSTEM_EVENTS: i32 = 2;
/** Events on one source: a socket, a port, … */
export const LIMIT_SOURCE_EVENTS: i32 = 3;
/** Descriptors of the process. */
export const LIMIT_DESCRIPTORS: i32 = 4;
/** Events of one type of the process (limits.eventsOfType of the manifest). */
export const LIMIT_EVENTS_OF_TYPE: i32 = 5;
/** Activated events of the process (limits.activations): nothing was refused, but an event waits outside of the queue. */
export const LIMIT_ACTIVATIONS: i32 = 6;

// ---- The calls ----

/**
 * Registers an event of `kind`; `argument` is the kind's: see the functions below. Its jid, or a negative errno: those of all registrations (sdk/aem.ts); -EINVAL: no such kind, or an argument that it cannot
 * have; -EDQUOT: the process has 32 events on that source; and what stands with the functions.
 */
// @ts-ignore: decorator
@external("aemos", "evsystem")
export declare function evsystem(kind: i32, argument: i32, flags: i32, handler: u32): i32;
/**
 * Posts a message to all events that listen on `port` of process `pid`; with `pid` 0: to the event of this process with that jid. 0.
 * -EAGAIN: no room at the receiver, nothing was posted; -ESRCH: no such process or jid; -ECONNREFUSED: nobody listens; -EMSGSIZE: more than
 * MESSAGE_LIMIT, or than half of the receiver's vmtable; -EINVAL: a negative length, or the event takes no messages; -EFAULT.
 */
// @ts-ignore: decorator
@external("aemos", "evpost")
export declare function evpost(pid: i32, port: i32, data: usize, length: i32): i32;
/** The pid of the first process of that name (in the image's manifest; UTF-8). -ESRCH: there is none; -EINVAL: a name has 1 to 64 bytes; -EFAULT. */
// @ts-ignore: decorator
@external("aemos", "getpidof")
export declare function getpidof(name: usize, length: i32): i32;

// ---- The same with a function instead of an index: the compiler checks its type. Results and errors are those of evsystem. ----

/** Messages to `port` of this process. Each listener gets every message. -EDQUOT: four listen on the port; -ENOSPC: 8192 in the system. */
// @ts-ignore: decorator
@inline
export function onMessage(port: i32, handler: MessageHandler, flags: i32 = 0): i32 {
  return evsystem(EVENT_MESSAGE, port, flags, handler.index);
}
/** SIGTERM, SIGUSR1 or SIGUSR2: it does not interrupt a call then, nor wait for `sigtake`. -EINVAL: another signal. */
// @ts-ignore: decorator
@inline
export function onSignal(signal: i32, handler: SignalHandler, flags: i32 = 0): i32 {
  return evsystem(EVENT_SIGNAL, signal, flags, handler.index);
}
/** Child `pid` has ended; 0: any child, one call for each. -ECHILD: `pid` is no child of this process. */
// @ts-ignore: decorator
@inline
export function onChild(pid: i32, handler: ChildHandler, flags: i32 = 0): i32 {
  return evsystem(EVENT_CHILD, pid, flags, handler.index);
}
/** Less than `thresholdKiB` of the machine's memory is free; again only after an eighth more than that has been. -EINVAL: less than 4, or (with an eighth more) all memory; -ENOSPC: 256 in the system. */
// @ts-ignore: decorator
@inline
export function onMemory(thresholdKiB: i32, handler: MemoryHandler, flags: i32 = 0): i32 {
  return evsystem(EVENT_MEMORY, thresholdKiB, flags, handler.index);
}
/** `limit` activated events of this process wait; again only after fewer than half as many have. -EINVAL: 0. */
// @ts-ignore: decorator
@inline
export function onOverload(limit: i32, handler: OverloadHandler, flags: i32 = 0): i32 {
  return evsystem(EVENT_OVERLOAD, limit, flags, handler.index);
}
/** The state of the link: now, and whenever it changes. -ENODEV: there is no network device; -ENOSPC: 256 in the system. */
// @ts-ignore: decorator
@inline
export function onLink(handler: LinkHandler, flags: i32 = 0): i32 {
  return evsystem(EVENT_LINK, 0, flags, handler.index);
}
/** A call of this process was refused for a limit. */
// @ts-ignore: decorator
@inline
export function onLimit(handler: LimitHandler, flags: i32 = 0): i32 {
  return evsystem(EVENT_LIMIT, 0, flags, handler.index);
}
/** The delivery of an event had to be put off. */
// @ts-ignore: decorator
@inline
export function onError(handler: ErrorHandler, flags: i32 = 0): i32 {
  return evsystem(EVENT_ERROR, 0, flags, handler.index);
}

/** `getpidof` for a name in ASCII, and its errors. */
export function processNamed(name: string): i32 {
  const buffer = memory.data(64);
  const length = min(name.length, 64);
  String.UTF8.encodeUnsafe(changetype<usize>(name), length, buffer);
  return getpidof(buffer, length);
}
