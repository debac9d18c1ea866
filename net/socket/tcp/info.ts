/** TCP_INFO: Linux's struct tcp_info as of its first 104 bytes. What is not counted here is 0. */
import { networkHeaderLength } from "../../ip";
import { TCP_HEADER } from "../../wire/tcp";
import {
  HAS_ECN,
  HAS_SACK,
  HAS_TIMESTAMPS,
  IN_LOSS,
  IN_RECOVERY,
  TcpConnection,
  TIMER_KEEPALIVE,
  TIMER_PERSIST,
  TIMER_RETRANSMIT,
} from "./connection";
import { localMss } from "./mss";
import { TIMESTAMPS_LENGTH } from "./options";
import { retransmitInterval } from "./rtt";


@unmanaged
class TcpInfo {
  state: u8;
  /** 0: all is well; 1: something was selectively acknowledged; 3: in fast recovery; 4: after a time-out. */
  congestionState: u8;
  /** Retransmissions, and probes of a window or keep-alive probes, since the peer was heard last. */
  retransmits: u8;
  probes: u8;
  backoff: u8;
  /** 1: timestamps, 2: SACK, 4: window scale, 8: ECN. */
  options: u8;
  /** Window scale of the peer, and ours << 4. */
  scales: u8;
  private flags: u8;
  /** Retransmission time-out, with its back-off, in microseconds. */
  rto: u32;
  private ato: u32;
  /** Payload of our segments, and the largest of the peer's, in bytes. */
  sendMss: u32;
  receiveMss: u32;
  /** Segments in flight. */
  unacknowledged: u32;
  /** Of them, selectively acknowledged, and lost and not sent again yet. */
  sacked: u32;
  lost: u32;
  private retransmitted: u32;
  private fackets: u32;
  private lastDataSent: u32;
  private lastAckSent: u32;
  private lastDataReceived: u32;
  private lastAckReceived: u32;
  /** Largest packet that we send, in bytes. */
  pathMtu: u32;
  private receiveThreshold: u32;
  /** Smoothed round-trip time and its variation, in microseconds. */
  rtt: u32;
  rttVariance: u32;
  /** In segments; the threshold 0x7FFFFFFF: none yet. */
  slowStartThreshold: u32;
  congestionWindow: u32;
  /** MSS that we offer. */
  advertisedMss: u32;
  private reordering: u32;
  private receiveRtt: u32;
  /** Bytes that may wait for the application. */
  receiveSpace: u32;
  /** Segments that were sent more than once, in all. */
  totalRetransmits: u32;
}

export const TCP_INFO_SIZE: u32 = <u32>offsetof<TcpInfo>();

const NO_THRESHOLD: u32 = 0x7fffffff;

/** Fills in TCP_INFO_SIZE bytes at `place`, 4-aligned. */
export function fillTcpInfo(c: TcpConnection, place: usize): void {
  memory.fill(place, 0, TCP_INFO_SIZE);
  const info = changetype<TcpInfo>(place);
  const mode = c.timerMode;
  const retransmitting = mode == TIMER_RETRANSMIT;
  info.state = <u8>c.state;
  info.congestionState = c.has(IN_RECOVERY) ? 3 : c.has(IN_LOSS) ? 4 : c.sackedCount != 0 ? 1 : 0;
  info.retransmits = retransmitting ? c.retries : 0;
  info.probes = mode == TIMER_PERSIST || mode == TIMER_KEEPALIVE ? c.retries : 0;
  info.backoff = c.backoff;
  info.options =
    (c.has(HAS_TIMESTAMPS) ? 1 : 0) |
    (c.has(HAS_SACK) ? 2 : 0) |
    ((c.sendScale | c.receiveScale) != 0 ? 4 : 0) |
    (c.has(HAS_ECN) ? 8 : 0);
  info.scales = c.sendScale | (c.receiveScale << 4);
  info.rto = <u32>(retransmitInterval(c) / 1000);
  info.sendMss = c.sendMss;
  info.receiveMss = c.receiveMss;
  info.unacknowledged = inSegments(c, c.flight);
  info.sacked = c.sackedCount;
  info.lost = inSegments(c, c.lostBytes);
  info.pathMtu =
    c.sendMss +
    TCP_HEADER +
    networkHeaderLength(c.flow.remote) +
    (c.has(HAS_TIMESTAMPS) ? TIMESTAMPS_LENGTH : 0);
  info.rtt = c.smoothedRtt;
  info.rttVariance = c.rttVariance;
  const threshold = c.slowStartThreshold;
  info.slowStartThreshold = threshold == u32.MAX_VALUE ? NO_THRESHOLD : inSegments(c, threshold);
  info.congestionWindow = inSegments(c, c.congestionWindow);
  info.advertisedMss = localMss(c, c.flow);
  info.receiveSpace = c.receiveLimit;
  info.totalRetransmits = c.totalRetransmits;
}

function inSegments(c: TcpConnection, bytes: u32): u32 {
  return (bytes + c.sendMss - 1) / c.sendMss;
}
