/** Nagle's algorithm (RFC 9293, 3.7.4). */
import { PacketBuffer } from "../../buffer";
import { SOCKET_NODELAY } from "../socket";
import { FIN_QUEUED, TcpConnection, URGENT_SENT } from "./connection";

/** A small segment waits while data is in flight, unless there is more behind it: what is left of a larger one that was cut. */
// @ts-ignore: decorator
@inline
export function nagleHolds(c: TcpConnection, buffer: PacketBuffer, inFlight: bool): bool {
  return (
    buffer.length < c.sendMss &&
    buffer === c.sendTail &&
    inFlight &&
    (c.flags & SOCKET_NODELAY) == 0 &&
    !c.has(FIN_QUEUED | URGENT_SENT)
  );
}
