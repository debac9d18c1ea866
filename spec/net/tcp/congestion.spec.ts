/** RFC 5681 (slow start, fast retransmit, the time-out, idle times), RFC 3042 (limited transmit), RFC 6582 (NewReno) and RFC 6928 (initial window). CUBIC is in cubic.spec.ts, loss with SACK in recovery.spec.ts. */
import {
  chooseCongestionControl,
  CONGESTION_CUBIC,
  CONGESTION_NEWRENO,
} from "../../../net/socket/tcp/congestion";
import { write } from "./ends";
import { beginPair, endOfPair, open, s } from "./pair";
import { firsts, heard, meetPeer, say } from "./script";
import { run, SECOND, silence } from "./world";

describe("congestion", () => {
  beforeAll(meetPeer);
  beforeEach(beginPair);
  afterEach(() => {
    chooseCongestionControl(CONGESTION_CUBIC);
    endOfPair();
  });

  it("MUST-19: starts with 10 segments and doubles: slow start", () => {
    open(65535);
    write(s, 0, 0, 60000);
    expect(firsts()).toBe("1 1001 2001 3001 4001 5001 6001 7001 8001 9001");
    say(".", 1, 0, 2001, 65535);
    expect(firsts()).toBe("10001 11001 12001 13001", "two acknowledged: two for them, two more");
  });

  it("repeats after three duplicates, sends new data meanwhile, and halves (RFC 5681, 3042, 6582)", () => {
    chooseCongestionControl(CONGESTION_NEWRENO);
    const c = open(65535);
    write(s, 0, 0, 60000);
    heard();
    say(".", 1, 0, 1, 65535);
    expect(firsts()).toBe("10001", "limited transmit");
    say(".", 1, 0, 1, 65535);
    expect(firsts()).toBe("11001");
    say(".", 1, 0, 1, 65535);
    expect(firsts()).toBe("1", "fast retransmit");
    expect(c.slowStartThreshold).toBe(5000, "what limited transmit has sent does not count");
    for (let i = 0; i < 4; i++) say(".", 1, 0, 1, 65535);
    expect(firsts()).toBe("", "5 segments and the 7 that have left make the 12 that were sent");
    say(".", 1, 0, 1, 65535);
    expect(firsts()).toBe("12001", "each duplicate more lets one out");
    say(".", 1, 0, 3001, 65535);
    expect(firsts().split(" ")[0]).toBe("3001", "a partial acknowledgement: the next hole at once");
    say(".", 1, 0, 13001, 65535);
    expect(c.congestionWindow).toBeLessThan(7001);
    expect(c.status & 128).toBe(0, "recovered");
    heard();
  });

  it("MUST-19: goes back to one segment after a time-out, and over everything again", () => {
    const c = open(65535);
    write(s, 0, 0, 5000);
    expect(firsts()).toBe("1 1001 2001 3001 4001");
    expect(silence(2000)).toBe(1000);
    expect(firsts()).toBe("1");
    expect(c.congestionWindow).toBe(1000);
    say(".", 1, 0, 1001, 65535);
    expect(firsts()).toBe("1001 2001");
    // The others had arrived.
    say(".", 1, 0, 5001, 65535);
    expect(firsts()).toBe("");
    expect(silence(5000)).toBe(5000);
  });

  it("starts with the initial window again after an idle time", () => {
    const c = open(65535);
    write(s, 0, 0, 10000);
    say(".", 1, 0, 10001, 65535);
    heard();
    expect(c.congestionWindow).toBeGreaterThan(10000);
    run(60 * SECOND);
    write(s, 0, 10000, 30000);
    expect(c.congestionWindow).toBe(10000);
    expect(firsts().split(" ").length).toBe(10);
  });
});
