/**
 * TIME-WAIT (RFC 9293, 3.4.2; RFC 6191): once the application has let go, what is left of a connection are these 64 bytes. All live
 * for the same 2 MSL, so a queue in the order of arrival and one timer serve them.
 *
 * There is a limit, from the memory (kernel/main.ts); what they have had of it stays theirs. At the limit, or when there is no memory for one more, the oldest makes room,
 * which is counted: its flow may be used again too early then. Before its time is over a flow may be used again
 *
 *   - by a SYN of the peer that cannot be an old one: of a later timestamp, or of a greater sequence number (`mayReuse`). The entry stays until the new connection
 *     is there. If the SYN was an old duplicate after all, TIME-WAIT goes on; but as long as the half-open connection lasts, that has all that comes: a FIN which the old peer
 *     repeats meanwhile is answered by it, and no 2 MSL begin again;
 *   - by an active open of our own, if the connection had timestamps and has rested for a second at least (`mayTakeOver`; Linux: tcp_tw_reuse).
 *     The timestamps of the new one are later than any of the old one then, so at both ends PAWS (RFC 7323, 5) keeps old segments out.
 *
 * Either way our new initial sequence number is beyond all that the old connection has sent.
 */
import { Link } from "../../../kernel/list";
import { Pool } from "../../../kernel/memory/pool";
import { now } from "../../../kernel/time/clock";
import {
  Timer,
  STEP_PAUSE,
  timerPending,
  timerPrepare,
  timerStartAt,
  timerStop,
} from "../../../kernel/time/timers";
import { Flow } from "../../flow";
import { TTL_DEFAULT } from "../../service";
import { receiveLevel } from "../../levels";
import { allocateBuffer, BUFFER_HEADROOM, releaseBuffer } from "../../buffer";
import { TCP_ACK, TCP_FIN, TCP_RST, TCP_SYN } from "../../wire/tcp";
import { milliseconds, seconds, timestampOffset } from "./clock";
import { HAS_TIMESTAMPS, TcpConnection } from "./connection";
import { insertTimeWait, removeTimeWait } from "./demux";
import { pushTimestamps } from "./options";
import { PAWS_LIFETIME, TIME_WAIT_SECONDS, TIME_WAIT_REST } from "./parameters";
import { Segment } from "./segment";
import { after, before } from "./sequence";
import { statistics } from "./statistics";
import { emit } from "./transmit";

const SECOND: u64 = 1_000_000_000;

// ---- Bits of `marks`, below the six of the type of service ----

/** Both sides sent timestamps: what is answered has one. */
const STAMPED: u8 = 1;
/** `timestampRecent` is young enough to be evidence (RFC 7323, 5.5). */
const COMPARABLE: u8 = 2;


@unmanaged
export class TimeWait extends Link {
  hashNext: TimeWait | null;
  SND_NXT: u32;
  private localHigh: u64;
  private localLow: u64;
  private remoteHigh: u64;
  private remoteLow: u64;
  private localPort: u16;
  private remotePort: u16;
  RCV_NXT: u32;
  timestampRecent: u32;
  /** The window field of the acknowledgements it sends. */
  window: u16;
  /** When its time began, in seconds modulo 2^8, rounded down. */
  begun: u8;
  /** Type of service of the socket, and in its two lowest bits, which are TCP's, the bits above. */
  marks: u8;

  setFlow(flow: Flow): void {
    const local = flow.local;
    const remote = flow.remote;
    this.localHigh = local.high;
    this.localLow = local.low;
    this.localPort = <u16>local.port;
    this.remoteHigh = remote.high;
    this.remoteLow = remote.low;
    this.remotePort = <u16>remote.port;
  }

  /** Fills in `flow`. */
  getFlow(flow: Flow): void {
    const local = flow.local;
    const remote = flow.remote;
    local.high = this.localHigh;
    local.low = this.localLow;
    local.port = this.localPort;
    remote.high = this.remoteHigh;
    remote.low = this.remoteLow;
    remote.port = this.remotePort;
  }

  /** Its flow is `flow`. */
  @inline isOf(flow: Flow): bool {
    const local = flow.local;
    const remote = flow.remote;
    return (
      <u32>this.remotePort == remote.port &&
      this.remoteLow == remote.low &&
      <u32>this.localPort == local.port &&
      this.localLow == local.low &&
      this.remoteHigh == remote.high &&
      this.localHigh == local.high
    );
  }


  @inline has(mark: u8): bool {
    return (this.marks & mark) != 0;
  }

  /** Whole seconds for which it has been there, modulo 2^8: at least the age - 1, never more than the age + 1. */
  @inline age(second: u64): u32 {
    return <u32>(<u8>(<u32>second - this.begun));
  }
}

let pool: Pool = changetype<Pool>(0);
let queue: Link = changetype<Link>(0);
let timer: Timer = changetype<Timer>(0);
/** The flow of an entry that is looked at. */
let flow: Flow = changetype<Flow>(0);

/** `head`: room for a Link; `scratch`: FLOW_SIZE bytes; `clock`: room for a Timer; `callback`: index of `timeWaitExpired`. */
export function initializeTimeWait(
  storage: Pool,
  limit: u32,
  head: Link,
  scratch: usize,
  clock: Timer,
  callback: u32,
): void {
  pool = storage;
  pool.initialize(offsetof<TimeWait>(), limit);
  queue = head;
  queue.initialize();
  flow = changetype<Flow>(scratch);
  timer = clock;
  timerPrepare(timer, callback);
}

export function timeWaitPool(): Pool {
  return pool;
}

