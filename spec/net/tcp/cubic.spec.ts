/** CUBIC (RFC 9438) against its formula in floating point, HyStart++ (RFC 9406), and the windows of RFC 5681 and RFC 6928. */
import { Socket } from "../../../net/socket/socket";
import {
  chooseCongestionControl,
  congestionAcked,
  congestionLoss,
  CONGESTION_CUBIC,
  CONGESTION_NEWRENO,
  congestionRecovered,
  congestionTimeout,
} from "../../../net/socket/tcp/congestion";
import { TcpConnection } from "../../../net/socket/tcp/connection";
import { cubeRoot } from "../../../net/socket/tcp/cubic";
import { chance64, seedChance } from "../../chance";
import { abort_, create, listener, taken, write } from "./ends";
import { endPair } from "./pair";
import { establish, heard, meetPeer, permitSack, say, setOptions } from "./script";
import { MILLISECOND, run, setUpWorld } from "./world";

const MSS: f64 = 1000;
const C: f64 = 0.4;
const BETA: f64 = 0.7;

let server: Socket = changetype<Socket>(0);
let s: Socket = changetype<Socket>(0);
let port: u32 = 3000;

/** A connection with an MSS of 1000 that is as if `segments` were in flight, with a round trip of `rtt` ms. */
function open(segments: u32, rtt: u32): TcpConnection {
  setOptions(1000, 255, 0);
  permitSack(true);
  s = establish(server, ++port, 60000);
  taken();
  const c = changetype<TcpConnection>(s);
  c.congestionWindow = segments * 1000;
  c.SND_MAX = c.SND_UNA + segments * 1000;
  c.smoothedRtt = rtt * 1000;
  return c;
}

/** The end of the pretence. */
function done(c: TcpConnection): void {
  c.SND_MAX = c.SND_NXT;
}

/** A round trip of `rtt` ms in which the whole window is acknowledged, segment by segment, evenly. */
function round(c: TcpConnection, rtt: u32): void {
  const segments = c.congestionWindow / 1000;
  for (let i: u32 = 0; i < segments; i++) {
    run((<u64>rtt * MILLISECOND) / segments);
    c.SND_MAX = c.SND_UNA + c.congestionWindow;
    congestionAcked(c, 1000, c.congestionWindow);
  }
}

