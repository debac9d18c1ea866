/** What waits while packet buffers are scarce in the whole machine, and goes on when they are not: room for the application, and room offered to the peer (RFC 9293, 3.8.6.2.2). */
import { allocateBuffer, bufferPool, PacketBuffer, releaseBuffer } from "../../../net/buffer";
import { TcpConnection } from "../../../net/socket/tcp/connection";
import { Socket } from "../../../net/socket/socket";
import { abort_, consume, peekLength, taken, watch, write } from "./ends";
import { beginPair, endOfPair, newPort, open, readStream, s, server } from "./pair";
import { establish, heard, meetPeer, say } from "./script";
import { accidents, calm, MILLISECOND, run, SECOND } from "./world";

const POLLOUT: u32 = 4;

let held: PacketBuffer[] = [];

/** Others have all buffers but `rest`. */
function hold(rest: u32): void {
  const pool = bufferPool();
  while (pool.limit - pool.inUse > rest) held.push(allocateBuffer(0)!);
}

function give(): void {
  while (held.length != 0) releaseBuffer(held.pop());
}

/** Fewer than a quarter of them are free. */
function scarce(): void {
  hold(bufferPool().limit / 4 - 1);
}

/** PEER sends as much as it may but `rest` octets, and all of it is read at once. */
function fillWindow(c: TcpConnection, rest: u32 = 0): void {
  let at = c.RCV_NXT - c.IRS;
  while (c.receiveWindow > rest) {
    const length = min<u32>(1000, c.receiveWindow - rest);
    say(".", at, length, 1, 60000);
    expect(readStream(c, at)).toBe(length);
    at += length;
  }
}

describe("scarce buffers", () => {
  beforeAll(meetPeer);
  beforeEach(beginPair);
  afterEach(() => {
    give();
    endOfPair();
  });

  it("a window that they have shut is opened when there are some again, without a probe of the peer's", () => {
    const c = open();
    scarce();
    fillWindow(c);
    run(SECOND);
    heard();
    give();
    run(20 * MILLISECOND);
    expect(heard()).toBe(". 1:1(0) ack 65536 win 65535");
    run(SECOND);
    expect(heard()).toBe("", "once");
  });

  it("so is one that is less than a full segment", () => {
    const c = open();
    scarce();
    fillWindow(c, 500);
    run(SECOND);
    heard();
    give();
    run(20 * MILLISECOND);
    expect(heard()).toBe(". 1:1(0) ack 65036 win 65535");
  });

  it("nobody is told who sends no more, or reads nothing", () => {
    const c = open();
    scarce();
    fillWindow(c, 500);
    say("F.", 65036, 0, 1, 60000);
    run(SECOND);
    heard();
    give();
    run(SECOND);
    expect(heard()).toBe("", "the peer has ended");
    abort_(s);
    const other = open();
    for (let at: u32 = 1; other.receiveWindow != 0; at += 1000)
      say(".", at, min<u32>(1000, other.receiveWindow), 1, 60000);
    run(SECOND);
    heard();
    scarce();
    give();
    run(SECOND);
    expect(heard()).toBe("", "all of it waits");
  });

  it("the application hears of room as before, and the peer does not", () => {
    const c = open();
    hold(bufferPool().limit / 4 + 2);
    watch(0, s, POLLOUT);
    expect(write(s, 0, 0, 20000)).toBeLessThan(20000);
    expect(taken()).toBe("");
    heard();
    run(15 * MILLISECOND);
    expect(taken()).toBe("");
    give();
    run(15 * MILLISECOND);
    expect(taken()).toBe("4");
    expect(heard()).toBe("");
    say(".", 1, 0, c.SND_MAX - c.ISS, 60000);
  });

  it("who waits for its own queue to shrink hears of that, although it was told of a window meanwhile", () => {
    const c = open();
    watch(0, s, POLLOUT);
    expect(write(s, 0, 0, 4_000_000)).toBeLessThan(4_000_000);
    expect(c.sendBuffers).toBe(c.sendLimit);
    scarce();
    fillWindow(c);
    give();
    run(20 * MILLISECOND);
    taken();
    heard();
    while (c.SND_UNA != c.SND_MAX) say(".", c.RCV_NXT - c.IRS, 0, c.SND_MAX - c.ISS, 60000);
    expect(c.sendBuffers).toBe(0);
    expect(taken()).toBe("4");
    heard();
  });

  it("who waits has its turn, some at a time", () => {
    const waiting: Socket[] = [];
    open();
    scarce();
    for (let i = 0; i < 20; i++) {
      if (i != 0) waiting.push(establish(server, newPort(), 60000));
      fillWindow(changetype<TcpConnection>(i == 0 ? s : waiting[i - 1]));
    }
    run(SECOND);
    heard();
    give();
    let told = 0;
    for (let i = 0; i < 4 && told != 20; i++) {
      run(10 * MILLISECOND);
      const text = heard();
      const now = text == "" ? 0 : text.split(" | ").length;
      expect(now).toBeLessThan(9);
      told += now;
    }
    expect(told).toBe(20);
    while (waiting.length != 0) abort_(waiting.pop());
    heard();
  });

  it("a window that the device did not take the announcement of is announced again", () => {
    const c = open();
    let at: u32 = 1;
    for (; c.receivedBytes + 1000 <= c.receiveLimit && c.receiveWindow != 0; at += 1000)
      say(".", at, min<u32>(1000, c.receiveWindow), 1, 60000);
    run(SECOND);
    heard();
    accidents.refuse = 1000;
    while (peekLength(s) > 0) consume(s, peekLength(s));
    expect(heard()).toBe("");
    calm();
    run(50 * MILLISECOND);
    expect(heard()).toBe(". 1:1(0) ack " + (c.RCV_NXT - c.IRS).toString() + " win 65535");
  });
});
