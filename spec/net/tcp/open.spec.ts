/** RFC 9293, 3.5: opening a connection, from both ends, against a scripted peer. */
import { connectionPool } from "../../../net/socket/tcp/connection";
import { requestPool } from "../../../net/socket/tcp/request";
import { LISTENER_LIMIT, tcpStatistics } from "../../../net/socket/tcp/tcp";
import {
  abort_,
  accept,
  bind,
  close,
  connect,
  create,
  listen,
  listener,
  peekLength,
  poll,
  readText,
  shutdown,
  taken,
  watch,
  writeText,
} from "./ends";
import {
  converse,
  heard,
  heardBriefly,
  ownIsn,
  say,
  sayRaw,
  setOptions,
  setOwnIsn,
  setStamp,
} from "./script";
import { leftOver, MILLISECOND, OWN, PEER, run, SECOND, settleWorld, setUpWorld, silence } from "./world";
import { chance, seedChance } from "../../chance";

const STATES: u32 = 0x20000;

describe("passive open", () => {
  beforeAll(() => {
    setUpWorld();
    // The neighbours are asked for once, so that ARP is out of the way.
    const s = create();
    connect(s, PEER, 9);
    run(MILLISECOND);
    close(s);
    heard();
  });
  afterEach(() => {
    settleWorld();
    taken();
    expect(leftOver()).toBe("");
  });

  it("is a three-way handshake", () => {
    const server = listener(80, 5);
    watch(0, server, STATES | 0x10001);
    converse(5000, 80);
    say("S", 0, 0, 0, 1000);
    expect(heard()).toBe("S. 0:0(0) ack 1 win 65535 <mss 1460>");
    expect(accept(server) === null).toBe(true);
    expect(poll(server)).toBe(0);
    say(".", 1, 0, 1, 1000);
    expect(heard()).toBe("");
    expect(taken()).toBe("10001", "one event for the listener, which stays in LISTEN");
    expect(poll(server)).toBe(1);
    const child = accept(server)!;
    expect(poll(child)).toBe(4, "writable");
    expect(child.flow.remote.ipv4).toBe(PEER);
    expect<u32>(child.flow.remote.port).toBe(5000);
    expect(accept(server) === null).toBe(true);
    close(child);
    close(server);
    expect(taken()).toBe("10>7 gone");
    expect(heardBriefly()).toBe("F. 1:1(0) ack 1");
    say("R.", 1, 0, 2, 0);
  });

  it("answers the options that the peer has, and no others", () => {
    const server = listener(80, 5);
    converse(5001, 80);
    setOptions(1400, 7, 1000);
    say("S", 0, 0, 0, 1000);
    expect(heard()).toBe("S. 0:0(0) ack 1 win 65535 <mss 1460,ws 3,ts>");
    say(".", 1, 0, 1, 1000);
    const child = accept(server)!;
    setStamp(1001);
    say("P.", 1, 5, 1, 1000);
    run(50 * MILLISECOND);
    expect(heard()).toBe(". 1:1(0) ack 6 win 32767 <ts>", "scaled by 8");
    say("R", 6, 0, 0, 0);
    close(child);
    close(server);
  });

  it("takes data and FIN with the final ACK", () => {
    const server = listener(80, 5);
    converse(5002, 80);
    say("S", 0, 0, 0, 1000);
    heard();
    say("FP.", 1, 3, 1, 1000);
    expect(heardBriefly()).toBe(". 1:1(0) ack 5");
    const child = accept(server)!;
    expect(readText(child)).toBe("bcd");
    expect(peekLength(child)).toBe(0);
    close(child);
    expect(heardBriefly()).toBe("F. 1:1(0) ack 5");
    say(".", 5, 0, 2, 1000);
    close(server);
  });

  it("MUST-23: repeats the SYN,ACK for three minutes and then forgets", () => {
    const server = listener(80, 5);
    converse(5003, 80);
    say("S", 0, 0, 0, 1000);
    heard();
    const steps: u32[] = [1, 2, 4, 8, 16, 32, 60];
    for (let i = 0; i < 7; i++) {
      expect(silence(100000)).toBe(steps[i] * 1000);
      expect(heardBriefly()).toBe("S. 0:0(0) ack 1");
    }
    run(59 * SECOND);
    expect(requestPool().inUse).toBe(1);
    run(2 * SECOND);
    expect(requestPool().inUse).toBe(0);
    expect(heard()).toBe("");
    say(".", 1, 0, 1, 1000);
    expect(heardBriefly()).toBe("R 1:1(0)");
    close(server);
  });

  it("answers a SYN that comes again, and resets a wrong acknowledgement", () => {
    const server = listener(80, 5);
    converse(5004, 80);
    say("S", 0, 0, 0, 1000);
    heard();
    say("S", 0, 0, 0, 1000);
    expect(heardBriefly()).toBe("S. 0:0(0) ack 1");
    say(".", 1, 0, 77, 1000);
    expect(heardBriefly()).toBe("R 77:77(0)");
    say("S", 500000, 0, 0, 1000);
    expect(heardBriefly()).toBe(". 1:1(0) ack 1", "another SYN: the peer will reset the old one");
    say("R", 2, 0, 0, 0);
    expect(heardBriefly()).toBe("", "one challenge in half a second");
    run(600 * MILLISECOND);
    say("R", 2, 0, 0, 0);
    expect(heardBriefly()).toBe(". 1:1(0) ack 1", "a reset that is not exact is challenged");
    say("R", 1, 0, 0, 0);
    say(".", 1, 0, 1, 1000);
    expect(heardBriefly()).toBe("R 1:1(0)", "forgotten");
    close(server);
  });

  it("resets what comes to a closed port, and never a reset", () => {
    converse(5005, 81);
    setOwnIsn(0);
    say("S", 0, 0, 0, 1000);
    expect(heard()).toBe("R. 0:0(0) ack 1 win 0");
    say(".", 5, 10, 9, 1000);
    expect(heardBriefly()).toBe("R 9:9(0)");
    say("R", 5, 0, 9, 1000);
    say("R.", 5, 0, 9, 1000);
    expect(heard()).toBe("");
  });

  it("drops malformed segments and damaged ones without an answer", () => {
    const server = listener(80, 5);
    const before = tcpStatistics().malformed;
    const answered = tcpStatistics().segmentsOut;
    seedChance(7);
    converse(5006, 80);
    for (let i = 0; i < 20; i++) sayRaw(<u32>i, (at: u32): u8 => <u8>chance(256));
    // A data offset below 20 or past the end, an option that leaves the header, an option without a length.
    sayRaw(24, (at: u32): u8 => (at == 12 ? 0x40 : 2));
    sayRaw(24, (at: u32): u8 => (at == 12 ? 0x70 : 2));
    sayRaw(24, (at: u32): u8 => (at == 12 ? 0x60 : at == 20 ? 2 : at == 21 ? 5 : 2));
    sayRaw(24, (at: u32): u8 => (at == 12 ? 0x60 : at == 20 ? 2 : at == 21 ? 1 : 2));
    sayRaw(24, (at: u32): u8 => (at == 12 ? 0x60 : at == 23 ? 2 : 1));
    expect(tcpStatistics().malformed - before).toBe(25);
    expect(tcpStatistics().segmentsOut).toBe(answered);
    close(server);
  });

  it("survives segments of random bytes", () => {
    const server = listener(80, 5);
    converse(5006, 80);
    seedChance(8);
    for (let i = 0; i < 20000; i++) {
      sayRaw(20 + chance(60), (at: u32): u8 => {
        if (at == 2) return 0;
        if (at == 3) return 80;
        if (at == 0) return 19;
        if (at == 1) return 142;
        if (at == 12) return <u8>((5 + chance(8)) << 4);
        return <u8>chance(256);
      });
      if (i % 16 == 0) {
        const child = accept(server);
        if (child !== null) close(child);
        run(MILLISECOND);
      }
    }
    heard();
    close(server);
  });

  it("forgets half-open connections and resets waiting ones when the listener closes", () => {
    const server = listener(80, 5);
    converse(5007, 80);
    say("S", 0, 0, 0, 1000);
    heard();
    say(".", 1, 0, 1, 1000);
    converse(5008, 80);
    say("S", 0, 0, 0, 1000);
    expect(heardBriefly()).toBe("S. 0:0(0) ack 1");
    close(server);
    say(".", 1, 0, 1, 1000);
    expect(heardBriefly()).toBe("R 1:1(0)");
    run(MILLISECOND);
    expect(heardBriefly().startsWith("R. ")).toBe(true, "the one that waited");
  });

  it("closes a listener bit by bit: each step resets a few, and a new one at its port has nothing to do with it", () => {
    const server = listener(80, 200);
    for (let i: u32 = 0; i < 200; i++) {
      converse(6000 + i, 80);
      say("S", 0, 0, 0, 1000);
      heard();
      // The first hundred are half open.
      if (i >= 100) say(".", 1, 0, 1, 1000);
    }
    const connections = connectionPool().inUse;
    close(server);
    expect(connections - connectionPool().inUse).toBe(1, "itself");
    expect(requestPool().inUse).toBe(100);
    expect(heard()).toBe("");
    const fresh = listener(80, 200);
    // What was half open is so again, with the new one.
    for (let i: u32 = 0; i < 10; i++) {
      converse(6090 + i, 80);
      say("S", 1000, 0, 0, 1000);
      expect(heardBriefly()).toBe("S. 0:0(0) ack 1001");
      say(".", 1001, 0, 1, 1000);
      abort_(accept(fresh)!);
    }
    heard();
    expect(requestPool().inUse).toBe(90);
    let steps: u32 = 0;
    while (connectionPool().inUse != 1 || requestPool().inUse != 0) {
      const before = connectionPool().inUse + requestPool().inUse;
      run(MILLISECOND / 10);
      const gone = before - connectionPool().inUse - requestPool().inUse;
      assert(gone <= 8, "two steps at most in this time");
      assert(steps++ < 1000, "they come to an end");
    }
    expect(steps).toBeGreaterThan(190 / 8);
    expect(heardBriefly().split(" | ").length).toBe(100, "resets");
    run(2 * SECOND);
    expect(heard()).toBe("", "nobody repeats a SYN,ACK of a listener that is gone");
    close(fresh);
  });

  it("has its place free again as soon as the last of it is gone, however much was half open", () => {
    for (let round: u32 = 0; round < 3; round++) {
      for (let i: u32 = 0; i < LISTENER_LIMIT; i++) {
        const server = listener(1000 + i, 1);
        converse(7, 1000 + i);
        say("S", 0, 0, 0, 1000);
        heard();
        close(server);
      }
      run(100 * MILLISECOND);
      expect(requestPool().inUse).toBe(0);
    }
  });

  it("drops the final ACK while the accept queue is full, and takes it later", () => {
    const server = listener(80, 1);
    converse(5010, 80);
    say("S", 0, 0, 0, 1000);
    heard();
    say(".", 1, 0, 1, 1000);
    converse(5012, 80);
    say("S", 0, 0, 0, 1000);
    expect(heardBriefly()).toBe("S. 0:0(0) ack 1");
    const isn = ownIsn;
    converse(5011, 80);
    say("S", 0, 0, 0, 1000);
    heard();
    say(".", 1, 0, 1, 1000);

    converse(5013, 80);
    say("S", 0, 0, 0, 1000);
    expect(heard()).toBe("", "no new ones while it is full");
    converse(5012, 80);
    setOwnIsn(isn);
    const before = tcpStatistics().listenOverflows;
    say(".", 1, 0, 1, 1000);
    expect(tcpStatistics().listenOverflows - before).toBe(1);
    const first = accept(server)!;
    expect(silence(2000)).toBeGreaterThan(990);
    expect(heardBriefly()).toBe("S. 0:0(0) ack 1", "the client hears that its ACK was not taken");
    say(".", 1, 0, 1, 1000);
    const second = accept(server)!;
    const third = accept(server)!;
    expect<u32>(second.flow.remote.port).toBe(5011);
    expect<u32>(third.flow.remote.port).toBe(5012);
    close(first);
    abort_(second);
    abort_(third);
    close(server);
  });
});

describe("active open", () => {
  beforeAll(setUpWorld);
  afterEach(() => {
    settleWorld();
    taken();
    expect(leftOver()).toBe("");
  });

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
