/**
 * Tail loss probe (RFC 8985, 7): when nothing has been acknowledged for two round trips, a segment is sent that makes the peer say what it has. So the
 * loss of the last segments is found as any other is, and not by a time-out.
 */
import { congestionLoss, congestionRecovered } from "./congestion";
import { FIN_QUEUED, PROBE_REPEATED, PROBE_SENT, TcpConnection } from "./connection";
import { duplicateEnd, duplicateReported } from "./delivered";
import { Segment } from "./segment";
import { retransmit, sendNext } from "./send";
import { after, before } from "./sequence";
import { statistics } from "./statistics";
import { sendControl } from "./transmit";
import { TCP_FIN } from "../../wire/tcp";

/** 7.3: new data, if the peer's window takes some, whatever the congestion window says; else the last segment again. False: it could not be sent. */
export function sendTailProbe(c: TcpConnection): bool {
  c.status &= ~PROBE_REPEATED;
  if (!sendNext(c)) {
    const last = c.lastSentBuffer;
    if (last !== null) {
      if (retransmit(c, last) < 0) return false;
    } else if (!c.has(FIN_QUEUED) || sendControl(c, c.writeSequence, TCP_FIN) < 0) return false;
    c.status |= PROBE_REPEATED;
  }
  statistics.tailProbes++;
  c.status |= PROBE_SENT;
  c.probeEnd = c.SND_NXT;
  return true;
}

/**
 * 7.4: an acknowledgement while a probe is under way. When it was a repetition and repaired a loss, nobody else will have noticed: the window is reduced
 * as for any loss. `fresh`: the segment has acknowledged or selectively acknowledged something new.
 */
export function probeAcked(c: TcpConnection, s: Segment, fresh: bool): void {
  if (before(s.acknowledgement, c.probeEnd)) return;
  if (!c.has(PROBE_REPEATED) || (duplicateReported && s.sackCount != 0 && duplicateEnd == c.probeEnd)) {
    // It was new data, or both have arrived.
    c.status &= ~PROBE_SENT;
  } else if (after(s.acknowledgement, c.probeEnd)) {
    c.status &= ~PROBE_SENT;
    congestionLoss(c);
    congestionRecovered(c);
  } else if (!fresh && s.length == 0 && s.sackCount == 0) {
    // A plain duplicate: both have arrived.
    c.status &= ~PROBE_SENT;
  }
}
