/**
 * TIME-WAIT (RFC 9293, 3.4.2; RFC 6191): once the application has let go, what is left of a connection is this small
 * object. All live for the same 2 MSL, so a queue in the order of arrival and one timer serve them.
 *
 * There is a limit; at it the oldest makes room. A flow may be used again before the time is over by a SYN that cannot be
 * an old one: of a later timestamp, or of a greater sequence number.
 */
import { Link } from "../../../kernel/list";
import { Pool } from "../../../kernel/memory/pool";
import { now } from "../../../kernel/time/clock";
import {
  Timer,
  TIMER_TICK,
  timerPending,
  timerPrepare,
  timerStartAt,
  timerStop,
} from "../../../kernel/time/timers";
import { Flow } from "../../flow";
import { TTL_DEFAULT } from "../../ipv4";
import { receiveLevel } from "../../levels";
import { allocateBuffer, BUFFER_HEADROOM, releaseBuffer } from "../../buffer";
import { TCP_ACK, TCP_FIN, TCP_RST, TCP_SYN } from "../../wire/tcp";
import { milliseconds } from "./clock";
import { HAS_TIMESTAMPS, TcpConnection } from "./connection";
import { insertTimeWait, removeTimeWait } from "./demux";
import { pushTimestamps } from "./options";
import { PAWS_LIFETIME, TIME_WAIT_LENGTH } from "./parameters";
import { Segment } from "./segment";
import { after, before } from "./sequence";
import { statistics } from "./statistics";
import { emit } from "./transmit";


@unmanaged
export class TimeWait extends Link {
  hashNext: TimeWait | null;
  hash: u32;
  private flow0: u64;
  private flow1: u64;
  private flow2: u64;
  private flow3: u64;
  private flow4: u64;
  private flow5: u64;
  SND_NXT: u32;
  RCV_NXT: u32;
  timestampOffset: u32;
  timestampRecent: u32;
  timestampAge: u32;
  /** The window field of the acknowledgements it sends. */
  window: u16;
  hasTimestamps: bool;
  /** Type of service of the socket. */
  tos: u8;
  expires: u64;


  @inline get flow(): Flow {
    return changetype<Flow>(changetype<usize>(this) + offsetof<TimeWait>("flow0"));
  }
}

let pool: Pool = changetype<Pool>(0);
let queue: Link = changetype<Link>(0);
let timer: Timer = changetype<Timer>(0);

/** `head`: room for a Link; `clock`: for a Timer; `callback`: index of `timeWaitExpired`. */
export function initializeTimeWait(storage: Pool, limit: u32, head: Link, clock: Timer, callback: u32): void {
  pool = storage;
  pool.initialize(offsetof<TimeWait>(), limit);
  queue = head;
  queue.initialize();
  timer = clock;
  timerPrepare(timer, callback);
}

export function timeWaitPool(): Pool {
  return pool;
}

/** What remains of connection `c`, which leaves the table of connections. Without memory nothing remains. */
export function rememberTimeWait(c: TcpConnection): void {
  if (pool.inUse >= pool.limit && !queue.isEmpty) {
    statistics.timeWaitRecycled++;
    forget(changetype<TimeWait>(queue.next));
  }
  const address = pool.allocate();
  if (address == 0) return;
  const t = changetype<TimeWait>(address);
  t.hash = c.hash;
  t.flow.copy(c.flow);
  t.SND_NXT = c.SND_MAX;
  t.RCV_NXT = c.RCV_NXT;
  t.timestampOffset = c.timestampOffset;
  t.timestampRecent = c.timestampRecent;
  t.timestampAge = c.timestampAge;
  t.hasTimestamps = c.has(HAS_TIMESTAMPS);
  t.tos = <u8>(c.service >> 8);
  t.window = <u16>min<u32>(c.receiveWindow >> c.receiveScale, 65535);
  insertTimeWait(t);
  enqueue(t);
}

function enqueue(t: TimeWait): void {
  t.expires = now() + TIME_WAIT_LENGTH;
  queue.append(t);
  if (!timerPending(timer)) timerStartAt(timer, t.expires, receiveLevel);
}

function forget(t: TimeWait): void {
  t.remove();
  removeTimeWait(t);
  pool.release(changetype<usize>(t));
  if (queue.isEmpty) timerStop(timer);
}

/** Entries that one call lets go of; the others in the next tick. */
const EXPIRY_BUDGET: u32 = 64;

/** Call-back of the timer: lets go of those whose time is over. */
export function timeWaitExpired(_: Timer): void {
  const time = now();
  for (let budget = EXPIRY_BUDGET; !queue.isEmpty; budget--) {
    const oldest = changetype<TimeWait>(queue.next);
    if (oldest.expires > time || budget == 0) {
      timerStartAt(timer, max(oldest.expires, time + TIMER_TICK), receiveLevel);
      return;
    }
    forget(oldest);
  }
}

/**
 * May a SYN `s` begin a new connection over an old one in TIME-WAIT that knows `receiveNext` and, with timestamps,
 * `recent` taken at `age`? RFC 6191; RFC 9293, 3.6.1.
 */
export function mayReuse(s: Segment, receiveNext: u32, hasTimestamps: bool, recent: u32, age: u32): bool {
  if (hasTimestamps && s.hasTimestamps && milliseconds() - age < PAWS_LIFETIME && s.timestampValue != recent)
    return after(s.timestampValue, recent);
  return after(s.sequence, receiveNext);
}

/**
 * A segment for a connection in TIME-WAIT. True: it is a SYN that may begin a new connection, and `t` is forgotten; its SND.NXT is in
 * `reusedSequence`.
 */
export function timeWaitSegment(t: TimeWait, s: Segment): bool {
  if (s.has(TCP_RST)) {
    if (s.sequence == t.RCV_NXT) forget(t);
    return false;
  }
  if ((s.flags & (TCP_SYN | TCP_ACK)) == TCP_SYN) {
    if (mayReuse(s, t.RCV_NXT, t.hasTimestamps, t.timestampRecent, t.timestampAge)) {
      reusedSequence = t.SND_NXT;
      forget(t);
      return true;
    }
  } else if (s.has(TCP_FIN) && !before(s.sequence + 65536, t.RCV_NXT)) {
    // The peer did not get the last acknowledgement: 2 MSL begin again.
    t.remove();
    enqueue(t);
  }
  // A segment that occupies no sequence space gets no answer: two ends in TIME-WAIT would talk for ever.
  if (s.length != 0) answer(t);
  return false;
}

/** SND.NXT of the connection that `timeWaitSegment` forgot last. */
export let reusedSequence: u32 = 0;

function answer(t: TimeWait): void {
  const buffer = allocateBuffer(BUFFER_HEADROOM);
  if (buffer === null) return;
  let options: u32 = 0;
  if (t.hasTimestamps)
    options = pushTimestamps(buffer, milliseconds() + t.timestampOffset, t.timestampRecent);
  emit(buffer, options, t.flow, t.SND_NXT, t.RCV_NXT, TCP_ACK, t.window, ((<u32>t.tos) << 8) | TTL_DEFAULT);
  releaseBuffer(buffer);
}
