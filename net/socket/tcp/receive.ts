/**
 * Segment arrival for a connection (RFC 9293, 3.10.7.4), in the RFC's order of checks: sequence number, RST, SYN, ACK,
 * text, FIN; with the stricter rules of RFC 5961 against blind attacks and RFC 7323 (PAWS) ahead of them.
 *
 * `fastPath` deals with what most segments are: the next data, or an acknowledgement of new data, in ESTABLISHED.
 */
import { ECONNREFUSED, ECONNRESET, EPIPE } from "../../../kernel/errno";
import { POLLHUP, POLLIN, POLLOUT, POLLRDHUP } from "../../../kernel/scheduler/wait";
import { now } from "../../../kernel/time/clock";
import { timerPending, timerStop } from "../../../kernel/time/timers";
import { TCP_ACK, TCP_FIN, TCP_PSH, TCP_RST, TCP_SYN, TCP_URG } from "../../wire/tcp";
import { SOCKET_ORPHAN } from "../socket";
import { acknowledge, updateWindow } from "./acknowledge";
import { milliseconds, seconds } from "./clock";
import { connectionReset, enterFinWait2, enterTimeWait, finish, startClosing } from "./close";
import { congestionEstablished } from "./congestion";
import { ecnArrives } from "./ecn";
import {
  ACK_NOW,
  DUPLICATE_DUE,
  FIN_QUEUED,
  FIN_RECEIVED,
  FIN_WAITING,
  HAS_ECN,
  HAS_SACK,
  HAS_TIMESTAMPS,
  RECEIVE_SHUT,
  SYN_WAS_LOST,
  TcpConnection,
  URGENT_AHEAD,
  WAS_CONNECTED,
} from "./connection";
import { announceTimeout, timeoutHeard } from "./failure";
import { heard } from "./keepalive";
import { CHALLENGE_INTERVAL, RTO_AFTER_SYN_LOSS, TIME_WAIT_LENGTH } from "./parameters";
import { isPending, pend } from "./pending";
import { appendPieces, appendReceived, queueOutOfOrder, queuePieces, takeInOrder } from "./reassembly";
import { armTimer } from "./retransmission";
import { rttMeasured } from "./rtt";
import { blocksFull, duplicateReceived } from "./sack";
import { Segment } from "./segment";
import { after, before, from, upTo } from "./sequence";
import {
  MAY_RECEIVE,
  MAY_TRANSMIT,
  setState,
  stateIn,
  TCP_CLOSE_WAIT,
  TCP_CLOSING,
  TCP_ESTABLISHED,
  TCP_FIN_WAIT1,
  TCP_LAST_ACK,
  TCP_SYN_RECV,
  TCP_SYN_SENT,
  TCP_TIME_WAIT,
} from "./state";
import { statistics } from "./statistics";
import { synSentSegment } from "./synsent";
import { delayAck, startLife } from "./timers";
import { isEvidence } from "./timewait";
import { sendAck, sendResetFor } from "./transmit";
import { urgentArrives, urgentReached } from "./urgent";

/** Deals with segment `s`, which is for connection `c`. The connection may be gone afterwards. */
export function segmentArrives(c: TcpConnection, s: Segment): void {
  if (c.state == TCP_ESTABLISHED && fastPath(c, s)) return;
  if (c.state == TCP_SYN_SENT) return synSentSegment(c, s);
  if (c.has(HAS_TIMESTAMPS) && !s.has(TCP_RST) && !timestampsAcceptable(c, s)) return;
  // Both ends opened at once: the peer's SYN,ACK repeats the SYN that is here already.
  if (c.state == TCP_SYN_RECV && s.has(TCP_SYN) && s.has(TCP_ACK) && s.sequence == c.IRS) s.trimFront(1);
  if (!sequenceAcceptable(c, s)) return notAcceptable(c, s);
  if (s.has(TCP_RST)) return resetArrives(c, s);
  if (s.has(TCP_SYN)) return challenge(c);
  trimToWindow(c, s);
  if (!s.has(TCP_ACK)) return;
  if (c.state == TCP_SYN_RECV) {
    if (!after(s.acknowledgement, c.SND_UNA) || after(s.acknowledgement, c.SND_MAX)) return sendResetFor(s);
    established(c, s);
  } else if (!acknowledgementAcceptable(c, s)) return challenge(c);
  heard(c);
  if (s.userTimeout != 0) timeoutHeard(c, s.userTimeout);
  rememberTimestamp(c, s);
  if (c.has(HAS_ECN)) ecnArrives(c, s);
  if (!acknowledge(c, s)) return;
  if (c.has(FIN_QUEUED) && c.SND_UNA == c.writeSequence + 1 && !finAcknowledged(c)) return;
  textAndFin(c, s);
}

