/** RFC 5961: blind resets, SYNs and data, and how often they are challenged. */
import { tcpStatistics } from "../../../net/socket/tcp/tcp";
import { abort_, accept, peekLength, taken, watch } from "./ends";
import { beginPair, endOfPair, keep, newPort, open, s, server } from "./pair";
import { converse, establish, heard, heardBriefly, meetPeer, say, setOptions, setStamp } from "./script";
import { MILLISECOND, run, SECOND } from "./world";

describe("blind attacks", () => {
  beforeAll(meetPeer);
  beforeEach(beginPair);
  afterEach(endOfPair);

  it("resists blind resets, SYNs and data (RFC 5961)", () => {
    open(10000, 1460);
    watch(0, s, 0x2201d);
    say("R", 2, 0, 0, 0);
    expect(heardBriefly()).toBe(". 1:1(0) ack 1", "in the window, not exact: challenged");
    say("R", 60000, 0, 0, 0);
    expect(heardBriefly()).toBe("", "one challenge in half a second");
    run(SECOND);
    say("R", 70000, 0, 0, 0);
    expect(heardBriefly()).toBe("", "outside");
    say("S", 1, 0, 0, 1000);
    expect(heardBriefly()).toBe(". 1:1(0) ack 1");
    run(SECOND);
    say("S.", 500000, 0, 1, 1000);
    expect(heardBriefly()).toBe(". 1:1(0) ack 1");
    run(SECOND);
    say("P.", 1, 10, 1000, 1000);
    expect(heardBriefly()).toBe(". 1:1(0) ack 1", "acknowledges what was never sent");
    run(SECOND);
    say("P.", 1, 10, 0 - 100000, 1000);
    expect(heardBriefly()).toBe(". 1:1(0) ack 1", "acknowledges too old a number");
    say("P", 1, 10, 0, 1000);
    expect(heardBriefly()).toBe("", "no ACK bit: dropped");
    expect(taken()).toBe("");
    expect(peekLength(s)).toBe(-11);
    say("R", 1, 0, 0, 0);
    expect(taken()).toBe("1>7 201d");
    expect(peekLength(s)).toBe(-104);
  });

  it("challenges a SYN without timestamps on a connection that has them (RFC 5961, 4.2): the peer may have begun anew", () => {
    setOptions(1460, 255, 1000);
    keep(establish(server, newPort(), 10000));
    setStamp(0);
    const places: u32[] = [1, 5000, 700000, 0 - 700000];
    for (let i = 0; i < places.length; i++) {
      run(SECOND);
      say("S", places[i], 0, 0, 1000);
      expect(heardBriefly()).toBe(". 1:1(0) ack 1");
      say("S", places[i], 0, 0, 1000);
      say("P.", 1, 10, 1, 1000);
      expect(heardBriefly()).toBe(
        "",
        "the rate is limited, and anything else is dropped in silence (RFC 7323, 3.2)",
      );
    }
    expect(peekLength(s)).toBe(-11);
    // The answer to that (RFC 9293, 3.10.7.3, third) ends what the peer knows nothing of.
    say("R", 1, 0, 0, 0);
    expect(peekLength(s)).toBe(-104);
  });

  it("limits challenges in odd milliseconds and in even ones", () => {
    for (let i = 0; i < 4; i++) {
      if (i != 0) abort_(s);
      open(10000, 1460);
      run(MILLISECOND);
      say("R", 2, 0, 0, 0);
      expect(heardBriefly()).toBe(". 1:1(0) ack 1");
      say("R", 3, 0, 0, 0);
      expect(heardBriefly()).toBe("", "within the same millisecond");
    }
  });

  it("challenges of half-open connections are limited in rate, too (RFC 5961, 7)", () => {
    converse(newPort(), 80);
    say("S", 0, 0, 0, 60000);
    heard();
    const before = tcpStatistics().challengeAcks;
    for (let i: u32 = 0; i < 1000; i++) say("R", 2 + i, 0, 0, 0);
    for (let i: u32 = 0; i < 1000; i++) say("S", 70000 + i, 0, 0, 0);
    for (let i: u32 = 0; i < 1000; i++) say(".", 700000 + i, 0, 1, 0);
    expect(heardBriefly()).toBe(". 1:1(0) ack 1");
    expect(tcpStatistics().challengeAcks - before).toBe(1);
    say(".", 1, 0, 1, 60000);
    keep(accept(server)!);
    // Of connections as well, in whatever millisecond they come.
    for (let round = 0; round < 2; round++) {
      run(1001 * MILLISECOND);
      const sent = tcpStatistics().challengeAcks;
      for (let i: u32 = 0; i < 1000; i++) say("R", 2 + i, 0, 0, 0);
      for (let i: u32 = 0; i < 1000; i++) say("S", i, 0, 0, 0);
      expect(heardBriefly()).toBe(". 1:1(0) ack 1");
      expect(tcpStatistics().challengeAcks - sent).toBe(1);
    }
  });
});
