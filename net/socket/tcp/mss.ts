/** Segment sizes and the window scale that we offer (RFC 9293, 3.7.1; RFC 6691; RFC 7323, 2). */
import { Flow } from "../../flow";
import { linkMtu, networkHeaderLength } from "../../ip";
import { pathMtu } from "../../pmtu";
import { TCP_HEADER } from "../../wire/tcp";
import { HAS_TIMESTAMPS, receiveLimit, TcpConnection } from "./connection";
import { TIMESTAMPS_LENGTH } from "./options";
import { MSS_DEFAULT, MSS_DEFAULT6, MSS_MINIMUM } from "./parameters";
import { Segment } from "./segment";

/** Payload of a segment of `flow` in a packet of `mtu` bytes, options not counted. */
export function mssOf(flow: Flow, mtu: u32): u32 {
  return mtu - networkHeaderLength(flow.remote) - TCP_HEADER;
}

/** What the peer takes in a segment, as its SYN `s` says, or does not say. */
export function peerMss(s: Segment): u32 {
  if (s.mss != 0) return s.mss;
  return s.flow.remote.isMapped ? MSS_DEFAULT : MSS_DEFAULT6;
}

/** What we take in a segment of `flow`, and say in a SYN. `c`: the connection, or the listener, which may want it to be less (TCP_MAXSEG). */
export function localMss(c: TcpConnection, flow: Flow): u32 {
  const most = mssOf(flow, linkMtu(flow.remote));
  return c.maximumSegment != 0 ? min<u32>(most, c.maximumSegment) : most;
}

/** Sets the payload of our segments from the MSS of the peer (0: never said), the MTU of the path, and the options on every segment. */
export function setPeerMss(c: TcpConnection, mss: u32): void {
  const options = c.has(HAS_TIMESTAMPS) ? TIMESTAMPS_LENGTH : 0;
  const most = min(localMss(c, c.flow), mssOf(c.flow, pathMtu(c.flow.remote)));
  c.sendMss = max(min(mss, most), MSS_MINIMUM) - options;
}

/** The smallest shift with which the whole receive buffer can be offered. */
export function offeredScale(): u32 {
  let scale: u32 = 0;
  while (receiveLimit() >> scale > 65535) scale++;
  return scale;
}
