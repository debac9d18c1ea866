/** Active open (RFC 9293, 3.10.1). */
import {
  EADDRINUSE,
  EADDRNOTAVAIL,
  EALREADY,
  EINPROGRESS,
  EISCONN,
  ENETUNREACH,
} from "../../../kernel/errno";
import { now } from "../../../kernel/time/clock";
import { timerStartAt } from "../../../kernel/time/timers";
import { isBroadcast, isUnicast } from "../../interface";
import { sourceAddressFor } from "../../ipv4";
import { ephemeralPort } from "./bind";
import { initialSequence, timestampOffset } from "./clock";
import { IS_BOUND, resetConnection, TcpConnection, TIMER_RETRANSMIT } from "./connection";
import { insertConnection, tupleInUse } from "./demux";
import { openSequences } from "./listen";
import { offeredScale } from "./mss";
import { retransmitInterval } from "./rtt";
import { setState, TCP_CLOSE, TCP_SYN_RECV, TCP_SYN_SENT } from "./state";
import { statistics } from "./statistics";
import { sendSyn } from "./transmit";

/**
 * `connect`: -EINPROGRESS when begun (POLLOUT tells the end of it, with POLLERR when it failed), -EISCONN, -EALREADY,
 * -ENETUNREACH, -EADDRNOTAVAIL (no port, or none left), -EADDRINUSE (bound, and the four-tuple is taken).
 */
export function connectTo(c: TcpConnection, address: u32, port: u32): i32 {
  if (c.state == TCP_SYN_SENT || c.state == TCP_SYN_RECV) return -EALREADY;
  if (c.state != TCP_CLOSE) return -EISCONN;
  if (port == 0 || port > 65535) return -EADDRNOTAVAIL;
  if (!isUnicast(address) || isBroadcast(address)) return -ENETUNREACH;
  const bound = c.has(IS_BOUND);
  let local = bound ? c.localAddress : 0;
  if (local == 0) local = sourceAddressFor(address);
  if (local == 0) return -ENETUNREACH;
  const localPort = bound ? <u32>c.localPort : ephemeralPort(local, address, port);
  if (localPort == 0) return -EADDRNOTAVAIL;
  if (bound && tupleInUse(local, address, localPort, port)) return -EADDRINUSE;

  // What an earlier connection of this socket has left goes.
  c.received.clear();
  c.left(c.receivedBytes);
  c.receivedBytes = 0;
  c.error = 0;
  resetConnection(c);
  c.localAddress = local;
  c.remoteAddress = address;
  c.localPort = <u16>localPort;
  c.remotePort = <u16>port;
  c.timestampOffset = timestampOffset(local, address, localPort, port);
  c.receiveScale = <u8>offeredScale();
  c.RCV_NXT = 0;
  c.receiveEdge = min<u32>(c.receiveLimit, 65535);
  openSequences(c, initialSequence(local, address, localPort, port));
  insertConnection(c);
  statistics.activeOpens++;
  setState(c, TCP_SYN_SENT);
  c.lastSent = now();
  c.timerMode = TIMER_RETRANSMIT;
  sendSyn(c, 0);
  timerStartAt(c.retransmitTimer, now() + retransmitInterval(c), c.level);
  return -EINPROGRESS;
}
