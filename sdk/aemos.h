/*
 * aemos for applications in C (clang, wasm32): every system call, its numbers and structs, the types of the handlers, and what of
 * string.h freestanding code links against. docs/aem-calls.md says what each call promises, docs/c-applications.md how to build.
 *
 * A call returns 0 or a positive value when it succeeds, and a negative errno when it does not; there is no variable errno. A
 * pointer that does not lead into the application's memory gives -EFAULT. Any call may run handlers of this process
 * before it returns. The numbers are those of the TypeScript sdk and aem/abi.ts: a test holds them together.
 */
#ifndef AEMOS_H
#define AEMOS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef __wasm32__
#error "an application is compiled for wasm32: npx aemos build"
#endif

/* The label keeps clang from wrapping main into a form with argc and argv; another main than `int main(void)` is an error. */
__attribute__((export_name("main"))) int main(void) __asm__("aemos_main");

#define AEMOS_CALL(name) __attribute__((import_module("aemos"), import_name(#name)))

/* ---- Error numbers: Linux's ---- */

#define EPERM 1
#define ENOENT 2
#define ESRCH 3
#define EINTR 4
#define EIO 5
#define EBADF 9
#define EAGAIN 11
#define ENOMEM 12
#define EFAULT 14
#define EBUSY 16
#define EINVAL 22
#define ENFILE 23
#define EMFILE 24
#define ENOSPC 28
#define EPIPE 32
#define ENOSYS 38
#define ENOTSOCK 88
#define EDESTADDRREQ 89
#define EMSGSIZE 90
#define EPROTOTYPE 91
#define ENOPROTOOPT 92
#define EPROTONOSUPPORT 93
#define ESOCKTNOSUPPORT 94
#define EOPNOTSUPP 95
#define EAFNOSUPPORT 97
#define EADDRINUSE 98
#define EADDRNOTAVAIL 99
#define ENETDOWN 100
#define ENETUNREACH 101
#define ECONNABORTED 103
#define ECONNRESET 104
#define ENOBUFS 105
#define EISCONN 106
#define ENOTCONN 107
#define ETIMEDOUT 110
#define ECONNREFUSED 111
#define EHOSTUNREACH 113
#define EALREADY 114
#define EINPROGRESS 115
#define EDQUOT 122

/* ---- Memory and strings: enough of string.h for code without a libc. Lengths from 8 bytes on are one instruction each. ---- */

static inline void *memcpy(void *restrict destination, const void *restrict source, size_t length) {
  return __builtin_memcpy(destination, source, length);
}

static inline void *memmove(void *destination, const void *source, size_t length) {
  return __builtin_memmove(destination, source, length);
}

static inline void *memset(void *destination, int value, size_t length) {
  return __builtin_memset(destination, value, length);
}

static inline void bzero(void *destination, size_t length) { __builtin_memset(destination, 0, length); }

static inline int memcmp(const void *left, const void *right, size_t length) {
  const unsigned char *a = left, *b = right;
  for (; length != 0; length--, a++, b++)
    if (*a != *b) return *a - *b;
  return 0;
}

static inline size_t strlen(const char *text) {
  size_t length = 0;
  while (text[length] != 0) length++;
  return length;
}

/* ---- Process: life, signals, clock, log, random numbers ---- */

#define SIGKILL 9
#define SIGUSR1 10
#define SIGUSR2 12
#define SIGTERM 15

/* Nanoseconds since boot. */
#define CLOCK_MONOTONIC 1
/* Ticks of the time-stamp counter. */
#define CLOCK_TSC 4

#define LOG_ERROR 3
#define LOG_WARNING 4
#define LOG_NOTICE 5
#define LOG_INFO 6
#define LOG_DEBUG 7

