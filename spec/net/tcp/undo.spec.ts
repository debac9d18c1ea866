/** A reduction that is taken back, for nothing was lost: RFC 3522 (Eifel, by timestamps) and RFC 3708 (by duplicates that are reported). Without either: spurious.spec.ts. */
import { IN_LOSS, IN_RECOVERY } from "../../../net/socket/tcp/connection";
import { tcpStatistics } from "../../../net/socket/tcp/tcp";
import { write } from "./ends";
import { s } from "./pair";
import { at, beginSending, endSending, openSender, places, sack, send } from "./sack-sender";
import { scoreboardFault } from "./scoreboard";
import { echo, heard, meetPeer, say, sayBlocks, setEcho, setStamp } from "./script";
import { MILLISECOND, run, silence } from "./world";

describe("undo", () => {
  beforeAll(meetPeer);
  beforeEach(beginSending);
  afterEach(endSending);

  it("takes its reduction back when the first transmission was acknowledged after all (RFC 3522)", () => {
    const c = openSender(1000);
    const undone = tcpStatistics().undone;
    send(8);
    const before = echo;
    sack(0, 1, 4);
    expect(places()).toBe("0");
    const window = c.priorWindow;
    expect(c.slowStartThreshold).toBeLessThan(window);
    run(20 * MILLISECOND);
    setStamp(1001);
    setEcho(before);
    say(".", 1, 0, at + 5001, 65535);
    expect(tcpStatistics().undone).toBe(undone + 1);
    expect<bool>(c.has(IN_RECOVERY)).toBe(false);
    expect(c.congestionWindow).toBeGreaterThan(window - 1);
    expect(scoreboardFault(c)).toBe("");
    say(".", 1, 0, at + 8001, 65535);
  });

  it("takes a time-out back in the same way, and does not repeat the rest", () => {
    const c = openSender(1000);
    write(s, 0, at, 6000);
    heard();
    const before = echo;
    silence(5000);
    expect(places()).toBe("5", "a probe");
    silence(5000);
    expect(places()).toBe("0");
    expect<bool>(c.has(IN_LOSS)).toBe(true);
    setStamp(1001);
    setEcho(before);
    say(".", 1, 0, at + 2001, 65535);
    expect<bool>(c.has(IN_LOSS)).toBe(false);
    expect(places()).toBe("");
    expect(c.lostBytes).toBe(0);
    expect(scoreboardFault(c)).toBe("");
    say(".", 1, 0, at + 6001, 65535);
    expect(c.congestionWindow).toBeGreaterThan(9999);
  });

  it("takes its reduction back when duplicates are reported for all repetitions (RFC 3708)", () => {
    const c = openSender();
    const undone = tcpStatistics().undone;
    send(8);
    sack(0, 1, 4);
    expect(places()).toBe("0");
    say(".", 1, 0, at + 8001, 65535);
    expect(tcpStatistics().undone).toBe(undone);
    const reduced = c.congestionWindow;
    sayBlocks(at + 8001, 65535, (at + 1).toString() + ":" + (at + 1001).toString());
    expect(tcpStatistics().undone).toBe(undone + 1);
    expect(c.congestionWindow).toBeGreaterThan(reduced);
  });
});
