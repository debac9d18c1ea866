/**
 * Connection failures (RFC 9293, 3.8.3): R1, at which the network layer and the application hear that something is wrong, and R2, at
 * which the connection is given up. R2 counts retransmissions, unless there is a user time-out: of the application (TCP_USER_TIMEOUT), or
 * agreed upon with the peer (RFC 5482, when the application has enabled it by TCP_UTO).
 *
 *     RFC 5482      here
 *     USER_TIMEOUT  userTimeout(c)                        ADV_UTO     what the application has set, or USER_TIMEOUT_DEFAULT
 *     REMOTE_UTO    c.remoteTimeout                       CHANGEABLE  while the application has set none
 *     ENABLED       SOCKET_UTO                            U_LIMIT  USER_TIMEOUT_MOST; L_LIMIT is below USER_TIMEOUT_DEFAULT, and says nothing
 *
 * Soft errors (RFC 9293, 3.9.1.8) are R1 and what ICMP says: the socket reports POLLMSG, and TCP_SOFT_ERROR says which.
 */
import { ETIMEDOUT } from "../../../kernel/errno";
import { POLLMSG } from "../../../kernel/scheduler/wait";
import { ipDoubt } from "../../ip";
import { SOCKET_ORPHAN, SOCKET_UTO } from "../socket";
import { milliseconds } from "./clock";
import {
  SOFT_NEWS,
  TcpConnection,
  TIMEOUT_DUE,
  TIMER_KEEPALIVE,
  TIMER_PERSIST,
  TIMER_RESOURCE,
} from "./connection";
import {
  RETRIES_ADVICE,
  RETRIES_DATA,
  RETRIES_ORPHAN,
  RETRIES_RESOURCE,
  RETRIES_SYN,
  USER_TIMEOUT_DEFAULT,
  USER_TIMEOUT_MOST,
} from "./parameters";
import { retransmitInterval } from "./rtt";
import { TCP_SYN_RECV, TCP_SYN_SENT } from "./state";

/** The unit of a time-out on the wire is a minute, and not a second. */
const MINUTES: u32 = 0x8000;

/** The user time-out in force, in milliseconds; 0: there is none. */
export function userTimeout(c: TcpConnection): u32 {
  if (c.userTimeout != 0) return c.userTimeout;
  if (c.remoteTimeout == 0 || (c.flags & SOCKET_UTO) == 0) return 0;
  return 1000 * min(max(secondsOf(c.remoteTimeout), USER_TIMEOUT_DEFAULT), USER_TIMEOUT_MOST);
}

/**
 * The retransmission or persist timer has run out. True: it has done so for the last time. Begins to count the time from the
 * transmission that was not answered, when it has run out for the first time since SND.UNA moved.
 */
export function isHopeless(c: TcpConnection): bool {
  if (c.timerMode == TIMER_RESOURCE) return c.retries >= <u8>RETRIES_RESOURCE;
  const time = milliseconds();
  // Through a window that the peer keeps shut, or has shut behind what is in flight, only the application's own time-out counts (RFC 9293, 3.8.6 and 3.8.6.1).
  const shut = c.timerMode == TIMER_PERSIST || c.flight > c.SND_WND;
  const limit = shut ? c.userTimeout : userTimeout(c);
  if (c.stalledAt != c.SND_UNA) {
    c.stalledAt = c.SND_UNA;
    c.stalledSince = time - <u32>(retransmitInterval(c) / 1000000);
    // However short the time-out, there is one retransmission.
    return false;
  }
  if (shut && limit == 0) c.stalledSince = time;
  return limit != 0 ? time - c.stalledSince >= limit : c.retries >= retriesAllowed(c);
}

/**
 * The timer goes over to something else than `timerMode` says. What it has counted was about that, and is nothing against what comes: waits for room, probes of an idle
 * connection, and those of a window, with their back-off and their time. What is in flight is another matter: its count ends with an acknowledgement (acknowledge.ts), and its
 * back-off with a measurement (RFC 6298, 5).
 */
export function countAnew(c: TcpConnection): void {
  const mode = c.timerMode;
  if (mode == TIMER_PERSIST) {
    c.backoff = 0;
    c.stalledAt = c.SND_UNA - 1;
  } else if (mode != TIMER_RESOURCE && mode != TIMER_KEEPALIVE) return;
  c.retries = 0;
}

function retriesAllowed(c: TcpConnection): u8 {
  if (c.state == TCP_SYN_SENT || c.state == TCP_SYN_RECV) return <u8>RETRIES_SYN;
  return (c.flags & SOCKET_ORPHAN) != 0 ? <u8>RETRIES_ORPHAN : <u8>RETRIES_DATA;
}

/** Nanoseconds until the timer has to run out again: its interval, or what is left of the user time-out. Behind `isHopeless`. */
export function nextInterval(c: TcpConnection): u64 {
  const interval = retransmitInterval(c);
  const limit = userTimeout(c);
  if (limit == 0) return interval;
  const gone = milliseconds() - c.stalledSince;
  return gone < limit ? min<u64>(interval, <u64>(limit - gone) * 1000000) : interval;
}

/** A retransmission has left: at R1 the neighbour on the way is doubted, and the application hears of it. */
export function retransmissionMade(c: TcpConnection): void {
  if (c.retries != RETRIES_ADVICE) return;
  ipDoubt(c.flow.remote);
  if (c.softError == 0) noteSoftError(c, ETIMEDOUT);
}

/** Something is wrong that may pass. `error`: positive errno. The reason, too, should the connection time out. */
export function noteSoftError(c: TcpConnection, error: i32): void {
  c.softError = error;
  c.status |= SOFT_NEWS;
  if ((c.flags & SOCKET_ORPHAN) == 0) c.wake(POLLMSG, 0);
}

// ---- User time-outs on the wire (RFC 5482, 3) ----

/** `wire`: the field of the option. In seconds. */
function secondsOf(wire: u32): u32 {
  return wire & MINUTES ? (wire & ~MINUTES) * 60 : wire;
}

/** The field for `seconds`: never 0, never less than asked for if the field can say so. */
function wireOf(seconds: u32): u32 {
  if (seconds < MINUTES) return max<u32>(seconds, 1);
  return MINUTES | min<u32>((seconds + 59) / 60, MINUTES - 1);
}

/** The field of the option in our segments; 0: it is not sent. `c`: a connection, or the listener for what it answers. */
export function advertisedTimeout(c: TcpConnection): u32 {
  if ((c.flags & SOCKET_UTO) == 0) return 0;
  return wireOf(c.userTimeout != 0 ? (c.userTimeout - 1) / 1000 + 1 : USER_TIMEOUT_DEFAULT);
}

/** The peer's option, `wire` not 0, has come in an acceptable segment. */
export function timeoutHeard(c: TcpConnection, wire: u32): void {
  if ((c.flags & SOCKET_UTO) != 0) c.remoteTimeout = <u16>wire;
}

/** The next acknowledgement carries our option. */
export function announceTimeout(c: TcpConnection): void {
  if ((c.flags & SOCKET_UTO) != 0) c.status |= TIMEOUT_DUE;
}
