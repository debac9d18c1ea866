/**
 * The ends of a connection: orderly close (RFC 9293, 3.6), half close, abort, and what each leaves behind.
 *
 * A connection object is held by its application until `close` or `abort`, after that (an orphan) by the protocol until it
 * reaches CLOSE or TIME-WAIT. `finish` and `enterTimeWait` free an orphan: after them, and after everything that can
 * call them, a connection that is in CLOSE or TIME-WAIT is not touched again.
 */

import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP, WAKE_GONE } from "../../../kernel/scheduler/wait";
import { timerStop } from "../../../kernel/time/timers";
import { releaseBuffer } from "../../buffer";
import { SHUT_RD, SHUT_RDWR, SHUT_WR, SOCKET_LINGER, SOCKET_ORPHAN } from "../socket";
import { ACK_NOW, FIN_QUEUED, freeConnection, RECEIVE_SHUT, TcpConnection, URGENT_AHEAD } from "./connection";
import { removeBound, removeConnection } from "./demux";
import { ENOTCONN } from "../../../kernel/errno";
import { closeListener } from "./listen";
import { armIdle } from "./keepalive";
import { FIN_WAIT_2_LENGTH, TIME_WAIT_LENGTH } from "./parameters";
import { unpend } from "./pending";
import { clearReassembly } from "./reassembly";
import { clearScoreboard } from "./scoreboard";
import { output } from "./send";
import {
  MAY_SEND,
  setState,
  stateIn,
  TCP_CLOSE,
  TCP_CLOSE_WAIT,
  TCP_ESTABLISHED,
  TCP_FIN_WAIT1,
  TCP_FIN_WAIT2,
  TCP_LAST_ACK,
  TCP_LISTEN,
  TCP_SYN_RECV,
  TCP_SYN_SENT,
  TCP_TIME_WAIT,
} from "./state";
import { unstarve } from "./starved";
import { statistics } from "./statistics";
import { startLife } from "./timers";
import { rememberTimeWait } from "./timewait";
import { sendAck, sendResetOf } from "./transmit";

/** States in which the peer knows of a connection and has not ended it: an abort is told by a reset. */
const RESETS: u32 =
  (1 << TCP_SYN_RECV) |
  (1 << TCP_ESTABLISHED) |
  (1 << TCP_CLOSE_WAIT) |
  (1 << TCP_FIN_WAIT1) |
  (1 << TCP_FIN_WAIT2);

let orphanLimit: u32 = 0;

/** Most connections that may be finished without their application; beyond, a close is abortive. */
export function setOrphanLimit(limit: u32): void {
  orphanLimit = limit;
}

// ---- Calls of the application ----

/** `shutdown`: 0, or -ENOTCONN. */
export function shutdownConnection(c: TcpConnection, how: i32): i32 {
  const state = c.state;
  if (state == TCP_CLOSE || state == TCP_LISTEN || state == TCP_SYN_SENT) return -ENOTCONN;
  if (how == SHUT_RD || how == SHUT_RDWR) {
    c.status = (c.status & ~URGENT_AHEAD) | RECEIVE_SHUT;
    c.wake(POLLIN | POLLRDHUP, 0);
  }
  if (how == SHUT_WR || how == SHUT_RDWR) queueFin(c);
  return 0;
}

/** `close`: the application knows the socket no more. */
export function closeConnection(c: TcpConnection): void {
  const state = c.state;
  if (state == TCP_CLOSE || state == TCP_LISTEN || state == TCP_SYN_SENT) return abortConnection(c);
  if ((c.flags & SOCKET_LINGER) != 0 && c.linger == 0) return abortConnection(c);
  // Data that nobody will read: the peer has to know that it was lost (RFC 9293, 3.6.1; RFC 2525, 2.17).
  if (c.receivedBytes != 0 && state != TCP_TIME_WAIT) return abortConnection(c);
  if (statistics.orphans >= orphanLimit && state != TCP_TIME_WAIT) return abortConnection(c);
  queueFin(c);
  c.wake(WAKE_GONE, 0);
  c.flags |= SOCKET_ORPHAN;
  statistics.orphans++;
  if (c.state == TCP_TIME_WAIT) leaveTimeWait(c);
  else if (c.state == TCP_FIN_WAIT2) startLife(c, FIN_WAIT_2_LENGTH);
}

