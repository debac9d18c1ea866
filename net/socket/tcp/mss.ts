/** Segment sizes and the window scale that we offer (RFC 9293, 3.7.1; RFC 6691; RFC 7323, 2). */
import { MTU_ETHERNET, networkInterface } from "../../interface";
import { HAS_TIMESTAMPS, receiveLimit, TcpConnection } from "./connection";
import { TIMESTAMPS_LENGTH } from "./options";
import { HEADERS, MSS_MINIMUM } from "./parameters";

/** What we take in a segment, and say in the SYN of connection, or listener, `c`: MTU - 40, or less when the application wants it (TCP_MAXSEG). */
export function localMss(c: TcpConnection): u32 {
  const mtu = networkInterface().mtu;
  const most = (mtu == 0 ? MTU_ETHERNET : mtu) - HEADERS;
  return c.maximumSegment != 0 ? min<u32>(most, c.maximumSegment) : most;
}

/** Sets the payload of our segments from the MSS of the peer (0: never said), the MTU, and the options on every segment. */
export function setPeerMss(c: TcpConnection, mss: u32): void {
  const options = c.has(HAS_TIMESTAMPS) ? TIMESTAMPS_LENGTH : 0;
  c.sendMss = max(min(mss, localMss(c)), MSS_MINIMUM) - options;
}

/** The smallest shift with which the whole receive buffer can be offered. */
export function offeredScale(): u32 {
  let scale: u32 = 0;
  while (receiveLimit() >> scale > 65535) scale++;
  return scale;
}
