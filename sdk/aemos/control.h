/*
 * A part of aemos.h. Control of an event after its registration: evctl, its operations and structs, and a function for each (docs/aem-calls.md).
 */
#ifndef AEMOS_CONTROL_H
#define AEMOS_CONTROL_H

/* ---- Operations of evctl, with their argument ---- */

#define EVJOBPRIO 1      /* 0..63 */
#define EVTBLINIT 2      /* ends all events of this process; returns how many there were */
#define EVJOBSHTDN 3     /* SHUTDOWN_*: ends the event */
#define EVJOBSTART 4     /* lets the event be delivered (again) */
#define EVJOBSTOP 5      /* holds the event */
#define EVJOBSTAT 6      /* address of a struct event_statistics, its `size` filled in */
#define EVJOBLOOKUP 7    /* returns EVENT_* bits */
#define EVJOBFILTER 8    /* address of a struct event_filter; 0: none */
#define EVJOBTIMEOUT 9   /* address of a uint64_t, nanoseconds; 0: none */
#define EVJOBHANDLER 10  /* another handler of the same type */
#define EVJOBFLAGS 11    /* flags as at registration, with the same executor; a priority field of 0 leaves the priority */
#define EVJOBCLEAN 12    /* drops what waits; returns how many occurrences that were */
#define EVJOBHISTOGRAM 13/* 1: measures latencies from now on; 0: no more */
#define EVJOBBUFFER 14   /* address of a struct event_buffer */
#define EVJOBALLOCATOR 15/* an event_allocator; 0: none */
#define EVJOBRETRY 16    /* an event that waits for memory or a descriptor tries again */
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

/* Controls the event `jid`. 0 or more; -ESRCH: this process has no such event; -EINVAL. `argument`: a number or an address, see EVJOB*. */
AEMOS_CALL(evctl) int evctl(int jid, int operation, intptr_t argument);

/* ---- Statistics ---- */

/* Bucket i counts latencies from 2^(8 + i) ns to less than twice that; the first also all below, the last all above. */
#define LATENCY_BUCKETS 24

/* At any moment activations = handled + coalesced + filtered + cleaned + waiting. Counters are modulo 2^32. */
struct event_statistics {
  uint32_t size;  /* in: room; out: bytes written */
  uint32_t state; /* EVENT_* bits */
  uint32_t type;  /* EVENT_ACCEPT .. EVENT_ERROR */
  uint32_t flags;
  uint32_t priority;
  int32_t fd; /* -1: none */
  uint32_t waiting;
  uint32_t reserved;
  uint64_t activations;
  uint64_t handled;
  uint64_t coalesced;
  uint64_t errors;
  uint64_t filtered;
  uint64_t cleaned;
  uint64_t latency_min, latency_max, latency_sum; /* nanoseconds; 0: none measured */
  uint32_t latency_counts[LATENCY_BUCKETS];
};
#define STATISTICS_SIZE 200
_Static_assert(sizeof(struct event_statistics) == STATISTICS_SIZE, "event_statistics: 200 bytes");

/* Writes the statistics of the event. 0, -ESRCH. */
static inline int event_statistics(int jid, struct event_statistics *statistics) {
  memset(statistics, 0, sizeof(*statistics));
  statistics->size = STATISTICS_SIZE;
  return evctl(jid, EVJOBSTAT, (intptr_t)statistics);
}

/* Measures from now on how long activations wait for their handler; false: no more, and what was measured stays. */
static inline int measure_latency(int jid, bool on) { return evctl(jid, EVJOBHISTOGRAM, on); }

/* ---- Filters ---- */

/* Conditions; what does not say anything about the type of the event has to be 0. */
struct event_filter {
  uint32_t size;
  uint32_t mask;    /* sk: bit n lets transitions into state n through; sock: POLL* bits */
  uint32_t prefix;  /* accept, read of datagrams: peers in the network address/prefix, 0..128 bits */
  uint32_t least;   /* read of a stream: the handler is not called for fewer bytes, up to READ_LIMIT, unless the stream ends */
  struct in6_addr address; /* one of IPv4 is ::ffff:a.b.c.d */
};
_Static_assert(sizeof(struct event_filter) == 32, "event_filter: 32 bytes");

/* Sets a filter; its `size` is filled in. */
static inline int aemos_set_filter(int jid, struct event_filter filter) {
  filter.size = sizeof(filter);
  return evctl(jid, EVJOBFILTER, (intptr_t)&filter);
}