/** Our FIN is acknowledged. False: the connection is at its end. */
function finAcknowledged(c: TcpConnection): bool {
  if (c.state == TCP_FIN_WAIT1) enterFinWait2(c);
  else if (c.state == TCP_CLOSING) {
    enterTimeWait(c);
    return false;
  } else if (c.state == TCP_LAST_ACK) {
    finish(c, 0);
    return false;
  }
  return true;
}

/** Seventh and eighth check, then whatever has become due to be sent. */
export function textAndFin(c: TcpConnection, s: Segment): void {
  if (stateIn(c.state, MAY_RECEIVE)) {
    const fin = s.has(TCP_FIN);
    if (fin && (!c.has(FIN_WAITING) || before(s.end - 1, c.finSequence))) {
      c.status |= FIN_WAITING;
      c.finSequence = s.end - 1;
      if (c.has(URGENT_AHEAD)) urgentReached(c);
    }
    if (s.has(TCP_URG)) urgentArrives(c, s);
    if (s.payloadLength != 0 && !text(c, s)) return;
    if (fin) c.status |= ACK_NOW;
    if (c.has(FIN_WAITING) && c.RCV_NXT == c.finSequence) return finArrives(c);
  }
  leaveDue(c);
}

/**
 * The segment is dealt with. What has become due goes when those that wait are, too (RFC 9293, 3.10.7.4: "it MUST process them all before
 * sending any ACK segments").
 */
// @ts-ignore: decorator
@inline
function leaveDue(c: TcpConnection): void {
  if (c.has(ACK_NOW | FIN_QUEUED) || c.sendNext !== null || c.lostBytes != 0) pend(c);
  else if (stateIn(c.state, MAY_TRANSMIT)) armTimer(c, false);
}

/**
 * One is due already, and another segment out of order has come. Without SACK each counts; with it one says of all (MUST-58), as long as it can: what would be said no more goes
 * before (RFC 2018, 4).
 */
function oweAnother(c: TcpConnection): void {
  if (!c.has(HAS_SACK)) {
    if (c.duplicatesDue < u8.MAX_VALUE) c.duplicatesDue++;
  } else if (blocksFull(c)) sendAck(c);
}

/** [start, end) has come that had come before. RFC 2883, 4: one is reported in each acknowledgement. */
function duplicateArrived(c: TcpConnection, start: u32, end: u32): void {
  if (c.has(DUPLICATE_DUE) && isPending(c)) sendAck(c);
  duplicateReceived(c, start, end);
}

/** An acknowledgement is due. */
function oweAck(c: TcpConnection): void {
  c.status |= ACK_NOW;
  pend(c);
}

// ---- The fast path ----

/**
 * Header prediction: ESTABLISHED, only ACK (and PSH) set, not marked where ECN is used, the next sequence number, an acceptable acknowledgement, nothing
 * waiting out of order. True: dealt with.
 */
function fastPath(c: TcpConnection, s: Segment): bool {
  if (
    (s.flags & ~TCP_PSH) != TCP_ACK ||
    s.sequence != c.RCV_NXT ||
    s.acknowledgement - c.SND_UNA > c.SND_MAX - c.SND_UNA ||
    c.reassemblyHead !== null ||
    c.has(FIN_WAITING | RECEIVE_SHUT) ||
    (c.has(HAS_ECN) && s.marked) ||
    s.userTimeout != 0
  )
    return false;
  const length = s.payloadLength;
  if (length > c.receiveWindow || (length == 0 && s.acknowledgement == c.SND_UNA)) return false;
  if (c.has(HAS_TIMESTAMPS)) {
    if (!s.hasTimestamps || before(s.timestampValue, c.timestampRecent)) return false;
    rememberTimestamp(c, s);
  }
  heard(c);
  if (s.acknowledgement == c.SND_UNA && s.sackCount == 0) updateWindow(c, s, s.window << c.sendScale);
  else if (!acknowledge(c, s)) return true;
  if (length != 0) {
    if (append(c, s)) dataArrived(c, s, length);
    else c.status |= ACK_NOW;
  }
  leaveDue(c);
  return true;
}

/** Takes the payload of `s`, which is the next. False: there is no room for all of it, and nothing was taken. */
// @ts-ignore: decorator
@inline
function append(c: TcpConnection, s: Segment): bool {
  return s.buffer.more === null
    ? appendReceived(c, s.buffer, s.payload, s.payloadLength)
    : appendPieces(c, s);
}

