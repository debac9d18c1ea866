/** The invariants of the scoreboard: what is counted and linked is what the states in the send queue say. */
import { TcpConnection } from "../../../net/socket/tcp/connection";
import { IN_FLIGHT, LOST, SACKED, UNSENT } from "../../../net/socket/tcp/scoreboard";
import { PacketBuffer } from "../../../net/buffer";

/** Traps when they do not hold. */
export function checkScoreboard(c: TcpConnection): void {
  let pipe: u32 = 0;
  let inFlight = 0;
  let lost: u32 = 0;
  let sacked: u32 = 0;
  let firstLost: PacketBuffer | null = null;
  let sequence = c.SND_UNA;
  let buffer = c.sendHead;
  let sent = true;
  while (buffer !== null) {
    assert(buffer.sequence == sequence, "the send queue has a gap");
    if (buffer === c.sendNext) sent = false;
    assert((buffer.state != UNSENT) == sent, "sent or not");
    assert((buffer.word0 != 0) == sent, "times sent");
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
  assert(sequence == c.writeSequence || c.sendHead === null, "the send queue does not end at writeSequence");
  assert(pipe == c.pipe, "pipe");
  assert(lost == c.lostBytes, "lost bytes");
  assert(sacked == c.sackedCount, "sacked");
  if (firstLost !== null) {
    const from = c.lostFrom;
    assert(from !== null && <i32>(firstLost.sequence - from.sequence) >= 0, "a lost segment before lostFrom");
  }
  let previous: PacketBuffer | null = null;
  let linked = c.firstSent;
  while (linked !== null) {
    assert(linked.state == IN_FLIGHT, "in the list and not in flight");
    assert(linked.sentBefore === previous, "the list is broken");
    inFlight--;
    previous = linked;
    linked = linked.sentAfter;
  }
  assert(c.lastSentBuffer === previous, "the end of the list");
  assert(inFlight == 0, "in flight and not in the list");
}
