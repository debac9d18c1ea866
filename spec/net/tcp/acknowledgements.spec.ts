/** When what has been received is acknowledged: RFC 9293, 3.8.6.3 (delayed) and 3.10.7.4 (aggregated), RFC 5681, 4.2. */
import { peekLength, readText, writeText } from "./ends";
import { beginPair, endOfPair, open, readStream, s } from "./pair";
import { heard, heardBriefly, meetPeer, say } from "./script";
import { MILLISECOND, run, SECOND, silence } from "./world";

describe("acknowledgements", () => {
  beforeAll(meetPeer);
  beforeEach(beginPair);
  afterEach(endOfPair);

  it("MUST-40: acknowledges after 40 ms, every second full segment at once, and with data that goes out", () => {
    open(10000, 1460);
    say("P.", 1, 100, 1, 10000);
    expect(silence(1000)).toBe(40);
    expect(heardBriefly()).toBe(". 1:1(0) ack 101");
    say(".", 101, 1460, 1, 10000);
    expect(heard()).toBe("");
    say(".", 1561, 1460, 1, 10000);
    expect(heardBriefly()).toBe(". 1:1(0) ack 3021");
    expect(silence(1000)).toBe(1000, "nothing is left to be acknowledged");
    say("P.", 3021, 10, 1, 10000);
    run(39 * MILLISECOND);
    writeText(s, "answer");
    expect(heardBriefly()).toBe("P. 1:7(6) ack 3031");
    say(".", 3031, 0, 7, 10000);
    expect(silence(1000)).toBe(1000);
  });

  it("answers what is outside of the window with an acknowledgement, and drops it", () => {
    open(10000, 1460);
    say("P.", 1, 10, 1, 10000);
    readText(s);
    run(50 * MILLISECOND);
    heard();
    say("P.", 1, 10, 1, 10000);
    expect(heardBriefly()).toBe(". 1:1(0) ack 11", "a duplicate: at once, its ACK was lost");
    say("P.", 100000, 10, 1, 10000);
    expect(heardBriefly()).toBe(". 1:1(0) ack 11");
    expect(peekLength(s)).toBe(-11);
    say("P.", 6, 10, 1, 10000);
    expect(heardBriefly()).toBe(". 1:1(0) ack 16", "half old, half new");
    expect(readStream(s, 11)).toBe(5);
  });

  it("MUST-58, MUST-59: what waited for a gap is dealt with as a whole, and one acknowledgement goes for all", () => {
    open();
    for (let i: u32 = 9; i > 0; i--) say(".", 1 + 500 * i, 500, 1, 60000);
    expect(heardBriefly().split(" | ").length).toBe(9, "one for each behind the gap (RFC 5681)");
    say(".", 1, 500, 1, 60000);
    expect(heardBriefly()).toBe(". 1:1(0) ack 5001");
    run(SECOND);
    expect(heard()).toBe("");
    // Small segments share a delayed acknowledgement, and data that goes out carries it.
    for (let i: u32 = 0; i < 5; i++) say("P.", 5001 + 10 * i, 10, 1, 60000);
    expect(heard()).toBe("");
    writeText(s, "x");
    expect(heardBriefly()).toBe("P. 1:2(1) ack 5051");
    run(100 * MILLISECOND);
    expect(heard()).toBe("");
  });
});
