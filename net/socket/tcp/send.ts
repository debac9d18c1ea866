/**
 * Output: what may leave now, in segments (RFC 9293, 3.8.6), with Nagle's algorithm (3.7.4) and without silly windows
 * (3.8.6.2.1).
 */
import { now } from "../../../kernel/time/clock";
import { timerPending, timerStartAt } from "../../../kernel/time/timers";
import { allocateBuffer, BUFFER_HEADROOM, BUFFER_RETAINED, PacketBuffer } from "../../buffer";
import { TCP_FIN } from "../../wire/tcp";
import { SOCKET_NODELAY } from "../socket";
import { congestionAllows, congestionIdle } from "./congestion";
import {
  FIN_QUEUED,
  TcpConnection,
  TIMER_PERSIST,
  TIMER_RESOURCE,
  TIMER_RETRANSMIT,
  URGENT_SENT,
} from "./connection";
import { armIdle } from "./keepalive";
import { RESOURCE_RETRY, RESOURCE_RETRY_MAXIMUM } from "./parameters";
import { pathIdle } from "./pmtu";
import { retransmitInterval } from "./rtt";
import { after } from "./sequence";
import { MAY_TRANSMIT, stateIn } from "./state";
import { statistics } from "./statistics";
import { sendControl, sendCopy, sendData } from "./transmit";

/** Sends what the windows allow. Called whenever one of them, or the queue, may have changed. */
export function output(c: TcpConnection): void {
  if (!stateIn(c.state, MAY_TRANSMIT)) return;
  let buffer = c.sendNext;
  if (buffer !== null && c.flight == 0) {
    congestionIdle(c);
    pathIdle(c);
  }
  while (buffer !== null) {
    if (buffer.length > c.sendMss && !splitBuffer(c, buffer, c.sendMss)) return retryLater(c);
    const flight = c.flight;
    if (flight != 0 && flight + buffer.length > congestionAllows(c)) break;
    const usable = flight < c.SND_WND ? c.SND_WND - flight : 0;
    if (buffer.length > usable) {
      // A part only when it is a good part of what this peer ever takes.
      if (usable == 0 || usable < c.maxWindow / 2) break;
      if (!splitBuffer(c, buffer, usable)) return retryLater(c);
    } else if (nagleHolds(c, buffer)) break;
    const fin = c.has(FIN_QUEUED) && buffer === c.sendTail && buffer.length < usable;
    if (sendData(c, buffer, fin) < 0) return retryLater(c);
    sent(c, buffer.length + (fin ? 1 : 0));
    buffer = buffer.next;
    c.sendNext = buffer;
  }
  if (finDue(c) && c.flight < c.SND_WND) {
    if (sendControl(c, c.SND_NXT, TCP_FIN) < 0) return retryLater(c);
    sent(c, 1);
  }
  armTimer(c);
}

/** The FIN is the next thing to send. */
// @ts-ignore: decorator
@inline
function finDue(c: TcpConnection): bool {
  return c.has(FIN_QUEUED) && c.SND_NXT == c.writeSequence;
}

// @ts-ignore: decorator
@inline
function sent(c: TcpConnection, length: u32): void {
  c.SND_NXT += length;
  if (after(c.SND_NXT, c.SND_MAX)) c.SND_MAX = c.SND_NXT;
}

/** RFC 9293, 3.7.4: a small segment waits while data is in flight, unless there is more behind it: what is left of a larger one that was cut. */
// @ts-ignore: decorator
@inline
function nagleHolds(c: TcpConnection, buffer: PacketBuffer): bool {
  return (
    buffer.length < c.sendMss &&
    buffer === c.sendTail &&
    c.flight != 0 &&
    (c.flags & SOCKET_NODELAY) == 0 &&
    !c.has(FIN_QUEUED | URGENT_SENT) &&
    buffer.word0 == 0
  );
}

