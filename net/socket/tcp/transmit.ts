/**
 * Segments on their way out: the header, and the three kinds of segment a connection sends.
 *
 * Control segments live in a buffer of their own that is let go of at once. Data stays in the buffer in which the
 * application wrote it: headers are pushed in front, IPv4 borrows it, and its bounds are put back.
 */
import { now } from "../../../kernel/time/clock";
import {
  allocateBuffer,
  BUFFER_HEADROOM,
  BUFFER_RETAINED,
  CHECKSUM_PARTIAL,
  PacketBuffer,
  releaseBuffer,
} from "../../buffer";
import { checksumFold, pseudoHeaderSum } from "../../checksum";
import { Flow } from "../../flow";
import { ipOutput } from "../../ip";
import { TTL_DEFAULT } from "../../service";
import {
  TCP_ACK,
  TCP_CHECKSUM_OFFSET,
  TCP_CWR,
  TCP_ECE,
  TCP_FIN,
  TCP_HEADER,
  TCP_PSH,
  TCP_RST,
  TCP_SYN,
  TcpHeader,
} from "../../wire/tcp";
import { IPPROTO_TCP } from "../socket";
import { milliseconds } from "./clock";
import {
  ACK_NOW,
  AGREED,
  BLOCKS_DUE,
  DUPLICATE_DUE,
  ECHO_CONGESTION,
  HAS_ECN,
  HAS_SACK,
  HAS_TIMESTAMPS,
  SYN_WAS_LOST,
  TcpConnection,
  TIMEOUT_DUE,
  URGENT_SENT,
  WINDOW_REDUCED,
} from "./connection";
import { ecnFlags, ecnSetup, EMIT_ECT } from "./ecn";
import { EMSGSIZE, ENOBUFS } from "../../../kernel/errno";
import { advertisedTimeout } from "./failure";
import { localMss } from "./mss";
import { pushMss, pushSackPermitted, pushTimestamps, pushUserTimeout, pushWindowScale } from "./options";
import { pend } from "./pending";
import { linkTooSmall } from "./pmtu";
import { segmentSent } from "./scoreboard";
import { pushBlocks } from "./sack";
import { Segment } from "./segment";

import { statistics } from "./statistics";
import { urgentFlags } from "./urgent";
import { advertisedWindow } from "./window";

/**
 * Pushes the header in front of the options and payload in `buffer` and hands the segment to IP, which borrows the
 * buffer. `optionLength`: how many of its first bytes are options; `flags`: TCP_* bits, and the urgent pointer in the upper half; `service`:
 * see ipOutput. 0, or a negative errno.
 */
export function emit(
  buffer: PacketBuffer,
  optionLength: u32,
  flow: Flow,
  sequence: u32,
  acknowledgement: u32,
  flags: u32,
  window: u32,
  service: u32,
): i32 {
  const header = changetype<TcpHeader>(buffer.push(TCP_HEADER));
  header.sourcePort = flow.local.port;
  header.destinationPort = flow.remote.port;
  header.sequence = sequence;
  header.acknowledgement = acknowledgement;
  header.setLengthAndFlags(TCP_HEADER + optionLength, flags & 0xff);
  header.window = window;
  header.urgent = flags >> 16;
  header.checksum = checksumFold(pseudoHeaderSum(flow, IPPROTO_TCP, buffer.wholeLength));
  buffer.flags = (buffer.flags & BUFFER_RETAINED) | CHECKSUM_PARTIAL;
  buffer.checksumStart = changetype<usize>(header);
  buffer.checksumOffset = TCP_CHECKSUM_OFFSET;
  statistics.segmentsOut++;
  return ipOutput(buffer, flow, IPPROTO_TCP, service);
}

/**
 * A segment of connection `c` from a buffer with payload or without, the first `options` bytes of which are options already; everything that
 * left acknowledges. `flags`: TCP_*, EMIT_ECT.
 */
