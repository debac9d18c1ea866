/**
 * Segmentation offload (virtio: HOST_TSO; elsewhere: TSO): segments that would leave one after the other go down as one packet, which the device cuts again, or net/cut.ts
 * where it cannot.
 *
 * Nothing else changes. The send queue has a buffer for each segment, with a time and a state of its own, so that loss detection, retransmission and the tail loss probe do
 * not know of it; what may leave is decided by the same windows and by Nagle's algorithm; and on the wire are the same segments. What is saved is the way through the
 * layers below for all but the first: the headers are pushed in front of that, and the others are linked behind it while the device is told of them.
 *
 * Only new data goes in this way, and only while all of the segments have the same header but for the sequence number and for PSH and FIN, which the device leaves to the last.
 */
import { now } from "../../../kernel/time/clock";
import { PacketBuffer } from "../../buffer";
import { SEGMENTS_TCP4, SEGMENTS_TCP6 } from "../../device";
import { networkHeaderLength, segmentedLimit } from "../../ip";
import { cutsItself } from "../../cut";
import { cutsSegments, networkInterface } from "../../interface";
import { TCP_FIN, TCP_HEADER, TCP_PSH } from "../../wire/tcp";
import { FIN_QUEUED, SAID_ONCE, TcpConnection } from "./connection";
import { ecnFlags } from "./ecn";
import { nagleHolds } from "./nagle";
import { OPTIONS_LIMIT } from "./options";
import { statistics } from "./statistics";
import { dataSent, emitFor } from "./transmit";

/**
 * Of the congestion window at most so much is one packet: a receiver that puts segments together again acknowledges them together, and meanwhile another packet has to be on
 * its way.
 */
const WINDOW_SHARE: u32 = 2;

/** Each 2^n bytes of a packet that the device cuts cost as much as a segment that goes by itself. */
const TOGETHER_SHIFT: u32 = 13;

/** What a packet of so many bytes counts for, in segments. */
export function togetherCost(c: TcpConnection, bytes: u32): u32 {
  return deviceCuts(c) ? 1 + (bytes >> TOGETHER_SHIFT) : (bytes + c.sendMss - 1) / c.sendMss;
}

// @ts-ignore: decorator
@inline
function deviceCuts(c: TcpConnection): bool {
  return cutsItself(networkInterface().device, kindOf(c));
}

/** Whether `first`, a full segment that may leave now, and what is behind it in the queue may be one packet. */
// @ts-ignore: decorator
@inline
export function maySendTogether(c: TcpConnection, first: PacketBuffer): bool {
  return cutsSegments() && first.next !== null && first.length == c.sendMss && !c.has(SAID_ONCE);
}

/**
 * Sends `first`, for which maySendTogether holds, with as many segments behind it as the windows let out, of which `usable` octets is the peer's; `step` in all, where the device
 * does not cut them. The octets of sequence space, and `sendNext` has moved; 0: nothing was sent, and `first` has to go by itself.
 */
export function sendTogether(c: TcpConnection, first: PacketBuffer, usable: u32, step: u32): u32 {
  const last = linkRun(c, first, usable, step);
  if (last === first) return 0;
  const bytes = last.sequence + last.length - first.sequence;
  let flags = ecnFlags(c);
  let fin: u32 = 0;
  if (last === c.sendTail) {
    flags |= TCP_PSH;
    if (c.has(FIN_QUEUED) && bytes < usable) {
      flags |= TCP_FIN;
      fin = 1;
    }
  }
  first.segmentSize = <u16>first.length;
  first.segmentKind = <u16>kindOf(c);
  const data = first.data;
  const length = first.length;
  const result = emitFor(c, first, first.sequence, flags);
  first.data = data;
  first.length = length;
  first.segmentSize = 0;
  const end = unlinkRun(c, first, result);
  if (result < 0) return 0;
  c.sendNext = end.next;
  return end === last ? bytes + fin : end.sequence + end.length - first.sequence;
}

// @ts-ignore: decorator
@inline
function kindOf(c: TcpConnection): u32 {
  return c.flow.remote.isMapped ? SEGMENTS_TCP4 : SEGMENTS_TCP6;
}

/** Links `first` and what may leave with it, and returns the last of them. What is shorter than `first` ends the packet. */
function linkRun(c: TcpConnection, first: PacketBuffer, usable: u32, step: u32): PacketBuffer {
  const remote = c.flow.remote;
  const headers = networkHeaderLength(remote) + TCP_HEADER + OPTIONS_LIMIT;
  const limit = segmentedLimit(remote);
  if (limit <= headers) return first;
  const most = min(min(limit - headers, usable), c.congestionWindow / WINDOW_SHARE);
  const full = first.length;
  let pieces = deviceCuts(c) ? networkInterface().device.pieces : step;
  let bytes = full;
  let last = first;
  let next = first.next;
  while (next !== null && --pieces != 0) {
    const length = next.length;
    if (length > full || bytes + length > most) break;
    // As output() would find it with those before it in the network.
    const pipe = c.pipe + bytes;
    const inNetwork = pipe > c.duplicateBytes ? pipe - c.duplicateBytes : 0;
    if (inNetwork != 0 && inNetwork + length > c.congestionWindow) break;
    if (nagleHolds(c, next, true)) break;
    last.more = next;
    last = next;
    bytes += length;
    if (length < full) break;
    next = next.next;
  }
  return last;
}

/** The pieces are by themselves again; of those that were sent, `result` (see transmitChain), the last is returned. */
function unlinkRun(c: TcpConnection, first: PacketBuffer, result: i32): PacketBuffer {
  const time = now();
  let end = first;
  let sent = result == 0 ? i32.MAX_VALUE : result;
  let piece: PacketBuffer | null = first;
  while (piece !== null) {
    const more: PacketBuffer | null = piece.more;
    piece.more = null;
    if (sent-- > 0) {
      dataSent(c, piece, time);
      // The first is counted where its header is made.
      if (piece !== first) statistics.segmentsOut++;
      end = piece;
    }
    piece = more;
  }
  return end;
}
