/**
 * TIME-WAIT in numbers, and its re-use by an active open (Linux: tcp_tw_reuse). What a SYN may do to it:
 * close.spec.ts.
 */
import { Socket } from "../../../net/socket/socket";
import { TcpConnection } from "../../../net/socket/tcp/connection";
import { requestPool } from "../../../net/socket/tcp/request";
import { TCP_TIME_WAIT } from "../../../net/socket/tcp/state";
import { tcpStatistics } from "../../../net/socket/tcp/tcp";
import { TimeWait, timeWaitPool } from "../../../net/socket/tcp/timewait";
import { allocateFrames, freeFrameCount, freeFrames } from "../../../kernel/memory/frames";
import { runTimers } from "../../../kernel/time/timers";
import { chance, seedChance } from "../../chance";
import { find, leave } from "./remains";
import {
  abort_,
  accept,
  bind,
  close,
  connect,
  create,
  listener,
  peekLength,
  poll,
  readText,
  shutdown,
  taken,
} from "./ends";
import {
  converse,
  echo,
  establish,
  heard,
  heardBriefly,
  meetPeer,
  ownIsn,
  say,
  setOptions,
  setOwnIsn,
  setStamp,
} from "./script";
import {
  leftOver,
  MAX_CONNECTIONS,
  MILLISECOND,
  OWN,
  PEER,
  run,
  SECOND,
  settleWorld,
  setUpWorldOf,
  silence,
  standStill,
  time,
} from "./world";

/** As in an image of 256 MB, and memory for them. */
const LIMIT: u32 = 640_000;
const FRAMES: u32 = 16_000;
const RATE: u32 = 10_000;

/** A connection of the stack from port 4000 to PEER's port 9 that has sent `text` and was closed by the stack. */
function openAndClose(stamp: u32): void {
  const s = create();
  converse(9, 4000);
  assert(bind(s, 0, 4000) == 0 && connect(s, PEER, 9) == -115);
  heard();
  setOptions(1460, 255, stamp);
  say("S.", 0, 0, 1, 1000);
  expect(heardBriefly()).toBe(". 1:1(0) ack 1");
  close(s);
  expect(heardBriefly()).toBe("F. 1:1(0) ack 1");
  say("F.", 1, 0, 2, 1000);
  expect(heardBriefly()).toBe(". 2:2(0) ack 2");
}

/** A new socket at the same port: what `connect` to the same peer says. */
function again(): i32 {
  s = create();
  expect(bind(s, 0, 4000)).toBe(0, "TIME-WAIT is no hindrance to bind");
  return connect(s, PEER, 9);
}

let s: Socket = changetype<Socket>(0);