/* Ends the process with `status` (0 to 255). Its sockets and events go with it. */
AEMOS_CALL(exit) __attribute__((noreturn)) void exit(int status);
/* Number of this process, > 0. */
AEMOS_CALL(getpid) int getpid(void);
/* SIGTERM, SIGUSR1, SIGUSR2 make a blocking call of `pid` return -EINTR, SIGKILL ends it, 0 asks. -ESRCH, -EINVAL. */
AEMOS_CALL(kill) int kill(int pid, int signal);
/* Takes the lowest signal that waits for this process: its number, or 0. */
AEMOS_CALL(sigtake) int sigtake(void);
/* CLOCK_*; -EINVAL for another clock. */
AEMOS_CALL(clock_gettime) int64_t clock_gettime(int clock);
/* Blocks for at least `nanoseconds`; handlers run meanwhile. 0, -EINTR, -EINVAL: negative. */
AEMOS_CALL(nanosleep) int nanosleep(int64_t nanoseconds);
/* Writes a line of UTF-8, up to 256 bytes of it, to the console. The bytes written, -EFAULT, -EINVAL. */
AEMOS_CALL(log) int log(int level, const char *text, int length);
/* Fills up to 1 MiB with random numbers fit for keys. `flags` is 0. Returns `length`, -EFAULT, -EINVAL. */
AEMOS_CALL(getrandom) int getrandom(void *buffer, int length, int flags);

/* Counters of the kernel since boot; sdk/sysinfo.ts says what each is. New ones are added at the end only. */
struct system_information {
  uint64_t version; /* major << 32 | minor << 16 | patch */
  uint64_t uptime;  /* nanoseconds */
  uint64_t processes;
  uint64_t memory_total, memory_free; /* bytes */
  uint64_t interrupts;
  uint64_t events, activations, handled;
  uint64_t frames_received, bytes_received, frames_sent, bytes_sent, frames_dropped;
  uint64_t tcp_connections, tcp_accepted, tcp_retransmitted;
  uint64_t interrupt_tsc;
};
_Static_assert(sizeof(struct system_information) == 144, "system_information: 18 counters of 64 bits");

/* Writes up to `length` bytes of the counters. The bytes written: fewer from a kernel that counts less. -EFAULT, -EINVAL. */
AEMOS_CALL(sysinfo) int sysinfo(struct system_information *buffer, int length);

/* ---- Sockets: the calls of 4.4BSD with Linux's numbers. -EAGAIN instead of waiting: SOCK_NONBLOCK or MSG_DONTWAIT ---- */

#define AF_INET 2
#define SOCK_STREAM 1
#define SOCK_DGRAM 2
/* Or-ed into the type: no call on the socket blocks. */
#define SOCK_NONBLOCK 0x800
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
/* Addresses in host order: htonl() them. */
#define INADDR_ANY 0u
#define INADDR_LOOPBACK 0x7f000001u
#define INADDR_NONE 0xffffffffu
#define MSG_PEEK 0x02
#define MSG_TRUNC 0x20
#define MSG_DONTWAIT 0x40
#define SHUT_RD 0
#define SHUT_WR 1
#define SHUT_RDWR 2
#define SOL_SOCKET 1
#define SO_REUSEADDR 2
#define SO_TYPE 3
#define SO_ERROR 4
/* With IPPROTO_TCP: small segments are not held back. */
#define TCP_NODELAY 1
/* Bits of the `events` of a sock handler. */
#define POLLIN 0x0001
#define POLLOUT 0x0004
#define POLLERR 0x0008
#define POLLHUP 0x0010
#define POLLRDHUP 0x2000

typedef int socklen_t;
typedef uint16_t sa_family_t;
typedef uint16_t in_port_t;
typedef uint32_t in_addr_t;

struct sockaddr {
  sa_family_t sa_family;
  char sa_data[14];
};

struct in_addr {
  in_addr_t s_addr; /* network order */
};

