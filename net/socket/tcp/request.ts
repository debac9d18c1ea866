/**
 * Half-open connections (RFC 9293: SYN-RECEIVED of a passive open): what a SYN said, in 112 bytes, until the final ACK
 * comes. The SYN,ACK is repeated as a SYN is (RFC 9293, 3.8.3): after 1, 2, 4, 8, 16, 32 and 60 s, and the request is forgotten 60 s later. While more
 * than half of the requests of a listener are taken it is repeated twice only, and when all are there are SYN cookies.
 *
 * Requests that wait for their n-th repetition have the same time-out, so one queue for each n is in the order of time, and
 * the heads of the queues say when the one timer has work.
 */
import { Link } from "../../../kernel/list";
import { Pool } from "../../../kernel/memory/pool";
import { now } from "../../../kernel/time/clock";
import { Timer, STEP_PAUSE, timerPending, timerPrepare, timerStartAt } from "../../../kernel/time/timers";
import { Flow } from "../../flow";
import { receiveLevel } from "../../levels";
import { TCP_ACK, TCP_RST, TCP_SYN } from "../../wire/tcp";
import { milliseconds, timestampOffset } from "./clock";
import { HAS_TIMESTAMPS, SYN_WAS_LOST, TcpConnection } from "./connection";
import { findRequest, findTimeWait, insertRequest, removeRequest } from "./demux";
import { completeOpen, offeredBy, releaseListener, TcpListener } from "./listen";
import { offeredScale, peerMss } from "./mss";
import { NO_SCALE } from "./options";
import {
  CHALLENGE_INTERVAL,
  REQUESTS_PER_LISTENER,
  RETRIES_SYN,
  RETRIES_SYN_BUSY,
  RTO_INITIAL,
  RTO_MAXIMUM,
} from "./parameters";
import { Segment } from "./segment";
import { before, within } from "./sequence";
import { statistics } from "./statistics";
import { timeWaitReplaced } from "./timewait";
import { emit, sendResetFor, sendSynFrom } from "./transmit";
import { allocateBuffer, BUFFER_HEADROOM, releaseBuffer } from "../../buffer";
import { pushTimestamps } from "./options";
import { firstWindow } from "./window";


@unmanaged
export class TcpRequest extends Link {
  hashNext: TcpRequest | null;
  hash: u32;
  private flow0: u64;
  private flow1: u64;
  private flow2: u64;
  private flow3: u64;
  private flow4: u64;
  private flow5: u64;
  private sibling0: usize;
  private sibling1: usize;
  listener: TcpListener;
  ISS: u32;
  IRS: u32;
  timestampRecent: u32;
  mss: u16;
  /** Window scale of the peer, or NO_SCALE. */
  scale: u8;
  /** Repetitions of the SYN,ACK so far. */
  retries: u8;
  /** Bits of AGREED. */
  agreed: u16;
  /** When a segment that was not acceptable was answered last, in milliseconds modulo 2^16; 0: never. One in a hundred goes without an answer for that. */
  lastChallenge: u16;
  /** Window field of the SYN,ACK: what was offered is kept, whatever the listener is set meanwhile. */
  window: u16;
  expires: u64;


  @inline get flow(): Flow {
    return changetype<Flow>(changetype<usize>(this) + offsetof<TcpRequest>("flow0"));
  }

  /** The member in the list of those of one listener. */
  @inline get sibling(): Link {
    return changetype<Link>(changetype<usize>(this) + offsetof<TcpRequest>("sibling0"));
  }

  /** The listening socket; null: it has been closed, and whoever meets the request gives it up. */
  @inline get owner(): TcpConnection | null {
    return this.listener.owner;
  }
}

const QUEUES: u32 = RETRIES_SYN + 1;
/** Bytes of the heads of the queues. */
export const REQUEST_QUEUES_SIZE: usize = offsetof<Link>() * <usize>QUEUES;

