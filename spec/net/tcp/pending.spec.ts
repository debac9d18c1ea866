/** When what segments cause is sent: behind all that wait (RFC 9293, 3.10.7.4), and some at a time (net/socket/tcp/pending.ts, send.ts). */
import { pollLevel, runPolls } from "../../../kernel/interrupts/polls";
import { Socket } from "../../../net/socket/socket";
import { IN_RECOVERY, TcpConnection } from "../../../net/socket/tcp/connection";
import { ACK_STEP } from "../../../net/socket/tcp/delivered";
import { OUTPUT_STEP } from "../../../net/socket/tcp/send";
import { TCP_TIME_WAIT } from "../../../net/socket/tcp/state";
import { statistics } from "../../../net/socket/tcp/statistics";
import { timeWaitPool } from "../../../net/socket/tcp/timewait";
import { chance } from "../../chance";
import { abort_, close, listener, shutdown, write } from "./ends";
import { endPair, openPair, readStream } from "./pair";
import { scoreboardFault } from "./scoreboard";
import { heard, heardBriefly, peerPort, permitSack, say, setOwnIsn, converse } from "./script";
import {
  beginToLook,
  letFramesWait,
  lookAtFrames,
  lookAtOneFrame,
  MILLISECOND,
  outbox,
  run,
  setUpWorld,
} from "./world";

const SIZE: u32 = 500;
let server: Socket = changetype<Socket>(0);
let s: Socket = changetype<Socket>(0);

/** As much of `c` is in flight as its queue holds, in a window as large. */
function fillQueue(c: TcpConnection): void {
  for (let turn = 0; turn < 200 && c.congestionWindow < SIZE * c.sendLimit; turn++) {
    write(s, 0, c.writeSequence - c.ISS - 1, SIZE * c.sendLimit);
    say(".", 1, 0, c.SND_NXT - c.ISS, 60000);
  }
  say(".", 1, 0, c.SND_NXT - c.ISS, 60000);
  write(s, 0, c.writeSequence - c.ISS - 1, SIZE * c.sendLimit);
  heard();
  expect(c.flight).toBe(SIZE * c.sendLimit);
}

/** PEER sends `count` segments of SIZE octets, from the one at `position` on. */
function saySegments(position: u32, count: u32): void {
  for (let i: u32 = 0; i < count; i++) say(".", position + SIZE * i, SIZE, 1, 60000);
}

/** Acknowledgements of `number` without data, `count` of them. */
function acks(number: u32, count: u32): string {
  let text = ". 1:1(0) ack " + number.toString();
  for (let i: u32 = 1; i < count; i++) text += " | . 1:1(0) ack " + number.toString();
  return text;
}

