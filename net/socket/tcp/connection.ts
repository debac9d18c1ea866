/**
 * The transmission control block (RFC 9293, 3.3.1): a socket, the variables of both directions under the names of the
 * RFC, the queues, and two timers, in one object.
 *
 *   sent and acknowledged │ in flight        │ may be sent      │ beyond the window
 *   ──────────────────────┼──────────────────┼──────────────────┼──────────────────> sequence
 *                      SND.UNA            SND.NXT        SND.UNA + SND.WND
 *
 * The send queue holds one buffer per segment, from SND.UNA to `writeSequence`; `sendNext` is the one that begins at
 * SND.NXT. What has become of those that were sent stands in the buffers (scoreboard.ts). SND.MAX is ahead of SND.NXT only
 * when a probe has taken an octet into a window of zero.
 *
 * An idle connection is this object and nothing else: buffers come and go with data, what is to be acknowledged selectively (sack.ts) with gaps in them.
 *
 * It has nine lines of a cache, and begins with one. What every segment of an established connection looks at stands in the first six, together with what belongs
 * to the same; what only beginnings, ends, losses and the application's options need, behind it.
 */
import { Link } from "../../../kernel/list";
import { Pool } from "../../../kernel/memory/pool";
import { POLL_LEVEL_DEFAULT } from "../../../kernel/interrupts/polls";
import { Timer, timerPrepare } from "../../../kernel/time/timers";
import { PacketBuffer } from "../../buffer";
import { TTL_DEFAULT } from "../../service";
import { LocalName } from "../names";
import { addSocketLevel, removeSocketLevel } from "../rank";
import { SOCK_STREAM, Socket, SOCKET_INHERITED, SocketProtocol } from "../socket";
import { MSS_DEFAULT, RECEIVE_LIMIT, RTO_INITIAL, SEND_BUFFERS } from "./parameters";
import { TCP_CLOSE } from "./state";
import { TcpListener } from "./listen";
import { SackBlocks } from "./sack";

// ---- Bits of `status` ----

/** Both sides sent the timestamps option (RFC 7323). */
export const HAS_TIMESTAMPS: u32 = 1 << 13;
/** The application has finished sending: a FIN stands at `writeSequence`. */
export const FIN_QUEUED: u32 = 2;
/** The peer's FIN has been reached by RCV.NXT. */
export const FIN_RECEIVED: u32 = 4;
/** The peer's FIN is known, at `finSequence`, behind a gap. */
export const FIN_WAITING: u32 = 8;
/** The application reads no more (SHUT_RD). */
export const RECEIVE_SHUT: u32 = 16;
/** An acknowledgement has to go when all segments that wait are dealt with (pending.ts). */
export const ACK_NOW: u32 = 32;
/** The application was refused room: tell it when there is some. */
export const NO_SPACE: u32 = 64;
/** In fast recovery, until SND.UNA passes `recover`. */
export const IN_RECOVERY: u32 = 128;
/** In the table of connections. */
export const IS_HASHED: u32 = 512;
/** Has been connected at some time: the end is EPIPE and end of stream, not ENOTCONN. */
export const WAS_CONNECTED: u32 = 1024;
/** The SYN had to be repeated (RFC 6298, 5.7). */
export const SYN_WAS_LOST: u32 = 2048;
/** In the list of those that wait for the buffer pool. */
export const IS_STARVED: u32 = 4096;
/** Both sides sent the SACK-permitted option (RFC 2018). */
export const HAS_SACK: u32 = 1 << 14;
/** A duplicate came whose place is to be reported (RFC 2883). */
export const DUPLICATE_DUE: u32 = 1 << 20;
/** After a retransmission time-out, until SND.UNA passes `recover`. */
export const IN_LOSS: u32 = 1;
/** Segments have been seen to overtake each other (RFC 8985: RACK.reordering_seen). */
export const REORDERING_SEEN: u32 = 1 << 16;
/** A tail loss probe has not been acknowledged: up to `probeEnd`; it repeated a segment. */
export const PROBE_SENT: u32 = 1 << 17;
export const PROBE_REPEATED: u32 = 1 << 18;
/** What the last reduction took may be given back if it proves to have been for nothing. */
export const MAY_UNDO: u32 = 1 << 19;
/** Both sides take part in explicit congestion notification (RFC 3168). */
export const HAS_ECN: u32 = 1 << 15;
/** A router has marked what came: said in every segment until the peer says that it has reduced its window. */
export const ECHO_CONGESTION: u32 = 1 << 21;
/** The window was reduced: to be said in the next new data. */
export const WINDOW_REDUCED: u32 = 1 << 22;
/** There are blocks to be acknowledged selectively (sack.ts). */
export const BLOCKS_DUE: u32 = 1 << 23;
/** What a handshake has agreed on, in the status of a connection, of a request, and in a cookie. It fits into 16 bits. */
export const AGREED: u32 = HAS_TIMESTAMPS | HAS_SACK | HAS_ECN;
/** Forward RTO-recovery (RFC 5682): the segment that a time-out repeated is waited for; what became of new data behind it is. */
export const DOUBT_FIRST: u32 = 1 << 24;
export const DOUBT_SECOND: u32 = 1 << 25;
/** `sendUrgent` is ahead of SND.UNA, or was when a segment left last. */
export const URGENT_SENT: u32 = 1 << 27;
/** `receiveUrgent` is ahead of what the application has read. */
export const URGENT_AHEAD: u32 = 1 << 28;
/** What a segment says that those behind it must not repeat (together.ts), or may have no room for. */
export const SAID_ONCE: u32 = URGENT_SENT | BLOCKS_DUE | DUPLICATE_DUE | ECHO_CONGESTION | WINDOW_REDUCED;
/** There is a soft error that the application has not asked for yet. */
export const SOFT_NEWS: u32 = 1 << 29;
/** The next acknowledgement carries our user time-out (RFC 5482). */
export const TIMEOUT_DUE: u32 = 1 << 30;
/** The retransmission timer, running for what is in flight, runs out before that time (retransmission.ts). */
export const PUT_OFF: u32 = 1 << 26;

