/**
 * What happens when a connection's timers run out: retransmission and persist (keep-alive: keepalive.ts), delayed acknowledgement, end of
 * life.
 */
import { ETIMEDOUT } from "../../../kernel/errno";
import { now } from "../../../kernel/time/clock";
import { Timer, timerPending, timerStartAt } from "../../../kernel/time/timers";
import { TCP_ACK } from "../../wire/tcp";
import { finish } from "./close";
import { congestionTimeout } from "./congestion";
import {
  connectionOfTimer,
  IN_RECOVERY,
  SYN_WAS_LOST,
  TcpConnection,
  TIMER_KEEPALIVE,
  TIMER_PERSIST,
  TIMER_RESOURCE,
  TIMER_RETRANSMIT,
} from "./connection";
import { isHopeless, nextInterval, retransmissionMade } from "./failure";
import { keepAliveExpired } from "./keepalive";
import { DELAYED_ACK } from "./parameters";
import { pathTimeout } from "./pmtu";
import { output, retransmitFirst, rewind, sendProbe } from "./send";
import { TCP_SYN_RECV, TCP_SYN_SENT } from "./state";
import { statistics } from "./statistics";
import { sendAck, sendSyn } from "./transmit";

/** Call-back of `retransmitTimer`. */
export function retransmitExpired(timer: Timer): void {
  const c = connectionOfTimer(timer, 0);
  if (c.timerMode == TIMER_KEEPALIVE) return keepAliveExpired(c);
  if (isHopeless(c)) {
    statistics.timeouts++;
    if (c.state == TCP_SYN_SENT || c.state == TCP_SYN_RECV) statistics.attemptsFailed++;
    return finish(c, c.softError != 0 ? c.softError : ETIMEDOUT);
  }
  c.retries++;
  if (c.timerMode == TIMER_RESOURCE) return output(c);
  if (c.timerMode == TIMER_PERSIST) {
    sendProbe(c);
    if (c.flight != 0) c.timerMode = TIMER_RETRANSMIT;
  } else if (c.state == TCP_SYN_SENT || c.state == TCP_SYN_RECV) {
    c.status |= SYN_WAS_LOST;
    statistics.retransmitted++;
    sendSyn(c, c.state == TCP_SYN_RECV ? TCP_ACK : 0);
  } else timedOut(c);
  // RFC 6298, 5.5: the time-out doubles.
  if (c.backoff < 16) c.backoff++;
  timerStartAt(c.retransmitTimer, now() + nextInterval(c), c.level);
  retransmissionMade(c);
}

/** The connection is of another level: so are its timers that run. */
export function timersRanked(c: TcpConnection): void {
  move(c.retransmitTimer, c.level);
  move(c.ackTimer, c.level);
  move(c.lifeTimer, c.level);
}

// @ts-ignore: decorator
@inline
function move(timer: Timer, level: u32): void {
  if (timerPending(timer)) timerStartAt(timer, timer.expires, level);
}

/** RFC 6298, 5.4 to 5.6 and RFC 5681, 3.1: the first segment again, then slow start over all that was in flight. */
function timedOut(c: TcpConnection): void {
  congestionTimeout(c, c.retries == 1);
  c.status &= ~IN_RECOVERY;
  c.duplicateAcks = 0;
  c.recover = c.SND_MAX;
  rewind(c);
  pathTimeout(c);
  retransmitFirst(c);
  const head = c.sendHead;
  if (head === null) c.SND_NXT = c.SND_MAX;
  else {
    c.SND_NXT = head.sequence + head.length;
    c.sendNext = head.next;
    // The FIN that went with the last of the data has gone with it again.
    if (c.sendNext === null && c.SND_MAX == c.SND_NXT + 1) c.SND_NXT++;
  }
}

// @ts-ignore: decorator
@inline
export function delayAck(c: TcpConnection): void {
  timerStartAt(c.ackTimer, now() + DELAYED_ACK, c.level);
}

/** Call-back of `ackTimer`. */
export function ackExpired(timer: Timer): void {
  const c = connectionOfTimer(timer, 1);
  if (sendAck(c) < 0) delayAck(c);
}

/** Call-back of `lifeTimer`: FIN-WAIT-2 of an orphan or TIME-WAIT of an open socket is over. */
export function lifeExpired(timer: Timer): void {
  finish(connectionOfTimer(timer, 2), 0);
}
