/**
 * Passive open (RFC 9293, 3.10.7.2): a listener, the connections that wait to be accepted, and the SYN.
 *
 * Half-open connections are requests (request.ts), at most REQUESTS_PER_LISTENER of them; beyond that SYN cookies. A
 * connection becomes a socket with the ACK that completes the handshake. When `backlog` of them already wait, or there is no
 * memory, that ACK is dropped, and so are new SYNs: the client sends again, as with Linux.
 */
import { Link } from "../../../kernel/list";
import { Pool } from "../../../kernel/memory/pool";
import { EADDRINUSE, EINVAL, ENOBUFS } from "../../../kernel/errno";
import { POLLIN, WAKE_ACCEPT } from "../../../kernel/scheduler/wait";
import { now } from "../../../kernel/time/clock";
import { setSocketLevel } from "../rank";
import { TCP_ACK, TCP_CWR, TCP_ECE, TCP_FIN, TCP_RST, TCP_SYN } from "../../wire/tcp";
import { milliseconds, sequenceBeyond, timestampOffset } from "./clock";
import { abortConnection, release } from "./close";
import {
  allocateConnection,
  connectionOfLink,
  HAS_TIMESTAMPS,
  HAS_ECN,
  HAS_SACK,
  inheritOptions,
  TcpConnection,
  WAS_CONNECTED,
} from "./connection";
import { checkCookie, hiddenAgreed, hiddenScale, hideOptions, makeCookie } from "./cookie";
import { hasListener, insertConnection } from "./demux";
import { bindEphemeral } from "./bind";
import { NO_SCALE } from "./options";
import { BACKLOG_LIMIT, REQUESTS_PER_LISTENER } from "./parameters";
import { segmentArrives } from "./receive";
import { addRequest, closeRequests } from "./request";
import { Segment } from "./segment";
import { setState, TCP_CLOSE, TCP_LISTEN, TCP_SYN_RECV } from "./state";
import { statistics } from "./statistics";
import { offeredScale, setPeerMss, peerMss } from "./mss";
import { sendResetFor, sendSynFrom } from "./transmit";


@unmanaged
export class TcpListener {
  private head0: usize;
  private head1: usize;
  /** Connections that wait to be accepted, and how many may. */
  acceptCount: u32;
  backlog: u32;
  /** Half-open connections. */
  requestCount: u32;
  /** Time of the last SYN cookie, ns; 0: never. Without one no ACK is taken for a cookie. */
  cookieTime: u64;


  @inline get acceptQueue(): Link {
    return changetype<Link>(changetype<usize>(this) + offsetof<TcpListener>("head0"));
  }


  @inline get isFull(): bool {
    return this.acceptCount > this.backlog;
  }
}

/** A cookie is honoured for this long after the last one was made: two periods of cookie.ts. */
const COOKIE_LIFETIME: u64 = 2 << 36;

let pool: Pool = changetype<Pool>(0);

export function initializeListeners(storage: Pool, limit: u32): void {
  pool = storage;
  pool.initialize(offsetof<TcpListener>(), limit);
}

/** `listen`: 0, -EINVAL when connected, -EADDRINUSE when another socket listens there, -EAGAIN when no port was found yet (bind.ts), -ENOBUFS. */
export function listenOn(c: TcpConnection, backlog: i32): i32 {
  const limit = <u32>min(max(backlog, 1), BACKLOG_LIMIT);
  const existing = c.listener;
  if (existing !== null) {
    existing.backlog = limit;
    return 0;
  }
  if (c.state != TCP_CLOSE || c.has(WAS_CONNECTED)) return -EINVAL;
  if (c.flow.local.port == 0) {
    const result = bindEphemeral(c);
    if (result < 0) return result;
  } else if (hasListener(c)) return -EADDRINUSE;
  const address = pool.allocate();
  if (address == 0) return -ENOBUFS;
  const listener = changetype<TcpListener>(address);
  listener.acceptQueue.initialize();
  listener.backlog = limit;
  c.listener = listener;
  setState(c, TCP_LISTEN);
  return 0;
}

/** Ends a listener: what is half open is forgotten, what waits to be accepted is reset. */
export function closeListener(c: TcpConnection): void {
  const listener = c.listener;
  if (listener === null) return;
  closeRequests(c);
  let child = acceptFrom(c);
  while (child !== null) {
    abortConnection(child);
    child = acceptFrom(c);
  }
  c.listener = null;
  pool.release(changetype<usize>(listener));
  setState(c, TCP_CLOSE);
}

/** The connection that has waited longest, or null. */
export function acceptFrom(c: TcpConnection): TcpConnection | null {
  const listener = c.listener;
  if (listener === null || listener.acceptCount == 0) return null;
  const link = listener.acceptQueue.next;
  link.remove();
  listener.acceptCount--;
  return connectionOfLink(link);
}