export function emitFor(
  c: TcpConnection,
  buffer: PacketBuffer,
  sequence: u32,
  flags: u32,
  options: u32 = 0,
): i32 {
  let complete = true;
  if (c.has(BLOCKS_DUE | DUPLICATE_DUE | ECHO_CONGESTION)) {
    if (c.has(ECHO_CONGESTION)) flags |= TCP_ECE;
    const blocks = pushBlocks(c, buffer, options);
    // A full segment has no room for blocks: the acknowledgement that is due follows it.
    complete = blocks != 0 || !c.has(BLOCKS_DUE | DUPLICATE_DUE);
    options += blocks;
  }
  if (c.has(HAS_TIMESTAMPS))
    options += pushTimestamps(buffer, milliseconds() + c.timestampOffset, c.timestampRecent);
  if (c.has(URGENT_SENT)) flags |= urgentFlags(c, sequence);
  const window = advertisedWindow(c);
  const service = c.service | (flags & EMIT_ECT);
  const result = emit(buffer, options, c.flow, sequence, c.RCV_NXT, flags | TCP_ACK, window, service);
  if (result >= 0) {
    c.lastAckSent = c.RCV_NXT;
    if (complete) c.status &= ~ACK_NOW;
  }
  return result;
}

/**
 * An acknowledgement without data: <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>, without the octet of a probe, which is beyond the window: there nobody
 * would have to look at it. Lost when there is no buffer: TCP copes.
 */
export function sendAck(c: TcpConnection): i32 {
  return sendControl(c, c.SND_NXT, 0);
}

/** A segment without payload that carries `flags` (TCP_FIN or 0) at `sequence`. */
export function sendControl(c: TcpConnection, sequence: u32, flags: u32): i32 {
  const buffer = allocateBuffer(BUFFER_HEADROOM);
  if (buffer === null) return -ENOBUFS;
  let options: u32 = 0;
  if (c.has(TIMEOUT_DUE)) {
    c.status &= ~TIMEOUT_DUE;
    options = pushUserTimeout(buffer, advertisedTimeout(c));
  }
  const result = emitFor(c, buffer, sequence, flags, options);
  releaseBuffer(buffer);
  return result;
}

/**
 * Sends (again) the data of `buffer` from the send queue, with the FIN when `fin`. While a device still reads the
 * buffer from the time before, a copy goes. Bookkeeping of sequence numbers is the caller's. 0, or a negative errno; -EMSGSIZE: it is
 * too long for our link, and `sendMss` is less now.
 */
export function sendData(c: TcpConnection, buffer: PacketBuffer, fin: bool): i32 {
  let flags: u32 = fin ? TCP_FIN | TCP_PSH : 0;
  if (buffer === c.sendTail) flags |= TCP_PSH;
  if (buffer.word0 != 0) {
    statistics.retransmitted++;
    c.totalRetransmits++;
  } else flags |= ecnFlags(c);
  let result: i32;
  if (buffer.references > 1) {
    result = sendCopy(c, buffer, buffer.length, flags);
  } else {
    const data = buffer.data;
    const length = buffer.length;
    result = emitFor(c, buffer, buffer.sequence, flags);
    buffer.data = data;
    buffer.length = length;
  }
  if (result >= 0) {
    if (flags & TCP_CWR) c.status &= ~WINDOW_REDUCED;
    dataSent(c, buffer, now());
  } else if (result == -EMSGSIZE && linkTooSmall(c)) {
    // In pieces, then.
    pend(c);
  }
  return result;
}

/** A segment was sent at `time`, for the first time or again. */
// @ts-ignore: decorator
@inline
export function dataSent(c: TcpConnection, buffer: PacketBuffer, time: u64): void {
  buffer.word0++;
  // No two at the same time: who was sent after whom decides about losses (rack.ts).
  buffer.time = max(time, c.lastSent + 1);
  c.lastSent = buffer.time;
  segmentSent(c, buffer);
  c.prrOut += buffer.length;
}

