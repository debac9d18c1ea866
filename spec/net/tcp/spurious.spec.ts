/** Time-outs for nothing (RFC 5682, F-RTO): the path is slower for a while, and neither timestamps nor duplicates that are reported tell of it. */
import { Socket } from "../../../net/socket/socket";
import {
  chooseCongestionControl,
  CONGESTION_CUBIC,
  CONGESTION_NEWRENO,
} from "../../../net/socket/tcp/congestion";
import { IN_LOSS, TcpConnection } from "../../../net/socket/tcp/connection";
import { TCP_ESTABLISHED } from "../../../net/socket/tcp/state";
import { tcpStatistics } from "../../../net/socket/tcp/tcp";
import { SO_RCVBUF, SOL_SOCKET } from "../../../sdk/socket";
import { seedChance } from "../../chance";
import { accept, close, connect, create, listener, read, setOption, write } from "./ends";
import { stripSack, stripStamps } from "./fates";
import { endPair } from "./pair";
import { scoreboardFault } from "./scoreboard";
import { establish, heard, heardPlaces, meetPeer, permitSack, say, sayBlocks, setOptions } from "./script";
import { accidents, MILLISECOND, MIRROR, run, SECOND, setUpWorld, silence, step } from "./world";

let server: Socket = changetype<Socket>(0);
let s: Socket = changetype<Socket>(0);
let port: u32 = 20000;

/** A connection without timestamps and with an MSS of 1000, whose round trip of 100 ms has been measured; 6 segments of 10 are in flight. */
function open(sack: bool, window: u32 = 6000): TcpConnection {
  setOptions(1000, 255, 0);
  permitSack(sack);
  s = establish(server, ++port, 65535);
  const c = changetype<TcpConnection>(s);
  write(s, 0, 0, 1000);
  heard();
  run(100 * MILLISECOND);
  say(".", 1, 0, 1001, window);
  c.congestionWindow = 6000;
  write(s, 0, 1000, 10000);
  expect(places()).toBe("1 2 3 4 5 6");
  return c;
}

/** Segments with data that were heard, by their places in the stream. */
function places(): string {
  return heardPlaces(1, 1000);
}

/** All segments before place `place` are acknowledged. */
function acknowledge(place: u32, window: u32 = 65535): void {
  say(".", 1, 0, 1 + place * 1000, window);
}

/** Waits for the time-out, whatever probe comes before it. */
function timeOut(c: TcpConnection): void {
  for (let i = 0; i < 3 && !c.has(IN_LOSS); i++) {
    heard();
    silence(5000);
  }
  expect<bool>(c.has(IN_LOSS)).toBe(true);
  expect(places()).toBe("1");
}

/** A stream of 1 MiB over a path of 20 ms that suddenly is slower by `more`; the receiver takes `limit` bytes at once. How many segments are sent again. */
function spike(sack: bool, limit: u32, more: u64): u64 {
  const BYTES: u32 = 1 << 20;
  stripSack(!sack);
  stripStamps(true);
  accidents.delay = 10 * MILLISECOND;
  const socket = create();
  connect(socket, MIRROR, 80);
  let before: u64 = 0;
  let child: Socket | null = null;
  let sent: u32 = 0;
  let got: u32 = 0;
  let slow: bool = false;
  while (got < BYTES) {
    if (child === null) {
      child = accept(server);
      if (child !== null) setOption(child, SOL_SOCKET, SO_RCVBUF, limit);
    }
    if (changetype<TcpConnection>(socket).state == TCP_ESTABLISHED)
      sent += write(socket, 0, sent, BYTES - sent);
    if (child !== null) got += read(child, 0, got, BYTES);
    if (got > BYTES / 4 && !slow) {
      slow = true;
      before = tcpStatistics().retransmitted;
      // What is under way already arrives as it would.
      accidents.delay += more;
    }
    if (!step()) break;
  }
  expect(got).toBe(BYTES);
  const again = tcpStatistics().retransmitted - before;
  close(socket);
  if (child !== null) close(child);
  stripSack(false);
  stripStamps(false);
  return again;
}