struct sockaddr_in {
  sa_family_t sin_family;
  in_port_t sin_port; /* network order */
  struct in_addr sin_addr;
  unsigned char sin_zero[8];
};
#define SOCKADDR_SIZE 16
_Static_assert(sizeof(struct sockaddr) == SOCKADDR_SIZE, "sockaddr: 16 bytes");
_Static_assert(sizeof(struct sockaddr_in) == SOCKADDR_SIZE, "sockaddr_in: 16 bytes");
_Static_assert(offsetof(struct sockaddr_in, sin_addr) == 4, "sockaddr_in: the address follows the port");

/* A new socket's descriptor. -EAFNOSUPPORT, -ESOCKTNOSUPPORT, -EPROTONOSUPPORT, -EMFILE, -ENOBUFS. */
AEMOS_CALL(socket) int socket(int domain, int type, int protocol);
/* 0, -EADDRINUSE, -EADDRNOTAVAIL, -EINVAL: it has an address. */
AEMOS_CALL(bind) int bind(int fd, const struct sockaddr *address, socklen_t length);
/* 0, -EADDRINUSE, -EOPNOTSUPP. */
AEMOS_CALL(listen) int listen(int fd, int backlog);
/* The next connection's descriptor. `length`: room in, length out; both pointers may be 0. */
AEMOS_CALL(accept) int accept(int fd, struct sockaddr *address, socklen_t *length);
/* 0; -EINPROGRESS on a non-blocking socket; -ECONNREFUSED, -ETIMEDOUT, -ENETUNREACH, ... */
AEMOS_CALL(connect) int connect(int fd, const struct sockaddr *address, socklen_t length);
/* Bytes taken, maybe fewer than given. -EAGAIN, -EPIPE, -ENOTCONN, -ECONNRESET, ... */
AEMOS_CALL(send) int send(int fd, const void *data, int length, int flags);
/* Bytes received; 0 at the end of the stream. -EAGAIN, -ENOTCONN, -ECONNRESET, ... */
AEMOS_CALL(recv) int recv(int fd, void *buffer, int length, int flags);
/* UDP: all of it or an error (-EMSGSIZE, -ENETUNREACH, -EAGAIN). */
AEMOS_CALL(sendto)
int sendto(int fd, const void *data, int length, int flags, const struct sockaddr *address, socklen_t address_length);
/* A datagram longer than the buffer loses its rest. */
AEMOS_CALL(recvfrom)
int recvfrom(int fd, void *buffer, int length, int flags, struct sockaddr *address, socklen_t *address_length);
/* Lets go of the descriptor and ends its events. 0, -EBADF. */
AEMOS_CALL(close) int close(int fd);
/* SHUT_*. 0, -ENOTCONN, -EINVAL. */
AEMOS_CALL(shutdown) int shutdown(int fd, int how);
/* 0, -EBADF, -EFAULT. */
AEMOS_CALL(getsockname) int getsockname(int fd, struct sockaddr *address, socklen_t *length);
/* 0, -ENOTCONN, -EBADF, -EFAULT. */
AEMOS_CALL(getpeername) int getpeername(int fd, struct sockaddr *address, socklen_t *length);
/* TCP_NODELAY, a value of 4 bytes. -ENOPROTOOPT, -EINVAL, -EFAULT. */
AEMOS_CALL(setsockopt) int setsockopt(int fd, int level, int name, const void *value, socklen_t length);
/* TCP_NODELAY, SO_ERROR (told once), SO_TYPE. */
AEMOS_CALL(getsockopt) int getsockopt(int fd, int level, int name, void *value, socklen_t *length);

/* ---- AEM: handlers. All that a handler needs comes in its parameters, the identifier of its event first ---- */

/* `newfd`: descriptor of a connection that came to the listener `fd`. It is this application's to close. */
typedef void accept_handler(int jid, int fd, int newfd);
/* `length` bytes, the handler's until it returns (or vmtable_keep). `length` 0: end of the stream (`from` not 0: an empty
 * datagram); negative: the errno that ended it. `from`: the sender, for UDP. */
