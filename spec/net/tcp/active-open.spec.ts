/** RFC 9293, 3.5: connections that the stack opens, simultaneous opens among them, against a scripted peer. */
import {
  abort_,
  bind,
  close,
  connect,
  create,
  listen,
  peekLength,
  poll,
  readText,
  shutdown,
  taken,
  watch,
  writeText,
} from "./ends";
import { expectNothingLeft } from "./pair";
import { converse, heard, heardBriefly, say } from "./script";
import { MILLISECOND, OWN, PEER, run, SECOND, setUpWorld, silence } from "./world";

const STATES: u32 = 0x20000;

describe("active open", () => {
  beforeAll(setUpWorld);
  afterEach(expectNothingLeft);

  it("is a three-way handshake", () => {
    const s = create();
    converse(9, 0);
    watch(0, s, STATES | 4);
    expect(connect(s, PEER, 9)).toBe(-115);
    expect(connect(s, PEER, 9)).toBe(-114);
    run(MILLISECOND);
    expect(heard()).toBe("SEW 0:0(0) win 65535 <mss 1460,ws 3,sackOK,ts>");
    say("S.", 0, 0, 1, 2000);
    expect(heard()).toBe(". 1:1(0) ack 1 win 65535", "the peer has neither scale nor timestamps");
    expect(taken()).toBe("7>2 2>1 4");
    expect(connect(s, PEER, 9)).toBe(-106);
    writeText(s, "hello");
    expect(heardBriefly()).toBe("P. 1:6(5) ack 1");
    say("R.", 1, 0, 6, 0);
    expect(taken()).toBe("1>7 4");
    expect(peekLength(s)).toBe(-104);
    close(s);
  });

  it("is refused by a reset that acknowledges the SYN, and by no other", () => {
    const s = create();
    converse(9, 0);
    connect(s, PEER, 9);
    heard();
    say("R", 1, 0, 0, 0);
    say("R.", 0, 0, 2, 0);
    expect(poll(s)).toBe(0);
    watch(0, s, STATES | 0x201f);
    say("R.", 0, 0, 1, 0);
    expect(taken()).toBe("2>7 201d");
    expect(peekLength(s)).toBe(-111);
    close(s);
  });

  it("resets an acknowledgement of what it did not send", () => {
    const s = create();
    converse(9, 0);
    connect(s, PEER, 9);
    heard();
    say("S.", 0, 0, 2, 1000);
    expect(heardBriefly()).toBe("R 2:2(0)");
    say(".", 0, 0, 5, 1000);
    expect(heardBriefly()).toBe("R 5:5(0)");
    close(s);
    expect(heard()).toBe("");
  });

  it("MUST-23: repeats the SYN for three minutes and gives up with ETIMEDOUT", () => {
    const s = create();
    converse(9, 0);
    connect(s, PEER, 9);
    expect(heard()).toBe("SEW 0:0(0) win 65535 <mss 1460,ws 3,sackOK,ts>");
    const steps: u32[] = [1, 2, 4, 8, 16, 32, 60];
    for (let i = 0; i < 7; i++) {
      expect(silence(100000)).toBe(steps[i] * 1000);
      expect(heardBriefly()).toBe("S 0:0(0)", "without ECN (RFC 3168, 6.1.1.1)");
    }
    run(59 * SECOND);
    expect(peekLength(s)).toBe(-11);
    run(2 * SECOND);
    expect(peekLength(s)).toBe(-110);
    close(s);
  });

  it("MUST-10: meets a simultaneous open (RFC 9293, figure 7)", () => {
    const s = create();
    converse(9, 0);
    watch(0, s, STATES);
    connect(s, PEER, 9);
    heard();
    say("S", 0, 0, 0, 2000);
    expect(heardBriefly()).toBe("S. 0:0(0) ack 1");
    say("S.", 0, 0, 1, 2000);
    expect(taken()).toBe("7>2 2>3 3>1");
    heard();
    say("P.", 1, 4, 1, 2000);
    expect(readText(s)).toBe("bcde");
    close(s);
    say("R", 5, 0, 0, 0);
  });

  it("keeps the FIN of a close in SYN-RECEIVED until the handshake is complete", () => {
    const s = create();
    converse(9, 0);
    watch(0, s, STATES);
    connect(s, PEER, 9);
    heard();
    say("S", 0, 0, 0, 2000);
    heard();
    expect(shutdown(s, 1)).toBe(0);
    expect(heard()).toBe("");
    say(".", 1, 0, 1, 2000);
    expect(heardBriefly()).toBe("F. 1:1(0) ack 1");
    expect(taken()).toBe("7>2 2>3 3>1 1>4");
    close(s);
    say("R", 1, 0, 0, 0);
  });

  it("connects to itself (the same port at both ends)", () => {
    const s = create();
    expect(bind(s, 0, 4000)).toBe(0);
    watch(0, s, STATES);
    connect(s, 0x7f000001, 4000);
    run(MILLISECOND);
    expect(taken()).toBe("7>2 2>3 3>1");
    writeText(s, "echo");
    run(MILLISECOND);
    expect(readText(s)).toBe("echo");
    close(s);
  });

  it("has its source chosen anew after one that failed, bound to a port or not", () => {
    for (let port: u32 = 0; port <= 4003; port += 4003) {
      const s = create();
      if (port != 0) expect(bind(s, 0, port)).toBe(0);
      connect(s, 0x7f000001, 9);
      run(MILLISECOND);
      expect(peekLength(s)).toBe(-111);
      converse(9, port);
      expect(connect(s, PEER, 9)).toBe(-115);
      expect(s.flow.local.ipv4).toBe(OWN);
      expect(heardBriefly()).toBe("SEW 0:0(0)");
      say("S.", 0, 0, 1, 2000);
      expect(heardBriefly()).toBe(". 1:1(0) ack 1");
      abort_(s);
      heard();
    }
  });

  it("refuses what cannot be connected to", () => {
    const s = create();
    expect(connect(s, PEER, 0)).toBe(-99);
    expect(connect(s, 0xffffffff, 9)).toBe(-101);
    expect(connect(s, 0xe0000001, 9)).toBe(-101);
    expect(connect(s, 0x08080808, 9)).toBe(-101);
    expect(bind(s, 0x08080808, 9)).toBe(-99);
    expect(bind(s, 0, 4001)).toBe(0);
    expect(bind(s, 0, 4002)).toBe(-22);
    const other = create();
    expect(bind(other, OWN, 4001)).toBe(-98);
    expect(bind(other, OWN, 0)).toBe(0);
    expect(listen(other, 1)).toBe(0);
    close(s);
    close(other);
  });
});
