/** RFC 9293, 3.6: the ends of a connection, and TIME-WAIT. State numbers as in net/socket/tcp/state.ts. */
import { networkFlush, setAddress } from "../../../net/interface";
import { Socket } from "../../../net/socket/socket";
import { runTimers } from "../../../kernel/time/timers";
import { timeWaitPool } from "../../../net/socket/tcp/timewait";
import { tcpStatistics } from "../../../net/socket/tcp/tcp";
import {
  abort_,
  accept,
  close,
  connect,
  create,
  listener,
  peekLength,
  poll,
  readText,
  setOption,
  shutdown,
  taken,
  watch,
  write,
  writeText,
} from "./ends";
import { establish, heard, heardBriefly, meetPeer, ownIsn, say, setOptions, setStamp } from "./script";
import {
  MAX_TIME_WAITS,
  MILLISECOND,
  MIRROR,
  OWN,
  SECOND,
  leftOver,
  run,
  setUpWorld,
  settleWorld,
  silence,
  standStill,
  time,
} from "./world";

const STATES: u32 = 0x20000;
const ALL: u32 = 0x2201d;
let server: Socket = changetype<Socket>(0);
let s: Socket = changetype<Socket>(0);
let port: u32 = 6000;

/** A fresh accepted connection, watched. */
function open(mask: u32): void {
  s = establish(server, ++port, 1000);
  taken();
  watch(0, s, mask);
}