// ---- What the retransmission timer is running for ----

export const TIMER_RETRANSMIT: u8 = 0;
export const TIMER_PERSIST: u8 = 1;
/** The device or the pool had no room. */
export const TIMER_RESOURCE: u8 = 2;
/** Nothing: the peer is asked now and then whether it is there (keepalive.ts). */
export const TIMER_KEEPALIVE: u8 = 3;
/** The connection ends then (timers.ts). */
export const TIMER_LIFE: u8 = 4;
/** Nothing any more: what it was started for has been acknowledged. */
export const TIMER_NONE: u8 = 5;
// From here on for what is in flight (retransmission.ts).
/** A tail loss probe is due (RFC 8985, 7). */
export const TIMER_PROBE: u8 = 6;
/** What may have been overtaken is lost then (RFC 8985, 6.2 step 5). */
export const TIMER_REORDERING: u8 = 7;


@unmanaged
export class TcpConnection extends Socket {
  // Behind the 116 bytes of a socket. Demultiplexing
  hashNext: TcpConnection | null;
  state: u32;
  status: u32;

  // ---- Third line: the next of everything, and receiving ----
  SND_UNA: u32;
  SND_NXT: u32;
  SND_MAX: u32;
  SND_WND: u32;
  SND_WL1: u32;
  SND_WL2: u32;
  /** Largest window that the peer ever offered. */
  maxWindow: u32;
  RCV_NXT: u32;
  /** Right edge of the window, as far as it was ever offered: RCV.NXT + RCV.WND. It never moves left. */
  receiveEdge: u32;
  /** RCV.NXT when the last acknowledgement left (RFC 7323: Last.ACK.sent). */
  lastAckSent: u32;
  /** Largest payload seen: what a full segment of the peer is. */
  receiveMss: u32;
  receiveLimit: u32;
  reassemblyHead: PacketBuffer | null;
  // Timestamps (RFC 7323), in milliseconds of either side's clock
  timestampOffset: u32;
  timestampRecent: u32;
  /** Local time at which `timestampRecent` was taken, in seconds (clock.ts). */
  timestampAge: u32;

  // ---- Fourth line: sending ----
  sendHead: PacketBuffer | null;
  sendTail: PacketBuffer | null;
  sendNext: PacketBuffer | null;
  /** Behind the last byte that the application gave. */
  writeSequence: u32;
  sendBuffers: u32;
  sendLimit: u32;
  /** Payload bytes per segment, options subtracted. */
  sendMss: u32;
  /** In flight, by the time of their last transmission (scoreboard.ts): the ends of the list, and its bytes. */
  firstSent: PacketBuffer | null;
  lastSentBuffer: PacketBuffer | null;
  pipe: u32;
  /** Bytes that are lost and were not sent again yet; no such segment stands before `lostFrom`. */
  lostBytes: u32;
  lostFrom: PacketBuffer | null;
  /** Without SACK: bytes that duplicates say have left the network. */
  duplicateBytes: u32;
  // Congestion control (RFC 5681), in bytes
  congestionWindow: u32;
  slowStartThreshold: u32;
  sendScale: u8;
  receiveScale: u8;
  timerMode: u8;
  /** Doublings of the retransmission time-out. */
  backoff: u8;