/** Retransmission timer while something is in flight; persist timer while something waits and nothing is. */
function armTimer(c: TcpConnection): void {
  const timer = c.retransmitTimer;
  if (c.timerMode == TIMER_RESOURCE) c.retries = 0;
  if (c.SND_NXT != c.SND_UNA) {
    if (timerPending(timer) && c.timerMode == TIMER_RETRANSMIT) return;
    c.timerMode = TIMER_RETRANSMIT;
  } else if (c.sendNext !== null || finDue(c)) {
    if (timerPending(timer) && c.timerMode == TIMER_PERSIST) return;
    c.timerMode = TIMER_PERSIST;
  } else return armIdle(c);
  timerStartAt(timer, now() + retransmitInterval(c), c.level);
}

/** What was to be sent could not be: acknowledgements of what is in flight will call again, else the timer. */
export function retryLater(c: TcpConnection): void {
  statistics.memoryDrops++;
  if (c.flight != 0) return armTimer(c);
  if (c.timerMode != TIMER_RESOURCE) c.retries = 0;
  c.timerMode = TIMER_RESOURCE;
  const wait = min(RESOURCE_RETRY << min<u8>(c.retries, 7), RESOURCE_RETRY_MAXIMUM);
  timerStartAt(c.retransmitTimer, now() + wait, c.level);
}

/**
 * The persist timer ran out (RFC 9293, 3.8.6.1). Sends what the window takes, even if that is little; with a window
 * of zero one octet (or the FIN) beyond it. SND.NXT stays, SND.MAX covers the octet in case it is taken.
 */
export function sendProbe(c: TcpConnection): void {
  const buffer = c.sendNext;
  if (buffer === null) {
    if (!finDue(c)) return;
    if (sendControl(c, c.SND_NXT, TCP_FIN) < 0) return;
    if (c.SND_WND != 0) c.SND_NXT++;
    if (c.SND_MAX == c.SND_UNA) c.SND_MAX++;
    statistics.zeroWindowProbes++;
    return;
  }
  if (c.SND_WND != 0) {
    if (buffer.length > c.SND_WND && !splitBuffer(c, buffer, c.SND_WND)) return;
    if (sendData(c, buffer, false) < 0) return;
    sent(c, buffer.length);
    c.sendNext = buffer.next;
    return;
  }
  statistics.zeroWindowProbes++;
  if (sendCopy(c, buffer, 1, 0) < 0) return;
  if (c.SND_MAX == c.SND_UNA) c.SND_MAX++;
}

/** Retransmits the first segment in the queue, whatever the windows (RFC 6298, 5.4; RFC 5681, 3.2). */
export function retransmitFirst(c: TcpConnection): void {
  const head = c.sendHead;
  if (head === null) {
    if (c.has(FIN_QUEUED)) {
      statistics.retransmitted++;
      sendControl(c, c.writeSequence, TCP_FIN);
    }
    return;
  }
  if (head.length > c.sendMss && !splitBuffer(c, head, c.sendMss)) return;
  const fin = c.has(FIN_QUEUED) && head === c.sendTail && after(c.SND_MAX, c.writeSequence);
  sendData(c, head, fin);
}

/** After a time-out everything counts as lost: sending goes on from SND.UNA (RFC 5681, 3.1: slow start). */
export function rewind(c: TcpConnection): void {
  c.SND_NXT = c.SND_UNA;
  c.sendNext = c.sendHead;
}

/** Cuts `buffer` after `length` bytes; the rest becomes the next buffer of the queue. False: no memory. */
export function splitBuffer(c: TcpConnection, buffer: PacketBuffer, length: u32): bool {
  const rest = allocateBuffer(BUFFER_HEADROOM);
  if (rest === null) return false;
  const bytes = buffer.length - length;
  memory.copy(rest.data, buffer.data + length, bytes);
  rest.length = bytes;
  rest.flags = BUFFER_RETAINED;
  rest.sequence = buffer.sequence + length;
  rest.word0 = buffer.word0;
  rest.time = buffer.time;
  rest.next = buffer.next;
  buffer.length = length;
  buffer.next = rest;
  if (c.sendTail === buffer) c.sendTail = rest;
  c.sendBuffers++;
  return true;
}