describe("TIME-WAIT", () => {
  beforeAll(() => {
    setUpWorldOf(FRAMES, MAX_CONNECTIONS, LIMIT);
    meetPeer();
  });
  afterEach(() => {
    settleWorld();
    taken();
    expect(leftOver()).toBe("");
  });

  it("takes 64 bytes", () => {
    expect<usize>(offsetof<TimeWait>()).toBe(64);
  });

  it("MUST-13: lasts 2 MSL at 10,000 closed connections a second, and not much longer; none makes room before", () => {
    const recycled = tcpStatistics().timeWaitRecycled + tcpStatistics().timeWaitLost;
    const failures = timeWaitPool().failures;
    run(SECOND - (time % SECOND) + 500 * MILLISECOND);
    const start = time;
    let count: u32 = 0;
    seedChance(61);
    while (time < start + 75 * SECOND) {
      for (let i: u32 = 0; i < RATE / 1000; i++, count++) leave(count & 0xffff, 1 + (count >> 16), 0);
      run(MILLISECOND);
      // Number n came n / RATE s after the start.
      const young = count - 1 - chance(min(count, 60 * RATE));
      assert(find(young & 0xffff, 1 + (young >> 16)) !== null, "gone too early");
      if (count <= 61 * RATE + RATE / 10) continue;
      const old = chance(count - 61 * RATE - RATE / 10);
      assert(find(old & 0xffff, 1 + (old >> 16)) === null, "still there");
    }
    expect(timeWaitPool().peak).toBeGreaterThanOrEqual(60 * RATE);
    expect(timeWaitPool().peak).toBeLessThan(61 * RATE + RATE / 10);
    expect(tcpStatistics().timeWaitRecycled + tcpStatistics().timeWaitLost).toBe(recycled);
    expect(timeWaitPool().failures).toBe(failures);
    // All that is there is due at once: each call lets go of a few.
    standStill(100 * SECOND);
    let calls: u32 = 0;
    for (; timeWaitPool().inUse != 0; calls++) {
      const before = timeWaitPool().inUse;
      runTimers(time);
      assert(before - timeWaitPool().inUse <= 8, "all at once");
      standStill(MILLISECOND / 10);
    }
    expect(calls).toBeGreaterThanOrEqual((60 * RATE) / 8);
  });

  it("at its limit the oldest makes room, and is counted", () => {
    const recycled = tcpStatistics().timeWaitRecycled;
    for (let i: u32 = 0; i < LIMIT + 10; i++) leave(i & 0xffff, 1 + (i >> 16), 0);
    expect(timeWaitPool().inUse).toBe(LIMIT);
    expect(tcpStatistics().timeWaitRecycled - recycled).toBe(10);
    expect(find(9, 1) === null).toBe(true);
    expect(find(10, 1) === null).toBe(false);
    expect(find((LIMIT + 9) & 0xffff, 1 + ((LIMIT + 9) >> 16)) === null).toBe(false);
  });

  it("random orders of coming, FIN again, reset and expiry leave what a list says", () => {
    seedChance(62);
    const since = new Map<u32, u64>();
    // Behind the tick of the timer in which a second begins.
    run(SECOND - (time % SECOND) + MILLISECOND / 2);
    for (let turn = 0; turn < 30000; turn++) {
      const port: u32 = 20000 + chance(500);
      const dice = chance(8);
      converse(7, port);
      setOwnIsn(0);
      const known = find(port, 7);
      if (dice < 4) {
        if (known === null) {
          leave(port, 7, 0);
          since.set(port, time / SECOND);
        }
      } else if (dice == 4) {
        say("R", 2, 0, 0, 0);
        if (since.has(port)) since.delete(port);
      } else if (dice == 5 && known !== null) {
        say("F.", 1, 0, 0, 1000);
        since.set(port, time / SECOND);
      } else run(chance(300) * MILLISECOND);
      heard();
      const ports = since.keys();
      for (let i = 0; i < ports.length; i++)
        if (since.get(ports[i]) + 61 <= time / SECOND) since.delete(ports[i]);
      assert(timeWaitPool().inUse == <u32>since.size, "another number");
      assert((find(port, 7) !== null) == since.has(port), "another one");
    }
  });

  it("is there again when the SYN that came over it was an old duplicate, and gone when the handshake is complete (RFC 9293, 3.6.1)", () => {
    const server = listener(80, 1);
    leave(80, 7, 0);
    const old = find(80, 7)!;
    converse(7, 80);
    say("S", 100, 0, 0, 1000);
    expect(heardBriefly()).toBe("S. 0:0(0) ack 101");
    say("F.", 1, 0, 0, 1000);
    expect(heardBriefly()).toBe(". 1:1(0) ack 101", "meanwhile the request answers");
    // The peer knows nothing of it.
    say("R", 101, 0, 0, 0);
    expect(requestPool().inUse).toBe(0);
    expect(find(80, 7) === old).toBe(true);
    setOwnIsn(0);
    say("F.", 1, 0, 0, 1000);
    expect(heardBriefly()).toBe(". 0:0(0) ack 2");
    say("S", 100, 0, 0, 1000);
    heard();
    say(".", 101, 0, 1, 1000);
    expect(find(80, 7) === null).toBe(true);
    say("P.", 101, 3, 1, 1000);
    s = accept(server)!;
    expect(readText(s)).toBe("xyz");
    abort_(s);
    close(server);
    heard();
  });

  it("stays where a SYN begins nothing: without a listener it is acknowledged as by any TIME-WAIT, by a full one not heard", () => {
    leave(80, 7, 0);
    converse(7, 80);
    setOwnIsn(0);
    say("S", 100, 0, 0, 1000);
    expect(heardBriefly()).toBe(". 0:0(0) ack 2");
    expect(find(80, 7) === null).toBe(false);
    const server = listener(80, 1);
    const first = establish(server, 5001, 1000);
    for (let i: u32 = 0; i < 2; i++) {
      converse(5002 + i, 80);
      say("S", 0, 0, 0, 1000);
      heard();
      say(".", 1, 0, 1, 1000);
    }
    converse(7, 80);
    say("S", 100, 0, 0, 1000);
    expect(heard()).toBe("");
    expect(find(80, 7) === null).toBe(false);
    abort_(first);
    close(server);
    heard();
  });

  it("of a socket that is still open is left behind when a SYN begins anew over it", () => {
    const server = listener(80, 1);
    const open = establish(server, 7, 1000);
    shutdown(open, 1);
    say("F.", 1, 0, 2, 1000);
    heard();
    const old = ownIsn;
    say("S", 100, 0, 0, 1000);
    expect(heardBriefly()).toBe("S. 0:0(0) ack 101");
    expect(<i32>(ownIsn - old)).toBeGreaterThan(2);
    say("R", 101, 0, 0, 0);
    expect(find(80, 7) === null).toBe(false, "an old duplicate");
    expect(peekLength(open)).toBe(0);
    close(open);
    close(server);
  });

  it("of a socket that is still open stays with it when nobody listens for the SYN", () => {
    const server = listener(80, 1);
    const open = establish(server, 7, 1000);
    shutdown(open, 1);
    say("F.", 1, 0, 2, 1000);
    heard();
    close(server);
    say("S", 100, 0, 0, 1000);
    expect(heardBriefly()).toBe(". 2:2(0) ack 2");
    expect(changetype<TcpConnection>(open).state).toBe(TCP_TIME_WAIT);
    expect(find(80, 7) === null).toBe(true, "it is its socket still");
    close(open);
    expect(find(80, 7) === null).toBe(false);
  });

  it("is not taken over by an active open within a second, nor without timestamps", () => {
    const reused = tcpStatistics().timeWaitReused;
    openAndClose(1000);
    expect(again()).toBe(-98);
    close(s);
    run(900 * MILLISECOND);
    expect(again()).toBe(-98);
    close(s);
    run(70 * SECOND);
    openAndClose(0);
    run(50 * SECOND);
    expect(again()).toBe(-98);
    close(s);
    run(12 * SECOND);
    expect(again()).toBe(-115, "its time is over");
    close(s);
    expect(tcpStatistics().timeWaitReused).toBe(reused);
  });

  it("is taken over after a second: with a sequence number beyond the old one's, and PAWS keeps its segments out", () => {
    const reused = tcpStatistics().timeWaitReused;
    openAndClose(1000);
    const isn = ownIsn;
    const stamp = echo;
    // As if two gigabytes less a little had been sent.
    const t = find(4000, 9)!;
    t.SND_NXT += 0x70000000;
    const end = t.SND_NXT;
    run(2 * SECOND);
    expect(again()).toBe(-115);
    expect(tcpStatistics().timeWaitReused - reused).toBe(1);
    expect(timeWaitPool().inUse).toBe(0);
    expect(heardBriefly()).toBe("SEW 0:0(0)");
    expect(ownIsn - end).toBe(65536);
    expect(ownIsn - isn).toBeGreaterThan(0x70000000);
    setOptions(1460, 255, 3000);
    say("S.", 0, 0, 1, 1000);
    expect(heardBriefly()).toBe(". 1:1(0) ack 1");
    expect(<i32>(echo - stamp)).toBeGreaterThan(1000, "our timestamps go on");
    // One of the old connection that has lost its way, in the window by chance.
    const rejected = tcpStatistics().pawsRejected;
    setStamp(999);
    say("P.", 1, 5, 1, 1000);
    expect(heardBriefly()).toBe(". 1:1(0) ack 1");
    expect(tcpStatistics().pawsRejected - rejected).toBe(1);
    expect(poll(s)).toBe(4, "nothing to read");
    setStamp(3001);
    say("P.", 1, 3, 1, 1000);
    expect(readText(s)).toBe("bcd");
    abort_(s);
    heard();
  });

  it("taken over while the peer is in LAST-ACK still: its acknowledgement is reset, and the SYN again succeeds", () => {
    openAndClose(1000);
    const isn = ownIsn;
    run(2 * SECOND);
    expect(again()).toBe(-115);
    expect(heardBriefly()).toBe("SEW 0:0(0)");
    const fresh = ownIsn;
    setOwnIsn(isn);
    setStamp(3000);
    say(".", 2, 0, 1, 1000);
    expect(heard().startsWith("R 1:1(0)")).toBe(true);
    expect(silence(2000)).toBe(1000);
    expect(heardBriefly()).toBe("S 0:0(0)");
    expect(ownIsn).toBe(fresh);
    say("S.", 0, 0, 1, 1000);
    expect(heardBriefly()).toBe(". 1:1(0) ack 1");
    abort_(s);
    heard();
  });

  it("goes where there is no memory: the oldest makes room, and without one nothing is remembered", () => {
    // What the pool has carved already is in use first.
    const capacity = timeWaitPool().capacity;
    const frames: usize[] = [];
    for (let i: u32 = 0; i < capacity; i++) leave(i & 0xffff, 1 + (i >> 16), 0);
    while (freeFrameCount() != 0) frames.push(allocateFrames(0));
    const recycled = tcpStatistics().timeWaitRecycled;
    leave(65000, 1000, 0);
    expect(tcpStatistics().timeWaitRecycled - recycled).toBe(1);
    expect(find(0, 1) === null).toBe(true);
    expect(find(65000, 1000) === null).toBe(false);
    for (let i = 0; i < frames.length; i++) freeFrames(frames[i], 0);
  });
});