  // ---- Fifth line: times, in ns ----
  /** Of the last segment with data. */
  lastSent: u64;
  /** Since when the retransmission time-out is running. */
  rtoStart: u64;
  /** When the segment was sent that was sent last among those delivered (RACK.xmit_ts, RFC 8985). */
  rackTime: u64;
  /** When a segment that may have been overtaken counts as lost; 0: there is none. */
  reorderingEnd: u64;
  // Round-trip time (RFC 6298), in microseconds
  smoothedRtt: u32;
  rttVariance: u32;
  rto: u32;
  /** Least round trip of late, and when it was measured, in seconds modulo 2^16. */
  minimumRtt: u32;
  minimumRttAge: u16;
  /** Segments that the peer has selectively acknowledged. */
  sackedCount: u16;
  /** Round trip of the segment of `rackTime`, and the highest sequence number delivered (RACK.fack). */
  rackRtt: u32;
  rackForward: u32;
  /** Retransmissions since the last progress. */
  retries: u8;
  duplicateAcks: u8;
  /** HyStart++ (RFC 9406): rttSampleCount, and rounds of conservative slow start so far. */
  roundSamples: u8;
  conservativeRounds: u8;

  // ---- Sixth line: two timers, 8-aligned ----
  private retransmit0: u64;
  private retransmit1: u64;
  private retransmit2: u64;
  private ack0: u64;
  private ack1: u64;
  private ack2: u64;
  // HyStart++: windowEnd, currentRoundMinRTT
  roundEnd: u32;
  roundRtt: u32;
  private pending0: usize;
  private pending1: usize;

  // ---- From here on what is seldom looked at ----

  // Identity
  hash: u32;
  /** The name that it is bound to; null: none. */
  place: LocalName | null;
  /** LISTEN only. */
  listener: TcpListener | null;
  private link0: usize;
  private link1: usize;
  ISS: u32;
  IRS: u32;
  finSequence: u32;
  /** What an ICMP message said that may pass (RFC 9293, 3.9.2.2): the reason given when the connection times out. */
  softError: i32;
  /** When a segment that is not acceptable was answered last, in milliseconds; 0: never. */
  lastChallenge: u32;

  // Out of order (reassembly.ts), and what is to be said of it; null: nothing
  reassemblyTail: PacketBuffer | null;
  sack: SackBlocks | null;
  reassemblyCount: u16;

  /** Retransmissions since the last reduction that may prove to be for nothing. */
  undoCount: u16;

  // Recovery: proportional rate reduction (RFC 9937), and what can be undone
  recover: u32;
  prrDelivered: u32;
  prrOut: u32;
  recoverFlight: u32;
  /** The window before the last reduction (CUBIC: cwnd_prior), and the threshold before the present recovery. */
  priorWindow: u32;
  priorThreshold: u32;
  /** SND.UNA when it was reduced, and the timestamp of the first retransmission after that. */
  undoStart: u32;
  undoStamp: u32;
  /** RACK: SND.NXT when the reordering window grew last. */
  duplicateRound: u32;
  probeEnd: u32;
  /** SND.MAX at the last reduction: one that is echoed for what was sent before it is part of it. */
  reducedAt: u32;

  /** Of the growth of the window in congestion avoidance, what was less than a byte: so many parts of a window. */
  growthRest: u32;
  // CUBIC (RFC 9438): W_max, W_est, K in ms, and when the epoch began, in ms; 0: it has not
  cubicMaximum: u32;
  cubicReno: u32;
  cubicRise: u32;
  cubicEpoch: u32;

  // Path MTU (pmtu.ts), in payload, 0 for none: the largest acknowledged; the usual size while a smaller one is used; one that got through
  mssAcked: u16;
  mssFull: u16;
  mssSmall: u16;
  /** What an ICMP message claims, and SND.UNA when it did. */
  mssClaimed: u16;
  claimedAt: u32;
  /** MTU_KNOWN: since when, in milliseconds. */
  knownSince: u32;
  mtuState: u8;