describe("a time-out for nothing", () => {
  beforeAll(() => {
    setUpWorld();
    seedChance(5682);
    meetPeer();
  });
  beforeEach(() => {
    server = listener(80, 5);
    s = changetype<Socket>(0);
    chooseCongestionControl(CONGESTION_NEWRENO);
  });
  afterEach(() => {
    chooseCongestionControl(CONGESTION_CUBIC);
    endPair(server, s);
  });

  it("is not looked into with what Nagle's algorithm holds: what was lost goes again at once", () => {
    setOptions(1000, 255, 0);
    permitSack(false);
    s = establish(server, ++port, 65535);
    write(s, 0, 0, 3500);
    expect(places()).toBe("0 1 2");
    silence(5000);
    expect(places()).toBe("0");
    acknowledge(1);
    expect(places()).toBe("1 2");
  });

  it("is taken back when what was sent once is acknowledged, with SACK", () => found(true));
  it("is taken back when what was sent once is acknowledged, without SACK", () => found(false));

  it("is none when new data arrives and what was sent before it does not, with SACK", () => {
    const c = open(true, 65535);
    timeOut(c);
    acknowledge(2);
    expect(places()).toBe("8 9", "7 has been the probe");
    // 2 to 7 are lost.
    sayBlocks(2001, 65535, "8001:9001");
    expect<bool>(c.has(IN_LOSS)).toBe(true);
    expect(places()).toBe("2", "now they go again");
    expect(c.congestionWindow).toBeLessThan(3001);
    acknowledge(3);
    expect(places()).toBe("3 4");
    expect(scoreboardFault(c)).toBe("");
    acknowledge(11);
  });

  it("is none when a duplicate comes, without SACK", () => {
    const c = open(false, 65535);
    timeOut(c);
    acknowledge(2);
    expect(places()).toBe("7 8");
    acknowledge(2);
    expect<bool>(c.has(IN_LOSS)).toBe(true);
    run(10 * MILLISECOND);
    expect(c.congestionWindow).toBeLessThan(3001);
    acknowledge(3);
    expect(places().split(" ")[0]).toBe("3");
    expect(scoreboardFault(c)).toBe("");
    acknowledge(11);
  });

  it("cannot be told without new data, or without a window for it", () => {
    const c = open(false, 6000);
    timeOut(c);
    say(".", 1, 0, 2001, 5000);
    expect(places()).toBe("2 3", "the window is full: as ever");
    acknowledge(4);
    expect<bool>(c.has(IN_LOSS)).toBe(true);
    acknowledge(11);
  });

  it("of the same segment again is still in doubt", () => {
    const c = open(false, 65535);
    timeOut(c);
    silence(5000);
    expect(places()).toBe("1");
    const undone = tcpStatistics().undone;
    acknowledge(2);
    expect(places()).toBe("7 8");
    acknowledge(3);
    expect(tcpStatistics().undone).toBe(undone + 1);
    acknowledge(9);
  });

  it("of one segment after the other is in doubt, until others are sent again as well", () => {
    const c = open(false, 65535);
    timeOut(c);
    acknowledge(2);
    expect(places()).toBe("7 8");
    silence(5000);
    expect(places()).toBe("2", "nothing came of it");
    acknowledge(3);
    expect(places()).toBe("9 10");
    acknowledge(3);
    run(10 * MILLISECOND);
    silence(5000);
    heard();
    const undone = tcpStatistics().undone;
    acknowledge(5);
    expect(places().split(" ")[0]).toBe("5", "as ever");
    acknowledge(6);
    expect(tcpStatistics().undone).toBe(undone);
    acknowledge(11);
  });

  it("costs a stream next to nothing whose path is slower all at once", () => {
    // 22 segments are in flight. The first is repeated after 0.2, 0.6, 1.4 … s, and others while the time-out is still too short.
    expect(spike(true, 32768, SECOND)).toBeLessThan(9);
    expect(spike(false, 32768, SECOND)).toBeLessThan(11);
    expect(spike(true, 32768, 3 * SECOND)).toBeLessThan(11);
    // Without SACK the duplicates that so many repetitions cause end the doubt: no more than a second is held to anything.
    // All that the application has given, 96 segments, is in flight: only with SACK is it enough to hear of those.
    expect(spike(true, 262144, SECOND)).toBeLessThan(10);
  });
});

function found(sack: bool): void {
  const c = open(sack, 65535);
  const undone = tcpStatistics().undone;
  timeOut(c);
  expect(c.congestionWindow).toBe(1000);
  acknowledge(2);
  expect(places()).toBe(sack ? "8 9" : "7 8", "new data, and nothing again");
  acknowledge(3);
  expect(tcpStatistics().undone).toBe(undone + 1);
  expect<bool>(c.has(IN_LOSS)).toBe(false);
  expect(c.congestionWindow).toBeGreaterThan(5999);
  expect(c.lostBytes).toBe(0);
  expect(scoreboardFault(c)).toBe("");
  heard();
  acknowledge(6);
  heard();
  acknowledge(11);
  expect(silence(5000)).toBe(5000);
}
