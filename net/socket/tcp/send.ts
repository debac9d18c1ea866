/**
 * Output: what may leave now, in segments (RFC 9293, 3.8.6): first what is lost, then what is new, with Nagle's algorithm (3.7.4) and without silly
 * windows (3.8.6.2.1).
 */
import { now } from "../../../kernel/time/clock";
import { timerStartAt } from "../../../kernel/time/timers";
import { allocateBuffer, BUFFER_HEADROOM, BUFFER_RETAINED, PacketBuffer } from "../../buffer";
import { TCP_FIN } from "../../wire/tcp";
import { congestionIdle } from "./congestion";
import { DOUBT_SECOND, FIN_QUEUED, IN_LOSS, IN_RECOVERY, TcpConnection, TIMER_RESOURCE } from "./connection";
import { countAnew } from "./failure";
import { nagleHolds } from "./nagle";
import { RESOURCE_RETRIES_SOON, RESOURCE_RETRY, RESOURCE_RETRY_LATE } from "./parameters";
import { pend } from "./pending";
import { pathIdle } from "./pmtu";
import { recoveryRetransmits } from "./recovery";
import { armTimer } from "./retransmission";
import { firstLost, IN_FLIGHT, segmentLost, segmentSplit, UNSENT } from "./scoreboard";
import { after } from "./sequence";
import { MAY_TRANSMIT, stateIn } from "./state";
import { statistics } from "./statistics";
import { maySendTogether, sendTogether, togetherCost } from "./together";
import { sendControl, sendCopy, sendData } from "./transmit";

/** What one call sends at most, in segments: less than 15,000 instructions. Those that the device cuts count for fewer (together.ts). */
export const OUTPUT_STEP: u32 = 8;

/** Sends what the windows allow, or `step` of it and the rest later (pending.ts). Called whenever one of them, or the queue, may have changed. */
export function output(c: TcpConnection, step: i32 = OUTPUT_STEP): void {
  if (!stateIn(c.state, MAY_TRANSMIT)) return;
  if (c.lostBytes != 0 && !c.has(DOUBT_SECOND)) {
    step = retransmitLost(c, step);
    if (step < 0) return retryLater(c);
    if (step == 0) pend(c);
    // What is lost goes before what is new.
    if (c.lostBytes != 0 || step == 0) return armTimer(c, true);
  }
  let buffer = c.sendNext;
  if (buffer !== null && c.flight == 0) {
    congestionIdle(c);
    pathIdle(c);
  }
  while (buffer !== null) {
    if (step <= 0) {
      pend(c);
      return armTimer(c, true);
    }
    if (buffer.length > c.sendMss && !splitBuffer(c, buffer, c.sendMss)) return retryLater(c);
    const pipe = c.inNetwork;
    if (pipe != 0 && pipe + buffer.length > c.congestionWindow) break;
    const flight = c.flight;
    const usable = flight < c.SND_WND ? c.SND_WND - flight : 0;
    if (buffer.length > usable) {
      // A part only when it is a good part of what this peer ever takes.
      if (usable == 0 || usable < c.maxWindow / 2) break;
      if (!splitBuffer(c, buffer, usable)) return retryLater(c);
    } else if (nagleHolds(c, buffer, c.flight != 0)) break;
    else if (maySendTogether(c, buffer)) {
      // By its index, so that the C compiler leaves it where it is: taken in here, it would cost every call that sends one segment, or none.
      const bytes = call_indirect<u32>(sendTogether.index, c, buffer, usable, step);
      if (bytes != 0) {
        sent(c, bytes);
        step -= togetherCost(c, bytes);
        buffer = c.sendNext;
        continue;
      }
    }
    if (!sendNew(c, buffer, usable)) return retryLater(c);
    step--;
    buffer = buffer.next;
  }
  if (finDue(c) && c.flight < c.SND_WND) {
    if (sendControl(c, c.SND_NXT, TCP_FIN) < 0) return retryLater(c);
    sent(c, 1);
  }
  armTimer(c, c.sendNext !== null || finDue(c));
}