/**
 * `length` octets of `s` were added to the queue of the application. RFC 9293, 3.8.6.3: every second full segment at once, so one that
 * was put together of several, too.
 */
function dataArrived(c: TcpConnection, s: Segment, length: u32): void {
  if (length > c.receiveMss) largerArrived(c, s, length);
  if (c.RCV_NXT - c.lastAckSent >= 2 * c.receiveMss) c.status |= ACK_NOW;
  else if (!timerPending(c.ackTimer)) delayAck(c);
  if ((c.flags & SOCKET_ORPHAN) == 0) c.wake(POLLIN, 0);
}

/** No segment of the peer's has been as large; or several were put together. */
function largerArrived(c: TcpConnection, s: Segment, length: u32): void {
  const size: u32 = s.buffer.segmentSize;
  c.receiveMss = max(c.receiveMss, size == 0 ? length : min(size, length));
}

// ---- RFC 7323 ----

/** PAWS: false when the segment is from before what has been seen; it is answered and dropped. */
function timestampsAcceptable(c: TcpConnection, s: Segment): bool {
  if (!s.hasTimestamps) {
    // RFC 7323, 3.2: once agreed on, a segment without the option is dropped in silence; but a peer that begins anew has to be told (RFC 5961, 4.2).
    if (s.has(TCP_SYN)) challenge(c);
    return false;
  }
  if (!before(s.timestampValue, c.timestampRecent) || !isEvidence(c)) return true;
  statistics.pawsRejected++;
  notAcceptable(c, s);
  return false;
}

/** TS.Recent: from segments that cover what was acknowledged last (RFC 7323, 4.3), and are not old, or what is remembered is no evidence of that any more: so `s` was found acceptable. */
// @ts-ignore: decorator
@inline
function rememberTimestamp(c: TcpConnection, s: Segment): void {
  if (s.hasTimestamps && upTo(s.sequence, c.lastAckSent)) {
    c.timestampRecent = s.timestampValue;
    c.timestampAge = seconds();
  }
}

// ---- First: the sequence number ----

/** RFC 9293, 3.4: the four cases. Empty segments at the right edge, and anything at RCV.NXT, count as acceptable. */
function sequenceAcceptable(c: TcpConnection, s: Segment): bool {
  const sequence = s.sequence;
  const length = s.length;
  if (sequence == c.RCV_NXT) return true;
  if (length == 0) return from(sequence, c.RCV_NXT) && upTo(sequence, c.receiveEdge);
  return before(sequence, c.receiveEdge) && after(sequence + length, c.RCV_NXT);
}

/** Answers with an acknowledgement that tells the peer where we are; an empty segment not more often than needed. */
function notAcceptable(c: TcpConnection, s: Segment): void {
  if (s.has(TCP_RST)) return;
  if (c.state == TCP_TIME_WAIT && s.has(TCP_FIN)) startLife(c, TIME_WAIT_LENGTH);
  if (s.length == 0 || s.has(TCP_SYN)) return challenge(c);
  statistics.duplicates++;
  if (before(s.sequence, c.RCV_NXT)) duplicateArrived(c, s.sequence, s.sequence + s.payloadLength);
  oweAck(c);
}

/** RFC 5961: an acknowledgement that a peer in good faith can act upon, limited in rate. */
function challenge(c: TcpConnection): void {
  const time = milliseconds();
  if (c.lastChallenge != 0 && time - c.lastChallenge < CHALLENGE_INTERVAL) return;
  c.lastChallenge = max<u32>(time, 1);
  statistics.challengeAcks++;
  oweAck(c);
}

/** Leaves of the segment what is in the window. */
function trimToWindow(c: TcpConnection, s: Segment): void {
  if (before(s.sequence, c.RCV_NXT)) {
    statistics.duplicates++;
    c.status |= ACK_NOW;
    duplicateArrived(c, s.sequence, c.RCV_NXT);
    s.trimFront(c.RCV_NXT - s.sequence);
  }
  if (after(s.end, c.receiveEdge) && s.length != 0) {
    c.status |= ACK_NOW;
    s.trimEnd(min(s.end - c.receiveEdge, s.length));
  }
}

// ---- Second: RST ----

