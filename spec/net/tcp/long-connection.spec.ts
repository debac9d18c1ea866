/**
 * A connection on which more is sent than half of the sequence space (RFC 9293, 3.4): what it remembers of losses, marks and reordering does not come before it again.
 *
 * Of each 512 MiB only the last segment is sent; the others are left out at both ends.
 */
import { TcpConnection } from "../../../net/socket/tcp/connection";
import { tcpStatistics } from "../../../net/socket/tcp/tcp";
import { write } from "./ends";
import { beginPair, endOfPair, keep, newPort, open, s, server } from "./pair";
import {
  establish,
  firsts,
  heard,
  heardBriefly,
  meetPeer,
  permitSack,
  say,
  sayBlocks,
  setOptions,
} from "./script";

const STRETCH: u32 = 1 << 29;
const SEGMENT: u32 = 1000;
/** In stretches: beyond the whole space. */
const FARTHEST: u32 = 9;

/** What PEER acknowledges when it has got all. */
function all(c: TcpConnection): u32 {
  return c.SND_MAX - c.ISS;
}

/** `stretches` times 512 MiB, more or less, are sent and acknowledged. */
function travel(c: TcpConnection, stretches: u32): void {
  for (let i: u32 = 0; i < stretches; i++) {
    const left = (STRETCH - SEGMENT / 2 - c.SND_UNA) & (STRETCH - 1);
    c.SND_UNA += left;
    c.SND_NXT += left;
    c.SND_MAX += left;
    c.writeSequence += left;
    c.rackForward += left;
    write(s, 0, 0, SEGMENT);
    say(".", 1, 0, all(c), 60000);
  }
  heard();
}

describe("a long connection", () => {
  beforeAll(meetPeer);
  beforeEach(beginPair);
  afterEach(endOfPair);

  it("RFC 3168, 6.1.2: reduces its window for an echo, however long ago the last one was", () => {
    setOptions(SEGMENT, 255, 0);
    permitSack(true);
    keep(establish(server, newPort(), 60000, "SEW"));
    const c = changetype<TcpConnection>(s);
    for (let stretches: u32 = 0; stretches <= FARTHEST; stretches++) {
      travel(c, stretches);
      const echoes = tcpStatistics().congestionEchoes;
      write(s, 0, 0, 2 * SEGMENT);
      for (let i = 1; i >= 0; i--) say(".E", 1, 0, all(c) - i * SEGMENT, 60000);
      expect(tcpStatistics().congestionEchoes - echoes).toBe(1, stretches.toString());
      heard();
      write(s, 0, 0, SEGMENT);
      expect(heardBriefly().startsWith("P.W")).toBe(true, stretches.toString());
      say(".", 1, 0, all(c), 60000);
    }
  });

  it("RFC 6582, 3.2: repeats at once what three duplicates ask for, however long ago the last loss was", () => {
    permitSack(false);
    const c = open(60000, SEGMENT);
    for (let stretches: u32 = 0; stretches <= FARTHEST; stretches++) {
      travel(c, stretches);
      const at = all(c);
      write(s, 0, 0, 2 * SEGMENT);
      heard();
      for (let i = 0; i < 3; i++) say(".", 1, 0, at, 60000);
      expect(firsts()).toBe(at.toString(), stretches.toString());
      say(".", 1, 0, all(c), 60000);
    }
  });

  it("RFC 8985, 6.2: widens its reordering window for a duplicate, however long ago the last one was", () => {
    setOptions(SEGMENT, 255, 0);
    permitSack(true);
    keep(establish(server, newPort(), 60000));
    const c = changetype<TcpConnection>(s);
    for (let stretches: u32 = 0; stretches <= FARTHEST; stretches++) {
      travel(c, stretches);
      write(s, 0, 0, SEGMENT);
      const at = all(c);
      say(".", 1, 0, at, 60000);
      write(s, 0, 0, SEGMENT);
      const quarters: u32 = c.reorderingQuarters;
      for (let i = 0; i < 2; i++) sayBlocks(at, 60000, (at - SEGMENT).toString() + ":" + at.toString());
      expect<u32>(c.reorderingQuarters).toBe(quarters + 1, stretches.toString());
      say(".", 1, 0, all(c), 60000);
    }
  });
});
