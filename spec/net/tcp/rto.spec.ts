/** RFC 6298: the round trip that is measured, and the retransmission time-out. */
import { peekLength, taken, watch, write, writeText } from "./ends";
import { beginPair, endOfPair, open, s } from "./pair";
import { heard, heardBriefly, meetPeer, say } from "./script";
import { MILLISECOND, run, SECOND, silence } from "./world";

describe("the retransmission time-out", () => {
  beforeAll(meetPeer);
  beforeEach(beginPair);
  afterEach(endOfPair);

  it("MUST-18, MUST-19: measures the round trip and times out by it: SRTT + 4 RTTVAR, then doubled up to 60 s", () => {
    const c = open(60000);
    expect(c.rto).toBe(1000000);
    writeText(s, "a");
    run(100 * MILLISECOND);
    say(".", 1, 0, 2, 60000);
    expect(c.smoothedRtt).toBe(100000);
    expect(c.rto).toBe(300000, "100 + 4 * 50");
    heard();
    writeText(s, "b");
    run(100 * MILLISECOND);
    say(".", 1, 0, 3, 60000);
    expect(c.rto).toBe(250000, "variance 37.5");
    heard();
    writeText(s, "c");
    expect(heardBriefly()).toBe("P. 3:4(1) ack 1");
    const waits: u32[] = [250, 500, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000];
    for (let i = 0; i < waits.length; i++) {
      expect(silence(100000)).toBe(waits[i]);
      expect(heardBriefly()).toBe("P. 3:4(1) ack 1");
    }
    watch(0, s, 0x2201d);
    run(61 * SECOND);
    expect(heard()).toBe("");
    expect(taken()).toBe("1>7 201d");
    expect(peekLength(s)).toBe(-110);
  });

  it("MUST-18: never goes below 200 ms, and does not measure what was sent twice (Karn)", () => {
    const c = open(60000);
    writeText(s, "a");
    run(MILLISECOND);
    say(".", 1, 0, 2, 60000);
    expect(c.rto).toBe(200000);
    heard();
    writeText(s, "b");
    expect(heardBriefly()).toBe("P. 2:3(1) ack 1");
    expect(silence(1000)).toBe(200);
    heard();
    run(50 * MILLISECOND);
    const smoothed = c.smoothedRtt;
    say(".", 1, 0, 3, 60000);
    expect(c.smoothedRtt).toBe(smoothed);
    writeText(s, "c");
    heard();
    expect(silence(1000)).toBe(400, "the back-off stays until there is a measurement");
    heard();
    say(".", 1, 0, 4, 60000);
    writeText(s, "d");
    run(MILLISECOND);
    say(".", 1, 0, 5, 60000);
    heard();
    writeText(s, "e");
    expect(heardBriefly()).toBe("P. 5:6(1) ack 1");
    expect(silence(1000)).toBe(200, "measured again: the back-off is over");
  });

  it("shortens what is acknowledged in part", () => {
    open(65535);
    write(s, 0, 0, 1000);
    heard();
    say(".", 1, 0, 501, 65535);
    expect(silence(2000)).toBe(1000);
    expect(heardBriefly()).toBe("P. 501:1001(500) ack 1");
  });
});
