/** Loss with SACK: RFC 2018, 5 (scoreboard), RFC 8985 (RACK-TLP), RFC 9937 (proportional rate reduction), RFC 3522 and 3708 (undo). */
import { Socket } from "../../../net/socket/socket";
import { tcpStatistics } from "../../../net/socket/tcp/tcp";
import { IN_LOSS, IN_RECOVERY, REORDERING_SEEN, TcpConnection } from "../../../net/socket/tcp/connection";
import {
  chooseCongestionControl,
  CONGESTION_CUBIC,
  CONGESTION_NEWRENO,
} from "../../../net/socket/tcp/congestion";
import { listener, shutdown, taken, write } from "./ends";
import { endPair } from "./pair";
import {
  echo,
  establish,
  heard,
  heardBriefly,
  meetPeer,
  permitSack,
  say,
  sayBlocks,
  setEcho,
  setOptions,
  setStamp,
} from "./script";
import { scoreboardFault } from "./scoreboard";
import { MILLISECOND, run, setUpWorld, silence } from "./world";

let server: Socket = changetype<Socket>(0);
let s: Socket = changetype<Socket>(0);
let port: u32 = 9000;
/** Octets written and acknowledged so far. */
let at: u32 = 0;

/** A connection with SACK and an MSS of 1000, whose round trip of 100 ms has been measured once. */
function open(stamp: u32): TcpConnection {
  setOptions(stamp == 0 ? 1000 : 1012, 255, stamp);
  permitSack(true);
  s = establish(server, ++port, 65535);
  taken();
  write(s, 0, 0, 1000);
  heard();
  run(100 * MILLISECOND);
  say(".", 1, 0, 1001, 65535);
  at = 1000;
  return changetype<TcpConnection>(s);
}

/** Sends `segments` full ones at once, and lets a round trip pass. */
function send(segments: u32): void {
  write(s, 0, at, segments * 1000);
  heard();
  run(100 * MILLISECOND);
}

/** The peer has the segments [first, last) of those that stand behind `at`, and acknowledges `acked` of them. */
function sack(acked: u32, first: u32, last: u32): void {
  const base = 1 + at;
  const block = (base + first * 1000).toString() + ":" + (base + last * 1000).toString();
  sayBlocks(base + acked * 1000, 65535, block);
}

/** Segments with data that were heard, by their places behind `at`. */
function places(): string {
  const text = heardBriefly();
  if (text == "") return "";
  const lines = text.split(" | ");
  let list = "";
  for (let i = 0; i < lines.length; i++) {
    const space = lines[i].indexOf(" ");
    const first = <u32>U32.parseInt(lines[i].substring(space + 1, lines[i].indexOf(":")));
    list += (list == "" ? "" : " ") + ((first - 1 - at) / 1000).toString();
  }
  return list;
}

describe("recovery with SACK", () => {
  beforeAll(() => {
    setUpWorld();
    meetPeer();
  });
  beforeEach(() => {
    server = listener(80, 5);
    chooseCongestionControl(CONGESTION_NEWRENO);
  });
  afterEach(() => {
    chooseCongestionControl(CONGESTION_CUBIC);
    endPair(server, s);
  });

  it("repeats what is missing after the third segment behind it, and nothing else", () => {
    const c = open(0);
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
    open(0);
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
    const c = open(0);
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
    const c = open(0);
    send(8);
    sack(0, 1, 4);
    expect(places()).toBe("0", "nothing is known of reordering yet");
    run(10 * MILLISECOND);
    // The first transmission came after all: a duplicate is reported for the second.
    say(".", 1, 0, at + 4001, 65535);
    sayBlocks(at + 4001, 65535, (at + 1).toString() + ":" + (at + 1001).toString());
    run(10 * MILLISECOND);
    say(".", 1, 0, at + 8001, 65535);
    at += 8000;
    heard();
    send(4);
    sack(0, 1, 2);
    run(5 * MILLISECOND);
    say(".", 1, 0, at + 2001, 65535);
    expect<bool>(c.has(REORDERING_SEEN)).toBe(true, "0 was delivered after 1, and sent once");
    say(".", 1, 0, at + 4001, 65535);
    at += 4000;
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
    open(0);
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
    const c = open(0);
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

  it("probes the tail after two round trips, with what was sent last (RFC 8985, 7)", () => {
    const c = open(0);
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
    const c = open(0);
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
    open(0);
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
    const c = open(0);
    write(s, 0, at, 4000);
    heard();
    silence(5000);
    expect(places()).toBe("3");
    say(".", 1, 0, at + 4001, 65535);
    sayBlocks(at + 4001, 65535, (at + 3001).toString() + ":" + (at + 4001).toString());
    expect(c.slowStartThreshold).toBe(u32.MAX_VALUE, "it has come twice");
    at += 4000;
    write(s, 0, at, 4000);
    heard();
    silence(5000);
    expect(places()).toBe("3");
    say(".", 1, 0, at + 4001, 65535);
    at += 4000;
    write(s, 0, at, 1000);
    heard();
    expect(c.slowStartThreshold).toBe(u32.MAX_VALUE, "that may be for the first transmission");
    say(".", 1, 0, at + 1001, 65535);
    expect(c.slowStartThreshold).toBeLessThan(100000, "no duplicate: it was lost");
  });

  it("probes with the FIN when that is all", () => {
    open(0);
    shutdown(s, 1);
    expect(heardBriefly()).toBe("F. 1001:1001(0) ack 1");
    expect(silence(5000)).toBe(300);
    expect(heardBriefly()).toBe("F. 1001:1001(0) ack 1");
    say(".", 1, 0, 1002, 65535);
    expect(silence(5000)).toBe(5000);
  });

  it("goes on after a time-out with what is missing only, and keeps what the peer has said", () => {
    const c = open(0);
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

  it("does not depend on a peer that takes back what it said (RFC 2018, 8)", () => {
    const c = open(0);
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
    const c = open(0);
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

  it("takes its reduction back when the first transmission was acknowledged after all (RFC 3522)", () => {
    const c = open(1000);
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
    const c = open(1000);
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
    const c = open(0);
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

  it("bounds the work that blocks make: a flood of them leaves no trace", () => {
    const c = open(0);
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
