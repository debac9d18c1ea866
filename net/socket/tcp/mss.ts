/** Segment sizes and the window scale that we offer (RFC 9293, 3.7.1; RFC 6691; RFC 7323, 2). */
import { MTU_ETHERNET, networkInterface } from "../../interface";
import { pathMtu } from "../../pmtu";
import { HAS_TIMESTAMPS, receiveLimit, TcpConnection } from "./connection";
import { TIMESTAMPS_LENGTH } from "./options";
import { HEADERS, MSS_MINIMUM } from "./parameters";

/** What we can take in a segment: MTU - 40. */
export function localMss(): u32 {
  const mtu = networkInterface().mtu;
  return (mtu == 0 ? MTU_ETHERNET : mtu) - HEADERS;
}

/** Sets the payload of our segments from the MSS of the peer (0: never said), the MTU of the path, and the options on every segment. */
export function setPeerMss(c: TcpConnection, mss: u32): void {
  const options = c.has(HAS_TIMESTAMPS) ? TIMESTAMPS_LENGTH : 0;
  c.sendMss = max(min(mss, pathMtu(c.remoteAddress) - HEADERS), MSS_MINIMUM) - options;
}

/** The smallest shift with which the whole receive buffer can be offered. */
export function offeredScale(): u32 {
  let scale: u32 = 0;
  while (receiveLimit() >> scale > 65535) scale++;
  return scale;
}
