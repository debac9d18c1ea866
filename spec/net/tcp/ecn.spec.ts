/** RFC 3168 over a scripted peer: negotiation, marks that are echoed, and echoes that reduce the window. */
import { Socket } from "../../../net/socket/socket";
import { HAS_ECN, TcpConnection } from "../../../net/socket/tcp/connection";
import { abort_, accept, connect, create, listener, readText, write } from "./ends";
import { endPair } from "./pair";
import { converse, heard, heardBriefly, meetPeer, permitSack, say, setEcn, setOptions } from "./script";
import { MILLISECOND, PEER, run, setUpWorld, silence } from "./world";

const CE: u8 = 3;

let server: Socket = changetype<Socket>(0);
let s: Socket = changetype<Socket>(0);
let port: u32 = 5000;

/** A connection that both sides have agreed on ECN for, opened by the peer. */
function open(): TcpConnection {
  converse(++port, 80);
  setOptions(1000, 255, 0);
  permitSack(true);
  say("SEW", 0, 0, 0, 60000);
  expect(heard()).toBe("S.E 0:0(0) ack 1 win 65535 <mss 1460,sackOK>", "neither is marked as ECN-capable");
  say(".", 1, 0, 1, 60000);
  s = accept(server)!;
  return changetype<TcpConnection>(s);
}

describe("explicit congestion notification", () => {
  beforeAll(() => {
    setUpWorld();
    meetPeer();
  });
  beforeEach(() => {
    server = listener(80, 5);
  });
  afterEach(() => {
    setEcn(0);
    endPair(server, s);
  });

  it("is not agreed on with who does not offer it, or offers half of it", () => {
    const flags = ["S", "SE", "SW"];
    for (let i = 0; i < flags.length; i++) {
      converse(++port, 80);
      say(flags[i], 0, 0, 0, 60000);
      expect(heardBriefly()).toBe("S. 0:0(0) ack 1");
      say(".", 1, 0, 1, 60000);
      s = accept(server)!;
      write(s, 0, 0, 100);
      expect(heardBriefly()).toBe("P. 1:101(100) ack 1");
      if (i < 2) abort_(s);
      heard();
    }
  });

  it("is agreed on by an answer with ECE alone, not with both bits (6.1.1)", () => {
    const answers = ["S.E", "S.EW", "S."];
    for (let i = 0; i < answers.length; i++) {
      s = create();
      converse(9, 0);
      connect(s, PEER, 9);
      expect(heardBriefly()).toBe("SEW 0:0(0)");
      say(answers[i], 0, 0, 1, 60000);
      heard();
      expect<bool>(changetype<TcpConnection>(s).has(HAS_ECN)).toBe(i == 0);
      write(s, 0, 0, 100);
      expect(heardBriefly()).toBe(i == 0 ? "P. 1:101(100) ack 1 ect0" : "P. 1:101(100) ack 1");
      if (i < 2) abort_(s);
      heard();
    }
  });

  it("is given up when the SYN has to be repeated; what is marked is echoed all the same (6.1.1.1)", () => {
    s = create();
    converse(9, 0);
    connect(s, PEER, 9);
    heard();
    expect(silence(2000)).toBe(1000);
    expect(heardBriefly()).toBe("S 0:0(0)");
    say("S.E", 0, 0, 1, 60000);
    heard();
    write(s, 0, 0, 100);
    expect(heardBriefly()).toBe("P. 1:101(100) ack 1");
    setEcn(CE);
    say("P.", 1, 3, 101, 60000);
    expect(heardBriefly()).toBe(".E 101:101(0) ack 4");
  });

  it("says that new data is ECN-capable, but no repetition, no acknowledgement and no probe", () => {
    open();
    write(s, 0, 0, 1000);
    expect(heardBriefly()).toBe("P. 1:1001(1000) ack 1 ect0");
    expect(silence(2000)).toBe(1000);
    expect(heardBriefly()).toBe("P. 1:1001(1000) ack 1", "the probe repeats it");
    say("P.", 1, 10, 1001, 0);
    run(50 * MILLISECOND);
    expect(heardBriefly()).toBe(". 1001:1001(0) ack 11");
    write(s, 0, 1000, 10);
    silence(5000);
    expect(heardBriefly()).toBe(". 1001:1002(1) ack 11", "a probe of the window");
  });

  it("echoes a mark in every segment until the peer has reduced its window (6.1.3)", () => {
    open();
    setEcn(2);
    say("P.", 1, 10, 1, 60000);
    run(50 * MILLISECOND);
    expect(heardBriefly()).toBe(". 1:1(0) ack 11");
    setEcn(CE);
    say("P.", 11, 10, 1, 60000);
    expect(heardBriefly()).toBe(".E 1:1(0) ack 21", "at once");
    setEcn(2);
    say("P.", 21, 10, 1, 60000);
    write(s, 0, 0, 10);
    expect(heardBriefly()).toBe("P.E 1:11(10) ack 31 ect0");
    say("P.W", 31, 10, 11, 60000);
    run(50 * MILLISECOND);
    expect(heardBriefly()).toBe(". 11:11(0) ack 41");
    setEcn(CE);
    say("P.W", 41, 10, 11, 60000);
    expect(heardBriefly()).toBe(".E 11:11(0) ack 51", "reduced, and marked again");
    expect(readText(s).length).toBe(50);
  });

  it("reduces the window once for each window of data, and says so (6.1.2)", () => {
    const c = open();
    write(s, 0, 0, 60000);
    heard();
    expect(c.congestionWindow).toBe(10000);
    say(".E", 1, 0, 1001, 60000);
    expect(c.slowStartThreshold).toBe(7000, "CUBIC: 0.7");
    expect(c.congestionWindow).toBeLessThan(7001);
    expect(heardBriefly()).toBe("", "9 segments are in the network");
    for (let acked: u32 = 2001; acked <= 4001; acked += 1000) say(".E", 1, 0, acked, 60000);
    expect(c.slowStartThreshold).toBe(7000, "the same window");
    expect(heardBriefly().split(" | ")[0]).toBe(".W 10001:11001(1000) ack 1 ect0");
    for (let acked: u32 = 5001; acked <= 10001; acked += 1000) say(".E", 1, 0, acked, 60000);
    expect(heardBriefly().includes("W")).toBe(false, "once");
    expect(c.slowStartThreshold).toBe(7000);
    say(".E", 1, 0, 11001, 60000);
    expect(c.slowStartThreshold).toBeLessThan(7000, "what was sent after the reduction was marked too");
    expect(c.SND_UNA - c.ISS).toBe(11001);
  });
});
