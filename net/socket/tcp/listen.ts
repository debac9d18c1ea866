/**
 * Passive open (RFC 9293, 3.10.7.2): a listener, the connections that wait to be accepted, and the SYN.
 *
 * Half-open connections are requests (request.ts), at most REQUESTS_PER_LISTENER of them; beyond that SYN cookies, but for a SYN over a
 * connection in TIME-WAIT. A connection becomes a socket with the ACK that completes the handshake. When `backlog` of them already wait, or there is no
 * memory, that ACK is dropped, and so are new SYNs: the client sends again, as with Linux.
 */
import { Link } from "../../../kernel/list";
import { Pool } from "../../../kernel/memory/pool";
import { EADDRINUSE, EINVAL, ENOBUFS } from "../../../kernel/errno";
import { POLLIN, WAKE_ACCEPT } from "../../../kernel/scheduler/wait";
import { now } from "../../../kernel/time/clock";
import { Timer, STEP_PAUSE, timerPending, timerPrepare, timerStartAt } from "../../../kernel/time/timers";
import { serve, unserve } from "../names";
import { receiveLevel } from "../../levels";
import { setSocketLevel } from "../rank";
import { TCP_ACK, TCP_CWR, TCP_ECE, TCP_FIN, TCP_RST, TCP_SYN } from "../../wire/tcp";
import { initialSequence, milliseconds, seconds, sequenceBeyond, timestampOffset } from "./clock";
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
import { addRequest, giveUpRequest, requestOfSibling } from "./request";
import { Segment } from "./segment";
import { setState, TCP_CLOSE, TCP_LISTEN, TCP_SYN_RECV } from "./state";
import { statistics } from "./statistics";
import { offeredScale, setPeerMss, peerMss } from "./mss";
import { TimeWait } from "./timewait";
import { sendResetFor, sendSynFrom } from "./transmit";
import { firstWindow } from "./window";


@unmanaged
export class TcpListener extends Link {
  /** The socket; null: closed, and there are still connections or requests of it. */
  owner: TcpConnection | null;
  private head0: usize;
  private head1: usize;
  private requests0: usize;
  private requests1: usize;
  /** Connections that wait to be accepted, and how many may. */
  acceptCount: u32;
  backlog: u32;
  /** Half-open connections. */
  requestCount: u32;
  /** Time of the last SYN cookie, ns; 0: never. Without one no ACK is taken for a cookie. */
  cookieTime: u64;
  /** The largest window that came with one of those still honoured. */
  cookieWindow: u32;


  @inline get acceptQueue(): Link {
    return changetype<Link>(changetype<usize>(this) + offsetof<TcpListener>("head0"));
  }

  /** Half-open connections, the oldest first (TcpRequest.sibling). */
  @inline get requests(): Link {
    return changetype<Link>(changetype<usize>(this) + offsetof<TcpListener>("requests0"));
  }


  @inline get isFull(): bool {
    return this.acceptCount > this.backlog;
  }

  /** There may be cookies under way that are honoured. */
  @inline get hasCookies(): bool {
    return this.cookieTime != 0 && now() - this.cookieTime <= COOKIE_LIFETIME;
  }
}

/** A cookie is honoured for this long after the last one was made: two periods of cookie.ts. */
const COOKIE_LIFETIME: u64 = 2 << 36;

let pool: Pool = changetype<Pool>(0);
/** Those that are closed and have connections that wait, or half-open ones. */
let closing: Link = changetype<Link>(0);
let timer: Timer = changetype<Timer>(0);

/** `head`: room for a Link; `clock`: room for a Timer; `callback`: index of `listenersClosing`. */
export function initializeListeners(
  storage: Pool,
  limit: u32,
  head: Link,
  clock: Timer,
  callback: u32,
): void {
  pool = storage;
  pool.initialize(offsetof<TcpListener>(), limit);
  closing = head;
  closing.initialize();
  timer = clock;
  timerPrepare(timer, callback);
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
  if (c.place === null) {
    // There may be an end of a connect that failed.
    c.clearAddress(c.flow.local);
    const result = bindEphemeral(c);
    if (result < 0) return result;
  }
  const place = c.place!;
  if (hasListener(place)) return -EADDRINUSE;
  const address = pool.allocate();
  if (address == 0) return -ENOBUFS;
  const listener = changetype<TcpListener>(address);
  listener.initialize();
  listener.owner = c;
  listener.acceptQueue.initialize();
  listener.requests.initialize();
  listener.backlog = limit;
  c.listener = listener;
  // What a connect has chosen is no part of the name.
  c.flow.local.copy(place);
  serve(place, c.queueLink);
  setState(c, TCP_LISTEN);
  return 0;
}

