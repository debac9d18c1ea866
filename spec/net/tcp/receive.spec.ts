/** Receiving: RFC 9293, 3.10.7.4 and 3.8.6, RFC 5961, RFC 7323, against a scripted peer. */
import { Socket } from "../../../net/socket/socket";
import { bufferPool } from "../../../net/buffer";
import { receiveLimit, TcpConnection } from "../../../net/socket/tcp/connection";

import { chance, seedChance } from "../../chance";
import { abort_, consume, listener, peekLength, readText, taken, watch, writeText } from "./ends";
import { endPair, readStream } from "./pair";
import { establish, heard, heardBriefly, meetPeer, say, setOptions, setStamp } from "./script";
import { MILLISECOND, run, SECOND, setUpWorld, silence } from "./world";

let server: Socket = changetype<Socket>(0);
let s: Socket = changetype<Socket>(0);
let port: u32 = 7000;

function open(): void {
  s = establish(server, ++port, 10000);
  taken();
}

describe("receiving", () => {
  beforeAll(() => {
    setUpWorld();
    meetPeer();
  });
  beforeEach(() => {
    server = listener(80, 5);
    setOptions(1460, 255, 0);
  });
  afterEach(() => {
    endPair(server, s);
  });

  it("MUST-40: acknowledges after 40 ms, every second full segment at once, and with data that goes out", () => {
    open();
    say("P.", 1, 100, 1, 10000);
    expect(silence(1000)).toBe(40);
    expect(heardBriefly()).toBe(". 1:1(0) ack 101");
    say(".", 101, 1460, 1, 10000);
    expect(heard()).toBe("");
    say(".", 1561, 1460, 1, 10000);
    expect(heardBriefly()).toBe(". 1:1(0) ack 3021");
    expect(silence(1000)).toBe(1000, "nothing is left to be acknowledged");
    say("P.", 3021, 10, 1, 10000);
    run(39 * MILLISECOND);
    writeText(s, "answer");
    expect(heardBriefly()).toBe("P. 1:7(6) ack 3031");
    say(".", 3031, 0, 7, 10000);
    expect(silence(1000)).toBe(1000);
  });

  it("wakes with POLLIN for each segment", () => {
    open();
    watch(0, s, 0x201d);
    say("P.", 1, 100, 1, 10000);
    say("P.", 101, 100, 1, 10000);
    expect(taken()).toBe("1 1");
    expect(readStream(s, 1)).toBe(200);
  });

  it("queues what is out of order and acknowledges it at once", () => {
    open();
    say(".", 11, 10, 1, 10000);
    expect(heardBriefly()).toBe(". 1:1(0) ack 1");
    say(".", 31, 10, 1, 10000);
    say(".", 21, 10, 1, 10000);
    heard();
    expect(peekLength(s)).toBe(-11);
    say(".", 1, 10, 1, 10000);
    expect(heardBriefly()).toBe(". 1:1(0) ack 41");
    expect(readStream(s, 1)).toBe(40);
  });

  it("takes a FIN that overtook the data before it", () => {
    open();
    say("F.", 11, 10, 1, 10000);
    expect(heardBriefly()).toBe(". 1:1(0) ack 1");
    say(".", 1, 10, 1, 10000);
    expect(heardBriefly()).toBe(". 1:1(0) ack 22");
    expect(readStream(s, 1)).toBe(20);
    expect(peekLength(s)).toBe(0);
  });

  it("puts every overlap together right", () => {
    seedChance(3);
    for (let round = 0; round < 300; round++) {
      open();
      const total: u32 = 2000;
      let position: u32 = 1;
      for (let i = 0; i < 60; i++) {
        const at = 1 + chance(total);
        const length = 1 + chance(min<u32>(300, total + 1 - at));
        say(".", at, min(length, total + 1 - at), 1, 10000);
        if (chance(8) == 0) position += readStream(s, position);
      }
      for (let at: u32 = 1; at <= total; at += 200) say(".", at, 200, 1, 10000);
      position += readStream(s, position);
      assert(position == total + 1, "all octets, each once");
      assert(changetype<TcpConnection>(s).reassemblyHead === null);
      heard();
      if (round != 299) abort_(s);
      heard();
    }
  });

  it("bounds what waits out of order", () => {
    open();
    const before = bufferPool().inUse;
    for (let i: u32 = 0; i < 5000; i++) say(".", 3 + i * 2, 1, 1, 10000);
    expect(bufferPool().inUse - before).toBeLessThan(200);
    heard();
  });

  it("MUST-39: closes its window, answers probes, takes nothing more, and opens again when half is read", () => {
    open();
    const limit = receiveLimit();
    let at: u32 = 1;
    let window: u32 = 65535;
    for (; window >= 1460; at += 1460) {
      say(".", at, 1460, 1, 10000);
      const line = heard();
      const w = line.indexOf("win ");
      if (w >= 0) window = <u32>parseInt(line.substring(w + 4));
      if (line == "") window -= 1460;
      if (at > limit) break;
    }
    run(50 * MILLISECOND);
    heard();
    // Fill what is left, and one octet more: a probe.
    const c = changetype<TcpConnection>(s);
    const left = c.receiveEdge - c.RCV_NXT;
    if (left != 0) say(".", at, left, 1, 10000);
    at += left;
    run(50 * MILLISECOND);
    heard();
    say(".", at, 1, 1, 10000);
    const probe = heard();
    expect(probe).toBe(". 1:1(0) ack " + at.toString() + " win 0");
    // A zero window still takes acknowledgements and resets.
    writeText(s, "x");
    expect(heardBriefly()).toBe("P. 1:2(1) ack " + at.toString());
    say(".", at, 0, 2, 10000);
    expect(changetype<TcpConnection>(s).SND_UNA - changetype<TcpConnection>(s).ISS).toBe(2);
    const room = c.receiveLimit - c.receivedBytes;
    expect(room).toBeLessThan(1460);
    consume(s, 1459 - room);
    expect(heard()).toBe("", "no silly window");
    consume(s, 1);
    expect(heard()).toBe(". 2:2(0) ack " + at.toString() + " win 1460");
    consume(s, 1459);
    expect(heard()).toBe("", "not for less than twice as much");
    consume(s, 1);
    expect(heard()).toBe(". 2:2(0) ack " + at.toString() + " win 2920");
  });

  it("never moves the right edge of its window back, whatever is read and sent", () => {
    open();
    seedChance(5);
    let edge: u32 = 0;
    let at: u32 = 1;
    for (let i = 0; i < 3000; i++) {
      const c = changetype<TcpConnection>(s);
      const length = min<u32>(1 + chance(1460), c.receiveEdge - c.RCV_NXT);
      if (length != 0) say(".", at, length, 1, 10000);
      at += length;
      assert(c.receiveEdge >= edge);
      edge = c.receiveEdge;
      if (chance(3) == 0 && peekLength(s) > 0) consume(s, 1 + chance(peekLength(s)));
      if (chance(4) == 0) run(45 * MILLISECOND);
      assert(c.receivedBytes <= c.receiveLimit);
    }
    heard();
  });

  it("is silent about room that a window without scale cannot tell", () => {
    open();
    expect(receiveLimit()).toBeGreaterThan(65535 + 4 * 1460);
    say(".", 1, 1460, 1, 10000);
    say(".", 1461, 1460, 1, 10000);
    expect(heard()).toBe(". 1:1(0) ack 2921 win 65535");
    expect(readStream(s, 1)).toBe(2920);
    expect(heard()).toBe("", "a duplicate acknowledgement is what the peer would see");
  });

  it("answers what is outside of the window with an acknowledgement, and drops it", () => {
    open();
    say("P.", 1, 10, 1, 10000);
    readText(s);
    run(50 * MILLISECOND);
    heard();
    say("P.", 1, 10, 1, 10000);
    expect(heardBriefly()).toBe(". 1:1(0) ack 11", "a duplicate: at once, its ACK was lost");
    say("P.", 100000, 10, 1, 10000);
    expect(heardBriefly()).toBe(". 1:1(0) ack 11");
    expect(peekLength(s)).toBe(-11);
    say("P.", 6, 10, 1, 10000);
    expect(heardBriefly()).toBe(". 1:1(0) ack 16", "half old, half new");
    expect(readStream(s, 11)).toBe(5);
  });

  it("resists blind resets, SYNs and data (RFC 5961)", () => {
    open();
    watch(0, s, 0x2201d);
    say("R", 2, 0, 0, 0);
    expect(heardBriefly()).toBe(". 1:1(0) ack 1", "in the window, not exact: challenged");
    say("R", 60000, 0, 0, 0);
    expect(heardBriefly()).toBe("", "one challenge in half a second");
    run(SECOND);
    say("R", 70000, 0, 0, 0);
    expect(heardBriefly()).toBe("", "outside");
    say("S", 1, 0, 0, 1000);
    expect(heardBriefly()).toBe(". 1:1(0) ack 1");
    run(SECOND);
    say("S.", 500000, 0, 1, 1000);
    expect(heardBriefly()).toBe(". 1:1(0) ack 1");
    run(SECOND);
    say("P.", 1, 10, 1000, 1000);
    expect(heardBriefly()).toBe(". 1:1(0) ack 1", "acknowledges what was never sent");
    run(SECOND);
    say("P.", 1, 10, 0 - 100000, 1000);
    expect(heardBriefly()).toBe(". 1:1(0) ack 1", "acknowledges too old a number");
    say("P", 1, 10, 0, 1000);
    expect(heardBriefly()).toBe("", "no ACK bit: dropped");
    expect(taken()).toBe("");
    expect(peekLength(s)).toBe(-11);
    say("R", 1, 0, 0, 0);
    expect(taken()).toBe("1>7 201d");
    expect(peekLength(s)).toBe(-104);
  });

  it("limits challenges in odd milliseconds and in even ones", () => {
    for (let i = 0; i < 4; i++) {
      if (i != 0) abort_(s);
      open();
      run(MILLISECOND);
      say("R", 2, 0, 0, 0);
      expect(heardBriefly()).toBe(". 1:1(0) ack 1");
      say("R", 3, 0, 0, 0);
      expect(heardBriefly()).toBe("", "within the same millisecond");
    }
  });

  it("drops what is from the past by its timestamp (PAWS), and echoes by the rule", () => {
    setOptions(1460, 255, 1000);
    open();
    setStamp(1010);
    say("P.", 1, 10, 1, 10000);
    setStamp(1005);
    say("P.", 11, 10, 1, 10000);
    expect(heardBriefly()).toBe(". 1:1(0) ack 11", "older than what was seen: an ACK and no more");
    expect(changetype<TcpConnection>(s).timestampRecent).toBe(1010);
    setStamp(1020);
    say(".", 21, 10, 1, 10000);
    expect(changetype<TcpConnection>(s).timestampRecent).toBe(1010, "behind a gap: not echoed");
    setStamp(1015);
    say(".", 11, 10, 1, 10000);
    expect(changetype<TcpConnection>(s).timestampRecent).toBe(1015);
    setStamp(0);
    say("P.", 31, 10, 1, 10000);
    expect(readStream(s, 1)).toBe(30, "without timestamps: dropped");
    say("R", 31, 0, 0, 0);
    expect(peekLength(s)).toBe(-104, "a reset needs none");
  });

  it("takes an old timestamp again after 24 days", () => {
    setOptions(1460, 255, 0x80000000);
    open();
    run(25 * 86400 * SECOND);
    setStamp(5);
    say("P.", 1, 10, 1, 10000);
    expect(readStream(s, 1)).toBe(10);
  });
});
