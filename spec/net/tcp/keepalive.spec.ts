/** RFC 9293, 3.8.4: keep-alive, against a scripted peer. */
import { Socket } from "../../../net/socket/socket";
import { TcpConnection } from "../../../net/socket/tcp/connection";
import { tcpStatistics } from "../../../net/socket/tcp/tcp";
import {
  IPPROTO_TCP,
  SO_KEEPALIVE,
  SOL_SOCKET,
  TCP_KEEPCNT,
  TCP_KEEPIDLE,
  TCP_KEEPINTVL,
  TCP_USER_TIMEOUT,
} from "../../../sdk/socket";
import { chance, seedChance } from "../../chance";
import {
  close,
  connect,
  create,
  getOption,
  listener,
  peekLength,
  readText,
  setOption,
  shutdown,
  taken,
  watch,
  writeText,
} from "./ends";
import { endPair, openPair } from "./pair";
import { heard, heardBriefly, meetPeer, say } from "./script";
import { MILLISECOND, PEER, run, SECOND, setUpWorld, silence, standStill, time } from "./world";

const POLLMSG: u32 = 0x400;
const PROBE: string = ". 0:0(0) ack 1";

let server: Socket = changetype<Socket>(0);
let s: Socket = changetype<Socket>(0);

function open(): TcpConnection {
  s = openPair(server, 10000, 1460);
  return changetype<TcpConnection>(s);
}

/** Keep-alive after 100 s, then every 10 s, three times. */
function turnOn(socket: Socket): void {
  expect(setOption(socket, SOL_SOCKET, SO_KEEPALIVE, 1)).toBe(0);
  expect(setOption(socket, IPPROTO_TCP, TCP_KEEPIDLE, 100)).toBe(0);
  expect(setOption(socket, IPPROTO_TCP, TCP_KEEPINTVL, 10)).toBe(0);
  expect(setOption(socket, IPPROTO_TCP, TCP_KEEPCNT, 3)).toBe(0);
}

