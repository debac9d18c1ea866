/**
 * The numbers of this TCP, each with the document that asks for it. Times in nanoseconds unless the name says otherwise.
 */

const MILLISECOND: u64 = 1000000;
const SECOND: u64 = 1000000000;

// ---- Segment sizes (RFC 9293, 3.7.1; RFC 6691) ----

/** What a peer that says nothing can take. */
export const MSS_DEFAULT: u32 = 536;
export const MSS_DEFAULT6: u32 = 1220;
/** Less than this is not believed: a segment of a few bytes costs more than it carries. */
export const MSS_MINIMUM: u32 = 88;

// ---- Retransmission (RFC 6298), in microseconds ----

export const RTO_INITIAL: u32 = 1000000;
/** RFC 6298 says 1 s SHOULD be the floor; like Linux, 200 ms: networks and delayed acknowledgements are faster today. */
export const RTO_MINIMUM: u32 = 200000;
export const RTO_MAXIMUM: u32 = 60000000;
/** RFC 6298, 5.7: after a lost SYN the first data is sent with at least this. */
export const RTO_AFTER_SYN_LOSS: u32 = 3000000;
/** Granularity G of the clock. */
export const RTT_GRANULARITY: u32 = 1000;

/** R1 in retransmissions (RFC 9293, 3.8.3: at least 3). */
export const RETRIES_ADVICE: u8 = 3;
/** R2 in retransmissions (RFC 9293, 3.8.3: at least 100 s): 0.2 s doubled 9 times and the cap make 3.7 minutes. */
export const RETRIES_DATA: u32 = 11;
/** R2 of a SYN, and of a SYN,ACK: 1, 2, 4 … 32, 60 and 60 s make the 3 minutes that RFC 9293 (3.8.3) asks for. */
export const RETRIES_SYN: u32 = 7;
/** R2 of a SYN,ACK while more than half of a listener's requests are taken. */
export const RETRIES_SYN_BUSY: u32 = 2;
/** R2 once the application has closed: nobody waits for the data any more. */
export const RETRIES_ORPHAN: u32 = 8;

// ---- User time-outs (RFC 5482, 3.1), in seconds ----

/** What is advertised while the application has set none (RFC 9293, 3.9.1.1). */
export const USER_TIMEOUT_DEFAULT: u32 = 300;
/** Bounds of what a peer's wish comes to (U_LIMIT; L_LIMIT, 100 s, is less than what we ask for ourselves). */
export const USER_TIMEOUT_MOST: u32 = 3600;

// ---- Keep-alive (RFC 9293, 3.8.4; Linux's numbers), in seconds ----

export const KEEPALIVE_IDLE: u32 = 7200;
export const KEEPALIVE_INTERVAL: u32 = 75;
/** Probes without an answer after which the peer counts as gone. */
export const KEEPALIVE_COUNT: u32 = 9;

// ---- Acknowledgements ----

/** Delayed acknowledgement; RFC 9293 (3.8.6.3) asks for less than 500 ms. */
export const DELAYED_ACK: u64 = 40 * MILLISECOND;
/** One challenge acknowledgement per connection in this time (RFC 5961, 7), in milliseconds. */
export const CHALLENGE_INTERVAL: u32 = 500;
/** Duplicates that start a fast retransmit (RFC 5681). */
export const DUPLICATE_THRESHOLD: u32 = 3;

// ---- RACK-TLP (RFC 8985) ----

/** Recoveries for which a reordering window lasts that duplicates have widened. */
export const REORDERING_PERSISTS: u8 = 16;
/** The least round trip is forgotten after this time (Linux: tcp_min_rtt_wlen), in seconds. */
export const MINIMUM_RTT_LIFETIME: u16 = 300;
/** A probe comes after two round trips, but not sooner than this (Linux: TCP_TIMEOUT_MIN). */
export const PROBE_MINIMUM: u64 = 2 * MILLISECOND;
/** The same before there is a measurement. */
export const PROBE_INITIAL: u64 = SECOND;
/** What the peer may delay an acknowledgement of less than two full segments by (TLP.max_ack_delay). */
export const PROBE_ACK_DELAY: u64 = 200 * MILLISECOND;

// ---- End of a connection ----

/** 2 MSL, with an MSL of 30 s; of an entry of timewait.ts, which counts seconds, up to one more. */
export const TIME_WAIT_SECONDS: u64 = 60;
export const TIME_WAIT_LENGTH: u64 = TIME_WAIT_SECONDS * SECOND;
/** When an active open may take a flow over: two begun seconds are one at least, in which a clock of timestamps moves on (RFC 7323, 5.4: once a second). */
export const TIME_WAIT_REST: u32 = 2;
/** How long FIN-WAIT-2 may last after the application has closed. */
export const FIN_WAIT_2_LENGTH: u64 = 60 * SECOND;

// ---- Buffers ----

/** Least that SO_RCVBUF can set, in bytes. */
export const RECEIVE_LIMIT_LEAST: u32 = 4096;
/** Receive buffer: most bytes that wait for the application; also the largest window. */
export const RECEIVE_LIMIT: u32 = 256 * 1024;
export const RECEIVE_LIMIT_MINIMUM: u32 = 16 * 1024;
/** What a buffer of the receive queue counts for (tcp/reassembly.ts), about half of what it has room for, in bytes. */
export const BUFFER_COST: u32 = 1024;
/** Packet buffers that a connection may fill ahead of the peer's acknowledgement. */
export const SEND_BUFFERS: u32 = 96;
export const SEND_BUFFERS_MINIMUM: u32 = 8;
/** Segments that may wait for a gap to be filled. */
export const REASSEMBLY_LIMIT: u32 = 192;
/** Wait after a segment could not be sent at all (no room in the device or the pool, no route, no link); and after the first second of that. */
export const RESOURCE_RETRY: u64 = 10 * MILLISECOND;
export const RESOURCE_RETRY_LATE: u64 = SECOND;
export const RESOURCE_RETRIES_SOON: u32 = 100;
/** R2 of such: 141 s (RFC 9293, 3.8.3: at least 100 s). */
export const RETRIES_RESOURCE: u32 = 240;

// ---- Listeners ----

/** Largest backlog (Linux: somaxconn). */
export const BACKLOG_LIMIT: u32 = 4096;
/** Half-open connections that a listener remembers; beyond, SYN cookies. */
export const REQUESTS_PER_LISTENER: u32 = 256;

/** Range of ephemeral ports (Linux: ip_local_port_range). */
export const EPHEMERAL_FIRST: u32 = 32768;
export const EPHEMERAL_COUNT: u32 = 28232;

/** RFC 7323, 5.5: a remembered timestamp is no evidence after 24 days; in the seconds of clock.ts. */
export const PAWS_LIFETIME: u32 = <u32>((24 * 24 * 3600 * SECOND) >> 30);
