/** RFC 8985, 7: the tail loss probe. */
import { IN_LOSS } from "../../../net/socket/tcp/connection";
import { tcpStatistics } from "../../../net/socket/tcp/tcp";
import { shutdown, write } from "./ends";
import { s } from "./pair";
import { advance, at, beginSending, endSending, openSender, places, sack } from "./sack-sender";
import { heard, heardBriefly, meetPeer, say, sayBlocks } from "./script";
import { MILLISECOND, run, silence } from "./world";

describe("tail loss probes", () => {
  beforeAll(meetPeer);
  beforeEach(beginSending);
  afterEach(endSending);

  it("probes the tail after two round trips, with what was sent last (RFC 8985, 7)", () => {
    const c = openSender();
    const probes = tcpStatistics().tailProbes;
    write(s, 0, at, 4000);
    heard();
    expect(silence(5000)).toBe(200);
    expect(places()).toBe("3");
    expect(tcpStatistics().tailProbes).toBe(probes + 1);
    expect<bool>(c.has(IN_LOSS)).toBe(false);
    run(100 * MILLISECOND);
    sack(0, 3, 4);
    expect(places()).toBe("0", "the others were sent long before it; one has left the network, so one goes");
    run(100 * MILLISECOND);
    say(".", 1, 0, at + 1001, 65535);
    expect(places()).toBe("1 2", "all is well: one more");
    say(".", 1, 0, at + 4001, 65535);
    expect(c.congestionWindow).toBeLessThan(10001);
  });

  it("probes with new data when there is some, beyond the congestion window", () => {
    const c = openSender();
    c.congestionWindow = 3000;
    write(s, 0, at, 6000);
    expect(places()).toBe("0 1 2");
    expect(silence(5000)).toBe(200);
    expect(places()).toBe("3");
    say(".", 1, 0, at + 4001, 65535);
    expect(places()).toBe("4 5");
    expect(c.slowStartThreshold).toBe(u32.MAX_VALUE, "nothing was lost");
    say(".", 1, 0, at + 6001, 65535);
  });

  it("gives a delayed acknowledgement its time before it probes", () => {
    openSender();
    write(s, 0, at, 100);
    heard();
    // 2 * 100 + 200 ms, but the time-out is sooner.
    expect(silence(5000)).toBe(300);
    expect(heardBriefly()).toBe("P. 1001:1101(100) ack 1");
    expect(silence(5000)).toBe(300, "then the time-out runs in full");
    expect(heardBriefly()).toBe("P. 1001:1101(100) ack 1");
    say(".", 1, 0, 1101, 65535);
  });

  it("reduces the window when the probe has repaired a loss, and only then (RFC 8985, 7.4)", () => {
    const c = openSender();
    write(s, 0, at, 4000);
    heard();
    silence(5000);
    expect(places()).toBe("3");
    say(".", 1, 0, at + 4001, 65535);
    sayBlocks(at + 4001, 65535, (at + 3001).toString() + ":" + (at + 4001).toString());
    expect(c.slowStartThreshold).toBe(u32.MAX_VALUE, "it has come twice");
    advance(4000);
    write(s, 0, at, 4000);
    heard();
    silence(5000);
    expect(places()).toBe("3");
    say(".", 1, 0, at + 4001, 65535);
    advance(4000);
    write(s, 0, at, 1000);
    heard();
    expect(c.slowStartThreshold).toBe(u32.MAX_VALUE, "that may be for the first transmission");
    say(".", 1, 0, at + 1001, 65535);
    expect(c.slowStartThreshold).toBeLessThan(100000, "no duplicate: it was lost");
  });

  it("probes with the FIN when that is all", () => {
    openSender();
    shutdown(s, 1);
    expect(heardBriefly()).toBe("F. 1001:1001(0) ack 1");
    expect(silence(5000)).toBe(300);
    expect(heardBriefly()).toBe("F. 1001:1001(0) ack 1");
    say(".", 1, 0, 1002, 65535);
    expect(silence(5000)).toBe(5000);
  });
});