let pool: Pool = changetype<Pool>(0);
let queues: usize = 0;
let timer: Timer = changetype<Timer>(0);

/** `heads`: REQUEST_QUEUES_SIZE bytes; `clock`: room for a Timer; `callback`: index of `requestsExpired`. */
export function initializeRequests(
  storage: Pool,
  limit: u32,
  heads: usize,
  clock: Timer,
  callback: u32,
): void {
  pool = storage;
  pool.initialize(offsetof<TcpRequest>(), limit);
  queues = heads;
  for (let i: u32 = 0; i < QUEUES; i++) queueOf(i).initialize();
  timer = clock;
  timerPrepare(timer, callback);
}

export function requestPool(): Pool {
  return pool;
}

// @ts-ignore: decorator
@inline
function queueOf(retries: u32): Link {
  return changetype<Link>(queues + <usize>retries * offsetof<Link>());
}

/** Answers the SYN `s` and remembers it. False: no memory, nothing was sent. */
export function addRequest(c: TcpConnection, s: Segment, iss: u32): bool {
  const listener = c.listener;
  if (listener === null) return false;
  const address = pool.allocate();
  if (address == 0) return false;
  const r = changetype<TcpRequest>(address);
  r.hash = <u32>s.hash;
  r.listener = listener;
  r.flow.copy(s.flow);
  r.ISS = iss;
  r.IRS = s.sequence;
  r.mss = <u16>peerMss(s);
  r.scale = <u8>s.scale;
  r.agreed = <u16>offeredBy(s);
  r.timestampRecent = s.timestampValue;
  r.window = <u16>firstWindow(c);
  listener.requestCount++;
  listener.requests.append(r.sibling);
  insertRequest(r);
  enqueue(r);
  sendSynAck(r, c);
  return true;
}

function enqueue(r: TcpRequest): void {
  r.expires = now() + min<u64>((<u64>RTO_INITIAL) << r.retries, RTO_MAXIMUM) * 1000;
  queueOf(r.retries).append(r);
  if (!timerPending(timer) || timer.expires > r.expires) timerStartAt(timer, r.expires, receiveLevel);
}

/** The request of `flow`; one whose listener has been closed is given up. */
export function openRequest(hash: u32, flow: Flow): TcpRequest | null {
  const r = findRequest(hash, flow);
  if (r === null || r.owner !== null) return r;
  giveUpRequest(r);
  return null;
}

/** The handshake will not be completed. */
export function giveUpRequest(r: TcpRequest): void {
  statistics.attemptsFailed++;
  forgetRequest(r);
}

/** That of the member `link` of a list of siblings. */
// @ts-ignore: decorator
@inline
export function requestOfSibling(link: Link): TcpRequest {
  return changetype<TcpRequest>(changetype<usize>(link) - offsetof<TcpRequest>("sibling0"));
}

function forgetRequest(r: TcpRequest): void {
  const listener = r.listener;
  listener.requestCount--;
  r.sibling.remove();
  releaseListener(listener);
  r.remove();
  removeRequest(r);
  pool.release(changetype<usize>(r));
}

/** Requests that one call repeats or gives up; the others have their turn in the next tick. */
const EXPIRY_BUDGET: u32 = 8;

/** Call-back of the timer: repeats the SYN,ACK of those whose time has come, or gives them up. */
export function requestsExpired(_: Timer): void {
  const time = now();
  let next = u64.MAX_VALUE;
  let budget = EXPIRY_BUDGET;
  for (let i: u32 = QUEUES; i-- > 0;) {
    const queue = queueOf(i);
    while (!queue.isEmpty) {
      const r = changetype<TcpRequest>(queue.next);
      if (r.expires > time || budget == 0) {
        next = min(next, max(r.expires, time + STEP_PAUSE));
        break;
      }
      budget--;
      repeat(r);
    }
  }
  // What `repeat` queued again started the timer already where it is earlier.
  if (next != u64.MAX_VALUE && (!timerPending(timer) || timer.expires > next))
    timerStartAt(timer, next, receiveLevel);
}

