/** RFC 9293, 3.8.6, RFC 1122, 4.2.3.4 and RFC 7323, 2: the peer's window, silly ones (3.8.6.2.1), one of zero (3.8.6.1), and one that shrinks. */
import { TcpConnection } from "../../../net/socket/tcp/connection";
import { abort_, peekLength, shutdown, write, writeText } from "./ends";
import { beginPair, endOfPair, keep, newPort, open, s, server } from "./pair";
import { establish, firsts, heard, heardBriefly, meetPeer, say, setOptions } from "./script";
import { MILLISECOND, run, SECOND, silence } from "./world";

describe("the peer's window", () => {
  beforeAll(meetPeer);
  beforeEach(beginPair);
  afterEach(endOfPair);

  it("MUST-1: a window field is an unsigned number", () => {
    const c = open(65535);
    expect(c.SND_WND).toBe(65535);
    c.congestionWindow = 100000;
    write(s, 0, 0, 70000);
    expect(c.flight).toBe(65000, "the rest is a silly window");
    heard();
    setOptions(1000, 14, 0);
    const big = changetype<TcpConnection>(establish(server, newPort(), 65535));
    expect(big.SND_WND).toBe(65535 << 14);
    big.congestionWindow = 1 << 29;
    expect(write(big, 0, 0, 90000)).toBe(90000);
    expect(big.flight).toBe(90000);
    abort_(big);
  });

  it("scales the peer's window (RFC 7323), but not that of a SYN", () => {
    setOptions(1000, 4, 0);
    keep(establish(server, newPort(), 500));
    expect(changetype<TcpConnection>(s).SND_WND).toBe(8000);
  });

  it("MUST-38: stays within the peer's window", () => {
    open(2500);
    write(s, 0, 0, 20000);
    expect(firsts()).toBe("1 1001", "the rest of the window is a silly one");
    say(".", 1, 0, 2001, 2500);
    expect(firsts()).toBe("2001 3001");
    say(".", 1, 0, 4001, 0);
    expect(firsts()).toBe("");
    say(".", 1, 0, 4001, 3000);
    expect(firsts()).toBe("4001 5001 6001");
  });

  it("MUST-38: sends a good part of a window that is smaller than a segment", () => {
    open(600);
    write(s, 0, 0, 2000);
    expect(heardBriefly()).toBe(". 1:601(600) ack 1");
    say(".", 1, 0, 601, 600);
    expect(heardBriefly()).toBe(". 601:1001(400) ack 1");
  });

  it("MUST-36, MUST-37: probes a zero window with one octet, backing off, as long as the peer answers", () => {
    const c = open(1000);
    write(s, 0, 0, 1000);
    heard();
    run(10 * MILLISECOND);
    say(".", 1, 0, 1001, 0);
    write(s, 0, 1000, 1000);
    expect(heard()).toBe("");
    let wait: u32 = 200;
    for (let i = 0; i < 30; i++) {
      expect(silence(100000)).toBe(wait);
      expect(heardBriefly()).toBe(". 1001:1002(1) ack 1");
      say(".", 1, 0, 1001, 0);
      wait = min<u32>(wait * 2, 60000);
    }
    say(".", 1, 0, 1001, 5000);
    expect(heardBriefly()).toBe("P. 1001:2001(1000) ack 1");
    say(".", 1, 0, 2001, 0);
    heard();
    // The octet of a probe that is taken counts.
    writeText(s, "z");
    expect(silence(100000)).toBeGreaterThan(100);
    expect(heardBriefly()).toBe(". 2001:2002(1) ack 1");
    say(".", 1, 0, 2002, 5000);
    expect(c.SND_UNA).toBe(c.writeSequence);
    expect(heard()).toBe("");
    expect(silence(100000)).toBe(100000);
  });

  it("RFC 6298, 5: the back-off of the probes is none of what is sent when the window opens", () => {
    const c = open(1000);
    write(s, 0, 0, 1000);
    heard();
    run(10 * MILLISECOND);
    say(".", 1, 0, 1001, 0);
    write(s, 0, 1000, 1000);
    for (let i = 0; i < 9; i++) {
      silence(100000);
      expect(heardBriefly()).toBe(". 1001:1002(1) ack 1");
      say(".", 1, 0, 1001, 0);
    }
    run(10 * SECOND);
    say(".", 1, 0, 1001, 5000);
    expect(heardBriefly()).toBe("P. 1001:2001(1000) ack 1");
    for (let wait: u32 = 200; wait <= 1600; wait *= 2) {
      expect(silence(100000)).toBe(wait);
      // The second time in smaller pieces (pmtu.ts).
      expect(firsts().split(" ")[0]).toBe("1001");
    }
    // The same when a probe sends what a small window takes.
    say(".", 1, 0, 2001, 0);
    write(s, 0, 2000, 1000);
    while (c.backoff < 5) {
      silence(100000);
      heard();
      say(".", 1, 0, 2001, 400);
    }
    silence(100000);
    expect(heardBriefly()).toBe(". 2001:2401(400) ack 1");
    for (let wait: u32 = 200; wait <= 1600; wait *= 2) {
      expect(silence(100000)).toBe(wait);
      expect(heardBriefly()).toBe(". 2001:2401(400) ack 1");
    }
  });

  it("probes with the FIN when only that is left", () => {
    open(1000);
    say(".", 1, 0, 1, 0);
    shutdown(s, 1);
    expect(heard()).toBe("");
    expect(silence(5000)).toBe(1000);
    expect(heardBriefly()).toBe("F. 1:1(0) ack 1");
    say(".", 1, 0, 2, 0);
    expect(changetype<TcpConnection>(s).state).toBe(5);
  });

  it("gives a zero window up when the peer is silent", () => {
    open(1000);
    say(".", 1, 0, 1, 0);
    writeText(s, "x");
    run(600 * SECOND);
    expect(peekLength(s)).toBe(-110);
  });

  it("MUST-34: a window that shrinks below what is in flight lets out nothing new, and loses nothing", () => {
    const c = open(10000);
    write(s, 0, 0, 9000);
    heard();
    say(".", 1, 0, 1001, 2000);
    write(s, 0, 9000, 5000);
    expect(heard()).toBe("", "the usable window is negative");
    expect(c.flight).toBe(8000);
    run(20 * MILLISECOND);
    say(".", 1, 0, 3001, 500);
    expect(heard()).toBe("");
    // The first again after a time-out, answered each time: the connection stays (SHLD-17).
    for (let i = 0; i < 30; i++) {
      silence(100000);
      expect(heardBriefly()).toBe(". 3001:4001(1000) ack 1");
      say(".", 1, 0, 3001, 500);
    }
    expect(c.state).toBe(1);
    let acked: u32 = 3001;
    for (let i = 0; i < 100 && acked != 14001; i++) {
      say(".", 1, 0, acked, 20000);
      heard();
      acked = c.SND_NXT - c.ISS;
    }
    say(".", 1, 0, 14001, 20000);
    expect(c.SND_UNA - c.ISS).toBe(14001);
    heard();
  });

  it("MUST-35: a window that shrinks to zero is probed as long as the peer answers", () => {
    const c = open(10000);
    write(s, 0, 0, 5000);
    heard();
    run(20 * MILLISECOND);
    say(".", 1, 0, 2001, 0);
    let least: u32 = 0;
    for (let i = 0; i < 40; i++) {
      const wait = silence(200000);
      expect(wait >= least || wait >= 60000).toBe(true, "backing off");
      least = wait;
      expect(heardBriefly()).toBe(". 2001:3001(1000) ack 1");
      say(".", 1, 0, 2001, 0);
    }
    expect(c.state).toBe(1);
    say(".", 1, 0, 5001, 10000);
    expect(c.SND_UNA).toBe(c.writeSequence);
    heard();
    // Not for ever when it is silent.
    say(".", 1, 0, 5001, 0);
    writeText(s, "x");
    run(1000 * SECOND);
    expect(peekLength(s)).toBe(-110);
    heard();
  });
});
