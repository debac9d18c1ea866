/** The invariants of the scoreboard: what is counted and linked is what the states in the send queue say. */
import { TcpConnection } from "../../../net/socket/tcp/connection";
import { IN_FLIGHT, LOST, SACKED, UNSENT } from "../../../net/socket/tcp/scoreboard";
import { PacketBuffer } from "../../../net/buffer";

/** The one that does not hold, or "". */
export function scoreboardFault(c: TcpConnection): string {
  let pipe: u32 = 0;
  let inFlight = 0;
  let lost: u32 = 0;
  let sacked: u32 = 0;
  let firstLost: PacketBuffer | null = null;
  let sequence = c.SND_UNA;
  let buffer = c.sendHead;
  let sent = true;
  while (buffer !== null) {
    if (!(buffer.sequence == sequence)) return "the send queue has a gap";
    if (buffer === c.sendNext) sent = false;
    if (!((buffer.state != UNSENT) == sent)) return "sent or not";
    if (!((buffer.word0 != 0) == sent)) return "times sent";
    if (buffer.state == IN_FLIGHT) {
      pipe += buffer.length;
      inFlight++;
    } else if (buffer.state == LOST) {
      lost += buffer.length;
      if (firstLost === null) firstLost = buffer;
    } else if (buffer.state == SACKED) sacked++;
    sequence += buffer.length;
    buffer = buffer.next;
  }
  if (!(sequence == c.writeSequence || c.sendHead === null))
    return "the send queue does not end at writeSequence";
  if (!(pipe == c.pipe)) return "pipe";
  if (!(lost == c.lostBytes)) return "lost bytes";
  if (!(sacked == c.sackedCount)) return "sacked";
  if (firstLost !== null) {
    const from = c.lostFrom;
    if (!(from !== null && <i32>(firstLost.sequence - from.sequence) >= 0))
      return "a lost segment before lostFrom";
  }
  let previous: PacketBuffer | null = null;
  let linked = c.firstSent;
  while (linked !== null) {
    if (!(linked.state == IN_FLIGHT)) return "in the list and not in flight";
    if (!(linked.sentBefore === previous)) return "the list is broken";
    inFlight--;
    previous = linked;
    linked = linked.sentAfter;
  }
  if (!(c.lastSentBuffer === previous)) return "the end of the list";
  if (!(inFlight == 0)) return "in flight and not in the list";
  return "";
}