  /** Quarters of the least round trip in the reordering window (RFC 8985), and recoveries until it is one again. */
  reorderingQuarters: u8;
  reorderingPersists: u8;

  // Of the application; 0: the default
  /** TCP_KEEPCNT. */
  keepCount: u8;
  /** TCP_KEEPIDLE, TCP_KEEPINTVL and SO_LINGER in seconds. */
  keepIdle: u16;
  keepInterval: u16;
  linger: u16;
  /** TCP_MAXSEG, in bytes. */
  maximumSegment: u16;
  /** TCP_USER_TIMEOUT, in milliseconds; 0: none. */
  userTimeout: u32;

  // Failures (failure.ts), in milliseconds
  /** SND.UNA when a timer ran out last, and since when nothing was acknowledged then. */
  stalledAt: u32;
  stalledSince: u32;
  /** When an acceptable segment came last; kept with SOCKET_KEEPALIVE. */
  lastHeard: u32;
  /** Segments with data that were sent again. */
  totalRetransmits: u32;

  // Urgent pointers (urgent.ts): SND.UP, RCV.UP
  sendUrgent: u32;
  receiveUrgent: u32;
  // HyStart++: lastRoundMinRTT, cssBaselineMinRtt
  lastRoundRtt: u32;
  conservativeRtt: u32;
  /** User time-out of the peer, as it stood in its option; 0: it sent none. */
  remoteTimeout: u16;
  /** Without SACK: acknowledgements that are due beside the one of ACK_NOW, each a duplicate that the peer counts. */
  duplicatesDue: u8;

  // ---- Embedded objects ----

  /** Member of the accept queue, later of the list of starved connections; of a listener, of those that are served at its name. */
  @inline get queueLink(): Link {
    return changetype<Link>(changetype<usize>(this) + offsetof<TcpConnection>("link0"));
  }

  /** Member of a list of those that have something to send (pending.ts). */
  @inline get pendingLink(): Link {
    return changetype<Link>(changetype<usize>(this) + offsetof<TcpConnection>("pending0"));
  }

  /** Of the send side, or for the end of the connection: `timerMode`. */
  @inline get retransmitTimer(): Timer {
    return changetype<Timer>(changetype<usize>(this) + RETRANSMIT_TIMER);
  }


  @inline get ackTimer(): Timer {
    return changetype<Timer>(changetype<usize>(this) + ACK_TIMER);
  }

  // ---- Derived ----

  /** RCV.WND */
  @inline get receiveWindow(): u32 {
    return this.receiveEdge - this.RCV_NXT;
  }

  /** Bytes sent and not acknowledged. */
  @inline get flight(): u32 {
    return this.SND_NXT - this.SND_UNA;
  }

  /** Bytes thought to be in the network (RFC 6675: pipe). */
  @inline get inNetwork(): u32 {
    return this.pipe > this.duplicateBytes ? this.pipe - this.duplicateBytes : 0;
  }


  @inline has(bits: u32): bool {
    return (this.status & bits) != 0;
  }
}

const RETRANSMIT_TIMER: usize = offsetof<TcpConnection>("retransmit0");
const ACK_TIMER: usize = offsetof<TcpConnection>("ack0");
const LINE: u32 = 64;
/** Bytes of a connection: whole lines. */
export const CONNECTION_SIZE: u32 = (<u32>offsetof<TcpConnection>() + (LINE - 1)) & ~(LINE - 1);

// @ts-ignore: decorator
@inline
export function connectionOfPending(link: Link): TcpConnection {
  return changetype<TcpConnection>(changetype<usize>(link) - offsetof<TcpConnection>("pending0"));
}

// @ts-ignore: decorator
@inline
export function connectionOfLink(link: Link): TcpConnection {
  return changetype<TcpConnection>(changetype<usize>(link) - offsetof<TcpConnection>("link0"));
}

/** The connection whose `retransmitTimer` this is, and whose `ackTimer`. */
// @ts-ignore: decorator
@inline
export function connectionOfRetransmit(timer: Timer): TcpConnection {
  return changetype<TcpConnection>(changetype<usize>(timer) - RETRANSMIT_TIMER);
}

// @ts-ignore: decorator
@inline
export function connectionOfAck(timer: Timer): TcpConnection {
  return changetype<TcpConnection>(changetype<usize>(timer) - ACK_TIMER);
}

