/**
 * AEM, the asynchronous event mechanism (docs/aem-calls.md; how to write a handler: docs/handler-guide.md).
 *
 * A registration names what shall be reported and the function that hears of it; it returns the event's identifier, the
 * `jid` (> 0), or a negative errno. Numbers agree with aem/abi.ts.
 */

// ---- Handlers: what each type of event calls. All it needs comes in its parameters. ----

/** `newfd`: descriptor of a connection that came to the listener `fd`. It is this application's to close. Or -ETIMEDOUT (`setTimeout`). */
export type AcceptHandler = (jid: i32, fd: i32, newfd: i32) => void;
/**
 * `length` bytes at `data`, in a vmtable block that is the handler's until it returns (or `vmtable_keep`). `length` 0: end
 * of the stream (UDP: an empty datagram); negative: the errno that ended it (UDP: what has become of a datagram sent), or
 * -ETIMEDOUT: a time-out of `setTimeout`, and nothing has ended. `from`: the sender of a datagram, a sockaddr_in, or of a
 * socket of AF_INET6 a sockaddr_in6; 0 for TCP.
 */
export type ReadHandler = (jid: i32, fd: i32, data: usize, length: i32, from: usize) => void;
/**
 * The peer has closed, or the connection has failed; once. `error`: 0 for an orderly end, else a negative errno. It comes behind
 * the data, and behind the end of the stream that a read event on the same socket reports. -ETIMEDOUT is also a time-out of `setTimeout`,
 * after which the event goes on.
 */
export type CloseHandler = (jid: i32, fd: i32, error: i32) => void;
/** One transition of the TCP state machine; TCP_* names below. */
export type StateHandler = (jid: i32, fd: i32, oldState: i32, newState: i32) => void;
/** What the socket is ready for now, POLL* bits, after something of it has changed. `error`: 0 or a negative errno. */
export type SockHandler = (jid: i32, fd: i32, events: i32, error: i32) => void;
/** `overrun`: expirations since the last call beyond this one. */
export type TimerHandler = (jid: i32, overrun: i32) => void;

// ---- Flags of a registration ----

/** The registration ends with the first return of its handler. */
export const EVF_ONESHOT: i32 = 1;
// Executors: one of EVF_FORK, EVF_CAPSULE and EVF_THREAD; without any the handler runs on this process's main thread.
/** The handler runs in a copy of this process, made for the one call: sdk/process.ts says what a copy has. */
export const EVF_FORK: i32 = 2;
/** The same in a copy that is kept, and serves one activation after the other. */
export const EVF_CAPSULE: i32 = 4;
/** With EVF_FORK: nobody waits for the copies, which leave no status. */
export const EVF_NOCLDWAIT: i32 = 8;
/** `enter_keepalive` returns 0 when the last event with this flag has ended. */
export const EVF_KEEPALIVE: i32 = 16;
/**
 * Executor: a thread with a stack of its own in this process's memory, where the handler may block. -ENOMEM; -EOPNOTSUPP: the application has no
 * threads ("runtime" and "threads" of the manifest).
 */
export const EVF_THREAD: i32 = 32;
/** Where the priority stands in the flags. */
export const EVF_PRIORITY_SHIFT: i32 = 8;
/** Flags for a priority of the registration: 0 (least) to 63; without it the default, which is 32 for most events. */
// @ts-ignore: decorator
@inline
export function EVF_PRIORITY(level: i32): i32 {
  return (level + 1) << EVF_PRIORITY_SHIFT;
}

// ---- Operations of evctl ----

/** Priority of the registration; argument 0 to 63. */
export const EVJOBPRIO: i32 = 1;
/** Ends all events of this process; `jid` is not looked at. Returns how many there were. */
export const EVTBLINIT: i32 = 2;
/** Ends the event; argument SHUTDOWN_DROP: what waits is forgotten, SHUTDOWN_DELIVER: it is delivered first. */
export const EVJOBSHTDN: i32 = 3;
export const SHUTDOWN_DROP: i32 = 0;
export const SHUTDOWN_DELIVER: i32 = 1;
/** Lets the event be delivered (again). */
export const EVJOBSTART: i32 = 4;
/** Holds the event: what happens stays at its source (unread data in the socket) or is counted. */
export const EVJOBSTOP: i32 = 5;
/** Writes counters of the event; argument: address of an EventStatistics, its size in its first word. */
export const EVJOBSTAT: i32 = 6;
/** Returns the state of the event: EVENT_* bits. */
export const EVJOBLOOKUP: i32 = 7;
// The rest of them, and functions in their place whose parameters the compiler checks: sdk/control.ts.

// ---- Types of event, in statistics and in processinfo; those of evsystem are in sdk/system.ts ----

export const EVENT_ACCEPT: i32 = 0;
export const EVENT_READ: i32 = 1;
export const EVENT_CLOSE: i32 = 2;
export const EVENT_SK: i32 = 3;
export const EVENT_SOCK: i32 = 4;
export const EVENT_TIMER: i32 = 5;

/** Most bytes of a stream that one call of a read handler gets. */
export const READ_LIMIT: i32 = 16384;
/** Most events that one socket may have. */
export const EVENTS_PER_SOCKET: i32 = 32;

// ---- TCP states (RFC 9293, 3.3.2), Linux's numbers ----

export const TCP_ESTABLISHED: i32 = 1;
export const TCP_SYN_SENT: i32 = 2;
export const TCP_SYN_RECV: i32 = 3;
export const TCP_FIN_WAIT1: i32 = 4;
export const TCP_FIN_WAIT2: i32 = 5;
export const TCP_TIME_WAIT: i32 = 6;
export const TCP_CLOSE: i32 = 7;
export const TCP_CLOSE_WAIT: i32 = 8;
export const TCP_LAST_ACK: i32 = 9;
export const TCP_LISTEN: i32 = 10;
export const TCP_CLOSING: i32 = 11;

