/**
 * Segments from the network layer, and errors about segments that we sent: to whom they go.
 */
import { ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, ENOPROTOOPT } from "../../../kernel/errno";
import { POLL_LEVEL_DEFAULT } from "../../../kernel/interrupts/polls";
import { CHECKSUM_VALID, PacketBuffer, releaseBuffer, releaseEach, TUPLE_HASHED } from "../../buffer";
import { Flow, flowHash, HASH_TABLE } from "../../flow";
import { isHost, receivedFlow } from "../../ip";
import { packetAgain, PACKET_PROMISED } from "../../packets";
import { TCP_HEADER, TcpHeader } from "../../wire/tcp";
import { finish } from "./close";
import { HAS_TIMESTAMPS, TcpConnection } from "./connection";
import { clearCutShort, cutShort } from "./delivered";
import { noteSoftError } from "./failure";
import { findConnection, findListener, findRecentOf, findRecentRequest, findTimeWait, wanted } from "./demux";
import { listenSegment } from "./listen";
import { pathTooSmall } from "./pmtu";
import { segmentArrives } from "./receive";
import { openRequest, requestSegment } from "./request";
import { isSegment, parseSegment, Segment, segment } from "./segment";
import { resegment } from "./send";
import { TCP_SYN_RECV, TCP_SYN_SENT, TCP_TIME_WAIT } from "./state";
import { statistics } from "./statistics";
import { isEvidence, mayBeginOver, mayReuse, rememberTimeWait, timeWaitSegment } from "./timewait";
import { sendResetFor } from "./transmit";

/** A segment from the network layer: takes the reference. */
export function tcpInput(buffer: PacketBuffer): void {
  statistics.segmentsIn++;
  if (isSegment(buffer)) {
    const known = findRecentOf(buffer);
    if (known === null || known.state == TCP_TIME_WAIT) search(buffer);
    else if (parseSegment(buffer, known.flow)) segmentArrives(known, segment);
  }
  const c = cutShort;
  if (c !== null) return comeAgain(c, buffer);
  if (buffer.more === null) releaseBuffer(buffer);
  else call_indirect<void>(releaseEach.index, buffer); // Not to be inlined, as in send.ts.
}

/** The segment acknowledges more than was dealt with. */
function comeAgain(c: TcpConnection, buffer: PacketBuffer): void {
  clearCutShort();
  statistics.segmentsIn--;
  // It is known to be right.
  buffer.flags |= CHECKSUM_VALID;
  packetAgain(buffer, tcpInput.index, c);
}

/** The socket that a segment is for, with PACKET_PROMISED; see registerTransport. */
export function tcpDestination(buffer: PacketBuffer): usize {
  if (buffer.length < TCP_HEADER) return POLL_LEVEL_DEFAULT;
  const known = findRecentOf(buffer);
  if (known !== null) return changetype<usize>(known) | PACKET_PROMISED;
  receivedFlow(wanted, buffer);
  const hash = flowHash(wanted, HASH_TABLE);
  buffer.word1 = <u32>hash;
  buffer.sequence = <u32>(hash >> 32);
  buffer.flags |= TUPLE_HASHED;
  const c = findConnection(<u32>hash, wanted);
  if (c !== null) return changetype<usize>(c) | PACKET_PROMISED;
  const listener = findListener(wanted.local);
  return listener !== null ? changetype<usize>(listener) : POLL_LEVEL_DEFAULT;
}

/** A segment for no connection that had one of late, or for one that is remembered in TIME-WAIT. */
function search(buffer: PacketBuffer): void {
  const s = segment;
  const flow = s.ownFlow;
  receivedFlow(flow, buffer);
  if (!isHost(flow.remote)) {
    statistics.malformed++;
    return;
  }
  if (!parseSegment(buffer, flow)) return;
  const r = findRecentRequest(flow);
  if (r === null || r.owner === null) return demultiplex(s);
  // The half that tables have; nobody begins a connection from here, whose sequence number would need the other one.
  s.hash = r.hash;
  requestSegment(r, r.owner!, s);
}