/** Ends a listener: what waits to be accepted is reset, and what is half open forgotten, bit by bit: there may be thousands. */
export function closeListener(c: TcpConnection): void {
  const listener = c.listener;
  if (listener === null) return;
  unserve(c.place!, c.queueLink);
  c.listener = null;
  listener.owner = null;
  setState(c, TCP_CLOSE);
  if (listener.acceptCount == 0 && listener.requestCount == 0) return releaseListener(listener);
  closing.append(listener);
  if (!timerPending(timer)) timerStartAt(timer, now() + STEP_PAUSE, receiveLevel);
}

/** Connections of closed listeners that one call ends; the others in the next tick. */
const CLOSING_BUDGET: u32 = 4;

/** Call-back of the timer: resets some of the connections that waited at listeners which have been closed, and gives up what was half open. */
export function listenersClosing(_: Timer): void {
  for (let budget = CLOSING_BUDGET; budget > 0 && !closing.isEmpty; budget--) {
    const listener = changetype<TcpListener>(closing.next);
    const child = takeFrom(listener);
    if (child === null) giveUpRequest(requestOfSibling(listener.requests.next));
    else {
      abortConnection(child);
      releaseListener(listener);
    }
  }
  if (!closing.isEmpty) timerStartAt(timer, now() + STEP_PAUSE, receiveLevel);
}

/** Gives the memory back once it has been closed and nothing is left of it. */
export function releaseListener(listener: TcpListener): void {
  if (listener.owner !== null || listener.acceptCount != 0 || listener.requestCount != 0) return;
  listener.remove();
  pool.release(changetype<usize>(listener));
}

/** The connection that has waited longest, or null. */
export function acceptFrom(c: TcpConnection): TcpConnection | null {
  const listener = c.listener;
  return listener === null ? null : takeFrom(listener);
}

function takeFrom(listener: TcpListener): TcpConnection | null {
  if (listener.acceptCount == 0) return null;
  const link = listener.acceptQueue.next;
  link.remove();
  listener.acceptCount--;
  return connectionOfLink(link);
}

/** A segment for a listener and for nothing else, or a SYN over `old`, to which it may be answered. */
export function listenSegment(c: TcpConnection, s: Segment, old: TimeWait | null): void {
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
  if (old === null) {
    const room = listener.requestCount < REQUESTS_PER_LISTENER;
    if (!room || !addRequest(c, s, initialSequence(s.hash))) sendCookie(c, listener, s);
    return;
  }
  // RFC 9293, 3.6.1: our number has to be beyond those of the old connection, and what is in a cookie cannot be chosen. So there is a request, beyond the listener's number, too:
  // each of these has a handshake behind it that was completed, so forged addresses do not come here.
  if (!addRequest(c, s, sequenceBeyond(s.hash, old.SND_NXT))) statistics.listenOverflows++;
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
  const window = firstWindow(c);
  if (!listener.hasCookies || window > listener.cookieWindow) listener.cookieWindow = window;
  listener.cookieTime = now();
  // What cannot come back in a timestamp is not agreed on.
  const agreed = s.hasTimestamps ? offeredBy(s) : 0;
  sendSynFrom(
    c,
    s.flow,
    makeCookie(s, peerMss(s)),
    s.sequence + 1,
    TCP_ACK,
    window,
    s.hasTimestamps && s.scale != NO_SCALE ? offeredScale() : NO_SCALE,
    agreed,
    hideOptions(milliseconds(), s.scale, agreed) + timestampOffset(s.flow),
    s.timestampValue,
  );
}

/** Does the ACK complete a handshake that was begun with a cookie? Then it has been dealt with. */
function cookieAck(c: TcpConnection, s: Segment): bool {
  const listener = c.listener;
  if (listener === null || !listener.hasCookies) return false;
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
  const window = listener.cookieWindow;
  completeOpen(c, s, s.acknowledgement - 1, s.sequence - 1, window, mss, scale, agreed, s.timestampValue);
  return true;
}

// ---- The new connection ----

/**
 * The handshake is complete with the ACK `s`, which has been checked: makes the connection, lets it have the segment,
 * and queues it for `accept`. `window`: what its SYN,ACK offered, or more, whatever the listener would offer now; `agreed`: of AGREED and SYN_WAS_LOST. False: dropped for want of memory, the client will send again.
 */
export function completeOpen(
  c: TcpConnection,
  s: Segment,
  iss: u32,
  irs: u32,
  window: u32,
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
    child.timestampAge = seconds();
  }
  openSequences(child, iss);
  child.IRS = irs;
  child.RCV_NXT = irs + 1;
  child.lastAckSent = irs + 1;
  child.receiveEdge = irs + 1 + window;
  if (scale != NO_SCALE) {
    child.sendScale = <u8>scale;
    child.receiveScale = <u8>offeredScale();
  }
  setPeerMss(child, mss);
  insertConnection(child, <u32>s.hash);
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
