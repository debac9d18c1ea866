/** Sending: RFC 6298 (time-out), RFC 5681 and 6582 (congestion), RFC 9293, 3.7 and 3.8 (segments, windows, probes). */
import { Socket } from "../../../net/socket/socket";
import { bufferPool } from "../../../net/buffer";
import { TcpConnection } from "../../../net/socket/tcp/connection";
import {
  chooseCongestionControl,
  CONGESTION_CUBIC,
  CONGESTION_NEWRENO,
} from "../../../net/socket/tcp/congestion";

import {
  abort_,
  listener,
  peekLength,
  poll,
  shutdown,
  taken,
  watch,
  write,
  writeMore,
  writeText,
} from "./ends";
import { endPair } from "./pair";
import { establish, heard, heardBriefly, meetPeer, say, setOptions } from "./script";
import { accidents, calm, MILLISECOND, PEER, run, SECOND, setUpWorld, silence, takeTurns } from "./world";

let server: Socket = changetype<Socket>(0);
let s: Socket = changetype<Socket>(0);
let port: u32 = 8000;

/** A connection to which PEER offers `window`, with an MSS of 1000. */
function open(window: u32): TcpConnection {
  setOptions(1000, 255, 0);
  s = establish(server, ++port, window);
  taken();
  return changetype<TcpConnection>(s);
}

/** Segments with data that were heard, as first octets. */
function firsts(): string {
  const lines = heardBriefly().split(" | ");
  let text = "";
  for (let i = 0; i < lines.length; i++) {
    if (lines[i] == "") continue;
    const space = lines[i].indexOf(" ");
    text += (text == "" ? "" : " ") + lines[i].substring(space + 1, lines[i].indexOf(":"));
  }
  return text;
}

