/**
 * The urgent mechanism (RFC 9293, 3.8.5; RFC 6093): a pointer to the octet behind the urgent data, in both directions. Urgent data are
 * part of the stream and are read like the rest of it (as with SO_OOBINLINE elsewhere), of any length.
 *
 *     ──────read────┬─── waits ────┬── not yet received ──────────
 *                   │<───────── TCP_URGENT ────────>│
 *               consumed        RCV.NXT           RCV.UP
 *
 * The pointer is the peer's word: it may point where nothing ever comes. All it does is to say POLLPRI until the stream gets there, or ends.
 */
import { POLLPRI } from "../../../kernel/scheduler/wait";
import { TCP_URG } from "../../wire/tcp";
import {
  FIN_RECEIVED,
  FIN_WAITING,
  RECEIVE_SHUT,
  TcpConnection,
  URGENT_AHEAD,
  URGENT_SENT,
} from "./connection";
import { Segment } from "./segment";
import { after, before } from "./sequence";
import { MAY_RECEIVE, MAY_TRANSMIT, stateIn } from "./state";
import { sendAck } from "./transmit";

// ---- Receiving ----

/** Sequence number of the next octet that the application reads. */
function consumed(c: TcpConnection): u32 {
  return c.RCV_NXT - c.receivedBytes - (c.has(FIN_RECEIVED) ? 1 : 0);
}

/** Octets from the next that is read to the end of the urgent data, received or not; 0: there are none. */
export function urgentBytes(c: TcpConnection): u32 {
  return c.has(URGENT_AHEAD) ? c.receiveUrgent - consumed(c) : 0;
}

/** Sixth check of RFC 9293, 3.10.7.4: an acceptable segment with URG. */
export function urgentArrives(c: TcpConnection, s: Segment): void {
  if (!stateIn(c.state, MAY_RECEIVE) || c.has(RECEIVE_SHUT)) return;
  const end = endOfUrgent(c, s.urgent);
  if (!after(end, c.has(URGENT_AHEAD) ? c.receiveUrgent : consumed(c))) return;
  c.receiveUrgent = end;
  c.status |= URGENT_AHEAD;
  c.wake(POLLPRI, 0);
}

/** No urgent data behind the end of the stream. */
function endOfUrgent(c: TcpConnection, pointer: u32): u32 {
  return c.has(FIN_WAITING) && after(pointer, c.finSequence) ? c.finSequence : pointer;
}

/** Octets were read, or the stream has turned out to end at `finSequence`: the pointer may have been reached. */
export function urgentReached(c: TcpConnection): void {
  c.receiveUrgent = endOfUrgent(c, c.receiveUrgent);
  if (!after(c.receiveUrgent, consumed(c))) c.status &= ~URGENT_AHEAD;
}

// ---- Sending ----

/** All that the application has given up to here is urgent. */
export function markUrgent(c: TcpConnection): void {
  c.sendUrgent = c.writeSequence;
  c.status |= URGENT_SENT;
}

/** What could leave has left; what could not is announced, so that the peer hears of it through a window of zero, too. */
export function announceUrgent(c: TcpConnection): void {
  if (c.has(URGENT_SENT) && after(c.sendUrgent, c.SND_MAX) && stateIn(c.state, MAY_TRANSMIT)) sendAck(c);
}

/** URG, and in the upper half the pointer, for a segment at `sequence`; 0 when it has nothing urgent ahead. URGENT_SENT is set. */
export function urgentFlags(c: TcpConnection, sequence: u32): u32 {
  if (!after(c.sendUrgent, c.SND_UNA)) c.status &= ~URGENT_SENT;
  if (!before(sequence, c.sendUrgent)) return 0;
  // What is further away than the field can say is pointed to as the segments get nearer.
  return TCP_URG | (min<u32>(c.sendUrgent - sequence, 65535) << 16);
}