/** What remains of connection `c`, which leaves the table of connections. False: nothing, there is no memory at all. */
export function rememberTimeWait(c: TcpConnection): bool {
  let address: usize = 0;
  if (pool.inUse < pool.limit) address = pool.allocateRaw();
  if (address == 0 && !queue.isEmpty) {
    statistics.timeWaitRecycled++;
    forget(changetype<TimeWait>(queue.next));
    address = pool.allocateRaw();
  }
  if (address == 0) {
    statistics.timeWaitLost++;
    return false;
  }
  const t = changetype<TimeWait>(address);
  t.setFlow(c.flow);
  t.SND_NXT = c.SND_MAX;
  t.RCV_NXT = c.RCV_NXT;
  t.timestampRecent = c.timestampRecent;
  t.window = <u16>min<u32>(c.receiveWindow >> c.receiveScale, 65535);
  let marks = (<u8>(c.service >> 8)) & ~(STAMPED | COMPARABLE);
  if (c.has(HAS_TIMESTAMPS)) marks |= isEvidence(c) ? STAMPED | COMPARABLE : STAMPED;
  t.marks = marks;
  insertTimeWait(t, c.hash);
  enqueue(t);
  return true;
}

// @ts-ignore: decorator
@inline
function second(): u64 {
  return now() / SECOND;
}

function enqueue(t: TimeWait): void {
  t.begun = <u8>second();
  queue.append(t);
  if (!timerPending(timer)) timerStartAt(timer, endOf(t), receiveLevel);
}

/** The time (ns since boot) at which the entry goes: when 2 MSL are over for all that began in the same second. */
function endOf(t: TimeWait): u64 {
  const time = second();
  return (time - t.age(time) + TIME_WAIT_SECONDS + 1) * SECOND;
}

function forget(t: TimeWait): void {
  t.remove();
  t.getFlow(flow);
  removeTimeWait(t, flow);
  pool.release(changetype<usize>(t));
  if (queue.isEmpty) timerStop(timer);
}

/** Entries that one call lets go of, each some 500 instructions at most; the others in the next tick: 120,000 a second. */
const EXPIRY_BUDGET: u32 = 8;

/**
 * Call-back of the timer: lets go of those whose time is over. (Should a machine stand still for four minutes, some that were there before take their
 * time once more: never less.)
 */
export function timeWaitExpired(_: Timer): void {
  const time = now();
  for (let budget = EXPIRY_BUDGET; !queue.isEmpty; budget--) {
    const oldest = changetype<TimeWait>(queue.next);
    const end = endOf(oldest);
    if (end > time || budget == 0) {
      timerStartAt(timer, max(end, time + STEP_PAUSE), receiveLevel);
      return;
    }
    forget(oldest);
  }
}

// ---- Using a flow again ----

/** Is TS.Recent of connection `c` young enough to be compared with? */
export function isEvidence(c: TcpConnection): bool {
  return seconds() - c.timestampAge < PAWS_LIFETIME;
}

/**
 * May a SYN `s` begin a new connection over an old one in TIME-WAIT that knows `receiveNext` and, if it is `stamped`, that is, had timestamps, the peer's
 * last one `recent`, which is `comparable` if it is evidence? RFC 6191, 2; RFC 9293, 3.6.1.
 */
export function mayReuse(s: Segment, receiveNext: u32, stamped: bool, comparable: bool, recent: u32): bool {
  if (s.hasTimestamps) {
    // What is left of the old one has no timestamps, and PAWS drops it.
    if (!stamped) return true;
    if (comparable && s.timestampValue != recent) return after(s.timestampValue, recent);
  }
  return after(s.sequence, receiveNext);
}

/** May an active open take the flow over? */
// @ts-ignore: decorator
@inline
export function mayTakeOver(t: TimeWait): bool {
  return t.has(COMPARABLE) && t.age(second()) >= TIME_WAIT_REST;
}

/** An active open takes the flow over: SND.NXT of the old connection. */
export function takeOver(t: TimeWait): u32 {
  statistics.timeWaitReused++;
  const sequence = t.SND_NXT;
  forget(t);
  return sequence;
}

/** May the segment begin a new connection over `t`? */
export function mayBeginOver(t: TimeWait, s: Segment): bool {
  return s.isFirst && mayReuse(s, t.RCV_NXT, t.has(STAMPED), t.has(COMPARABLE), t.timestampRecent);
}

/** A new connection has been established over `t`; null: there was none. */
export function timeWaitReplaced(t: TimeWait | null): void {
  if (t !== null) forget(t);
}

/** A segment for a connection in TIME-WAIT that begins no new one. */
export function timeWaitSegment(t: TimeWait, s: Segment): void {
  if (s.has(TCP_RST)) {
    if (s.sequence == t.RCV_NXT) forget(t);
    return;
  }
  if (!s.has(TCP_SYN) && s.has(TCP_FIN) && !before(s.sequence + 65536, t.RCV_NXT)) {
    // The peer did not get the last acknowledgement: 2 MSL begin again.
    t.remove();
    enqueue(t);
  }
  // A segment that occupies no sequence space gets no answer: two ends in TIME-WAIT would talk for ever.
  if (s.length != 0) answer(t);
}

function answer(t: TimeWait): void {
  const buffer = allocateBuffer(BUFFER_HEADROOM);
  if (buffer === null) return;
  t.getFlow(flow);
  let options: u32 = 0;
  if (t.has(STAMPED))
    options = pushTimestamps(buffer, milliseconds() + timestampOffset(flow), t.timestampRecent);
  const service = ((<u32>(t.marks & ~(STAMPED | COMPARABLE))) << 8) | TTL_DEFAULT;
  emit(buffer, options, flow, t.SND_NXT, t.RCV_NXT, TCP_ACK, t.window, service);
  releaseBuffer(buffer);
}
