/** Loss that SACK tells of: RFC 8985, 6 (RACK: what is taken for lost, and when), RFC 9937 (how much is sent meanwhile), and the time-out after which that goes on. */
import { IN_LOSS, IN_RECOVERY, REORDERING_SEEN } from "../../../net/socket/tcp/connection";
import { write } from "./ends";
import { s } from "./pair";
import { advance, at, beginSending, endSending, openSender, places, sack, send } from "./sack-sender";
import { heard, meetPeer, say, sayBlocks } from "./script";
import { MILLISECOND, run, silence } from "./world";

describe("recovery with SACK", () => {
  beforeAll(meetPeer);
  beforeEach(beginSending);
  afterEach(endSending);

  it("repeats what is missing after the third segment behind it, and nothing else", () => {
    const c = openSender();
    send(8);
    sack(0, 1, 2);
    sack(0, 1, 3);
    expect(places()).toBe("", "nothing is left to be sent");
    sack(0, 1, 4);
    expect(places()).toBe("0");
    expect<bool>(c.has(IN_RECOVERY)).toBe(true);
    sack(0, 1, 8);
    expect(places()).toBe("");
    expect(c.pipe).toBe(1000);
    run(100 * MILLISECOND);
    say(".", 1, 0, at + 8001, 65535);
    expect<bool>(c.has(IN_RECOVERY)).toBe(false);
    expect(c.congestionWindow).toBe(4250, "the threshold, and what the last acknowledgement has delivered");
    expect(c.pipe).toBe(0);
    expect(silence(5000)).toBe(5000);
  });

  it("repeats several holes, each once, in one round trip", () => {
    openSender();
    send(10);
    // 0, 2, 4 and 6 are lost.
    const base = at + 1;
    let blocks = "";
    for (let i = 1; i < 10; i += 2) {
      const block = (base + i * 1000).toString() + ":" + (base + (i < 7 ? i + 1 : 10) * 1000).toString();
      if (i <= 7) blocks = block + (blocks == "" ? "" : " " + blocks);
    }
    sayBlocks(base, 65535, blocks);
    expect(places()).toBe("0 2 4 6", "six have left the network, five may be in it");
    sayBlocks(base, 65535, blocks);
    expect(places()).toBe("", "nothing new");
    run(100 * MILLISECOND);
    sayBlocks(base + 2000, 65535, blocks);
    sayBlocks(base + 4000, 65535, blocks);
    expect(places()).toBe("");
    say(".", 1, 0, base + 10000, 65535);
    expect(silence(5000)).toBe(5000);
  });

  it("waits a quarter of the least round trip for what may have been overtaken (RFC 8985, 6.2)", () => {
    const c = openSender();
    send(6);
    sack(0, 2, 3);
    expect(places()).toBe("");
    expect(silence(1000)).toBe(25);
    expect(places()).toBe("0");
    expect<bool>(c.has(IN_RECOVERY)).toBe(true);
    expect(c.lostBytes).toBe(1000, "1 was sent before it too, and waits until three are in the network");
    sack(0, 2, 4);
    expect(places()).toBe("");
    sack(0, 2, 5);
    expect(places()).toBe("1");
    expect(c.lostBytes).toBe(0);
  });

  it("is not misled by reordering that it has seen before", () => {
    const c = openSender();
    send(8);
    sack(0, 1, 4);
    expect(places()).toBe("0", "nothing is known of reordering yet");
    run(10 * MILLISECOND);
    // The first transmission came after all: a duplicate is reported for the second.
    say(".", 1, 0, at + 4001, 65535);
    sayBlocks(at + 4001, 65535, (at + 1).toString() + ":" + (at + 1001).toString());
    run(10 * MILLISECOND);
    say(".", 1, 0, at + 8001, 65535);
    advance(8000);
    heard();
    send(4);
    sack(0, 1, 2);
    run(5 * MILLISECOND);
    say(".", 1, 0, at + 2001, 65535);
    expect<bool>(c.has(REORDERING_SEEN)).toBe(true, "0 was delivered after 1, and sent once");
    say(".", 1, 0, at + 4001, 65535);
    advance(4000);
    heard();
    send(8);
    sack(0, 1, 5);
    expect(places()).toBe("", "four segments behind it, and still it may come");
    run(20 * MILLISECOND);
    say(".", 1, 0, at + 5001, 65535);
    expect(places()).toBe("");
    say(".", 1, 0, at + 8001, 65535);
    expect(c.status & (IN_RECOVERY | IN_LOSS)).toBe(0);
  });

  it("finds that a repetition was lost too", () => {
    openSender();
    send(8);
    sack(0, 1, 4);
    expect(places()).toBe("0");
    write(s, 0, at + 8000, 4000);
    run(50 * MILLISECOND);
    sack(0, 1, 8);
    expect(places()).toBe("8 9 10", "new data");
    run(100 * MILLISECOND);
    sack(0, 1, 9);
    expect(places().split(" ")[0]).toBe("0", "8 was sent after the repetition, and has come");
    heard();
    say(".", 1, 0, at + 12001, 65535);
  });

  it("brings what is in the network down to the threshold in proportion (RFC 9937)", () => {
    const c = openSender();
    // A window of 20 segments, all of them in flight.
    c.congestionWindow = 20000;
    write(s, 0, at, 60000);
    expect(places().split(" ").length).toBe(20);
    run(100 * MILLISECOND);
    let sent: u32 = 0;
    for (let i: u32 = 1; i <= 19; i++) {
      sack(0, 1, 1 + i);
      const now = places();
      if (now != "") sent += <u32>now.split(" ").length;
      const delivered = i;
      // The first two let new data out (limited transmit); from the third on half of what is delivered.
      if (i >= 3) {
        const since = delivered - 2;
        const allowed = (since * 10 + 19) / 20;
        expect<bool>(sent <= 2 + max<u32>(allowed, 1)).toBe(true, "after " + i.toString());
        expect<bool>(sent + 1 >= 2 + allowed).toBe(true, "after " + i.toString());
      }
    }
    expect(c.slowStartThreshold).toBe(10000);
    expect(c.pipe).toBeLessThan(11001);
    expect(c.pipe).toBeGreaterThan(8999);
    say(".", 1, 0, at + 22001, 65535);
    expect(c.slowStartThreshold).toBe(10000);
    expect(c.congestionWindow).toBeGreaterThan(9999);
    expect(c.congestionWindow).toBeLessThan(10301);
  });

  it("goes on after a time-out with what is missing only, and keeps what the peer has said", () => {
    const c = openSender();
    send(6);
    sack(0, 2, 3);
    expect(silence(5000)).toBe(25);
    expect(places()).toBe("0");
    expect(silence(5000)).toBeGreaterThan(100);
    expect(places()).toBe("0");
    expect(c.congestionWindow).toBe(1000);
    expect<bool>(c.has(IN_LOSS)).toBe(true);
    say(".", 1, 0, at + 1001, 65535);
    expect(places()).toBe("1 3");
    say(".", 1, 0, at + 3001, 65535);
    expect(places()).toBe("4 5");
    say(".", 1, 0, at + 6001, 65535);
    expect<bool>(c.has(IN_LOSS)).toBe(false);
    expect(silence(5000)).toBe(5000);
  });
});
