/**
 * What happens when a connection's two timers run out: retransmission, persist and the end of its life (keep-alive: keepalive.ts); delayed
 * acknowledgement.
 */
import { ETIMEDOUT } from "../../../kernel/errno";
import { now } from "../../../kernel/time/clock";
import { Timer, timerPending, timerStartAt } from "../../../kernel/time/timers";
import { TCP_ACK } from "../../wire/tcp";
import { finish } from "./close";
import {
  ACK_NOW,
  connectionOfAck,
  connectionOfRetransmit,
  PUT_OFF,
  SYN_WAS_LOST,
  TcpConnection,
  TIMER_KEEPALIVE,
  TIMER_LIFE,
  TIMER_NONE,
  TIMER_PERSIST,
  TIMER_PROBE,
  TIMER_REORDERING,
  TIMER_RESOURCE,
  TIMER_RETRANSMIT,
} from "./connection";
import { isHopeless, nextInterval, retransmissionMade } from "./failure";
import { keepAliveExpired } from "./keepalive";
import { DELAYED_ACK } from "./parameters";
import { pathTimeout } from "./pmtu";
import { sendTailProbe } from "./probe";
import { recoveryTimeout, reorderingExpired } from "./recovery";
import { armTimer, isForFlight, probeTime, restartTimeout, schedule } from "./retransmission";
import { retransmitInterval } from "./rtt";
import { output, retransmitFirst, sendProbe } from "./send";
import { TCP_SYN_RECV, TCP_SYN_SENT } from "./state";
import { statistics } from "./statistics";
import { sendAck, sendSyn } from "./transmit";

/** Call-back of `retransmitTimer`. */
export function retransmitExpired(timer: Timer): void {
  const c = connectionOfRetransmit(timer);
  if (c.has(PUT_OFF)) {
    c.status &= ~PUT_OFF;
    if (isForFlight(c)) return schedule(c);
  }
  const mode = c.timerMode;
  if (mode == TIMER_NONE) return;
  if (mode == TIMER_KEEPALIVE) return keepAliveExpired(c);
  if (mode == TIMER_LIFE) return finish(c, 0);
  if (mode == TIMER_PROBE) return probeExpired(c);
  if (mode == TIMER_REORDERING) {
    if (reorderingExpired(c, now())) output(c);
    if (c.flight != 0) schedule(c);
    return;
  }
  if (isHopeless(c)) {
    statistics.timeouts++;
    if (c.state == TCP_SYN_SENT || c.state == TCP_SYN_RECV) statistics.attemptsFailed++;
    return finish(c, c.softError != 0 ? c.softError : ETIMEDOUT);
  }
  c.retries++;
  if (mode == TIMER_RESOURCE) return output(c);
  if (mode == TIMER_PERSIST) {
    sendProbe(c);
    // What a small window has taken is in flight, for the first time.
    if (c.flight != 0) return armTimer(c, true);
  } else if (c.state == TCP_SYN_SENT || c.state == TCP_SYN_RECV) {
    c.status |= SYN_WAS_LOST;
    statistics.retransmitted++;
    sendSyn(c, c.state == TCP_SYN_RECV ? TCP_ACK : 0);
  } else {
    recoveryTimeout(c, now(), c.retries == 1);
    pathTimeout(c);
    retransmitFirst(c);
  }
  // RFC 6298, 5.5: the time-out doubles.
  if (c.backoff < 16) c.backoff++;
  c.rtoStart = now();
  timerStartAt(c.retransmitTimer, c.rtoStart + nextInterval(c), c.level);
  retransmissionMade(c);
}

/** New data may have put a tail loss probe off. After it the time-out runs anew (RFC 8985, 7.3). */
function probeExpired(c: TcpConnection): void {
  const time = now();
  const timeout = c.rtoStart + retransmitInterval(c);
  if (probeTime(c) > time && timeout > time) return schedule(c);
  if (sendTailProbe(c)) return restartTimeout(c, time);
  c.timerMode = TIMER_RETRANSMIT;
  timerStartAt(c.retransmitTimer, timeout, c.level);
}

/** The connection is of another level: so are its timers that run. */
export function timersRanked(c: TcpConnection): void {
  move(c.retransmitTimer, c.level);
  move(c.ackTimer, c.level);
}

// @ts-ignore: decorator
@inline
function move(timer: Timer, level: u32): void {
  if (timerPending(timer)) timerStartAt(timer, timer.expires, level);
}

// @ts-ignore: decorator
@inline
export function delayAck(c: TcpConnection): void {
  timerStartAt(c.ackTimer, now() + DELAYED_ACK, c.level);
}

/**
 * Call-back of `ackTimer`. It is not stopped when something that leaves acknowledges: at most requests the answer does, and the next one finds it running, which saves 150
 * instructions of each. So it may find nothing to be acknowledged, or what came later than it was started, whose acknowledgement leaves early then.
 */
export function ackExpired(timer: Timer): void {
  const c = connectionOfAck(timer);
  if (c.lastAckSent == c.RCV_NXT && !c.has(ACK_NOW)) return;
  if (sendAck(c) < 0) delayAck(c);
}

/**
 * The connection ends in `length` ns: FIN-WAIT-2 of an orphan, TIME-WAIT of a socket that is still open. What it has sent has been acknowledged, and it will send nothing more
 * (MAY_TRANSMIT), so the timer is free.
 */
export function startLife(c: TcpConnection, length: u64): void {
  c.timerMode = TIMER_LIFE;
  timerStartAt(c.retransmitTimer, now() + length, c.level);
}
