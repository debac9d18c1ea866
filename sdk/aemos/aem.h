/*
 * A part of aemos.h. AEM: the types of the handlers, registration of events of sockets and timers, memory of event data (docs/aem-calls.md).
 */
#ifndef AEMOS_AEM_H
#define AEMOS_AEM_H

/* ---- Handlers. All that a handler needs comes in its parameters, the identifier of its event first ---- */

/* `newfd`: descriptor of a connection that came to the listener `fd`. It is this application's to close. Or -ETIMEDOUT (set_timeout). */
typedef void accept_handler(int jid, int fd, int newfd);
/* `length` bytes, the handler's until it returns (or vmtable_keep). `length` 0: end of the stream (`from` not 0: an empty
 * datagram); negative: the errno that ended it (UDP: what has become of a datagram sent), or -ETIMEDOUT: a time-out of set_timeout, and
 * nothing has ended. `from`: the sender of a datagram, of a socket of AF_INET6 a struct sockaddr_in6; 0 for TCP. */
typedef void read_handler(int jid, int fd, void *data, int length, struct sockaddr_in *from);
/* The peer has closed (`error` 0), or the connection has failed (a negative errno). -ETIMEDOUT is also a time-out of set_timeout: the event goes on. */
typedef void close_handler(int jid, int fd, int error);
/* One transition of the TCP state machine, TCP_*. */
typedef void state_handler(int jid, int fd, int old_state, int new_state);
/* POLL* bits that hold now. */
typedef void sock_handler(int jid, int fd, int events, int error);
/* `overrun`: expirations since the last call beyond this one. */
typedef void timer_handler(int jid, int overrun);

/* ---- Flags of a registration ---- */

/* The registration ends with the first return of its handler. */
#define EVF_ONESHOT 1
/*
 * Executors, one of the three at most; without any the handler runs on this process's main thread. FORK: in a copy of the process, which ends
 * after it; with NOCLDWAIT nobody waits for that copy. CAPSULE: in a copy that is kept for the next one. -EPERM: the policy refuses it.
 */
#define EVF_FORK 2
#define EVF_CAPSULE 4
#define EVF_NOCLDWAIT 8
/* enter_keepalive returns 0 when the last event with this flag has ended. */
#define EVF_KEEPALIVE 16
/* Executor: a thread of its own in the same memory, where the handler may block. -ENOMEM; -EOPNOTSUPP: "threads" of the manifest is 0. */
#define EVF_THREAD 32
/* Priority of the registration, 0 (least) to 63; without it 32. */
#define EVF_PRIORITY_SHIFT 8
#define EVF_PRIORITY(level) (((level) + 1) << EVF_PRIORITY_SHIFT)

/* Types of event: in statistics, and EVENT_MESSAGE to EVENT_ERROR for evsystem. */
#define EVENT_ACCEPT 0
#define EVENT_READ 1
#define EVENT_CLOSE 2
#define EVENT_SK 3
#define EVENT_SOCK 4
#define EVENT_TIMER 5
#define EVENT_MESSAGE 6
#define EVENT_SIGNAL 7
#define EVENT_CHILD 8
#define EVENT_MEMORY 9
#define EVENT_OVERLOAD 10
#define EVENT_LINK 11
#define EVENT_LIMIT 12
#define EVENT_ERROR 13

/* Most bytes of a stream that one call of a read handler gets. */
#define READ_LIMIT 16384
/* Most events that one socket may have. */
#define EVENTS_PER_SOCKET 32

/* TCP states (RFC 9293, 3.3.2), Linux's numbers. */
#define TCP_ESTABLISHED 1
#define TCP_SYN_SENT 2
#define TCP_SYN_RECV 3
#define TCP_FIN_WAIT1 4
#define TCP_FIN_WAIT2 5
#define TCP_TIME_WAIT 6
#define TCP_CLOSE 7
#define TCP_CLOSE_WAIT 8
#define TCP_LAST_ACK 9
#define TCP_LISTEN 10
#define TCP_CLOSING 11

/*
 * ---- The calls. A registration (sockasync_*, evtimer, evsystem) returns the event's jid, > 0, or a negative errno, and then there is no event ----
 * (docs/aem-calls.md, "Errors of a registration")
 *
 *     -EINVAL      `handler` is no function of the type that the event wants; an unknown flag, a priority above 63; more than one executor, or EVF_NOCLDWAIT without EVF_FORK
 *     -EPERM       the manifest's policy refuses this type of event, or the executor
 *     -EDQUOT      as many events as the process may have, or of this type, or on this source (a socket: EVENTS_PER_SOCKET)
 *     -ENOSPC      as many events as the system has room for
 *     -ENOMEM      EVF_THREAD: no memory for the threads; a priority that nobody has had yet: none for its timers
 *     -EOPNOTSUPP  EVF_THREAD: the application has no threads
 *     -EBADF       sockasync_*: `fd` is no socket of this process
 *
 * What a call has beside these stands with it.
 */

/* Waits while handlers run. -EINTR: a signal (sigtake); 0: the last event with EVF_KEEPALIVE has ended; -EBUSY: in a handler. */
AEMOS_CALL(enter_keepalive) int enter_keepalive(void);
/* Connections of a listener. The peer's address goes to `address` before each call of the handler; both pointers may be 0. -EINVAL: it does not listen; -EOPNOTSUPP: UDP; -EFAULT. */
AEMOS_CALL(sockasync_accept)
int sockasync_accept(int fd, struct sockaddr *address, socklen_t *length, int flags, accept_handler *handler);
/* Data received. -EINVAL: the socket listens. */
AEMOS_CALL(sockasync_read) int sockasync_read(int fd, int flags, read_handler *handler);
/* The end of a connection. -EINVAL: the socket listens; -EOPNOTSUPP: UDP. */
AEMOS_CALL(sockasync_close) int sockasync_close(int fd, int flags, close_handler *handler);
/* Every transition of the TCP state machine, in order. -EOPNOTSUPP: UDP. */
AEMOS_CALL(sockasync_sk) int sockasync_sk(int fd, int flags, state_handler *handler);
/* Changes of what the socket is ready for. Errors: those of all. */
AEMOS_CALL(sockasync_sock) int sockasync_sock(int fd, int flags, sock_handler *handler);
/* A timer: first after `interval` ns, then every `period` ns (0: once), without drift. -EINVAL: negative. */
AEMOS_CALL(evtimer) int evtimer(int64_t interval, int64_t period, int flags, timer_handler *handler);
/* In a read handler: its block is the application's until vmtable_free. 0, -EINVAL. */
AEMOS_CALL(vmtable_keep) int vmtable_keep(void *data);
/* Gives a kept block back. 0, -EINVAL. */
AEMOS_CALL(vmtable_free) int vmtable_free(void *data);

#endif
