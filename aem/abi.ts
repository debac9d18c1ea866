/**
 * What applications and the kernel agree on: numbers and structs of the AEM calls (docs/aem-calls.md is the table for people,
 * sdk/aem.ts, sdk/control.ts and sdk/system.ts the same for applications). Names are those of the original AEM where it has them.
 */

// ---- Flags of a registration ----
//
//      31           15 14         8 7      6         5         4          3            2        1         0
//     ├───────────────┼────────────┼─┼─────────┼─────────┼───────────┼────────────┼─────────┼──────┼─────────┤
//     │ 0 (reserved)  │ priority+1 │0│    0    │ THREAD  │ KEEPALIVE │ NOCLDWAIT  │ CAPSULE │ FORK │ ONESHOT │
//     └───────────────┴────────────┴─┴─────────┴─────────┴───────────┴────────────┴─────────┴──────┴─────────┘

/** The registration ends when its handler has returned for the first time. */
export const EVF_ONESHOT: u32 = 1;
/** Executors beside the plain function (executors.ts): a clone for one call; one that is kept; of the former: nobody waits for it. */
export const EVF_FORK: u32 = 2;
export const EVF_CAPSULE: u32 = 4;
export const EVF_NOCLDWAIT: u32 = 8;
/** enter_keepalive returns 0 once the last registration with this flag has ended. */
export const EVF_KEEPALIVE: u32 = 16;
/** Executor: a thread of the same memory. */
export const EVF_THREAD: u32 = 32;

/** Priority of the registration: 0 in this field is the default, else priority + 1. */
export const EVF_PRIORITY_SHIFT: u32 = 8;
export const EVF_PRIORITY_MASK: u32 = 0x7f << EVF_PRIORITY_SHIFT;

export const EVF_EXECUTORS: u32 = EVF_FORK | EVF_CAPSULE | EVF_NOCLDWAIT | EVF_THREAD;
export const EVF_KNOWN: u32 = EVF_ONESHOT | EVF_KEEPALIVE | EVF_EXECUTORS | EVF_PRIORITY_MASK;

export const PRIORITY_LEVELS: u32 = 64;
export const PRIORITY_DEFAULT: u32 = 32;
/** Default of the events that tell of trouble (overload, limit, error): they must not wait behind it. */
export const PRIORITY_URGENT: u32 = 63;

// ---- Operations of evctl ----

/** argument: 0..63. */
export const EVJOBPRIO: u32 = 1;
/** Ends all events of the process; the jid is not looked at. Returns how many there were. */
export const EVTBLINIT: u32 = 2;
/** Ends the event; argument: SHUTDOWN_DROP or SHUTDOWN_DELIVER. */
export const EVJOBSHTDN: u32 = 3;
/** Enables the event again. */
export const EVJOBSTART: u32 = 4;
/** Disables the event: occurrences stay at their source, or are counted. */
export const EVJOBSTOP: u32 = 5;
/** argument: address of a struct of STATISTICS_SIZE bytes, whose first word says how many of them may be written. */
export const EVJOBSTAT: u32 = 6;
/** Returns the state, EVENT_* bits. */
export const EVJOBLOOKUP: u32 = 7;
/** argument: address of an EventFilter; 0: no filter any more. */
export const EVJOBFILTER: u32 = 8;
/** argument: address of a u64: nanoseconds without a call after which the handler is called all the same; 0 there, or address 0: never. */
export const EVJOBTIMEOUT: u32 = 9;
/** argument: index of the new handler, of the same type. */
export const EVJOBHANDLER: u32 = 10;
/** argument: flags as at registration, with the present executor. */
export const EVJOBFLAGS: u32 = 11;
/** Drops what waits for the event. Returns how many occurrences that were. */
export const EVJOBCLEAN: u32 = 12;
/** argument: 1: measures latencies from now on; 0: no more. */
export const EVJOBHISTOGRAM: u32 = 13;
/** argument: address of an EventBuffer: where the next data of a read event go. */
export const EVJOBBUFFER: u32 = 14;
/** argument: index of a function (bytes: i32) => i32 that finds memory for the data of a read event; 0: none. */
export const EVJOBALLOCATOR: u32 = 15;
/** An event that waits for memory or a descriptor tries again. */
export const EVJOBRETRY: u32 = 16;

/** What EVJOBSHTDN does with an activation that waits: forget it, or deliver it first. */
export const SHUTDOWN_DROP: u32 = 0;
export const SHUTDOWN_DELIVER: u32 = 1;

// ---- State of an event (EVJOBLOOKUP, and `state` of the statistics) ----

/** The event is known: always set. */
export const EVENT_REGISTERED: u32 = 1;
/** Activated, and waits for its handler's turn. */
export const EVENT_PENDING: u32 = 2;
/** Its handler runs now. */
export const EVENT_HANDLING: u32 = 4;
/** Disabled by EVJOBSTOP. */
export const EVENT_STOPPED: u32 = 8;
/** Disabled, and something has occurred since. */
export const EVENT_OCCURRED: u32 = 16;
/** Activated, and waits for memory or a descriptor. */
export const EVENT_STARVED: u32 = 32;
/** Ends after the activation that it still has. */
export const EVENT_DRAINING: u32 = 64;
/** Has reported the end of its source: nothing more will come. */
export const EVENT_ENDED: u32 = 128;

// ---- Types of event: the `typeKind` that resolveHandler checks a handler against ----

