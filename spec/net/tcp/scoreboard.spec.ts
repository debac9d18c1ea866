/** RFC 2018, 5 and 8: what is believed of the peer's blocks, how much work they make, and a peer that takes back what it has said. */
import { IN_LOSS, IN_RECOVERY } from "../../../net/socket/tcp/connection";
import { tcpStatistics } from "../../../net/socket/tcp/tcp";
import { at, beginSending, endSending, openSender, places, sack, send } from "./sack-sender";
import { scoreboardFault } from "./scoreboard";
import { heard, meetPeer, say, sayBlocks } from "./script";
import { silence } from "./world";

describe("the scoreboard", () => {
  beforeAll(meetPeer);
  beforeEach(beginSending);
  afterEach(endSending);

  it("does not depend on a peer that takes back what it said (RFC 2018, 8)", () => {
    const c = openSender();
    const reneged = tcpStatistics().reneged;
    send(5);
    sack(0, 1, 5);
    expect(places()).toBe("0");
    // It throws away what stood behind the hole.
    say(".", 1, 0, at + 1001, 65535);
    expect(places()).toBe("");
    expect(silence(5000)).toBeGreaterThan(100);
    expect(places()).toBe("1");
    expect(tcpStatistics().reneged).toBe(reneged + 1);
    expect(c.sackedCount).toBe(0);
    for (let i: u32 = 2; i <= 5; i++) say(".", 1, 0, at + 1 + i * 1000, 65535);
    heard();
    expect(silence(5000)).toBe(5000);
    expect(c.SND_UNA).toBe(c.writeSequence);
  });

  it("takes no blocks from outside of what is in flight, none upside down and none of parts", () => {
    const c = openSender();
    send(4);
    const base = at + 1;
    const wrong = [
      (base + 4000).toString() + ":" + (base + 9000).toString(),
      (base + 3000).toString() + ":" + (base + 5000).toString(),
      (base + 2000).toString() + ":" + (base + 1000).toString(),
      (base + 1500).toString() + ":" + (base + 2500).toString(),
      (base + 0x80000000).toString() + ":" + (base + 0x80000100).toString(),
    ];
    for (let i = 0; i < wrong.length; i++) sayBlocks(base, 65535, wrong[i]);
    expect(c.sackedCount).toBe(0);
    sayBlocks(base, 65535, (base + 1500).toString() + ":" + (base + 3500).toString());
    expect(c.sackedCount).toBe(1, "the one that is covered whole");
    expect(scoreboardFault(c)).toBe("");
    expect(heard()).toBe("");
    say(".", 1, 0, base + 4000, 65535);
  });

  it("bounds the work that blocks make: a flood of them leaves no trace", () => {
    const c = openSender();
    send(40);
    const base = at + 1;
    for (let i: u32 = 0; i < 20000; i++) {
      const first = base + (i % 7) * 1000 + 1;
      const text =
        (first + 300).toString() +
        ":" +
        (first + 600).toString() +
        " " +
        (base + 20000 + (i % 900)).toString() +
        ":" +
        (base + 20001 + (i % 900)).toString() +
        " " +
        (base - 1000).toString() +
        ":" +
        base.toString() +
        " " +
        (base + 39000).toString() +
        ":" +
        (base + 39001).toString();
      sayBlocks(base, 65535, text);
      heard();
    }
    expect(c.sackedCount).toBe(0);
    expect(c.status & (IN_RECOVERY | IN_LOSS)).toBe(0);
    expect(scoreboardFault(c)).toBe("");
    say(".", 1, 0, c.SND_NXT - c.ISS, 65535);
  });
});