describe("congestion control", () => {
  beforeAll(() => {
    setUpWorld();
    meetPeer();
  });
  beforeEach(() => {
    server = listener(80, 5);
  });
  afterEach(() => {
    chooseCongestionControl(CONGESTION_CUBIC);
    endPair(server, s);
  });

  it("finds the cube root of every kind of number", () => {
    seedChance(3);
    for (let i = 0; i < 100000; i++) {
      const value = chance64() >> (chance64() & 63);
      const root = <u64>cubeRoot(value);
      assert(root * root * root <= value);
      // 2642245 is the cube root of 2^64 - 1: beyond it the cube overflows.
      assert(root == 2642245 || (root + 1) * (root + 1) * (root + 1) > value);
    }
    for (let root: u64 = 1; root < 2642245; root += 777) {
      assert(cubeRoot(root * root * root) == <u32>root);
      assert(cubeRoot(root * root * root - 1) == <u32>root - 1);
    }
    expect(cubeRoot(0)).toBe(0);
    expect(cubeRoot(u64.MAX_VALUE)).toBe(2642245);
    s = create();
  });

  it("MUST-19: grows as the cubic function says, first towards W_max and then beyond it", () => {
    const rtts: u32[] = [50, 100, 200];
    const windows: u32[] = [100, 400, 1000];
    for (let i = 0; i < 9; i++) {
      const rtt = rtts[i % 3];
      const maximum = windows[i / 3];
      const c = open(maximum, rtt);
      congestionLoss(c);
      congestionRecovered(c);
      expect(c.congestionWindow).toBe(maximum * 700, "beta is 0.7");
      const most: f64 = maximum;
      const rise = Math.cbrt((most * (1 - BETA)) / C);
      // What Reno would have in the same time (RFC 9438, 4.3).
      const alpha = (3 * (1 - BETA)) / (1 + BETA);
      let reno = most * BETA;
      let time: f64 = 0;
      while (time < rise * 1.8) {
        round(c, rtt);
        time += <f64>rtt / 1000;
        reno += reno >= most ? 1 : alpha * (reno / (<f64>c.congestionWindow / MSS));
        const cubic = C * Math.pow(time - rise, 3) + most;
        const expected = Math.max(cubic, reno);
        const window = <f64>c.congestionWindow / MSS;
        assert(
          Math.abs(window - expected) < expected * 0.04 + 2,
          `rtt ${rtt} W_max ${maximum} t ${time}: ${window} and not ${expected}`,
        );
      }
      done(c);
      if (i < 8) abort_(s);
      heard();
    }
  });

  it("is no slower than Reno on a short path (RFC 9438, 4.3)", () => {
    const c = open(20, 10);
    congestionLoss(c);
    congestionRecovered(c);
    expect(c.congestionWindow).toBe(14000);
    // 9/17 of a segment in each round trip until the window is what it was, then one.
    let rounds = 0;
    while (c.congestionWindow < 20000) {
      round(c, 10);
      rounds++;
    }
    expect(rounds).toBeGreaterThan(9);
    expect(rounds).toBeLessThan(15);
    const window = c.congestionWindow;
    for (let i = 0; i < 10; i++) round(c, 10);
    expect(c.congestionWindow - window).toBeGreaterThan(8000);
    expect(c.congestionWindow - window).toBeLessThan(12001);
    done(c);
  });

  it("leaves room for others when it loses sooner than before (4.7), and begins flat after a time-out (4.8)", () => {
    const c = open(100, 100);
    congestionLoss(c);
    congestionRecovered(c);
    expect(c.cubicMaximum).toBe(100000);
    congestionLoss(c);
    expect(c.cubicMaximum).toBe(59500, "70 segments * (1 + 0.7) / 2");
    congestionTimeout(c, true);
    expect(c.congestionWindow).toBe(1000);
    const threshold = c.slowStartThreshold;
    while (c.congestionWindow < threshold) congestionAcked(c, 1000, c.congestionWindow);
    round(c, 100);
    expect(c.cubicRise).toBe(0);
    expect(c.cubicMaximum).toBeGreaterThan(threshold - 1);
    done(c);
  });

  it("MUST-19: grows by a segment in each round trip as Reno", () => {
    chooseCongestionControl(CONGESTION_NEWRENO);
    const c = open(20, 100);
    congestionLoss(c);
    congestionRecovered(c);
    expect(c.congestionWindow).toBe(10000);
    for (let i = 0; i < 10; i++) round(c, 100);
    expect(c.congestionWindow).toBeGreaterThan(18999);
    expect(c.congestionWindow).toBeLessThan(20001);
    done(c);
  });

  it("does not grow a window that is not used", () => {
    const c = open(100, 100);
    const window = c.congestionWindow;
    for (let i = 0; i < 100; i++) congestionAcked(c, 1000, 10000);
    expect(c.congestionWindow).toBe(window);
    done(c);
  });

  it("ends the first slow start when the round trip grows (RFC 9406)", () => {
    setOptions(1000, 4, 0);
    permitSack(true);
    s = establish(server, ++port, 60000);
    const c = changetype<TcpConnection>(s);
    c.sendLimit = 500;
    let written: u32 = 0;
    let acked: u32 = 0;
    const windows: u32[] = [];
    for (let rounds = 0; rounds < 10; rounds++) {
      for (let some: u32 = 1; some != 0; written += some) some = write(s, 0, written, 100000);
      const sent = c.SND_NXT - c.SND_UNA;
      // From the third round on the path has a queue: 30 ms more.
      run((rounds < 2 ? 100 : 130) * MILLISECOND);
      for (let i: u32 = 1; i <= sent / 1000; i++) say(".", 1, 0, 1 + acked + i * 1000, 60000);
      acked += (sent / 1000) * 1000;
      windows.push(c.congestionWindow / 1000);
      heard();
    }
    expect(windows[0]).toBe(20);
    expect(windows[1]).toBe(40);
    expect(windows[2]).toBe(80, "a round in which one was as short as before");
    // Eight measurements show it; from there on a quarter of the growth.
    expect(windows[3]).toBeGreaterThan(100);
    expect(windows[3]).toBeLessThan(120);
    for (let i = 4; i < 8; i++) expect(windows[i] * 4).toBeLessThan(windows[i - 1] * 5 + 5);
    expect(windows[6] * 4).toBeGreaterThan(windows[5] * 5 - 10);
    // Five conservative rounds, and it is over.
    expect(c.slowStartThreshold).toBeLessThan(u32.MAX_VALUE);
    expect(windows[9] - windows[8]).toBeLessThan(12);
  });

  it("does not end it when the round trip stays as it is", () => {
    setOptions(1000, 4, 0);
    permitSack(true);
    s = establish(server, ++port, 60000);
    const c = changetype<TcpConnection>(s);
    let written: u32 = 0;
    let acked: u32 = 0;
    for (let rounds = 0; rounds < 3; rounds++) {
      for (let some: u32 = 1; some != 0; written += some) some = write(s, 0, written, 100000);
      const sent = c.SND_NXT - c.SND_UNA;
      run(100 * MILLISECOND);
      for (let i: u32 = 1; i <= sent / 1000; i++) say(".", 1, 0, 1 + acked + i * 1000, 60000);
      acked += (sent / 1000) * 1000;
      heard();
    }
    expect(c.congestionWindow).toBe(80000);
    expect(c.slowStartThreshold).toBe(u32.MAX_VALUE);
  });
});