typedef void read_handler(int jid, int fd, void *data, int length, struct sockaddr_in *from);
/* The peer has closed (`error` 0), or the connection has failed (a negative errno). */
typedef void close_handler(int jid, int fd, int error);
/* One transition of the TCP state machine, TCP_*. */
typedef void state_handler(int jid, int fd, int old_state, int new_state);
/* POLL* bits that hold now. */
typedef void sock_handler(int jid, int fd, int events, int error);
/* `overrun`: expirations since the last call beyond this one. */
typedef void timer_handler(int jid, int overrun);

/* ---- AEM: flags of a registration ---- */

/* The registration ends with the first return of its handler. */
#define EVF_ONESHOT 1
/* Executors other than this process's own context. */
#define EVF_FORK 2
#define EVF_CAPSULE 4
#define EVF_NOCLDWAIT 8
/* enter_keepalive returns 0 when the last event with this flag has ended. */
#define EVF_KEEPALIVE 16
#define EVF_THREAD 32
/* Priority of the registration, 0 (least) to 63; without it 32. */
#define EVF_PRIORITY_SHIFT 8
#define EVF_PRIORITY(level) (((level) + 1) << EVF_PRIORITY_SHIFT)

/* ---- AEM: operations of evctl, with their argument ---- */

#define EVJOBPRIO 1   /* 0..63 */
#define EVTBLINIT 2   /* ends all events of this process; returns how many there were */
#define EVJOBSHTDN 3  /* SHUTDOWN_*: ends the event */
#define EVJOBSTART 4  /* lets the event be delivered (again) */
#define EVJOBSTOP 5   /* holds the event */
#define EVJOBSTAT 6   /* address of a struct event_statistics, its `size` filled in */
#define EVJOBLOOKUP 7 /* returns EVENT_* bits */
#define SHUTDOWN_DROP 0
#define SHUTDOWN_DELIVER 1

/* State of an event. */
#define EVENT_REGISTERED 1
#define EVENT_PENDING 2
#define EVENT_HANDLING 4
#define EVENT_STOPPED 8
#define EVENT_OCCURRED 16
#define EVENT_STARVED 32
#define EVENT_DRAINING 64
#define EVENT_ENDED 128

/* Types of event, in event_statistics. */
#define EVENT_ACCEPT 0
#define EVENT_READ 1
#define EVENT_CLOSE 2
#define EVENT_SK 3
#define EVENT_SOCK 4
#define EVENT_TIMER 5

/* Most bytes of a stream that one call of a read handler gets. */
#define READ_LIMIT 16384
/* Most events that one socket may have. */
#define EVENTS_PER_SOCKET 32

/* What EVJOBSTAT writes. activations = handled + coalesced + waiting. */
struct event_statistics {
  uint32_t size; /* in: room; out: bytes written */
  uint32_t state;
  uint32_t type;
  uint32_t flags;
  uint32_t priority;
  int32_t fd; /* -1: none */
  uint32_t waiting;
  uint32_t reserved;
  uint64_t activations;
  uint64_t handled;
  uint64_t coalesced;
  uint64_t errors;
};
#define STATISTICS_SIZE 64
_Static_assert(sizeof(struct event_statistics) == STATISTICS_SIZE, "event_statistics: 64 bytes");

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

/* ---- AEM: the calls. A registration returns the event's jid, > 0, or a negative errno ---- */