/** A segment for a listener and for nothing else. `leastSequence`: our initial sequence number has to be after it; 0: any. */
export function listenSegment(c: TcpConnection, s: Segment, hash: u32, leastSequence: u32): void {
  if (s.has(TCP_RST)) return;
  if (s.has(TCP_ACK)) {
    if (s.has(TCP_SYN) || !cookieAck(c, s)) sendResetFor(s);
    return;
  }
  if (!s.has(TCP_SYN) || s.has(TCP_FIN)) return;
  const listener = c.listener;
  if (listener === null) return;
  if (listener.isFull) {
    statistics.listenOverflows++;
    return;
  }
  if (
    listener.requestCount < REQUESTS_PER_LISTENER &&
    addRequest(c, s, hash, sequenceBeyond(s.flow, leastSequence))
  )
    return;
  sendCookie(c, listener, s);
}

/** The bits of AGREED that the SYN `s` offers. */
export function offeredBy(s: Segment): u32 {
  // RFC 3168, 6.1.1: an ECN-setup SYN.
  const ecn = (s.flags & (TCP_ECE | TCP_CWR)) == (TCP_ECE | TCP_CWR);
  return (s.hasTimestamps ? HAS_TIMESTAMPS : 0) | (s.sackPermitted ? HAS_SACK : 0) | (ecn ? HAS_ECN : 0);
}

// ---- SYN cookies ----

function sendCookie(c: TcpConnection, listener: TcpListener, s: Segment): void {
  statistics.cookiesSent++;
  listener.cookieTime = now();
  // What cannot come back in a timestamp is not agreed on.
  const agreed = s.hasTimestamps ? offeredBy(s) : 0;
  sendSynFrom(
    c,
    s.flow,
    makeCookie(s, peerMss(s)),
    s.sequence + 1,
    TCP_ACK,
    s.hasTimestamps && s.scale != NO_SCALE ? offeredScale() : NO_SCALE,
    agreed,
    hideOptions(milliseconds(), s.scale, agreed) + timestampOffset(s.flow),
    s.timestampValue,
  );
}

/** Does the ACK complete a handshake that was begun with a cookie? Then it has been dealt with. */
function cookieAck(c: TcpConnection, s: Segment): bool {
  const listener = c.listener;
  if (listener === null || listener.cookieTime == 0 || now() - listener.cookieTime > COOKIE_LIFETIME)
    return false;
  const mss = checkCookie(s);
  if (mss == 0) {
    statistics.cookiesFailed++;
    return false;
  }
  if (listener.isFull) {
    statistics.listenOverflows++;
    return true;
  }
  statistics.cookiesAccepted++;
  let scale = NO_SCALE;
  let agreed: u32 = 0;
  if (s.hasTimestamps) {
    const hidden = s.timestampEcho - timestampOffset(s.flow);
    scale = hiddenScale(hidden);
    agreed = hiddenAgreed(hidden);
  }
  completeOpen(c, s, s.acknowledgement - 1, s.sequence - 1, mss, scale, agreed, s.timestampValue);
  return true;
}

// ---- The new connection ----

/**
 * The handshake is complete with the ACK `s`, which has been checked: makes the connection, lets it have the segment,
 * and queues it for `accept`. `agreed`: of AGREED and SYN_WAS_LOST. False: dropped for want of memory, the client will send again.
 */
export function completeOpen(
  c: TcpConnection,
  s: Segment,
  iss: u32,
  irs: u32,
  mss: u32,
  scale: u32,
  agreed: u32,
  timestampRecent: u32,
): bool {
  const listener = c.listener;
  if (listener === null) return false;
  const child = allocateConnection();
  if (child === null) {
    statistics.listenOverflows++;
    return false;
  }
  child.flow.copy(s.flow);
  inheritOptions(child, c);
  child.ownLevel = c.ownLevel;
  setSocketLevel(child, c.level);
  child.status |= agreed;
  if (agreed & HAS_TIMESTAMPS) {
    child.timestampOffset = timestampOffset(s.flow);
    child.timestampRecent = timestampRecent;
    child.timestampAge = milliseconds();
  }
  openSequences(child, iss);
  child.IRS = irs;
  child.RCV_NXT = irs + 1;
  child.lastAckSent = irs + 1;
  child.receiveEdge = irs + 1 + min<u32>(child.receiveLimit, 65535);
  if (scale != NO_SCALE) {
    child.sendScale = <u8>scale;
    child.receiveScale = <u8>offeredScale();
  }
  setPeerMss(child, mss);
  insertConnection(child, s.hash);
  // RFC 9293 lets the listener's own block go on as the connection's; here it is a new one that takes over in LISTEN.
  child.state = TCP_LISTEN;
  child.history = TCP_LISTEN;
  setState(child, TCP_SYN_RECV);
  segmentArrives(child, s);
  if (child.state == TCP_SYN_RECV) {
    // Not acceptable after all: nobody has heard of the connection.
    release(child);
    return false;
  }
  statistics.passiveOpens++;
  listener.acceptQueue.append(child.queueLink);
  listener.acceptCount++;
  c.wake(POLLIN | WAKE_ACCEPT, 0);
  return true;
}

/** Variables of the send side before the SYN goes out. */
export function openSequences(c: TcpConnection, iss: u32): void {
  c.ISS = iss;
  c.SND_UNA = iss;
  c.SND_NXT = iss + 1;
  c.SND_MAX = iss + 1;
  c.writeSequence = iss + 1;
  c.recover = iss;
  c.reducedAt = iss;
  c.rackForward = iss;
  c.duplicateRound = iss;
  c.stalledAt = iss - 1;
}