/* Of an sk event: only transitions into one of the states, bit n for state n (1 << TCP_ESTABLISHED). */
static inline int filter_states(int jid, uint32_t states) { return aemos_set_filter(jid, (struct event_filter){.mask = states}); }

/* Of a sock event: only these POLL* bits. */
static inline int filter_poll(int jid, uint32_t bits) { return aemos_set_filter(jid, (struct event_filter){.mask = bits}); }

/*
 * Of an accept event: connections from elsewhere are reset. Of a read event on UDP: datagrams from elsewhere are dropped. All 0: all peers.
 * filter_peers is for IPv4, 10.0.2.15 being 0x0a00020f, with a prefix of 1..32: peers of IPv6 are elsewhere. filter_peers6: 1..128.
 */
static inline int filter_peers6(int jid, struct in6_addr address, uint32_t prefix) {
  return aemos_set_filter(jid, (struct event_filter){.address = address, .prefix = prefix});
}

static inline int filter_peers(int jid, uint32_t address, uint32_t prefix) {
  struct in6_addr mapped = {{0}};
  if ((address | prefix) == 0) return filter_peers6(jid, mapped, 0);
  mapped.s6_addr[10] = mapped.s6_addr[11] = 0xff;
  for (int i = 0; i < 4; i++) mapped.s6_addr[12 + i] = (uint8_t)(address >> (24 - 8 * i));
  return filter_peers6(jid, mapped, prefix == 0 ? 0 : prefix + 96);
}

/* Of a read event on TCP: the handler is called for `bytes` at once, as with SO_RCVLOWAT. */
static inline int filter_least(int jid, uint32_t bytes) { return aemos_set_filter(jid, (struct event_filter){.least = bytes}); }

static inline int clear_filter(int jid) { return evctl(jid, EVJOBFILTER, 0); }

/* ---- Time-out, another handler ---- */

/* The handler is also called, with -ETIMEDOUT, when it was not called for so long; 0: never. Not for timers. */
static inline int set_timeout(int jid, uint64_t nanoseconds) { return evctl(jid, EVJOBTIMEOUT, (intptr_t)&nanoseconds); }

static inline int set_accept_handler(int jid, accept_handler *handler) { return evctl(jid, EVJOBHANDLER, (intptr_t)handler); }
static inline int set_read_handler(int jid, read_handler *handler) { return evctl(jid, EVJOBHANDLER, (intptr_t)handler); }
static inline int set_close_handler(int jid, close_handler *handler) { return evctl(jid, EVJOBHANDLER, (intptr_t)handler); }
static inline int set_state_handler(int jid, state_handler *handler) { return evctl(jid, EVJOBHANDLER, (intptr_t)handler); }
static inline int set_sock_handler(int jid, sock_handler *handler) { return evctl(jid, EVJOBHANDLER, (intptr_t)handler); }
static inline int set_timer_handler(int jid, timer_handler *handler) { return evctl(jid, EVJOBHANDLER, (intptr_t)handler); }

/* ---- The application's own memory ---- */

/* Where the next data of a read event go. */
struct event_buffer {
  uint32_t size;
  uint32_t address;
  uint32_t length;
  uint32_t flags; /* BUFFER_WAIT or 0 */
};
_Static_assert(sizeof(struct event_buffer) == 16, "event_buffer: 16 bytes");

/* With no buffer left the event waits for a further one, and does not take memory of the vmtable. Holds until the next buffer. */
#define BUFFER_WAIT 1
/* Most buffers that may wait for one event's data. */
#define BUFFERS_PER_EVENT 16

/*
 * The next data of the read event go to these bytes; each buffer is used once, in order. UDP: 16 bytes more than the datagram, for its
 * sender. -EDQUOT: BUFFERS_PER_EVENT wait already; -EFAULT: not this application's linear memory.
 */
static inline int give_buffer(int jid, void *memory, uint32_t length, uint32_t flags) {
  struct event_buffer buffer = {sizeof(buffer), (uint32_t)(uintptr_t)memory, length, flags};
  return evctl(jid, EVJOBBUFFER, (intptr_t)&buffer);
}

/* Finds memory; 0: there is none. It is the application's, and never given back by the kernel. */
typedef void *event_allocator(int bytes);

/* The data of the read event go where `allocator` says, which is called just before the handler. */
static inline int set_allocator(int jid, event_allocator *allocator) { return evctl(jid, EVJOBALLOCATOR, (intptr_t)allocator); }
static inline int clear_allocator(int jid) { return evctl(jid, EVJOBALLOCATOR, 0); }

#endif