/* 0 or more; -ESRCH: this process has no such event; -EINVAL. `argument`: a number or an address, see EVJOB*. */
AEMOS_CALL(evctl) int evctl(int jid, int operation, intptr_t argument);
/* Waits while handlers run. -EINTR: a signal (sigtake); 0: the last event with EVF_KEEPALIVE has ended; -EBUSY: in a handler. */
AEMOS_CALL(enter_keepalive) int enter_keepalive(void);
/* Connections of a listener. The peer's address goes to `address` before each call of the handler; both pointers may be 0. */
AEMOS_CALL(sockasync_accept)
int sockasync_accept(int fd, struct sockaddr *address, socklen_t *length, int flags, accept_handler *handler);
/* Data received. Several events on one socket: each gets all data. */
AEMOS_CALL(sockasync_read) int sockasync_read(int fd, int flags, read_handler *handler);
/* The end of a connection. */
AEMOS_CALL(sockasync_close) int sockasync_close(int fd, int flags, close_handler *handler);
/* Every transition of the TCP state machine, in order. */
AEMOS_CALL(sockasync_sk) int sockasync_sk(int fd, int flags, state_handler *handler);
/* Changes of what the socket is ready for. */
AEMOS_CALL(sockasync_sock) int sockasync_sock(int fd, int flags, sock_handler *handler);
/* A timer: first after `interval` ns, then every `period` ns (0: once), without drift. */
AEMOS_CALL(evtimer) int evtimer(int64_t interval, int64_t period, int flags, timer_handler *handler);
/* In a read handler: its block is the application's until vmtable_free. 0, -EINVAL. */
AEMOS_CALL(vmtable_keep) int vmtable_keep(void *data);
/* Gives a kept block back. 0, -EINVAL. */
AEMOS_CALL(vmtable_free) int vmtable_free(void *data);

/* ---- Helpers ---- */

static inline uint16_t htons(uint16_t value) { return __builtin_bswap16(value); }
static inline uint16_t ntohs(uint16_t value) { return __builtin_bswap16(value); }
static inline uint32_t htonl(uint32_t value) { return __builtin_bswap32(value); }
static inline uint32_t ntohl(uint32_t value) { return __builtin_bswap32(value); }

/* "10.0.2.15" in network order; INADDR_NONE when it is not four decimal numbers from 0 to 255. */
static inline in_addr_t inet_addr(const char *text) {
  uint32_t address = 0;
  for (int part = 0; part < 4; part++) {
    uint32_t value = 0;
    int digits = 0;
    for (; *text >= '0' && *text <= '9' && digits < 3; text++, digits++) value = value * 10 + (uint32_t)(*text - '0');
    if (digits == 0 || value > 255 || *text != (part < 3 ? '.' : 0)) return INADDR_NONE;
    text++;
    address = address << 8 | value;
  }
  return htonl(address);
}

/* Logs a string. */
static inline void log_text(int level, const char *text) { log(level, text, (int)strlen(text)); }

/* Logs `what`: error `error`. What perror does where errors are results. */
static inline void log_error(const char *what, int error) {
  char line[128];
  size_t at = strlen(what) < 96 ? strlen(what) : 96;
  memcpy(line, what, at);
  memcpy(line + at, ": error ", 8);
  at += 8;
  uint32_t rest = error < 0 ? 0u - (uint32_t)error : (uint32_t)error;
  if (error < 0) line[at++] = '-';
  uint32_t divisor = 1;
  while (rest / divisor >= 10) divisor *= 10;
  for (; divisor != 0; divisor /= 10) line[at++] = (char)('0' + rest / divisor % 10);
  log(LOG_ERROR, line, (int)at);
}

/* A non-blocking socket of `type` on `port` of every address. Its descriptor or a negative errno. */
static inline int bound_socket(int type, uint32_t port) {
  if (port > 65535) return -EINVAL;
  int fd = socket(AF_INET, type | SOCK_NONBLOCK, 0);
  if (fd < 0) return fd;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  int error = bind(fd, (struct sockaddr *)&address, sizeof(address));
  if (error >= 0) return fd;
  close(fd);
  return error;
}

/* A non-blocking TCP socket that listens on `port`. Its descriptor, or the negative errno of the call that failed. */
static inline int listen_tcp(uint32_t port, int backlog) {
  int fd = bound_socket(SOCK_STREAM, port);
  if (fd < 0) return fd;
  int error = listen(fd, backlog);
  if (error >= 0) return fd;
  close(fd);
  return error;
}

/* A non-blocking UDP socket on `port`. Its descriptor or a negative errno. */
static inline int bind_udp(uint32_t port) { return bound_socket(SOCK_DGRAM, port); }

#endif