describe("what segments leave to be sent", () => {
  beforeAll(() => {
    setUpWorld();
  });

  beforeEach(() => {
    server = listener(80, 8);
    s = openPair(server, 60000, SIZE);
  });

  afterEach(() => {
    endPair(server, s);
    permitSack(false);
  });

  it("MUST-58, MUST-59: all that are in the device's queue are dealt with before one acknowledgement goes for them", () => {
    let position: u32 = 1;
    for (let turn: u32 = 0; turn < 100; turn++) {
      const count = 3 + chance(80);
      letFramesWait();
      saySegments(position, count);
      expect(heard()).toBe("");
      lookAtFrames();
      position += SIZE * count;
      expect(heardBriefly()).toBe(acks(position, 1));
      expect(readStream(s, position - SIZE * count)).toBe(SIZE * count);
      heard();
    }
  });

  it("does not wait for ever for a queue that does not become empty", () => {
    letFramesWait();
    for (let i: u32 = 0; i < 500; i++) say(".", 1 + 100 * i, 100, 1, 60000);
    lookAtFrames();
    // Due since the second round of 8, and 32 later.
    expect(heardBriefly()).toBe(acks(1 + 100 * 272, 1) + " | " + acks(1 + 100 * 500, 1));
  });

  it("without SACK, each one out of order is a duplicate that the peer counts (RFC 5681, 3.2)", () => {
    for (let count: u32 = 1; count < 40; count += 7) {
      letFramesWait();
      saySegments(1 + SIZE, count);
      lookAtFrames();
      expect(heardBriefly()).toBe(acks(1, count));
    }
    // Behind what is in order, and not when the gap is filled before anything was sent.
    letFramesWait();
    saySegments(1, 1);
    lookAtFrames();
    const end: u32 = 1 + SIZE * 37;
    expect(heardBriefly()).toBe(acks(end, 1));
    letFramesWait();
    saySegments(end, 2);
    saySegments(end + 3 * SIZE, 3);
    lookAtFrames();
    expect(heardBriefly()).toBe(acks(end + 2 * SIZE, 3));
    letFramesWait();
    saySegments(end + 6 * SIZE, 4);
    saySegments(end + 2 * SIZE, 1);
    lookAtFrames();
    expect(heardBriefly()).toBe(acks(end + 10 * SIZE, 1));
  });

  it("with SACK, one acknowledgement says of all that have come", () => {
    endPair(server, s);
    server = listener(80, 8);
    permitSack(true);
    s = openPair(server, 60000, SIZE);
    letFramesWait();
    saySegments(1 + SIZE, 2);
    saySegments(1 + 5 * SIZE, 3);
    lookAtFrames();
    const text = heard();
    expect(text.split(" | ").length).toBe(1);
    expect(text.endsWith("<sack 2501:4001 501:1501>")).toBeTruthy(text);
  });

  it("acknowledges the FIN that comes with the acknowledgement of its own, although the connection ends with that", () => {
    for (let open: u32 = 0; open < 2; open++) {
      if (open != 0) shutdown(s, 1);
      else close(s);
      expect(heardBriefly()).toBe("F. 1:1(0) ack 1");
      letFramesWait();
      say("F.", 1, 0, 1, 60000);
      say(".", 2, 0, 2, 60000);
      lookAtFrames();
      expect(heardBriefly()).toBe(". 2:2(0) ack 2");
      if (open != 0) expect(changetype<TcpConnection>(s).state).toBe(TCP_TIME_WAIT);
      else {
        expect(timeWaitPool().inUse).toBe(1);
        s = openPair(server, 60000, SIZE);
      }
    }
  });

  it("sends in steps, and each connection in its turn, however much the peers let out", () => {
    const other = openPair(server, 60000, SIZE);
    const ports: u32[] = [peerPort - 1, peerPort];
    const ends: usize[] = [changetype<usize>(s), changetype<usize>(other)];
    let most = 0;
    for (let turn = 0; turn < 60; turn++) {
      for (let i = 0; i < 2; i++) {
        const c = changetype<TcpConnection>(ends[i]);
        write(changetype<Socket>(ends[i]), 0, c.writeSequence - c.ISS - 1, 40 * SIZE);
      }
      heard();
      letFramesWait();
      for (let i = 0; i < 2; i++) {
        const c = changetype<TcpConnection>(ends[i]);
        converse(ports[i], 80);
        setOwnIsn(c.ISS);
        say(".", 1, 0, c.SND_NXT - c.ISS, 60000);
      }
      beginToLook();
      while (pollLevel >= 0) {
        const before = outbox.length;
        runPolls();
        const sent = outbox.length - before;
        most = max(most, sent);
        expect(sent).toBeLessThanOrEqual(<i32>OUTPUT_STEP + 1);
        for (let i = 0; i < 2; i++) expect(scoreboardFault(changetype<TcpConnection>(ends[i]))).toBe("");
      }
      for (let i = 0; i < 2; i++) {
        const c = changetype<TcpConnection>(ends[i]);
        // Nothing is forgotten: all there is, or a window.
        const full = c.flight + SIZE > min(c.congestionWindow, c.SND_WND);
        expect(full || c.SND_NXT == c.writeSequence).toBeTruthy("something is left that could be sent");
      }
      heard();
    }
    expect(most).toBeGreaterThanOrEqual(<i32>OUTPUT_STEP);
    abort_(other);
  });

  it("deals with an acknowledgement of many in goes, in its place among the segments that wait", () => {
    const c = changetype<TcpConnection>(s);
    fillQueue(c);
    const end = c.SND_NXT - c.ISS;
    const segments = statistics.segmentsIn;
    letFramesWait();
    say("P.", 1, SIZE, end, 60000);
    say("P.", 1 + SIZE, SIZE, end, 60000);
    say("F.", 1 + 2 * SIZE, 0, end, 60000);
    beginToLook();
    for (let frame = 0; frame < 3; frame++) lookAtOneFrame();
    expect(c.sendBuffers).toBe(c.sendLimit - ACK_STEP);
    expect(c.SND_UNA - c.ISS).toBe(end - SIZE * (c.sendLimit - ACK_STEP));
    expect(c.RCV_NXT - c.IRS).toBe(1, "nothing overtakes it");
    lookAtFrames();
    expect(c.SND_UNA - c.ISS).toBe(end);
    expect(c.pipe).toBe(0);
    expect(statistics.segmentsIn - segments).toBe(3);
    expect(heardBriefly()).toBe(
      ". " + end.toString() + ":" + end.toString() + "(0) ack " + (2 + 2 * SIZE).toString(),
    );
    expect(readStream(s, 1)).toBe(2 * SIZE);
  });

  it("takes such an acknowledgement for one, also when it ends a recovery (RFC 6582, RFC 6298, 3)", () => {
    const c = changetype<TcpConnection>(s);
    fillQueue(c);
    run(100 * MILLISECOND);
    const start = c.SND_UNA - c.ISS;
    for (let i = 0; i < 3; i++) say(".", 1, 0, start, 60000);
    expect(heardBriefly()).toBe(". " + start.toString() + ":" + (start + SIZE).toString() + "(500) ack 1");
    const repeated = statistics.retransmitted;
    const rtt = c.smoothedRtt;
    const edge = c.SND_UNA + c.SND_WND;
    run(150 * MILLISECOND);
    letFramesWait();
    say(".", 1, 0, c.SND_NXT - c.ISS, 10000);
    beginToLook();
    lookAtOneFrame();
    expect(c.sendBuffers).toBeGreaterThan(0);
    expect(c.SND_UNA + c.SND_WND).toBe(edge, "nothing more than was offered");
    lookAtFrames();
    expect(c.SND_UNA).toBe(c.SND_NXT);
    expect(c.SND_WND).toBe(10000);
    expect(statistics.retransmitted).toBe(repeated, "none of what it acknowledges is sent again");
    expect(c.has(IN_RECOVERY)).toBeFalsy();
    expect(c.smoothedRtt).toBe(rtt, "Karn: nothing is measured");
    expect(heard()).toBe("");
  });
});