function repeat(r: TcpRequest): void {
  const c = r.owner;
  const busy = r.listener.requestCount > REQUESTS_PER_LISTENER / 2;
  if (c === null || r.retries >= (busy ? RETRIES_SYN_BUSY : RETRIES_SYN)) return giveUpRequest(r);
  r.remove();
  r.retries++;
  enqueue(r);
  statistics.retransmitted++;
  sendSynAck(r, c);
}

function sendSynAck(r: TcpRequest, c: TcpConnection): void {
  sendSynFrom(
    c,
    r.flow,
    r.ISS,
    r.IRS + 1,
    TCP_ACK,
    r.window,
    r.scale == NO_SCALE ? NO_SCALE : offeredScale(),
    r.agreed,
    r.agreed & HAS_TIMESTAMPS ? milliseconds() + timestampOffset(r.flow) : 0,
    r.timestampRecent,
  );
}

/** <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK> to a segment that is not acceptable, limited in rate (RFC 5961, 7). */
function sendAckOf(r: TcpRequest, c: TcpConnection): void {
  const time = <u16>milliseconds();
  if (r.lastChallenge != 0 && <u32>(<u16>(time - r.lastChallenge)) < CHALLENGE_INTERVAL) return;
  r.lastChallenge = max<u16>(time, 1);
  statistics.challengeAcks++;
  const buffer = allocateBuffer(BUFFER_HEADROOM);
  if (buffer === null) return;
  let options: u32 = 0;
  if (r.agreed & HAS_TIMESTAMPS)
    options = pushTimestamps(buffer, milliseconds() + timestampOffset(r.flow), r.timestampRecent);
  const window = (<u32>r.window) >> (r.scale == NO_SCALE ? 0 : offeredScale());
  emit(buffer, options, r.flow, r.ISS + 1, r.IRS + 1, TCP_ACK, window, c.service);
  releaseBuffer(buffer);
}

/** A segment for request `r` of listener `c`: the checks of RFC 9293, 3.10.7.4 in SYN-RECEIVED. */
export function requestSegment(r: TcpRequest, c: TcpConnection, s: Segment): void {
  const window: u32 = r.window;
  if (s.has(TCP_RST)) {
    // RFC 5961, 3.2: exactly the next one, or it is an attempt.
    if (s.sequence == r.IRS + 1) giveUpRequest(r);
    else if (within(s.sequence, r.IRS + 1, window)) sendAckOf(r, c);
    return;
  }
  if (s.has(TCP_SYN)) {
    // The same SYN again: the SYN,ACK was lost. Another one: the peer will reset what it does not know.
    if (s.sequence == r.IRS && !s.has(TCP_ACK)) sendSynAck(r, c);
    else sendAckOf(r, c);
    return;
  }
  const old =
    (r.agreed & HAS_TIMESTAMPS) != 0 && s.hasTimestamps && before(s.timestampValue, r.timestampRecent);
  if (old || !within(s.sequence, r.IRS + 1, window)) {
    sendAckOf(r, c);
    return;
  }
  if (!s.has(TCP_ACK)) return;
  if (s.acknowledgement != r.ISS + 1) {
    sendResetFor(s);
    return;
  }
  if (r.listener.isFull) {
    statistics.listenOverflows++;
    return;
  }
  let agreed = <u32>r.agreed;
  if (!s.hasTimestamps) agreed &= ~HAS_TIMESTAMPS;
  if (r.retries != 0) agreed |= SYN_WAS_LOST;
  if (completeOpen(c, s, r.ISS, r.IRS, window, r.mss, r.scale, agreed, r.timestampRecent)) {
    timeWaitReplaced(findTimeWait(r.hash, r.flow));
    forgetRequest(r);
  }
}