describe("closing", () => {
  beforeAll(() => {
    setUpWorld();
    meetPeer();
  });
  beforeEach(() => {
    server = listener(80, 5);
    setOptions(1460, 255, 0);
  });
  afterEach(() => {
    close(server);
    settleWorld();
    taken();
    expect(leftOver()).toBe("");
  });

  it("MUST-12: by the peer: CLOSE-WAIT, LAST-ACK, CLOSED", () => {
    open(ALL);
    say("F.", 1, 0, 1, 1000);
    expect(taken()).toBe("1>8 2001");
    expect(heardBriefly()).toBe(". 1:1(0) ack 2");
    expect(peekLength(s)).toBe(0);
    expect(poll(s)).toBe(0x2005);
    writeText(s, "bye");
    expect(heardBriefly()).toBe("P. 1:4(3) ack 2");
    say(".", 2, 0, 4, 1000);
    shutdown(s, 1);
    expect(heardBriefly()).toBe("F. 4:4(0) ack 2");
    expect(taken()).toBe("8>9");
    say(".", 2, 0, 5, 1000);
    expect(taken()).toBe("9>7 2015");
    expect(peekLength(s)).toBe(0);
    close(s);
    expect(taken()).toBe("gone");
  });

  it("MUST-13: by the application: FIN-WAIT-1, FIN-WAIT-2, TIME-WAIT, and CLOSED after 60 s", () => {
    open(ALL);
    shutdown(s, 1);
    expect(heardBriefly()).toBe("F. 1:1(0) ack 1");
    expect(taken()).toBe("1>4");
    say(".", 1, 0, 2, 1000);
    expect(taken()).toBe("4>5");
    say("P.", 1, 3, 2, 1000);
    expect(readText(s)).toBe("bcd");
    taken();
    heard();
    say("F.", 4, 0, 2, 1000);
    expect(taken()).toBe("5>6 2011");
    expect(heardBriefly()).toBe(". 2:2(0) ack 5");
    run(30 * SECOND);
    say("F.", 4, 0, 2, 1000);
    expect(heardBriefly()).toBe(". 2:2(0) ack 5", "the last ACK was lost");
    run(59 * SECOND);
    expect(taken()).toBe("", "2 MSL began again");
    run(2 * SECOND);
    expect(taken()).toBe("6>7 2015");
    close(s);
  });

  it("by both at once: CLOSING", () => {
    open(ALL);
    shutdown(s, 1);
    heard();
    say("F.", 1, 0, 1, 1000);
    expect(heardBriefly()).toBe(". 2:2(0) ack 2");
    expect(taken()).toBe("1>4 4>11 2011");
    say(".", 2, 0, 2, 1000);
    expect(taken()).toBe("11>6 2011");
    close(s);
    expect(taken()).toBe("gone");
    expect(timeWaitPool().inUse).toBe(1);
  });

  it("with FIN and the ACK of ours in one segment: FIN-WAIT-1 to TIME-WAIT by way of FIN-WAIT-2", () => {
    open(STATES);
    shutdown(s, 1);
    heard();
    say("F.", 1, 0, 2, 1000);
    expect(taken()).toBe("1>4 4>5 5>6");
    expect(heardBriefly()).toBe(". 2:2(0) ack 2");
    close(s);
  });

  it("tells nobody of what happens after close", () => {
    open(ALL);
    close(s);
    expect(taken()).toBe("1>4 gone");
    expect(heardBriefly()).toBe("F. 1:1(0) ack 1");
    say("F.", 1, 0, 2, 1000);
    expect(heardBriefly()).toBe(". 2:2(0) ack 2");
    expect(taken()).toBe("");
    expect(timeWaitPool().inUse).toBe(1);
    say("F.", 1, 0, 2, 1000);
    expect(heardBriefly()).toBe(". 2:2(0) ack 2");
    say(".", 2, 0, 2, 1000);
    expect(heardBriefly()).toBe("", "an empty segment gets no answer in TIME-WAIT");
    run(59 * SECOND);
    expect(timeWaitPool().inUse).toBe(1);
    run(2 * SECOND);
    expect(timeWaitPool().inUse).toBe(0);
  });

  it("sends what was written before the FIN", () => {
    open(0);
    writeText(s, "last words");
    close(s);
    expect(heardBriefly()).toBe("P. 1:11(10) ack 1 | F. 11:11(0) ack 1");
    expect(silence(3000)).toBe(1000);
    expect(heardBriefly()).toBe("FP. 1:11(10) ack 1");
    say("F.", 1, 0, 12, 1000);
    expect(heardBriefly()).toBe(". 12:12(0) ack 2");
  });

  it("with data that was not read resets (RFC 2525, 2.17)", () => {
    open(0);
    say("P.", 1, 5, 1, 1000);
    close(s);
    expect(heardBriefly()).toBe("R. 1:1(0) ack 6");
  });

  it("resets data that comes after close", () => {
    open(0);
    close(s);
    heard();
    say("P.", 1, 5, 2, 1000);
    expect(heardBriefly()).toBe("R 2:2(0)");
    say(".", 6, 0, 2, 1000);
    expect(heardBriefly()).toBe("R 2:2(0)", "gone");
  });

  it("discards data after SHUT_RD, and acknowledges it", () => {
    open(0);
    shutdown(s, 0);
    expect(peekLength(s)).toBe(0);
    say("P.", 1, 5, 1, 1000);
    expect(heardBriefly()).toBe(". 1:1(0) ack 6");
    expect(peekLength(s)).toBe(0);
    abort_(s);
    expect(heardBriefly()).toBe("R. 1:1(0) ack 6");
  });

  it("leaves FIN-WAIT-2 after 60 s when nobody holds the socket", () => {
    open(0);
    close(s);
    say(".", 1, 0, 2, 1000);
    run(59 * SECOND);
    expect(tcpStatistics().orphans).toBe(1);
    run(2 * SECOND);
    expect(tcpStatistics().orphans).toBe(0);
  });

  it("leaves FIN-WAIT-2 after 60 s though it was to be kept alive, and whatever comes meanwhile", () => {
    open(0);
    expect(setOption(s, 1, 9, 1)).toBe(0, "SO_KEEPALIVE");
    shutdown(s, 1);
    say(".", 1, 0, 2, 1000);
    run(70 * SECOND);
    expect(poll(s)).toBe(4, "while the application has it, it stays");
    close(s);
    for (let i: u32 = 0; i < 59; i++) {
      say(".", 1, 0, 2, 1000 + i);
      run(SECOND);
      expect(tcpStatistics().orphans).toBe(1);
    }
    run(2 * SECOND);
    expect(tcpStatistics().orphans).toBe(0);
    say(".", 1, 0, 2, 1000);
    expect(heard().includes("R 2:2(0)")).toBe(true);
  });

  it("gives an orphan up after its retransmissions", () => {
    open(0);
    writeText(s, "x");
    close(s);
    run(600 * SECOND);
    expect(tcpStatistics().orphans).toBe(0);
  });

  it("MUST-12: ends by a reset in every state", () => {
    const states: string[] = ["1>7", "8>7", "4>7", "5>7", "11>7", "9>7"];
    for (let i = 0; i < states.length; i++) {
      open(STATES);
      if (i == 1 || i == 5) say("F.", 1, 0, 1, 1000);
      if (i >= 2) shutdown(s, 1);
      if (i == 3) say(".", 1, 0, 2, 1000);
      if (i == 4) say("F.", 1, 0, 1, 1000);
      taken();
      heard();
      const next: u32 = i == 1 || i == 4 || i == 5 ? 2 : 1;
      say("R", next + 1, 0, 0, 0);
      expect(taken()).toBe("", "not exactly the next number");
      expect(heardBriefly().length).toBeGreaterThan(0, "challenged");
      say("R", next, 0, 0, 0);
      expect(taken()).toBe(states[i]);
      expect(heard()).toBe("");
      close(s);
    }
  });

  it("aborts by a reset in every state that the peer knows of", () => {
    for (let i = 0; i < 6; i++) {
      open(STATES);
      if (i == 1 || i == 5) say("F.", 1, 0, 1, 1000);
      if (i >= 2) shutdown(s, 1);
      if (i == 3) say(".", 1, 0, 2, 1000);
      if (i == 4) say("F.", 1, 0, 1, 1000);
      taken();
      heard();
      abort_(s);
      expect(heardBriefly().startsWith("R.")).toBe(i < 4);
      expect(taken().endsWith(">7 gone")).toBe(true);
    }
  });

  it("lets a SYN of a later number, or a later timestamp, through TIME-WAIT", () => {
    open(0);
    close(s);
    say("F.", 1, 0, 2, 1000);
    heard();
    const old = ownIsn;
    say("S", 1, 0, 0, 1000);
    expect(heardBriefly()).toBe(". 2:2(0) ack 2", "an old SYN");
    say("S", 100, 0, 0, 1000);
    expect(heardBriefly()).toBe("S. 0:0(0) ack 101");
    expect(ownIsn - old).toBeGreaterThan(2, "beyond what the old one sent");
    expect(ownIsn - old).toBeLessThan(0x80000000);
    say(".", 101, 0, 1, 1000);
    close(accept(server)!);
    say("R", 101, 0, 0, 0);
    heard();

    setOptions(1460, 255, 5000);
    open(0);
    close(s);
    say("F.", 1, 0, 2, 1000);
    heard();
    setStamp(4999);
    say("S", 1000, 0, 0, 1000);
    expect(heardBriefly()).toBe(". 2:2(0) ack 2", "an earlier timestamp");
    setStamp(5001);
    say("S", 0xffff0000, 0, 0, 1000);
    expect(heardBriefly()).toBe("S. 0:0(0) ack 4294901761");
    say("R", 0xffff0001, 0, 0, 0);
  });

  it("gives up what can never be sent, for the address is gone, open or orphaned", () => {
    const orphan = establish(server, 40001, 60000);
    const open = establish(server, 40002, 60000);
    heard();
    setAddress(0, 0, 0);
    const timeouts = tcpStatistics().timeouts;
    write(orphan, 0, 0, 1000);
    close(orphan);
    write(open, 0, 0, 1000);
    run(60 * SECOND);
    expect(peekLength(open)).toBe(-11, "it may come back");
    run(540 * SECOND);
    expect(peekLength(open)).toBe(-110);
    expect(tcpStatistics().timeouts - timeouts).toBe(2);
    close(open);
    setAddress(OWN, 0xffffff00, 0);
    networkFlush();
  });

  it("goes on when the address comes back", () => {
    const s = establish(server, 40003, 60000);
    heard();
    setAddress(0, 0, 0);
    write(s, 0, 0, 1000);
    run(100 * SECOND);
    setAddress(OWN, 0xffffff00, 0);
    run(2 * SECOND);
    expect(heard().includes("P. 1:1001(1000) ack 1")).toBe(true);
    abort_(s);
    heard();
  });

  it("opens and closes 10,000 connections within its bounds", () => {
    close(server);
    server = listener(80, 64);
    const recycled = tcpStatistics().timeWaitRecycled;
    for (let i = 0; i < 10000; i++) {
      const client = create();
      assert(connect(client, MIRROR, 80) == -115);
      run(3 * MILLISECOND);
      const child = accept(server)!;
      close(client);
      run(3 * MILLISECOND);
      close(child);
      run(3 * MILLISECOND);
    }
    expect(timeWaitPool().inUse).toBe(MAX_TIME_WAITS);
    expect(tcpStatistics().timeWaitRecycled - recycled).toBe(10000 - MAX_TIME_WAITS);
    // However many are due, each call lets go of a few.
    standStill(100 * SECOND);
    let calls: u32 = 0;
    for (; timeWaitPool().inUse != 0; calls++) {
      const before = timeWaitPool().inUse;
      runTimers(time);
      assert(before - timeWaitPool().inUse <= 8, "all at once");
      standStill(MILLISECOND);
      assert(calls < 1000, "and never");
    }
    expect<bool>(calls >= MAX_TIME_WAITS / 8).toBe(true);
  });
});
