/** Segment arrival in SYN-SENT (RFC 9293, 3.10.7.3): the answer to an active open, or the SYN of a simultaneous one. */
import { ECONNREFUSED } from "../../../kernel/errno";
import { now } from "../../../kernel/time/clock";
import { timerStartAt } from "../../../kernel/time/timers";
import { TCP_ACK, TCP_RST, TCP_SYN } from "../../wire/tcp";
import { seconds } from "./clock";
import { finish } from "./close";
import { ACK_NOW, HAS_ECN, HAS_SACK, HAS_TIMESTAMPS, TcpConnection } from "./connection";
import { ecnAgreed } from "./ecn";
import { timeoutHeard } from "./failure";
import { setPeerMss, peerMss } from "./mss";
import { NO_SCALE } from "./options";
import { established, textAndFin } from "./receive";
import { retransmitInterval } from "./rtt";
import { Segment } from "./segment";
import { after } from "./sequence";
import { setState, TCP_SYN_RECV } from "./state";
import { statistics } from "./statistics";
import { sendAck, sendResetFor, sendSyn } from "./transmit";

export function synSentSegment(c: TcpConnection, s: Segment): void {
  if (s.has(TCP_ACK) && (!after(s.acknowledgement, c.ISS) || after(s.acknowledgement, c.SND_MAX)))
    return sendResetFor(s);
  if (s.has(TCP_RST)) {
    // Only one that acknowledges our SYN is an answer to it.
    if (!s.has(TCP_ACK)) return;
    statistics.resetsIn++;
    statistics.attemptsFailed++;
    return finish(c, ECONNREFUSED);
  }
  if (!s.has(TCP_SYN)) return;
  // As our SYN said, whatever the application has set since.
  const window = c.receiveWindow;
  c.IRS = s.sequence;
  c.RCV_NXT = s.sequence + 1;
  c.lastAckSent = c.RCV_NXT;
  c.receiveEdge = c.RCV_NXT + window;
  if (s.hasTimestamps) {
    c.status |= HAS_TIMESTAMPS;
    c.timestampRecent = s.timestampValue;
    c.timestampAge = seconds();
  }
  if (s.sackPermitted) c.status |= HAS_SACK;
  if (ecnAgreed(s)) c.status |= HAS_ECN;
  if (s.scale == NO_SCALE) c.receiveScale = 0;
  else c.sendScale = <u8>s.scale;
  setPeerMss(c, peerMss(s));
  if (s.userTimeout != 0) timeoutHeard(c, s.userTimeout);
  if (s.has(TCP_ACK)) {
    established(c, s);
    s.trimFront(1);
    // By itself it does not wait for what else may come: it opens the connection for the peer, which may be of this machine, and has it before `connect` returns.
    if (s.length == 0) sendAck(c);
    else c.status |= ACK_NOW;
    return textAndFin(c, s);
  }
  setState(c, TCP_SYN_RECV);
  sendSyn(c, TCP_ACK);
  timerStartAt(c.retransmitTimer, now() + retransmitInterval(c), c.level);
}
