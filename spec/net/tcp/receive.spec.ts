/** Receiving: the order and the window (RFC 9293, 3.10.7.4 and 3.8.6.2.2), and timestamps (RFC 7323), against a scripted peer. */
import { bufferPool } from "../../../net/buffer";
import { receiveLimit, TcpConnection } from "../../../net/socket/tcp/connection";
import { chance, seedChance } from "../../chance";
import { abort_, consume, peekLength, taken, watch, writeText } from "./ends";
import { beginPair, endOfPair, keep, newPort, open, readStream, s, server } from "./pair";
import { establish, heard, heardBriefly, meetPeer, say, setOptions, setStamp } from "./script";
import { MILLISECOND, run, SECOND } from "./world";

describe("receiving", () => {
  beforeAll(meetPeer);
  beforeEach(beginPair);
  afterEach(endOfPair);

  it("wakes with POLLIN for each segment", () => {
    open(10000, 1460);
    watch(0, s, 0x201d);
    say("P.", 1, 100, 1, 10000);
    say("P.", 101, 100, 1, 10000);
    expect(taken()).toBe("1 1");
    expect(readStream(s, 1)).toBe(200);
  });

  it("queues what is out of order and acknowledges it at once", () => {
    open(10000, 1460);
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
    open(10000, 1460);
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
      open(10000, 1460);
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
    open(10000, 1460);
    const before = bufferPool().inUse;
    for (let i: u32 = 0; i < 5000; i++) say(".", 3 + i * 2, 1, 1, 10000);
    expect(bufferPool().inUse - before).toBeLessThan(200);
    heard();
  });

  it("MUST-39: closes its window, answers probes, takes nothing more, and opens again when half is read", () => {
    open(10000, 1460);
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
    open(10000, 1460);
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
    open(10000, 1460);
    expect(receiveLimit()).toBeGreaterThan(65535 + 4 * 1460);
    say(".", 1, 1460, 1, 10000);
    say(".", 1461, 1460, 1, 10000);
    expect(heard()).toBe(". 1:1(0) ack 2921 win 65535");
    expect(readStream(s, 1)).toBe(2920);
    expect(heard()).toBe("", "a duplicate acknowledgement is what the peer would see");
  });

  it("drops what is from the past by its timestamp (PAWS), and echoes by the rule", () => {
    setOptions(1460, 255, 1000);
    keep(establish(server, newPort(), 10000));
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
    keep(establish(server, newPort(), 10000));
    run(25 * 86400 * SECOND);
    setStamp(5);
    say("P.", 1, 10, 1, 10000);
    expect(readStream(s, 1)).toBe(10);
    expect(changetype<TcpConnection>(s).timestampRecent).toBe(
      5,
      "it is what counts from now on (RFC 7323, 5.5)",
    );
    setStamp(4);
    say("P.", 11, 10, 1, 10000);
    expect(readStream(s, 11)).toBe(0);
  });

  it("takes one after 24 days, though they be as many as the clock of milliseconds can count", () => {
    setOptions(1460, 255, 1000);
    keep(establish(server, newPort(), 10000));
    // 49.7 days, in which the peer's clock has fallen behind by a second.
    run((((<u64>1) << 32) + 10) * MILLISECOND);
    setStamp(10);
    say("P.", 1, 10, 1, 10000);
    expect(readStream(s, 1)).toBe(10);
    expect(changetype<TcpConnection>(s).timestampRecent).toBe(10);
  });
});
