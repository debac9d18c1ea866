/**
 * What the one timer of the send side waits for. While something is in flight that is, of three things, the next: the end of a reordering window, a tail loss
 * probe, or the retransmission time-out (RFC 6298, 5; RFC 8985, 8); else the persist timer, if something waits to be sent, or
 * keep-alive (keepalive.ts).
 */
import { now } from "../../../kernel/time/clock";
import { timerPending, timerStartAt, timerStop } from "../../../kernel/time/timers";
import { SOCKET_KEEPALIVE } from "../socket";
import {
  HAS_SACK,
  IN_LOSS,
  IN_RECOVERY,
  PROBE_SENT,
  PUT_OFF,
  TcpConnection,
  TIMER_NONE,
  TIMER_PERSIST,
  TIMER_PROBE,
  TIMER_REORDERING,
  TIMER_RETRANSMIT,
} from "./connection";
import { countAnew } from "./failure";
import { armIdle } from "./keepalive";
import { PROBE_ACK_DELAY, PROBE_INITIAL, PROBE_MINIMUM } from "./parameters";
import { retransmitInterval } from "./rtt";

/** The timer was started last for what is in flight. */
// @ts-ignore: decorator
@inline
export function isForFlight(c: TcpConnection): bool {
  return c.timerMode == TIMER_RETRANSMIT || c.timerMode >= TIMER_PROBE;
}

/** After output: `waiting`: something is left in the queue that could not be sent. */
// @ts-ignore: decorator
@inline
export function armTimer(c: TcpConnection, waiting: bool): void {
  if (c.SND_NXT != c.SND_UNA) {
    if (timerPending(c.retransmitTimer) && isForFlight(c)) return;
    countAnew(c);
    restartTimeout(c, now());
  } else if (waiting) {
    if (c.timerMode != TIMER_PERSIST) countAnew(c);
    else if (timerPending(c.retransmitTimer)) return;
    c.timerMode = TIMER_PERSIST;
    timerStartAt(c.retransmitTimer, now() + retransmitInterval(c), c.level);
  } else if (c.timerMode != TIMER_NONE || (c.flags & SOCKET_KEEPALIVE) != 0) armIdle(c);
}

/**
 * All is acknowledged (RFC 6298, 5.2). The timer runs on for nothing: the next data finds it running, which saves 180 instructions of a request, and if none come it runs out
 * once.
 */
export function flightEnds(c: TcpConnection): void {
  if (isForFlight(c)) c.timerMode = TIMER_NONE;
  else timerStop(c.retransmitTimer);
}

/** RFC 6298, 5.1 and 5.3: the time-out runs from `time` on. Something is in flight. */
export function restartTimeout(c: TcpConnection, time: u64): void {
  c.rtoStart = time;
  schedule(c);
}

/**
 * Starts the timer for whatever is next. Something is in flight. Acknowledgements put that off, each a little: then the timer stays where it is, and goes on from there
 * when it runs out (retransmitExpired). That is 20 instructions for each, instead of 90.
 */
export function schedule(c: TcpConnection): void {
  let at = c.rtoStart + retransmitInterval(c);
  c.timerMode = TIMER_RETRANSMIT;
  if (c.reorderingEnd != 0) {
    if (c.reorderingEnd < at) {
      at = c.reorderingEnd;
      c.timerMode = TIMER_REORDERING;
    }
  } else if (mayProbe(c)) {
    at = min(at, probeTime(c));
    c.timerMode = TIMER_PROBE;
  }
  const timer = c.retransmitTimer;
  if (timerPending(timer) && timer.expires <= at) {
    c.status |= PUT_OFF;
    return;
  }
  c.status &= ~PUT_OFF;
  timerStartAt(timer, at, c.level);
}

/** RFC 8985, 7.2: nothing is known to be missing, and no probe is under way. */
// @ts-ignore: decorator
@inline
function mayProbe(c: TcpConnection): bool {
  return (
    c.has(HAS_SACK) &&
    !c.has(IN_RECOVERY | IN_LOSS | PROBE_SENT) &&
    c.sackedCount == 0 &&
    c.lostBytes == 0 &&
    c.backoff == 0
  );
}

/** When a probe is due: two round trips after the last acknowledgement or the last new data, and time for a delayed acknowledgement. */
export function probeTime(c: TcpConnection): u64 {
  const start = max(c.rtoStart, c.lastSent);
  if (c.smoothedRtt == 0) return start + PROBE_INITIAL;
  const delay = c.pipe < 2 * c.sendMss ? PROBE_ACK_DELAY : 0;
  return start + max(<u64>c.smoothedRtt * 2000, PROBE_MINIMUM) + delay;
}
