/**
 * The window that is offered (RFC 9293, 3.8.6.2.2): what the receive buffer has left, moved on in useful steps only
 * (silly window syndrome), never taken back (`receiveEdge` only grows), and not moved on at all while packet buffers are
 * scarce in the machine.
 */
import { bufferPool } from "../../buffer";
import { TcpConnection } from "./connection";
import { after, from } from "./sequence";

/** Fewer than 1/`part` of all packet buffers are left. */
// @ts-ignore: decorator
@inline
export function buffersScarce(part: u32): bool {
  const pool = bufferPool();
  return pool.limit - pool.inUse < pool.limit / part;
}

/**
 * Right edge that the receive buffer would allow now, as far as the window field can say it (without scale, less than the buffer has): not
 * to the left of RCV.NXT. An edge that cannot be said would be told again with each read, and taken for a duplicate acknowledgement.
 */
// @ts-ignore: decorator
@inline
function roomEdge(c: TcpConnection): u32 {
  if (c.receivedBytes >= c.receiveLimit) return c.RCV_NXT;
  return c.RCV_NXT + min<u32>(c.receiveLimit - c.receivedBytes, (<u32>65535) << c.receiveScale);
}

/** The same, unless buffers are scarce: then nothing is offered beyond what has been. */
function possibleEdge(c: TcpConnection): u32 {
  return buffersScarce(4) ? c.RCV_NXT : roomEdge(c);
}

/** What a SYN offers, whose window field has no scale. */
// @ts-ignore: decorator
@inline
export function firstWindow(c: TcpConnection): u32 {
  return min<u32>(c.receiveLimit, 65535);
}

/** The least by which the edge is moved on. */
// @ts-ignore: decorator
@inline
function step(c: TcpConnection): u32 {
  return min(c.receiveMss, c.receiveLimit / 2);
}

/** The window field of the next segment; remembers what it promises. */
export function advertisedWindow(c: TcpConnection): u32 {
  const edge = possibleEdge(c);
  if (from(edge, c.receiveEdge + step(c))) {
    // The scaled field promises a little less than there is; the edge is what the peer can read out of it.
    const field = min<u32>((edge - c.RCV_NXT) >> c.receiveScale, 65535);
    const promised = c.RCV_NXT + (field << c.receiveScale);
    if (after(promised, c.receiveEdge)) c.receiveEdge = promised;
    return field;
  }
  return min<u32>(c.receiveWindow >> c.receiveScale, 65535);
}

/** After the application has read: is the room worth a segment to tell the peer, once it may be offered? When the window at least doubles. */
export function windowUpdateDue(c: TcpConnection): bool {
  const edge = roomEdge(c);
  if (!from(edge, c.receiveEdge + step(c))) return false;
  return edge - c.RCV_NXT >= c.receiveWindow * 2;
}

/** Bytes that can still come without the application reading: the window that is, or will be, offered; 0 while there is no room. */
export function usableWindow(c: TcpConnection): u32 {
  const edge = possibleEdge(c);
  if (edge == c.RCV_NXT) return 0;
  return (from(edge, c.receiveEdge + step(c)) ? edge : c.receiveEdge) - c.RCV_NXT;
}
