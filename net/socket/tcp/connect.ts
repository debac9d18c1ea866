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
import { Endpoint, flowHash, HASH_TABLE } from "../../flow";
import { chooseSource, isForAll, isHost, matches } from "../../ip";
import { chooseEphemeral, former, isFree } from "./bind";
import { initialSequence, sequenceBeyond, timestampOffset } from "./clock";
import { resetConnection, TcpConnection, TIMER_RETRANSMIT } from "./connection";
import { insertConnection, wanted } from "./demux";
import { openSequences } from "./listen";
import { offeredScale } from "./mss";
import { retransmitInterval } from "./rtt";
import { setState, TCP_CLOSE, TCP_SYN_RECV, TCP_SYN_SENT } from "./state";
import { statistics } from "./statistics";
import { takeOver } from "./timewait";
import { sendSyn } from "./transmit";
import { firstWindow } from "./window";

/**
 * `connect`: -EINPROGRESS when begun (POLLOUT tells the end of it, with POLLERR when it failed), -EISCONN, -EALREADY,
 * -ENETUNREACH, -EADDRNOTAVAIL (port 0), -EADDRINUSE (bound, and the flow is taken), -EAGAIN (no local port found yet: bind.ts).
 */
export function connectTo(c: TcpConnection, name: Endpoint): i32 {
  if (c.state == TCP_SYN_SENT || c.state == TCP_SYN_RECV) return -EALREADY;
  if (c.state != TCP_CLOSE) return -EISCONN;
  if (name.port == 0) return -EADDRNOTAVAIL;
  if (!isHost(name) || isForAll(name)) return -ENETUNREACH;
  const local = wanted.local;
  const bound = c.place;
  // What an earlier connect has chosen is no part of the name.
  if (bound !== null) local.copy(bound);
  else c.clearAddress(local);
  wanted.remote.copy(name);
  if (!matches(local, name)) return -ENETUNREACH;
  if (local.isAny && !chooseSource(wanted)) return -ENETUNREACH;
  if (bound === null) {
    const result = chooseEphemeral(wanted);
    if (result < 0) return result;
  } else if (!isFree(wanted)) return -EADDRINUSE;
  const old = former;
  const hash = flowHash(wanted, HASH_TABLE);
  const sequence = old === null ? initialSequence(hash) : sequenceBeyond(hash, takeOver(old));

  // What an earlier connection of this socket has left goes.
  c.received.clear();
  c.left(c.receivedBytes);
  c.receivedBytes = 0;
  c.error = 0;
  resetConnection(c);
  c.flow.copy(wanted);
  c.timestampOffset = timestampOffset(c.flow);
  c.receiveScale = <u8>offeredScale();
  c.RCV_NXT = 0;
  c.receiveEdge = firstWindow(c);
  openSequences(c, sequence);
  insertConnection(c, <u32>hash);
  statistics.activeOpens++;
  setState(c, TCP_SYN_SENT);
  c.lastSent = now();
  c.timerMode = TIMER_RETRANSMIT;
  sendSyn(c, 0);
  timerStartAt(c.retransmitTimer, now() + retransmitInterval(c), c.level);
  return -EINPROGRESS;
}