describe("sending", () => {
  beforeAll(() => {
    setUpWorld();
    meetPeer();
  });
  beforeEach(() => {
    server = listener(80, 5);
  });
  afterEach(() => {
    calm();
    chooseCongestionControl(CONGESTION_CUBIC);
    endPair(server, s);
  });

  it("cuts segments to the peer's MSS, the last with PSH", () => {
    open(60000);
    write(s, 0, 0, 2500);
    expect(heardBriefly()).toBe(". 1:1001(1000) ack 1 | . 1001:2001(1000) ack 1", "Nagle keeps the rest");
    say(".", 1, 0, 2001, 60000);
    expect(heardBriefly()).toBe("P. 2001:2501(500) ack 1");
    say(".", 1, 0, 2501, 60000);
  });

  it("MSG_MORE: goes with what comes next", () => {
    open(60000);
    writeMore(s, 0, 0, 500);
    writeMore(s, 0, 500, 200);
    expect(heardBriefly()).toBe("");
    write(s, 0, 700, 100);
    expect(heardBriefly()).toBe("P. 1:801(800) ack 1");
    writeMore(s, 0, 800, 1500);
    shutdown(s, 1);
    expect(heardBriefly()).toBe(". 801:1801(1000) ack 1 | FP. 1801:2301(500) ack 1");
  });

  it("MSG_MORE: goes when the connection has its turn, without anything else", () => {
    open(60000);
    writeMore(s, 0, 0, 500);
    expect(heardBriefly()).toBe("");
    takeTurns();
    expect(heardBriefly()).toBe("P. 1:501(500) ack 1");
  });

  it("subtracts the timestamps from the MSS", () => {
    setOptions(1000, 255, 77);
    s = establish(server, ++port, 60000);
    write(s, 0, 0, 988);
    expect(heard()).toBe("P. 1:989(988) ack 1 win 65535 <ts>");
  });

  it("believes an MSS of 0 or 1 to be 88", () => {
    setOptions(1, 255, 0);
    s = establish(server, ++port, 60000);
    write(s, 0, 0, 88);
    expect(heardBriefly()).toBe("P. 1:89(88) ack 1");
    abort_(s);
    heard();
    setOptions(0, 255, 0);
    s = establish(server, ++port, 60000);
    write(s, 0, 0, 536);
    expect(heardBriefly()).toBe("P. 1:537(536) ack 1", "not said: 536");
  });

  it("MUST-17: follows Nagle, unless TCP_NODELAY is set", () => {
    open(60000);
    writeText(s, "a");
    writeText(s, "b");
    writeText(s, "c");
    expect(heardBriefly()).toBe("P. 1:2(1) ack 1");
    say(".", 1, 0, 2, 60000);
    expect(heardBriefly()).toBe("P. 2:4(2) ack 1");
    s.flags |= 2;
    writeText(s, "d");
    writeText(s, "e");
    expect(heardBriefly()).toBe("P. 4:5(1) ack 1 | P. 5:6(1) ack 1");
    writeText(s, "f");
    expect(heardBriefly()).toBe("P. 6:7(1) ack 1");
  });

  it("MUST-18, MUST-19: measures the round trip and times out by it: SRTT + 4 RTTVAR, then doubled up to 60 s", () => {
    const c = open(60000);
    expect(c.rto).toBe(1000000);
    writeText(s, "a");
    run(100 * MILLISECOND);
    say(".", 1, 0, 2, 60000);
    expect(c.smoothedRtt).toBe(100000);
    expect(c.rto).toBe(300000, "100 + 4 * 50");
    heard();
    writeText(s, "b");
    run(100 * MILLISECOND);
    say(".", 1, 0, 3, 60000);
    expect(c.rto).toBe(250000, "variance 37.5");
    heard();
    writeText(s, "c");
    expect(heardBriefly()).toBe("P. 3:4(1) ack 1");
    const waits: u32[] = [250, 500, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000];
    for (let i = 0; i < waits.length; i++) {
      expect(silence(100000)).toBe(waits[i]);
      expect(heardBriefly()).toBe("P. 3:4(1) ack 1");
    }
    watch(0, s, 0x2201d);
    run(61 * SECOND);
    expect(heard()).toBe("");
    expect(taken()).toBe("1>7 201d");
    expect(peekLength(s)).toBe(-110);
  });

  it("MUST-18: never goes below 200 ms, and does not measure what was sent twice (Karn)", () => {
    const c = open(60000);
    writeText(s, "a");
    run(MILLISECOND);
    say(".", 1, 0, 2, 60000);
    expect(c.rto).toBe(200000);
    heard();
    writeText(s, "b");
    expect(heardBriefly()).toBe("P. 2:3(1) ack 1");
    expect(silence(1000)).toBe(200);
    heard();
    run(50 * MILLISECOND);
    const smoothed = c.smoothedRtt;
    say(".", 1, 0, 3, 60000);
    expect(c.smoothedRtt).toBe(smoothed);
    writeText(s, "c");
    heard();
    expect(silence(1000)).toBe(400, "the back-off stays until there is a measurement");
    heard();
    say(".", 1, 0, 4, 60000);
    writeText(s, "d");
    run(MILLISECOND);
    say(".", 1, 0, 5, 60000);
    heard();
    writeText(s, "e");
    expect(heardBriefly()).toBe("P. 5:6(1) ack 1");
    expect(silence(1000)).toBe(200, "measured again: the back-off is over");
  });

  it("MUST-19: starts with 10 segments and doubles: slow start", () => {
    open(65535);
    write(s, 0, 0, 60000);
    expect(firsts()).toBe("1 1001 2001 3001 4001 5001 6001 7001 8001 9001");
    say(".", 1, 0, 2001, 65535);
    expect(firsts()).toBe("10001 11001 12001 13001", "two acknowledged: two for them, two more");
  });

  it("repeats after three duplicates, sends new data meanwhile, and halves (RFC 5681, 3042, 6582)", () => {
    chooseCongestionControl(CONGESTION_NEWRENO);
    const c = open(65535);
    write(s, 0, 0, 60000);
    heard();
    say(".", 1, 0, 1, 65535);
    expect(firsts()).toBe("10001", "limited transmit");
    say(".", 1, 0, 1, 65535);
    expect(firsts()).toBe("11001");
    say(".", 1, 0, 1, 65535);
    expect(firsts()).toBe("1", "fast retransmit");
    expect(c.slowStartThreshold).toBe(5000, "what limited transmit has sent does not count");
    for (let i = 0; i < 4; i++) say(".", 1, 0, 1, 65535);
    expect(firsts()).toBe("", "5 segments and the 7 that have left make the 12 that were sent");
    say(".", 1, 0, 1, 65535);
    expect(firsts()).toBe("12001", "each duplicate more lets one out");
    say(".", 1, 0, 3001, 65535);
    expect(firsts().split(" ")[0]).toBe("3001", "a partial acknowledgement: the next hole at once");
    say(".", 1, 0, 13001, 65535);
    expect(c.congestionWindow).toBeLessThan(7001);
    expect(c.status & 128).toBe(0, "recovered");
    heard();
  });

  it("MUST-19: goes back to one segment after a time-out, and over everything again", () => {
    const c = open(65535);
    write(s, 0, 0, 5000);
    expect(firsts()).toBe("1 1001 2001 3001 4001");
    expect(silence(2000)).toBe(1000);
    expect(firsts()).toBe("1");
    expect(c.congestionWindow).toBe(1000);
    say(".", 1, 0, 1001, 65535);
    expect(firsts()).toBe("1001 2001");
    // The others had arrived.
    say(".", 1, 0, 5001, 65535);
    expect(firsts()).toBe("");
    expect(silence(5000)).toBe(5000);
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

  it("shortens what is acknowledged in part", () => {
    open(65535);
    write(s, 0, 0, 1000);
    heard();
    say(".", 1, 0, 501, 65535);
    expect(silence(2000)).toBe(1000);
    expect(heardBriefly()).toBe("P. 501:1001(500) ack 1");
  });

  it("scales the peer's window (RFC 7323), but not that of a SYN", () => {
    setOptions(1000, 4, 0);
    s = establish(server, ++port, 500);
    expect(changetype<TcpConnection>(s).SND_WND).toBe(8000);
  });

  it("starts with the initial window again after an idle time", () => {
    const c = open(65535);
    write(s, 0, 0, 10000);
    say(".", 1, 0, 10001, 65535);
    heard();
    expect(c.congestionWindow).toBeGreaterThan(10000);
    run(60 * SECOND);
    write(s, 0, 10000, 30000);
    expect(c.congestionWindow).toBe(10000);
    expect(firsts().split(" ").length).toBe(10);
  });

  it("says when there is room again, and bounds what it holds", () => {
    const c = open(65535);
    watch(0, s, 0x4);
    const written = write(s, 0, 0, 10000000);
    expect(written).toBe(c.sendLimit * 1000);
    expect(poll(s) & 4).toBe(0);
    heard();
    let acked: u32 = 1;
    while (acked < 40001) {
      acked += 1000;
      say(".", 1, 0, acked, 65535);
    }
    heard();
    expect(taken()).toBe("4", "once");
    expect(poll(s) & 4).toBe(4);
  });

  it("copes with a device that refuses and one that keeps its buffers", () => {
    open(65535);
    accidents.refuse = 1000;
    writeText(s, "late");
    run(55 * MILLISECOND);
    accidents.refuse = 0;
    expect(silence(1000)).toBeLessThan(11);
    expect(heardBriefly()).toBe("P. 1:5(4) ack 1");
    say(".", 1, 0, 5, 65535);
    accidents.hold = true;
    writeText(s, "held");
    heard();
    silence(5000);
    expect(heardBriefly()).toBe("P. 5:9(4) ack 1", "from a copy");
  });

  it("finds its way when packet buffers are short in the whole machine", () => {
    open(65535);
    const all: usize[] = [];
    const pool = bufferPool();
    while (pool.inUse < pool.limit - pool.limit / 20) all.push(pool.allocateRaw());
    watch(0, s, 0x4);
    expect(write(s, 0, 0, 10)).toBe(0);
    say("P.", 1, 10, 1, 65535);
    expect(peekLength(s)).toBe(-11, "not taken, so that acknowledgements can be sent");
    expect(heardBriefly()).toBe(". 1:1(0) ack 1");
    run(SECOND);
    expect(taken()).toBe("");
    while (all.length != 0) pool.release(all.pop());
    run(20 * MILLISECOND);
    expect(taken()).toBe("4");
    expect(write(s, 0, 0, 10)).toBe(10);
    say("P.", 1, 10, 1, 65535);
    expect(peekLength(s)).toBe(10);
    heard();
  });
});
