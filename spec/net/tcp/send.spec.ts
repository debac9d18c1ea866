/** What is written and cannot leave yet: how much of it there may be, a device that refuses or keeps its buffers, and a shortage of buffers. */
import { bufferPool } from "../../../net/buffer";
import { peekLength, poll, taken, watch, write, writeText } from "./ends";
import { beginPair, endOfPair, open, s } from "./pair";
import { heard, heardBriefly, meetPeer, say } from "./script";
import { accidents, MILLISECOND, run, SECOND, silence } from "./world";

describe("sending", () => {
  beforeAll(meetPeer);
  beforeEach(beginPair);
  afterEach(endOfPair);

  it("says when there is room again, and bounds what it holds", () => {
    const c = open(65535);
    watch(0, s, 0x4);
    const written = write(s, 0, 0, 10000000);
    expect(written).toBe(c.sendLimit * 1000);
    expect(poll(s) & 4).toBe(0);
    heard();
    let acked: u32 = 1;
    while (acked < 40001) {
      acked += 1000;
      say(".", 1, 0, acked, 65535);
    }
    heard();
    expect(taken()).toBe("4", "once");
    expect(poll(s) & 4).toBe(4);
  });

  it("copes with a device that refuses and one that keeps its buffers", () => {
    open(65535);
    accidents.refuse = 1000;
    writeText(s, "late");
    run(55 * MILLISECOND);
    accidents.refuse = 0;
    expect(silence(1000)).toBeLessThan(11);
    expect(heardBriefly()).toBe("P. 1:5(4) ack 1");
    say(".", 1, 0, 5, 65535);
    accidents.hold = true;
    writeText(s, "held");
    heard();
    silence(5000);
    expect(heardBriefly()).toBe("P. 5:9(4) ack 1", "from a copy");
  });

  it("finds its way when packet buffers are short in the whole machine", () => {
    open(65535);
    const all: usize[] = [];
    const pool = bufferPool();
    while (pool.inUse < pool.limit - pool.limit / 20) all.push(pool.allocateRaw());
    watch(0, s, 0x4);
    expect(write(s, 0, 0, 10)).toBe(0);
    say("P.", 1, 10, 1, 65535);
    expect(peekLength(s)).toBe(-11, "not taken, so that acknowledgements can be sent");
    expect(heardBriefly()).toBe(". 1:1(0) ack 1");
    run(SECOND);
    expect(taken()).toBe("");
    while (all.length != 0) pool.release(all.pop());
    run(20 * MILLISECOND);
    expect(taken()).toBe("4");
    expect(write(s, 0, 0, 10)).toBe(10);
    say("P.", 1, 10, 1, 65535);
    expect(peekLength(s)).toBe(10);
    heard();
  });
});