let pool: Pool = changetype<Pool>(0);
let protocol: SocketProtocol = changetype<SocketProtocol>(0);
let onRetransmit: u32 = 0;
let onAck: u32 = 0;
let defaultReceiveLimit: u32 = RECEIVE_LIMIT;
let defaultSendLimit: u32 = SEND_BUFFERS;

/** Once at boot. The last two are the call-backs of the timers. */
export function initializeConnections(
  storage: Pool,
  limit: u32,
  operations: SocketProtocol,
  retransmit: u32,
  ack: u32,
): void {
  pool = storage;
  pool.initialize(CONNECTION_SIZE, limit);
  protocol = operations;
  onRetransmit = retransmit;
  onAck = ack;
}

/** Bytes that wait for an application, and buffers that an application may fill, for connections made from now on. */
export function setBufferLimits(receiveBytes: u32, sendBuffers: u32): void {
  defaultReceiveLimit = receiveBytes;
  defaultSendLimit = sendBuffers;
}

export function connectionPool(): Pool {
  return pool;
}

/** Most bytes that may wait for an application, and most buffers that one may fill. */
export function receiveLimit(): u32 {
  return defaultReceiveLimit;
}

export function sendBufferLimit(): u32 {
  return defaultSendLimit;
}

/** A connection in CLOSE that nobody knows; null when there are as many as there may be. */
export function allocateConnection(): TcpConnection | null {
  const address = pool.allocate();
  if (address == 0) return null;
  const connection = changetype<TcpConnection>(address);
  connection.initialize();
  connection.queueLink.initialize();
  connection.pendingLink.initialize();
  connection.protocol = protocol;
  connection.type = <u8>SOCK_STREAM;
  connection.service = <u16>TTL_DEFAULT;
  connection.sendLimit = defaultSendLimit;
  connection.receiveLimit = defaultReceiveLimit;
  addSocketLevel(connection, POLL_LEVEL_DEFAULT);
  timerPrepare(connection.retransmitTimer, onRetransmit);
  timerPrepare(connection.ackTimer, onAck);
  resetConnection(connection);
  return connection;
}

/** What a connection has from the listener that it came in by: the options of the application. */
export function inheritOptions(child: TcpConnection, listener: TcpConnection): void {
  child.flags = listener.flags & SOCKET_INHERITED;
  child.service = listener.service;
  child.sendLimit = listener.sendLimit;
  child.receiveLimit = listener.receiveLimit;
  child.keepIdle = listener.keepIdle;
  child.keepInterval = listener.keepInterval;
  child.keepCount = listener.keepCount;
  child.linger = listener.linger;
  child.maximumSegment = listener.maximumSegment;
  child.userTimeout = listener.userTimeout;
}

/** Puts the variables of the protocol back to those of a fresh connection in CLOSE. Its queues are empty already. */
export function resetConnection(connection: TcpConnection): void {
  connection.state = TCP_CLOSE;
  connection.status = 0;
  connection.sendMss = MSS_DEFAULT;
  connection.mssAcked = 0;
  connection.mssFull = 0;
  connection.mssSmall = 0;
  connection.mssClaimed = 0;
  connection.mtuState = 0;
  connection.receiveMss = MSS_DEFAULT;
  connection.rto = RTO_INITIAL;
  connection.smoothedRtt = 0;
  connection.rttVariance = 0;
  connection.backoff = 0;
  connection.retries = 0;
  connection.duplicateAcks = 0;
  connection.duplicatesDue = 0;
  connection.sendScale = 0;
  connection.receiveScale = 0;
  connection.maxWindow = 0;
  connection.growthRest = 0;
  connection.lastChallenge = 0;
  connection.lastSent = 0;
  connection.softError = 0;
  connection.duplicateBytes = 0;
  connection.minimumRtt = u32.MAX_VALUE;
  connection.rackTime = 0;
  connection.rackRtt = 0;
  connection.reorderingEnd = 0;
  connection.reorderingQuarters = 1;
  connection.reorderingPersists = 0;
  connection.remoteTimeout = 0;
  connection.totalRetransmits = 0;
  connection.timestampRecent = 0;
  connection.slowStartThreshold = u32.MAX_VALUE;
}

/** Gives the memory back. */
export function freeConnection(connection: TcpConnection): void {
  removeSocketLevel(connection);
  pool.release(changetype<usize>(connection));
}
