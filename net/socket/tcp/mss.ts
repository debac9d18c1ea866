/** Segment sizes and the window scale that we offer (RFC 9293, 3.7.1; RFC 6691; RFC 7323, 2). */
import { Flow } from "../../flow";
import { linkMtu, networkHeaderLength } from "../../ip";
import { TCP_HEADER } from "../../wire/tcp";
import { HAS_TIMESTAMPS, receiveLimit, TcpConnection } from "./connection";
import { TIMESTAMPS_LENGTH } from "./options";
import { MSS_DEFAULT, MSS_DEFAULT6, MSS_MINIMUM } from "./parameters";
import { Segment } from "./segment";

/** Payload of a segment of `flow` in a packet of `mtu` bytes, options not counted. */
export function mssOf(flow: Flow, mtu: u32): u32 {
  return mtu - networkHeaderLength(flow.remote) - TCP_HEADER;
}

/** What we can take in a segment. */
export function localMss(flow: Flow): u32 {
  return mssOf(flow, linkMtu(flow.remote));
}

/** What the peer takes in a segment, as its SYN `s` says, or does not say. */
export function peerMss(s: Segment): u32 {
  if (s.mss != 0) return s.mss;
  return s.flow.remote.isMapped ? MSS_DEFAULT : MSS_DEFAULT6;
}

/** Sets the payload of our segments from the MSS of the peer (0: never said), the MTU, and the options on every segment. */
export function setPeerMss(c: TcpConnection, mss: u32): void {
  const options = c.has(HAS_TIMESTAMPS) ? TIMESTAMPS_LENGTH : 0;
  c.sendMss = max(min(mss, localMss(c.flow)), MSS_MINIMUM) - options;
}

/** The smallest shift with which the whole receive buffer can be offered. */
export function offeredScale(): u32 {
  let scale: u32 = 0;
  while (receiveLimit() >> scale > 65535) scale++;
  return scale;
}