/** Sends the first `length` bytes of `buffer` from a copy. */
export function sendCopy(c: TcpConnection, buffer: PacketBuffer, length: u32, flags: u32): i32 {
  const copy = allocateBuffer(BUFFER_HEADROOM);
  if (copy === null) return -ENOBUFS;
  memory.copy(copy.data, buffer.data, length);
  copy.length = length;
  const result = emitFor(c, copy, buffer.sequence, flags);
  releaseBuffer(copy);
  return result;
}

/** SYN or SYN,ACK of a connection that has a control block (active open). */
export function sendSyn(c: TcpConnection, flags: u32): i32 {
  // RFC 3168, 6.1.1.1: what is repeated may have been dropped for the ECN flags.
  const agreed = flags & TCP_ACK ? c.status : c.has(SYN_WAS_LOST) ? AGREED & ~HAS_ECN : AGREED;
  return sendSynFrom(
    c,
    c.flow,
    c.ISS,
    flags & TCP_ACK ? c.RCV_NXT : 0,
    flags,
    min<u32>(c.receiveWindow, 65535),
    c.receiveScale,
    agreed,
    milliseconds() + c.timestampOffset,
    flags & TCP_ACK ? c.timestampRecent : 0,
  );
}

/**
 * The same from its parts: a SYN,ACK is sent by who has no control block yet. `c`: whose options of the application count, the connection, or
 * the listener. `window`: the field. `scale` NO_SCALE: without the option. `agreed`: options of AGREED that it shall have.
 */
export function sendSynFrom(
  c: TcpConnection,
  flow: Flow,
  sequence: u32,
  acknowledgement: u32,
  flags: u32,
  window: u32,
  scale: u32,
  agreed: u32,
  timestampValue: u32,
  timestampEcho: u32,
): i32 {
  const buffer = allocateBuffer(BUFFER_HEADROOM);
  if (buffer === null) return -ENOBUFS;
  let options: u32 = 0;
  if (agreed & HAS_TIMESTAMPS) options += pushTimestamps(buffer, timestampValue, timestampEcho);
  if (agreed & HAS_SACK) options += pushSackPermitted(buffer);
  if (scale <= 14) options += pushWindowScale(buffer, scale);
  const timeout = advertisedTimeout(c);
  if (timeout != 0) options += pushUserTimeout(buffer, timeout);
  options += pushMss(buffer, localMss(c, flow));
  if (agreed & HAS_ECN) flags |= ecnSetup((flags & TCP_ACK) != 0);
  flags |= TCP_SYN;
  const result = emit(buffer, options, flow, sequence, acknowledgement, flags, window, c.service);
  releaseBuffer(buffer);
  return result;
}

/** The reset that answers segment `s` where there is no connection (RFC 9293, 3.10.7.1). Never answers a reset. */
export function sendResetFor(s: Segment): void {
  if (s.has(TCP_RST)) return;
  const ack = s.has(TCP_ACK);
  sendReset(
    s.flow,
    ack ? s.acknowledgement : 0,
    ack ? 0 : s.end,
    ack ? TCP_RST : TCP_RST | TCP_ACK,
    TTL_DEFAULT,
  );
}

/** <SEQ=SND.NXT><ACK=RCV.NXT><CTL=RST,ACK>: ends connection `c` for the peer. */
export function sendResetOf(c: TcpConnection): void {
  sendReset(c.flow, c.SND_NXT, c.RCV_NXT, TCP_RST | TCP_ACK, c.service);
}

function sendReset(flow: Flow, sequence: u32, acknowledgement: u32, flags: u32, service: u32): void {
  const buffer = allocateBuffer(BUFFER_HEADROOM);
  if (buffer === null) return;
  statistics.resetsOut++;
  emit(buffer, 0, flow, sequence, acknowledgement, flags, 0, service);
  releaseBuffer(buffer);
}
