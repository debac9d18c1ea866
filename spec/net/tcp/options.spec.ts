/** RFC 9293, 3.1 and 3.2: the options of segments, those that come and those that leave. */
import { TcpConnection } from "../../../net/socket/tcp/connection";
import { tcpStatistics } from "../../../net/socket/tcp/tcp";
import { chance, seedChance } from "../../chance";
import {
  abort_,
  accept,
  close,
  connect,
  create,
  peekLength,
  readText,
  setOption,
  shutdown,
  write,
  writeText,
} from "./ends";
import { beginPair, endOfPair, keep, newPort, open, s, server } from "./pair";
import { addOptions, converse, heard, meetPeer, permitSack, say, setOptions, setStamp } from "./script";
import { MILLISECOND, outbox, PEER, run } from "./world";

/** The options of the SYN that was sent last, byte by byte. */
function optionsOf(packet: Uint8Array): string {
  let text = "";
  const end = 20 + (packet[32] >> 4) * 4;
  for (let at = 40; at < end; at++) text += (text == "" ? "" : " ") + packet[at].toString();
  return text;
}

/** Each option of a segment but NOP and END has its length, all end where the header does, and behind END there are only zeros. */
function isOrderly(packet: Uint8Array): bool {
  const end = 20 + (packet[32] >> 4) * 4;
  let at = 40;
  while (at < end && packet[at] != 0) {
    if (packet[at] == 1) at++;
    else if (at + 1 < end && packet[at + 1] >= 2) at += packet[at + 1];
    else return false;
  }
  if (at > end) return false;
  while (at < end) if (packet[at++] != 0) return false;
  return true;
}