/** (jid, fd, newfd) */
export const EVENT_ACCEPT: u32 = 0;
/** (jid, fd, data, length, from) */
export const EVENT_READ: u32 = 1;
/** (jid, fd, error) */
export const EVENT_CLOSE: u32 = 2;
/** (jid, fd, oldState, newState) */
export const EVENT_SK: u32 = 3;
/** (jid, fd, events, error) */
export const EVENT_SOCK: u32 = 4;
/** (jid, overrun) */
export const EVENT_TIMER: u32 = 5;
// Events that are no sockets: registered by evsystem.
/** (jid, from, data, length) */
export const EVENT_MESSAGE: u32 = 6;
/** (jid, signal, from) */
export const EVENT_SIGNAL: u32 = 7;
/** (jid, pid, status) */
export const EVENT_CHILD: u32 = 8;
/** (jid, freeKiB, totalKiB) */
export const EVENT_MEMORY: u32 = 9;
/** (jid, waiting, limit) */
export const EVENT_OVERLOAD: u32 = 10;
/** (jid, up) */
export const EVENT_LINK: u32 = 11;
/** (jid, what, value) */
export const EVENT_LIMIT: u32 = 12;
/** (jid, about, errno, bytes) */
export const EVENT_ERROR: u32 = 13;
export const EVENT_TYPES: u32 = 14;

/** (bytes) => address: no event, but its type is checked like a handler's (EVJOBALLOCATOR). */
export const HANDLER_ALLOCATOR: u32 = 14;

/** Bytes of the statistics that this kernel knows. */
export const STATISTICS_SIZE: u32 = 200;
/** Bucket i counts latencies from 2^(8 + i) ns to less than twice that; the first also all below, the last all above. */
export const LATENCY_BUCKETS: u32 = 24;
export const LATENCY_SHIFT: u32 = 8;

/**
 * What EVJOBSTAT writes, and behind it LATENCY_BUCKETS words. At any moment: activations = handled + coalesced + filtered + cleaned
 * + waiting. Counters are modulo 2^32.
 */
@unmanaged
export class EventStatistics {
  /** In: bytes there are room for; out: bytes written. */
  size: u32;
  /** EVENT_* bits. */
  state: u32;
  /** EVENT_ACCEPT .. EVENT_ERROR */
  type: u32;
  /** As at registration. */
  flags: u32;
  priority: u32;
  /** Descriptor of the socket; -1: none. */
  fd: i32;
  /** Activations that have not reached the handler yet. */
  waiting: u32;
  reserved: u32;
  /** Occurrences seen. */
  activations: u64;
  /** Times the handler was called. */
  handled: u64;
  /** Occurrences that were delivered together with another one, or whose data something else had taken. */
  coalesced: u64;
  /** Deliveries put off for want of memory or a descriptor, and addresses that could not be written. */
  errors: u64;
  /** Occurrences that the filter kept from the handler. */
  filtered: u64;
  /** Occurrences that EVJOBCLEAN dropped. */
  cleaned: u64;
  /** Nanoseconds from activations to the calls of the handler: least, most, and of all together. 0: none measured. */
  latencyMin: u64;
  latencyMax: u64;
  latencySum: u64;
}

/** What EVJOBFILTER reads. A field that says nothing about the type of the event must be 0; 0 lets everything through. */
@unmanaged
export class EventFilter {
  /** Bytes that are there, from 4 to FILTER_SIZE; the rest counts as 0. */
  size: u32;
  /** Sk: bit n for transitions into state n. Sock: POLL* bits. */
  mask: u32;
  /** Accept, read of datagrams: peers whose address agrees with `address` in so many of its first bits, 0..128; 0: all peers. */
  prefix: u32;
  /** Read of a stream: bytes that have to be there; more than READ_LIMIT counts as READ_LIMIT. */
  least: u32;
  // An address of either version, as on the wire; of IPv4 ::ffff:a.b.c.d, and a prefix of 96 bits more than its own.
  private address0: u64;
  private address8: u64;

  /** Where the address stands. */
  @inline get address(): usize {
    return changetype<usize>(this) + offsetof<EventFilter>("address0");
  }
}

export const FILTER_SIZE: u32 = offsetof<EventFilter>();

/** What EVJOBBUFFER reads. */
@unmanaged
export class EventBuffer {
  /** Bytes that are there: 12 or BUFFER_STRUCT_SIZE; the rest counts as 0. */
  size: u32;
  /** In the linear memory. 0 with `length` 0: no buffer, only the flags change. */
  address: u32;
  length: u32;
  /** BUFFER_WAIT or 0: holds until the next EVJOBBUFFER. */
  flags: u32;
}

export const BUFFER_STRUCT_SIZE: u32 = offsetof<EventBuffer>();
/** With no buffer left the event waits for a further one, and does not fall back on the vmtable. */
export const BUFFER_WAIT: u32 = 1;
/** Most buffers that wait for one event's data. */
export const BUFFERS_PER_EVENT: u32 = 16;

/** Bytes of a read event's data for one call of the handler, from a stream. */
export const READ_LIMIT: u32 = 16384;
/** Most events that one socket may have. */
export const EVENTS_PER_SOCKET: u32 = 32;
/** The same with those that forks have inherited. All of them may be activated at once, and each is looked at when one goes: this bounds both. */
export const EVENTS_PER_SHARED_SOCKET: u32 = 64;

// ---- Limits of evsystem and evpost ----

/** Most events of one process on one source: a signal list, the link, the memory, … */
export const EVENTS_PER_SOURCE: u32 = 32;
/** Most events on a source that all processes share: the link, the memory. */
export const EVENTS_PER_SHARED_SOURCE: u32 = 256;
/** Most events of a process that listen on the same message port. */
export const EVENTS_PER_PORT: u32 = 4;
/** Messages that wait at one event. */
export const MESSAGE_QUEUE: u32 = 64;
/** Bytes of a message. */
export const MESSAGE_LIMIT: u32 = 65536;