/** `abort`, and every close that cannot be orderly: a reset where the peer knows of the connection; the socket is freed. */
export function abortConnection(c: TcpConnection): void {
  if (c.state == TCP_LISTEN) closeListener(c);
  else if (c.state == TCP_TIME_WAIT) {
    c.wake(WAKE_GONE, 0);
    c.flags |= SOCKET_ORPHAN;
    statistics.orphans++;
    return leaveTimeWait(c);
  } else if (c.state != TCP_CLOSE) {
    if (stateIn(c.state, RESETS)) sendResetOf(c);
    settle(c);
    setState(c, TCP_CLOSE);
  }
  c.wake(WAKE_GONE, 0);
  release(c);
}

/** The application has said all that it will say. In SYN-RECEIVED the FIN waits for the handshake. */
function queueFin(c: TcpConnection): void {
  if (c.has(FIN_QUEUED)) return;
  if (c.state == TCP_SYN_RECV) c.status |= FIN_QUEUED;
  else if (stateIn(c.state, MAY_SEND)) startClosing(c);
}

/** ESTABLISHED or CLOSE-WAIT, with everything sent that there was: the FIN follows. */
export function startClosing(c: TcpConnection): void {
  c.status |= FIN_QUEUED;
  setState(c, c.state == TCP_CLOSE_WAIT ? TCP_LAST_ACK : TCP_FIN_WAIT1);
  output(c);
}

// ---- Ends that the protocol comes to ----

/** CLOSE, for good: `error` 0 after an orderly close, else the positive errno for the application. */
export function finish(c: TcpConnection, error: i32): void {
  if (error != 0) c.error = error;
  settle(c);
  setState(c, TCP_CLOSE);
  if ((c.flags & SOCKET_ORPHAN) != 0) return release(c);
  c.wake(POLLIN | POLLOUT | POLLHUP | POLLRDHUP | (error != 0 ? POLLERR : 0), 0);
}

/** The peer has reset the connection, or it was found to be broken. */
export function connectionReset(c: TcpConnection, error: i32): void {
  if (stateIn(c.state, MAY_SEND)) statistics.establishedResets++;
  finish(c, error);
}

/** TIME-WAIT: an orphan shrinks to what has to be remembered; an open socket sees the state, and its end 2 MSL later. */
export function enterTimeWait(c: TcpConnection): void {
  stopTimers(c);
  clearSendQueue(c);
  clearReassembly(c);
  setState(c, TCP_TIME_WAIT);
  if ((c.flags & SOCKET_ORPHAN) != 0) return leaveTimeWait(c);
  startLife(c, TIME_WAIT_LENGTH);
  c.wake(POLLIN | POLLHUP | POLLRDHUP, 0);
}

/** An orphan in TIME-WAIT becomes a TimeWait. */
function leaveTimeWait(c: TcpConnection): void {
  // The peer's FIN came together with what acknowledges ours.
  if (c.has(ACK_NOW)) sendAck(c);
  rememberTimeWait(c);
  settle(c);
  c.state = TCP_CLOSE;
  release(c);
}

/** FIN-WAIT-2 was reached: nobody waits for the peer's FIN for ever. */
export function enterFinWait2(c: TcpConnection): void {
  setState(c, TCP_FIN_WAIT2);
  if ((c.flags & SOCKET_ORPHAN) != 0) startLife(c, FIN_WAIT_2_LENGTH);
  else armIdle(c);
}

// ---- Parts ----

function stopTimers(c: TcpConnection): void {
  timerStop(c.retransmitTimer);
  timerStop(c.ackTimer);
}

/** Nothing is sent or received from here on; what was received in order stays to be read. */
function settle(c: TcpConnection): void {
  stopTimers(c);
  unpend(c);
  removeConnection(c);
  clearSendQueue(c);
  clearReassembly(c);
}

function clearSendQueue(c: TcpConnection): void {
  let buffer = c.sendHead;
  while (buffer !== null) {
    const next = buffer.next;
    releaseBuffer(buffer);
    buffer = next;
  }
  c.sendHead = null;
  c.sendTail = null;
  c.sendNext = null;
  c.sendBuffers = 0;
  clearScoreboard(c);
  unstarve(c);
}

/** Frees a connection that nobody holds. It is in CLOSE, or was never anything else but SYN-RECEIVED. */
export function release(c: TcpConnection): void {
  if (c.state != TCP_CLOSE) {
    settle(c);
    c.state = TCP_CLOSE;
  }
  if ((c.flags & SOCKET_ORPHAN) != 0) statistics.orphans--;
  removeBound(c);
  c.received.clear();
  c.queueLink.remove();
  freeConnection(c);
}
