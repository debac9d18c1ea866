/** RFC 9293, 3.1: the header: its checksum, and segments that are malformed or made of any bytes. */
import { TcpConnection } from "../../../net/socket/tcp/connection";
import { tcpStatistics } from "../../../net/socket/tcp/tcp";
import { chance, seedChance } from "../../chance";
import { accept, close, peekLength, readText, write } from "./ends";
import { beginPair, endOfPair, open, s, server } from "./pair";
import { converse, damage, heard, meetPeer, say, sayRaw } from "./script";
import { MILLISECOND, run } from "./world";

describe("the header", () => {
  beforeAll(() => {
    meetPeer();
    seedChance(44);
  });
  beforeEach(beginPair);
  afterEach(endOfPair);

  it("MUST-2, MUST-3: every segment that leaves has its checksum, and one that comes damaged is dropped", () => {
    open();
    const before = tcpStatistics().badChecksum;
    const malformed = tcpStatistics().malformed;
    // Each bit of a segment with three octets, whichever: `heard` checks what leaves.
    for (let bit = 0; bit < 23 * 8; bit++) {
      damage(bit);
      say("P.", 1, 3, 1, 60000);
      expect(peekLength(s)).toBe(-11);
    }
    expect(tcpStatistics().badChecksum - before + tcpStatistics().malformed - malformed).toBe(23 * 8);
    expect(heard()).toBe("");
    say("P.", 1, 3, 1, 60000);
    expect(readText(s)).toBe("bcd");
    for (let length: u32 = 1; length < 1000; length++) {
      write(s, 0, 0, length);
      const lines = heard();
      expect(lines.indexOf("BAD")).toBe(-1);
      say(".", 4, 0, changetype<TcpConnection>(s).SND_NXT - changetype<TcpConnection>(s).ISS, 60000);
    }
  });

  it("drops malformed segments and damaged ones without an answer", () => {
    const before = tcpStatistics().malformed;
    const answered = tcpStatistics().segmentsOut;
    seedChance(7);
    converse(5006, 80);
    for (let i = 0; i < 20; i++) sayRaw(<u32>i, (at: u32): u8 => <u8>chance(256));
    // A data offset below 20 or past the end, an option that leaves the header, an option without a length.
    sayRaw(24, (at: u32): u8 => (at == 12 ? 0x40 : 2));
    sayRaw(24, (at: u32): u8 => (at == 12 ? 0x70 : 2));
    sayRaw(24, (at: u32): u8 => (at == 12 ? 0x60 : at == 20 ? 2 : at == 21 ? 5 : 2));
    sayRaw(24, (at: u32): u8 => (at == 12 ? 0x60 : at == 20 ? 2 : at == 21 ? 1 : 2));
    sayRaw(24, (at: u32): u8 => (at == 12 ? 0x60 : at == 23 ? 2 : 1));
    expect(tcpStatistics().malformed - before).toBe(25);
    expect(tcpStatistics().segmentsOut).toBe(answered);
  });

  it("survives segments of random bytes", () => {
    converse(5006, 80);
    seedChance(8);
    for (let i = 0; i < 20000; i++) {
      sayRaw(20 + chance(60), (at: u32): u8 => {
        if (at == 2) return 0;
        if (at == 3) return 80;
        if (at == 0) return 19;
        if (at == 1) return 142;
        if (at == 12) return <u8>((5 + chance(8)) << 4);
        return <u8>chance(256);
      });
      if (i % 16 == 0) {
        const child = accept(server);
        if (child !== null) close(child);
        run(MILLISECOND);
      }
    }
    heard();
  });
});