describe("keep-alive", () => {
  beforeAll(() => {
    setUpWorld();
    seedChance(77);
    meetPeer();
  });
  beforeEach(() => {
    server = listener(80, 5);
  });
  afterEach(() => {
    endPair(server, s);
  });

  it("MUST-25: is off by default", () => {
    open();
    expect(getOption(s, SOL_SOCKET, SO_KEEPALIVE)).toBe(0);
    expect(silence(24 * 3600 * 1000)).toBe(24 * 3600 * 1000);
  });

  it("MUST-24, MUST-28: can be turned on and off, and begins after two hours", () => {
    open();
    expect(setOption(s, SOL_SOCKET, SO_KEEPALIVE, 1)).toBe(0);
    expect(getOption(s, SOL_SOCKET, SO_KEEPALIVE)).toBe(1);
    expect(getOption(s, IPPROTO_TCP, TCP_KEEPIDLE)).toBe(7200);
    expect(getOption(s, IPPROTO_TCP, TCP_KEEPINTVL)).toBe(75);
    expect(getOption(s, IPPROTO_TCP, TCP_KEEPCNT)).toBe(9);
    expect(silence(10000000)).toBe(7200000);
    expect(heardBriefly()).toBe(PROBE, "SEG.SEQ = SND.NXT - 1, no data");
    say(".", 1, 0, 1, 10000);
    expect(silence(10000000)).toBe(7200000);
    heard();
    say(".", 1, 0, 1, 10000);
    expect(setOption(s, SOL_SOCKET, SO_KEEPALIVE, 0)).toBe(0);
    expect(silence(10000000)).toBe(10000000, "off again");
  });

  it("MUST-27: its intervals can be set for each connection", () => {
    open();
    turnOn(s);
    expect(getOption(s, IPPROTO_TCP, TCP_KEEPIDLE)).toBe(100);
    expect(silence(1000000)).toBe(100000);
    expect(heardBriefly()).toBe(PROBE);
    expect(silence(1000000)).toBe(10000);
    expect(heardBriefly()).toBe(PROBE);
    say(".", 1, 0, 1, 10000);
    for (let bad = 0; bad < 2; bad++) {
      const seconds = bad == 0 ? 0 : 32768;
      expect(setOption(s, IPPROTO_TCP, TCP_KEEPIDLE, seconds)).toBe(-22);
      expect(setOption(s, IPPROTO_TCP, TCP_KEEPINTVL, seconds)).toBe(-22);
      expect(setOption(s, IPPROTO_TCP, TCP_KEEPCNT, seconds)).toBe(-22);
    }
    expect(silence(1000000)).toBe(100000, "what was refused has changed nothing");
  });

  it("MUST-26: only after an interval without a segment of the peer", () => {
    open();
    turnOn(s);
    let at: u32 = 1;
    for (let i = 0; i < 500; i++) {
      // Data, or an acknowledgement that says nothing new.
      const length = chance(2);
      say(".", at, length, 1, 10000 - chance(2));
      at += length;
      readText(s);
      const quiet = 1 + chance(99);
      run(<u64>quiet * SECOND);
      assert(heardBriefly().indexOf(" 0:0(0)") < 0, "a probe too early");
    }
    say(".", at, 0, 1, 10000);
    // The time is kept in whole milliseconds.
    expect(silence(1000000) + 1 >= 100000).toBe(true);
  });

  it("MUST-26: never while data is outstanding, or waits for a window", () => {
    const c = open();
    turnOn(s);
    writeText(s, "abc");
    heard();
    // Every segment until the retransmissions end is that one.
    while (c.state == 1) {
      silence(100000);
      const line = heardBriefly();
      expect(line == "P. 1:4(3) ack 1" || line == "").toBe(true, line);
    }
    expect(peekLength(s)).toBe(-110);
    close(s);
    open();
    turnOn(s);
    say(".", 1, 0, 1, 0);
    writeText(s, "abc");
    for (let i = 0; i < 20; i++) {
      silence(100000);
      expect(heardBriefly()).toBe(". 1:2(1) ack 1", "window probes");
      say(".", 1, 0, 1, 0);
    }
    say(".", 1, 0, 1, 1000);
    expect(heardBriefly()).toBe("P. 1:4(3) ack 1");
    say(".", 1, 0, 4, 1000);
    expect(silence(1000000)).toBe(100000, "idle again");
    expect(heardBriefly()).toBe(". 3:3(0) ack 1");
  });

  it("MUST-29: goes on when a probe is not answered, and gives up only after all of them", () => {
    const c = open();
    turnOn(s);
    for (let round = 0; round < 3; round++) {
      expect(silence(1000000)).toBe(100000);
      expect(heardBriefly()).toBe(PROBE);
      for (let lost = 0; lost < 2; lost++) {
        expect(silence(1000000)).toBe(10000);
        expect(heardBriefly()).toBe(PROBE);
      }
      expect(c.state).toBe(1);
      // The third is answered.
      say(".", 1, 0, 1, 10000);
    }
    watch(0, s, 0x2201d);
    const ended = tcpStatistics().timeouts;
    silence(1000000);
    heard();
    run(21 * SECOND);
    expect(heardBriefly()).toBe(PROBE + " | " + PROBE);
    run(10 * SECOND);
    expect(heardBriefly()).toBe("R. 1:1(0) ack 1", "a peer that is there after all hears of it");
    expect(taken()).toBe("1>7 201d");
    expect(peekLength(s)).toBe(-110);
    expect(tcpStatistics().timeouts - ended).toBe(1);
    expect(setOption(s, IPPROTO_TCP, TCP_KEEPCNT, 1)).toBe(-22, "one probe says nothing");
  });

  it("answers the probes of the peer, without and with an octet of garbage", () => {
    open();
    say("P.", 1, 3, 1, 10000);
    readText(s);
    heard();
    run(SECOND);
    heard();
    say(".", 3, 0, 1, 10000);
    expect(heardBriefly()).toBe(". 1:1(0) ack 4");
    run(SECOND);
    say(".", 3, 1, 1, 10000);
    expect(heardBriefly()).toBe(". 1:1(0) ack 4");
    expect(peekLength(s)).toBe(-11);
  });

  it("gives up by the user time-out when there is one, after one probe at least", () => {
    open();
    turnOn(s);
    expect(setOption(s, IPPROTO_TCP, TCP_USER_TIMEOUT, 105000)).toBe(0);
    watch(0, s, 0x2201d);
    expect(silence(1000000)).toBe(100000);
    heard();
    run(9 * SECOND);
    expect(taken()).toBe("");
    run(2 * SECOND);
    expect(taken()).toBe("1>7 201d", "the next time it looks is after 10 s");
  });

  it("looks after a connection that is half closed, in either direction", () => {
    open();
    turnOn(s);
    shutdown(s, 1);
    heard();
    say(".", 1, 0, 2, 10000);
    expect(silence(1000000)).toBe(100000, "FIN-WAIT-2");
    expect(heardBriefly()).toBe(". 1:1(0) ack 1");
    run(60 * SECOND);
    expect(peekLength(s)).toBe(-110);
    close(s);
    open();
    turnOn(s);
    say("F.", 1, 0, 1, 10000);
    heard();
    expect(silence(1000000)).toBe(100000, "CLOSE-WAIT");
    expect(heardBriefly()).toBe(". 0:0(0) ack 2");
  });

  it("is what a connection has from its listener, and keeps over connect", () => {
    turnOn(server);
    open();
    expect(silence(1000000)).toBe(100000);
    expect(heardBriefly()).toBe(PROBE);
    const client = create();
    turnOn(client);
    connect(client, PEER, 9);
    heard();
    expect(getOption(client, SOL_SOCKET, SO_KEEPALIVE)).toBe(1);
    expect(getOption(client, IPPROTO_TCP, TCP_KEEPIDLE)).toBe(100);
    close(client);
  });

  it("is counted from when it is turned on, and begins anew with each change", () => {
    open();
    run(1000 * SECOND);
    turnOn(s);
    expect(silence(1000000)).toBe(100000);
    heard();
    say(".", 1, 0, 1, 10000);
    run(50 * SECOND);
    expect(setOption(s, IPPROTO_TCP, TCP_KEEPIDLE, 70)).toBe(0);
    expect(silence(1000000)).toBe(70000);
  });

  it("MUST-20: probes without an answer do not count for data that is sent after them, nor for a window that it waits for", () => {
    for (let shut = 0; shut < 2; shut++) {
      const c = open();
      turnOn(s);
      expect(setOption(s, IPPROTO_TCP, TCP_KEEPCNT, 20)).toBe(0);
      if (shut == 1) say(".", 1, 0, 1, 0);
      run(215 * SECOND);
      expect(heardBriefly().split(" | ").length).toBe(12, "probes");
      watch(0, s, POLLMSG);
      writeText(s, "abc");
      expect(heardBriefly()).toBe(shut == 1 ? "" : "P. 1:4(3) ack 1");
      let life: u32 = 0;
      let sent: u32 = 0;
      while (c.state == 1 && life < 1000000) {
        life += silence(100000);
        if (heardBriefly() == "") continue;
        if (++sent == 1 && shut == 0) expect(c.slowStartThreshold).toBe(2 * c.sendMss, "RFC 5681, 3.1");
        expect(taken()).toBe(sent == 3 ? "400" : "", "R1");
      }
      expect(sent).toBe(11, "retransmissions, or probes of the window");
      expect(life).toBeGreaterThan(100000, "R2");
      expect(peekLength(s)).toBe(-110);
      if (shut == 0) close(s);
    }
  });

  it("is not late by more than a tick in a machine that stood still", () => {
    open();
    turnOn(s);
    standStill(100 * SECOND);
    const before = time;
    run(MILLISECOND);
    expect(heardBriefly()).toBe(PROBE);
    expect(time - before).toBeLessThan(MILLISECOND + 1);
  });
});