// ---- The calls. `handler` is an index in the module's function table: `f.index` of a function `f`. ----

/**
 * Controls the event `jid`. 0 or more; -ESRCH: this process has no such event; -EINVAL: no such operation or argument, or not for this type; -EFAULT, -ENOSPC, -ENOMEM, -EDQUOT, -EOPNOTSUPP: see the operations
 * (docs/aem-calls.md, "Control").
 */
// @ts-ignore: decorator
@external("aemos", "evctl") export declare function evctl(jid: i32, operation: i32, argument: i32): i32;

/**
 * Waits while handlers run. -EINTR: a signal (`sigtake` says which); 0: the last event with EVF_KEEPALIVE has ended; -EBUSY: in
 * a handler, where no other one could run.
 */
// @ts-ignore: decorator
@external("aemos", "enter_keepalive") export declare function enter_keepalive(): i32;

// Registrations: sockasync_* and evtimer here, evsystem in sdk/system.ts. Each returns the event's jid, or a negative errno, and then there is no event (docs/aem-calls.md, "Errors of a registration"):
//
//     -EINVAL      `handler` is no function of the type that the event wants; an unknown flag, a priority above 63; more than one executor, or EVF_NOCLDWAIT without EVF_FORK
//     -EPERM       the manifest's policy refuses this type of event, or the executor
//     -EDQUOT      as many events as the process may have, or of this type, or on this source (a socket: EVENTS_PER_SOCKET)
//     -ENOSPC      as many events as the system has room for
//     -ENOMEM      EVF_THREAD: no memory for the threads; a priority that nobody has had yet: none for its timers
//     -EOPNOTSUPP  EVF_THREAD: the application has no threads
//     -EBADF       sockasync_*: `fd` is no socket of this process
//
// What a call has beside these stands with it.

/**
 * Connections of a listener. The peer's address goes to `address` (`lengthPointer`: i32, room in, length out), as with accept;
 * both may be 0. -EINVAL: the socket does not listen; -EOPNOTSUPP: UDP; -EFAULT.
 */
// @ts-ignore: decorator
@external("aemos", "sockasync_accept")
export declare function sockasync_accept(
  fd: i32,
  address: usize,
  lengthPointer: usize,
  flags: i32,
  handler: u32,
): i32;
/** Data received. Several events on one socket: each gets all data, at its own pace. -EINVAL: the socket listens. */
// @ts-ignore: decorator
@external("aemos", "sockasync_read") export declare function sockasync_read(
  fd: i32,
  flags: i32,
  handler: u32,
): i32;
/** The end of a connection. -EINVAL: the socket listens; -EOPNOTSUPP: UDP. */
// @ts-ignore: decorator
@external("aemos", "sockasync_close") export declare function sockasync_close(
  fd: i32,
  flags: i32,
  handler: u32,
): i32;
/** Every transition of the TCP state machine, in order. -EOPNOTSUPP: UDP. */
// @ts-ignore: decorator
@external("aemos", "sockasync_sk") export declare function sockasync_sk(
  fd: i32,
  flags: i32,
  handler: u32,
): i32;
/** Changes of what the socket is ready for. Errors: those of all. */
// @ts-ignore: decorator
@external("aemos", "sockasync_sock") export declare function sockasync_sock(
  fd: i32,
  flags: i32,
  handler: u32,
): i32;
/** A timer: first after `interval` ns, then every `period` ns (0: once), without drift. -EINVAL: negative. */
// @ts-ignore: decorator
@external("aemos", "evtimer")
export declare function evtimer(interval: i64, period: i64, flags: i32, handler: u32): i32;
/** In a handler: its block is the application's until `vmtable_free`. 0; -EINVAL: `data` is not this handler's. */
// @ts-ignore: decorator
@external("aemos", "vmtable_keep") export declare function vmtable_keep(data: usize): i32;
/** Gives a kept block back. 0; -EINVAL: not a kept block. */
// @ts-ignore: decorator
@external("aemos", "vmtable_free") export declare function vmtable_free(data: usize): i32;

// ---- The same with a function instead of an index: the compiler checks its type. Results and errors are those of the call. ----

/** See `sockasync_accept`. */
// @ts-ignore: decorator
@inline
export function onAccept(fd: i32, handler: AcceptHandler, flags: i32 = 0): i32 {
  return sockasync_accept(fd, 0, 0, flags, handler.index);
}
/** See `sockasync_read`. */
// @ts-ignore: decorator
@inline
export function onRead(fd: i32, handler: ReadHandler, flags: i32 = 0): i32 {
  return sockasync_read(fd, flags, handler.index);
}
/** See `sockasync_close`. */
// @ts-ignore: decorator
@inline
export function onClose(fd: i32, handler: CloseHandler, flags: i32 = 0): i32 {
  return sockasync_close(fd, flags, handler.index);
}
/** See `sockasync_sk`. */
// @ts-ignore: decorator
@inline
export function onState(fd: i32, handler: StateHandler, flags: i32 = 0): i32 {
  return sockasync_sk(fd, flags, handler.index);
}
/** See `sockasync_sock`. */
// @ts-ignore: decorator
@inline
export function onSock(fd: i32, handler: SockHandler, flags: i32 = 0): i32 {
  return sockasync_sock(fd, flags, handler.index);
}
/** See `evtimer`. */
// @ts-ignore: decorator
@inline
export function onTimer(interval: i64, period: i64, handler: TimerHandler, flags: i32 = 0): i32 {
  return evtimer(interval, period, flags, handler.index);
}