describe("options", () => {
  beforeAll(() => {
    meetPeer();
    seedChance(44);
  });
  beforeEach(beginPair);
  afterEach(endOfPair);

  it("MUST-4, MUST-64: end, no-operation and MSS are understood, wherever in the list they begin", () => {
    // The first word is what the MSS option was; then each list, and the payload that a segment has then.
    const lists: u8[][] = [
      [1, 1, 1, 2, 4, 2, 88, 0],
      [1, 2, 4, 2, 88, 0, 9, 9],
      [1, 1, 2, 4, 2, 88, 1, 0],
      [254, 5, 9, 9, 9, 2, 4, 2, 88, 0, 0, 0],
      [2, 4, 2, 88],
      [0, 2, 4, 2, 88, 0, 0, 0],
    ];
    const sizes: u32[] = [600, 600, 600, 600, 600, 536];
    for (let i = 0; i < lists.length; i++) {
      converse(newPort(), 80);
      setOptions(0, 255, 0);
      addOptions(lists[i]);
      say("S", 0, 0, 0, 60000);
      heard();
      say(".", 1, 0, 1, 60000);
      keep(accept(server)!);
      expect(changetype<TcpConnection>(s).sendMss).toBe(sizes[i]);
      if (i != lists.length - 1) abort_(s);
    }
  });

  it("MUST-5, MUST-6: options are taken in any segment, and those unknown are stepped over", () => {
    const c = open();
    addOptions([254, 4, 1, 2]);
    say("P.", 1, 3, 1, 60000);
    expect(readText(s)).toBe("bcd", "in a segment with data");
    addOptions([2, 4, 0, 100, 253, 2, 1, 1]);
    say(".", 4, 0, 1, 60000);
    expect(c.sendMss).toBe(1000, "an MSS counts on a SYN only");
    writeText(s, "x");
    addOptions([77, 40 - 20, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18]);
    say(".", 4, 0, 2, 60000);
    expect(c.SND_UNA - c.ISS).toBe(2, "in an acknowledgement");
    addOptions([200, 3, 0, 1]);
    say("F.", 4, 0, 2, 60000);
    expect(c.state).toBe(8, "with a FIN");
    shutdown(s, 1);
    addOptions([200, 3, 0, 1]);
    say("R", 5, 0, 0, 0);
    expect(c.state).toBe(7, "with a RST");
  });

  it("MUST-7: an option of an illegal length is survived: the segment is dropped and counted", () => {
    open();
    seedChance(3);
    const before = tcpStatistics().malformed;
    let bad: u64 = 0;
    const lengths: u8[] = [0, 1, 200, 5];
    for (let i = 0; i < lengths.length; i++) {
      addOptions([254, lengths[i], 0, 0]);
      say("P.", 1, 3, 1, 60000);
      bad++;
    }
    addOptions([1, 1, 1, 254]);
    say("P.", 1, 3, 1, 60000);
    bad++;
    expect(tcpStatistics().malformed - before).toBe(bad);
    expect(peekLength(s)).toBe(-11);
    // Any bytes: nothing is read behind the header, and the connection goes on.
    for (let i = 0; i < 5000; i++) {
      const list: u8[] = [];
      for (let at: u32 = 0; at < 4 * (1 + chance(10)); at++) list.push(<u8>chance(chance(2) == 0 ? 12 : 256));
      while (list.length % 4 != 0) list.push(0);
      addOptions(list);
      say(".", 1, 0, 1, 60000);
    }
    outbox.length = 0;
    say("P.", 1, 3, 1, 60000);
    expect(readText(s)).toBe("bcd");
  });

  it("MUST-14, MUST-65, MUST-68, MUST-69: the options of a SYN, each but NOP with its length, to a multiple of four", () => {
    converse(9, 0);
    keep(create());
    connect(s, PEER, 9);
    const text = optionsOf(outbox[0]);
    // MSS 1460; NOP, window scale 3; NOP, NOP, SACK permitted; NOP, NOP, timestamps. No end of list, so there is nothing to be padded.
    expect(text.startsWith("2 4 5 180 1 3 3 3 1 1 4 2 1 1 8 10 ")).toBe(true, text);
    expect((outbox[0][32] >> 4) * 4).toBe(44);
    expect(heard()).toBe("SEW 0:0(0) win 65535 <mss 1460,ws 3,sackOK,ts>");
    setOptions(1460, 7, 500);
    say("S.", 0, 0, 1, 60000);
    writeText(s, "x");
    shutdown(s, 1);
    const after = heard();
    expect(after.indexOf("mss")).toBe(-1, after);
  });

  it("MUST-65, MUST-68, MUST-69: the options of every segment, whichever it has", () => {
    // SACK blocks of any number, a user time-out, timestamps or none, data, FIN; and a reset.
    let kinds: u64 = 0;
    for (let round: u32 = 0; round < 200; round++) {
      converse(newPort(), 80);
      setOptions(1460, 7, round & 1 ? 1000 : 0);
      permitSack(true);
      say("S", 0, 0, 0, 60000);
      expect(isOrderly(outbox[0])).toBe(true);
      heard();
      say(".", 1, 0, 1, 60000);
      const one = accept(server)!;
      if (round % 3 == 0) setOption(one, 6, 0x4003, 1);
      for (let i = 0; i < 12; i++) {
        if (chance(4) == 0) write(one, 0, 0, 1 + chance(2000));
        else say("P.", 1 + 100 * chance(20), 1 + chance(150), 1, 60000);
        if (chance(6) == 0) run(300 * MILLISECOND);
      }
      if (chance(2) == 0) close(one);
      else abort_(one);
      for (let i = 0; i < outbox.length; i++) {
        assert(isOrderly(outbox[i]), optionsOf(outbox[i]));
        for (
          let at = 40;
          at < 20 + (outbox[i][32] >> 4) * 4;
          at += outbox[i][at] == 1 ? 1 : outbox[i][at + 1]
        ) {
          kinds |= (<u64>1) << outbox[i][at];
          assert(outbox[i][at] != 2, "MSS without SYN");
        }
      }
      heard();
    }
    expect(kinds).toBe(((<u64>1) << 1) | ((<u64>1) << 5) | ((<u64>1) << 8) | ((<u64>1) << 28));
    permitSack(false);
    setStamp(0);
  });
});
