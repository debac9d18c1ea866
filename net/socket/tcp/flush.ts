/** The poll of POLL_SEND: connections that have something to send do so (pending.ts). */
import { timerPending } from "../../../kernel/time/timers";
import { ACK_NOW, TcpConnection } from "./connection";
import { anyPending, isPending, mustWait, pend, takePending } from "./pending";
import { output, OUTPUT_STEP } from "./send";
import { statistics } from "./statistics";
import { delayAck } from "./timers";
import { sendAck } from "./transmit";

/** Some of those of a level, and some of what each has. True: there is more. */
export function sendPoll(level: u32): bool {
  if (mustWait(level)) return true;
  const end = statistics.segmentsOut + OUTPUT_STEP;
  // One that turns out to have nothing to send counts, too.
  for (let looked: u32 = 0; looked < OUTPUT_STEP; looked++) {
    const left = <i32>(end - statistics.segmentsOut);
    const c = left > 0 ? takePending(level) : null;
    if (c === null) break;
    output(c, left);
    if (c.has(ACK_NOW) && !isPending(c)) acknowledgeNow(c);
  }
  return anyPending(level);
}

/** Without data, once; and without SACK once for each segment out of order (RFC 5681, 4.2: the sender counts them), but not all at once. */
function acknowledgeNow(c: TcpConnection): void {
  const due = c.duplicatesDue;
  c.duplicatesDue = 0;
  // The peer may wait for just this one.
  if (sendAck(c) < 0 && !timerPending(c.ackTimer)) delayAck(c);
  let left = min<u32>(due, OUTPUT_STEP - 1);
  const rest = <u8>(due - left);
  for (; left != 0; left--) sendAck(c);
  if (rest == 0) return;
  c.duplicatesDue = rest - 1;
  c.status |= ACK_NOW;
  pend(c);
}
