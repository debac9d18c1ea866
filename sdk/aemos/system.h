/*
 * A part of aemos.h. Events that are no sockets: messages, signals, children, memory, overload, the link, limits, errors (docs/aem-calls.md).
 */
#ifndef AEMOS_SYSTEM_H
#define AEMOS_SYSTEM_H

/* ---- Handlers ---- */

/* A message from process `from`: the handler's until it returns (or vmtable_keep). An empty message has `data` 0. */
typedef void message_handler(int jid, int from, void *data, int length);
/* `signal` was sent, by process `from` (the last one; 0: before the registration). */
typedef void signal_handler(int jid, int signal, int from);
/* Child `pid` has ended with `status`, and is waited for with that. */
typedef void child_handler(int jid, int pid, int status);
/* Memory is short: so much is free now. */
typedef void memory_handler(int jid, int free_kib, int total_kib);
/* `limit` activated events have waited for their handlers; `waiting` do now. */
typedef void overload_handler(int jid, int waiting, int limit);
/* The network link is up (1) or down (0). */
typedef void link_handler(int jid, int up);
/* A call was refused for limit `what` (LIMIT_*), which is `value`. */
typedef void limit_handler(int jid, int what, int value);
/* Event `about` has to wait: `error` (negative) says what is short, `bytes` how much was wanted. */
typedef void error_handler(int jid, int about, int error, int bytes);

/* Bytes of a message. */
#define MESSAGE_LIMIT 65536
/* Messages that wait at one event. */
#define MESSAGE_QUEUE 64

/* What a limit handler hears of: events of the process, in the whole system, on one source; descriptors; events of one type; activated events. */
#define LIMIT_EVENTS 1
#define LIMIT_SYSTEM_EVENTS 2
#define LIMIT_SOURCE_EVENTS 3
#define LIMIT_DESCRIPTORS 4
#define LIMIT_EVENTS_OF_TYPE 5
#define LIMIT_ACTIVATIONS 6

/* ---- The calls ---- */

/*
 * Registers an event of `kind`; `argument` and the handler's type are the kind's: see the functions below. Its jid, or a negative errno: those of all registrations (aem.h); -EINVAL: no such kind, or an argument
 * that it cannot have; -EDQUOT: the process has 32 events on that source; and what stands with the functions.
 */
AEMOS_CALL(evsystem) int evsystem(int kind, int argument, int flags, void *handler);
/*
 * Posts to all events that listen on `port` of process `pid`; with `pid` 0: to the event of this process with that jid. 0. -EAGAIN: no room at
 * the receiver, nothing was posted; -ESRCH: no such process or jid; -ECONNREFUSED: nobody listens; -EMSGSIZE: more than MESSAGE_LIMIT, or than half of the receiver's
 * vmtable; -EINVAL: a negative length, or the event takes no messages; -EFAULT.
 */
AEMOS_CALL(evpost) int evpost(int pid, int port, const void *data, int length);

/* ---- evsystem with the type of the handler checked. Results and errors are those of evsystem ---- */

/* Messages to `port` of this process. Each listener gets every message. -EDQUOT: four listen on the port; -ENOSPC: 8192 in the system. */
static inline int on_message(int port, message_handler *handler, int flags) {
  return evsystem(EVENT_MESSAGE, port, flags, (void *)handler);
}

/* SIGTERM, SIGUSR1 or SIGUSR2: it does not interrupt a call then, nor wait for sigtake. -EINVAL: another signal. */
static inline int on_signal(int signal, signal_handler *handler, int flags) {
  return evsystem(EVENT_SIGNAL, signal, flags, (void *)handler);
}

/* Child `pid` has ended (0: any child, each of them). -ECHILD: it is no child of this process. */
static inline int on_child(int pid, child_handler *handler, int flags) {
  return evsystem(EVENT_CHILD, pid, flags, (void *)handler);
}

/* Less than `threshold_kib` of the machine's memory is free; again only after an eighth more than that has been. -EINVAL: less than 4, or (with an eighth more) all memory; -ENOSPC: 256 in the system. */
static inline int on_memory(int threshold_kib, memory_handler *handler, int flags) {
  return evsystem(EVENT_MEMORY, threshold_kib, flags, (void *)handler);
}

/* `limit` activated events of this process wait; again only after fewer than half as many have. -EINVAL: 0. */
static inline int on_overload(int limit, overload_handler *handler, int flags) {
  return evsystem(EVENT_OVERLOAD, limit, flags, (void *)handler);
}

/* The state of the link: now, and whenever it changes. -ENODEV: there is no network device; -ENOSPC: 256 in the system. */
static inline int on_link(link_handler *handler, int flags) { return evsystem(EVENT_LINK, 0, flags, (void *)handler); }

/* A call of this process was refused for a limit. */
static inline int on_limit(limit_handler *handler, int flags) { return evsystem(EVENT_LIMIT, 0, flags, (void *)handler); }

/* The delivery of an event had to be put off. */
static inline int on_error(error_handler *handler, int flags) { return evsystem(EVENT_ERROR, 0, flags, (void *)handler); }

#endif