function demultiplex(s: Segment): void {
  const flow = s.flow;
  const buffer = s.packet;
  s.hash =
    buffer.flags & TUPLE_HASHED ? ((<u64>buffer.sequence) << 32) | buffer.word1 : flowHash(flow, HASH_TABLE);
  const hash = <u32>s.hash;
  const c = findConnection(hash, flow);
  if (c !== null) {
    // What has to be remembered stands by itself then, and its socket is at its end.
    if (c.state != TCP_TIME_WAIT || !mayBeginOverOpen(c, s) || !rememberTimeWait(c))
      return segmentArrives(c, s);
    finish(c, 0);
  }
  const r = openRequest(hash, flow);
  if (r !== null) return requestSegment(r, r.owner!, s);
  const t = findTimeWait(hash, flow);
  if (t !== null && !mayBeginOver(t, s)) return timeWaitSegment(t, s);
  const listener = findListener(flow.local);
  if (listener !== null) listenSegment(listener, s, t);
  else if (t !== null) timeWaitSegment(t, s);
  else sendResetFor(s);
}

/** A SYN that may begin a new connection over one in TIME-WAIT whose socket is still open, and that somebody listens for. */
function mayBeginOverOpen(c: TcpConnection, s: Segment): bool {
  if (!s.isFirst || findListener(s.flow.local) === null) return false;
  return mayReuse(s, c.RCV_NXT, c.has(HAS_TIMESTAMPS), isEvidence(c), c.timestampRecent);
}

// ---- ICMP errors (RFC 1122, 4.2.3.9; RFC 5927) ----

const DESTINATION_UNREACHABLE: u32 = 3;
const TIME_EXCEEDED: u32 = 11;
const PARAMETER_PROBLEM: u32 = 12;
const PROTOCOL_UNREACHABLE: u32 = 2;
const PORT_UNREACHABLE: u32 = 3;
const FRAGMENTATION_NEEDED: u32 = 4;

/**
 * An ICMP error that quotes a segment of ours (net/errors.ts). It may come from anyone, so it must quote a sequence
 * number that is in flight, and a connection that works is not ended by it: the error is remembered until a time-out.
 */
export function tcpError(type: u32, code: u32, rest: u32, flow: Flow, transport: usize, length: u32): void {
  const quoted = changetype<TcpHeader>(transport);
  const c = findConnection(<u32>flowHash(flow, HASH_TABLE), flow);
  if (c === null || quoted.sequence - c.SND_UNA >= c.SND_MAX - c.SND_UNA) return;
  if (type == DESTINATION_UNREACHABLE && code == FRAGMENTATION_NEEDED) {
    if (pathTooSmall(c, rest & 0xffff)) resegment(c);
    return;
  }
  const error = errorOf(type, code);
  if (error == 0) return;
  noteSoftError(c, error);
  if (c.state != TCP_SYN_SENT && c.state != TCP_SYN_RECV) return;
  // Nobody is there, or nobody wants us: an open ends. Other reasons may pass while the SYN is repeated.
  if (type == DESTINATION_UNREACHABLE && (code == PROTOCOL_UNREACHABLE || code == PORT_UNREACHABLE)) {
    statistics.attemptsFailed++;
    finish(c, error);
  }
}

/** The positive errno for an ICMP error, as Linux translates them; 0: none of TCP's business. */
function errorOf(type: u32, code: u32): i32 {
  if (type == PARAMETER_PROBLEM) return ENOPROTOOPT;
  if (type == TIME_EXCEEDED) return EHOSTUNREACH;
  if (type != DESTINATION_UNREACHABLE) return 0;
  if (code == PROTOCOL_UNREACHABLE) return ENOPROTOOPT;
  if (code == PORT_UNREACHABLE) return ECONNREFUSED;
  return code == 0 || code == 6 || code == 9 || code == 11 ? ENETUNREACH : EHOSTUNREACH;
}