/** Sends `buffer`, the next in the queue, which fits into the `usable` window. */
// @ts-ignore: decorator
@inline
function sendNew(c: TcpConnection, buffer: PacketBuffer, usable: u32): bool {
  const fin = c.has(FIN_QUEUED) && buffer === c.sendTail && buffer.length < usable;
  if (sendData(c, buffer, fin) < 0) return false;
  sent(c, buffer.length + (fin ? 1 : 0));
  c.sendNext = buffer.next;
  return true;
}

/** For a probe: sends the next segment, whatever the congestion window says. False: there is none that the peer's window takes. */
export function sendNext(c: TcpConnection): bool {
  const buffer = c.sendNext;
  const usable = c.flight < c.SND_WND ? c.SND_WND - c.flight : 0;
  if (buffer === null || min(buffer.length, c.sendMss) > usable) return false;
  if (buffer.length > c.sendMss && !splitBuffer(c, buffer, c.sendMss)) return false;
  return sendNew(c, buffer, usable);
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

/** What was to be sent could not be: acknowledgements of what is in flight will call again, else the timer. */
export function retryLater(c: TcpConnection): void {
  statistics.memoryDrops++;
  if (c.flight != 0) return armTimer(c, true);
  if (c.timerMode != TIMER_RESOURCE) countAnew(c);
  c.timerMode = TIMER_RESOURCE;
  const wait = c.retries < <u8>RESOURCE_RETRIES_SOON ? RESOURCE_RETRY : RESOURCE_RETRY_LATE;
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

// ---- Again ----

/**
 * Sends lost segments again, the first of them first, as far as the windows allow, but `step` at most. How many fewer that were; negative: there is no memory, or
 * the device has no room.
 */
function retransmitLost(c: TcpConnection, step: i32): i32 {
  for (let buffer = firstLost(c); buffer !== null && step != 0; buffer = firstLost(c)) {
    if (buffer.length > c.sendMss && !splitBuffer(c, buffer, c.sendMss)) return -1;
    const pipe = c.inNetwork;
    if (pipe != 0 && pipe + buffer.length > c.congestionWindow) break;
    // RFC 9293, 3.8.6: a window that has shrunk holds all but the first.
    if (buffer !== c.sendHead && after(buffer.sequence + buffer.length, c.SND_UNA + c.SND_WND)) break;
    if (retransmit(c, buffer) < 0) return -1;
    step--;
  }
  return step;
}

/** Sends a segment again, whatever the windows, with the FIN if that went with it. 0, or a negative errno. */
export function retransmit(c: TcpConnection, buffer: PacketBuffer): i32 {
  const fin = c.has(FIN_QUEUED) && buffer === c.sendTail && after(c.SND_MAX, c.writeSequence);
  const result = sendData(c, buffer, fin);
  if (result >= 0 && c.has(IN_RECOVERY | IN_LOSS)) recoveryRetransmits(c);
  return result;
}

/** Retransmits the first segment in the queue, or the FIN, whatever the windows (RFC 6298, 5.4). */
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
  retransmit(c, head);
}

/** Segments have become smaller: what is in flight and larger has been too large, and goes again in pieces. */
export function resegment(c: TcpConnection): void {
  let buffer = c.sendHead;
  while (buffer !== null && buffer.state != UNSENT) {
    if (buffer.state == IN_FLIGHT && buffer.length > c.sendMss) segmentLost(c, buffer);
    buffer = buffer.next;
  }
  output(c);
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
  segmentSplit(c, buffer, rest);
  rest.next = buffer.next;
  buffer.length = length;
  buffer.next = rest;
  if (c.sendTail === buffer) c.sendTail = rest;
  c.sendBuffers++;
  return true;
}