/** RFC 5961, 3.2: exactly RCV.NXT resets; elsewhere in the window it is challenged. */
function resetArrives(c: TcpConnection, s: Segment): void {
  if (s.sequence != c.RCV_NXT) return challenge(c);
  statistics.resetsIn++;
  if (c.state == TCP_SYN_RECV) {
    statistics.attemptsFailed++;
    return finish(c, ECONNREFUSED);
  }
  // After both FINs the data has arrived: nothing is lost.
  if (c.state == TCP_CLOSING || c.state == TCP_LAST_ACK || c.state == TCP_TIME_WAIT) return finish(c, 0);
  connectionReset(c, c.state == TCP_CLOSE_WAIT ? EPIPE : ECONNRESET);
}

// ---- Fifth: the acknowledgement ----

/** RFC 5961, 5.2: SND.UNA - MAX.SND.WND <= SEG.ACK <= SND.MAX */
function acknowledgementAcceptable(c: TcpConnection, s: Segment): bool {
  return upTo(s.acknowledgement, c.SND_MAX) && from(s.acknowledgement, c.SND_UNA - c.maxWindow);
}

/** The handshake is complete. The caller goes on with the acknowledgement and the text. */
export function established(c: TcpConnection, s: Segment): void {
  timerStop(c.retransmitTimer);
  if (!c.has(SYN_WAS_LOST)) {
    if (c.lastSent != 0) rttMeasured(c, <u32>((now() - c.lastSent) / 1000));
  } else if (c.rto < RTO_AFTER_SYN_LOSS) c.rto = RTO_AFTER_SYN_LOSS;
  c.backoff = 0;
  c.retries = 0;
  c.softError = 0;
  c.lastSent = 0;
  c.SND_UNA = s.acknowledgement;
  c.SND_WND = s.has(TCP_SYN) ? s.window : s.window << c.sendScale;
  c.SND_WL1 = s.sequence;
  c.SND_WL2 = s.acknowledgement;
  c.maxWindow = c.SND_WND;
  c.status |= WAS_CONNECTED;
  c.lastHeard = milliseconds();
  announceTimeout(c);
  congestionEstablished(c);
  setState(c, TCP_ESTABLISHED);
  if ((c.flags & SOCKET_ORPHAN) == 0) c.wake(POLLOUT, 0);
  // Closed before it was open.
  if (c.has(FIN_QUEUED)) startClosing(c);
}

// ---- Seventh: the text ----

/** Takes the payload. False: the connection is gone. */
function text(c: TcpConnection, s: Segment): bool {
  if ((c.flags & SOCKET_ORPHAN) != 0) {
    // RFC 9293, 3.6.1: data for an application that has closed is lost, and the peer is told.
    sendResetFor(s);
    connectionReset(c, ECONNRESET);
    return false;
  }
  if (s.sequence != c.RCV_NXT) {
    if (isPending(c) && c.has(ACK_NOW)) oweAnother(c);
    c.status |= ACK_NOW;
    if (c.has(RECEIVE_SHUT)) return true;
    if (s.buffer.more === null) queueOutOfOrder(c, s, null);
    else queuePieces(c, s);
    return true;
  }
  // A gap that is filled, wholly or in part, is acknowledged at once (RFC 5681, 4.2).
  if (c.reassemblyHead !== null) c.status |= ACK_NOW;
  c.duplicatesDue = 0;
  if (c.has(RECEIVE_SHUT)) {
    c.RCV_NXT += s.payloadLength;
    takeInOrder(c);
    c.status |= ACK_NOW;
    return true;
  }
  const start = c.RCV_NXT;
  const length = s.payloadLength;
  if (!append(c, s)) {
    c.status |= ACK_NOW;
    return true;
  }
  takeInOrder(c);
  dataArrived(c, s, min(length, c.RCV_NXT - start));
  return true;
}

// ---- Eighth: FIN ----

/** RCV.NXT has reached the peer's FIN. */
function finArrives(c: TcpConnection): void {
  c.status = (c.status & ~FIN_WAITING) | FIN_RECEIVED;
  c.RCV_NXT++;
  if (before(c.receiveEdge, c.RCV_NXT)) c.receiveEdge = c.RCV_NXT;
  const orphan = (c.flags & SOCKET_ORPHAN) != 0;
  let events = POLLIN | POLLRDHUP;
  if (c.state == TCP_ESTABLISHED) setState(c, TCP_CLOSE_WAIT);
  else if (c.state == TCP_FIN_WAIT1) {
    setState(c, TCP_CLOSING);
    events |= POLLHUP;
  } else {
    sendAck(c);
    return enterTimeWait(c);
  }
  if (!orphan) c.wake(events, 0);
  oweAck(c);
}
