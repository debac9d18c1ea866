/**
 * Keep-alive (RFC 9293, 3.8.4): probes on a connection on which nothing has come in for long, so that a peer that is gone is noticed.
 * Off unless the application asks for it.
 *
 * The retransmission timer does it while it has nothing else to do: nothing is in flight, and nothing waits for a window. It is not
 * restarted by what comes in; when it runs out, it looks at when something came last.
 */
import { ETIMEDOUT } from "../../../kernel/errno";
import { now } from "../../../kernel/time/clock";
import { timerPending, timerStartAt, timerStop } from "../../../kernel/time/timers";
import { SOCKET_KEEPALIVE } from "../socket";
import { milliseconds } from "./clock";
import { finish } from "./close";
import { TcpConnection, TIMER_KEEPALIVE, TIMER_NONE } from "./connection";
import { countAnew, userTimeout } from "./failure";
import { KEEPALIVE_COUNT, KEEPALIVE_IDLE, KEEPALIVE_INTERVAL } from "./parameters";
import { stateIn, TCP_CLOSE_WAIT, TCP_ESTABLISHED, TCP_FIN_WAIT2 } from "./state";
import { statistics } from "./statistics";
import { sendControl, sendResetOf } from "./transmit";

/** States in which a connection may be idle. */
const MAY_IDLE: u32 = (1 << TCP_ESTABLISHED) | (1 << TCP_CLOSE_WAIT) | (1 << TCP_FIN_WAIT2);

/** TCP_KEEPIDLE and TCP_KEEPINTVL in seconds, TCP_KEEPCNT: as they are in force. */
export function keepIdle(c: TcpConnection): u32 {
  return c.keepIdle != 0 ? <u32>c.keepIdle : KEEPALIVE_IDLE;
}

export function keepInterval(c: TcpConnection): u32 {
  return c.keepInterval != 0 ? <u32>c.keepInterval : KEEPALIVE_INTERVAL;
}

export function keepCount(c: TcpConnection): u32 {
  return c.keepCount != 0 ? <u32>c.keepCount : KEEPALIVE_COUNT;
}

function startTimer(c: TcpConnection, wait: u64): void {
  timerStartAt(c.retransmitTimer, now() + wait * 1000000, c.level);
}

/** Nothing is in flight and nothing waits to be: what the retransmission timer does now. */
export function armIdle(c: TcpConnection): void {
  const timer = c.retransmitTimer;
  if ((c.flags & SOCKET_KEEPALIVE) == 0 || !stateIn(c.state, MAY_IDLE)) {
    if (c.timerMode == TIMER_NONE) return;
    timerStop(timer);
    countAnew(c);
    c.timerMode = TIMER_NONE;
    return;
  }
  if (timerPending(timer) && c.timerMode == TIMER_KEEPALIVE) return;
  countAnew(c);
  c.timerMode = TIMER_KEEPALIVE;
  startTimer(c, keepIdle(c) * 1000);
}

/** The application has turned it on or off, or set other intervals: they count from now on. */
export function keepAliveChanged(c: TcpConnection): void {
  if (c.timerMode == TIMER_KEEPALIVE) timerStop(c.retransmitTimer);
  c.lastHeard = milliseconds();
  if (stateIn(c.state, MAY_IDLE) && (c.timerMode == TIMER_NONE || !timerPending(c.retransmitTimer)))
    armIdle(c);
}

/** A segment of the peer was found acceptable. */
// @ts-ignore: decorator
@inline
export function heard(c: TcpConnection): void {
  if ((c.flags & SOCKET_KEEPALIVE) != 0) noteHeard(c);
}

function noteHeard(c: TcpConnection): void {
  c.lastHeard = milliseconds();
  if (c.timerMode == TIMER_KEEPALIVE) c.retries = 0;
}

/** The timer ran out in TIMER_KEEPALIVE. */
export function keepAliveExpired(c: TcpConnection): void {
  const quiet = milliseconds() - c.lastHeard;
  const idle = keepIdle(c) * 1000;
  if (c.retries == 0 && quiet < idle) return startTimer(c, idle - quiet);
  if (isDead(c, quiet)) {
    statistics.timeouts++;
    // Should only the way back be broken, the peer hears that it is over.
    sendResetOf(c);
    return finish(c, c.softError != 0 ? c.softError : ETIMEDOUT);
  }
  c.retries++;
  statistics.keepAliveProbes++;
  // An octet that the peer has acknowledged: it has to say again where it is. Lost without a buffer, like one lost on the way.
  sendControl(c, c.SND_UNA - 1, 0);
  startTimer(c, keepInterval(c) * 1000);
}

/** No answer to so many probes, or, with a user time-out, for so long and to one at least. `quiet`: milliseconds without a segment. */
function isDead(c: TcpConnection, quiet: u32): bool {
  const limit = userTimeout(c);
  if (limit != 0) return c.retries != 0 && quiet >= limit;
  return <u32>c.retries >= keepCount(c);
}
