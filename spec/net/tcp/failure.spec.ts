/** RFC 9293, 3.8.3 (R1, R2, user time-out), 3.9.1.8 (soft errors), 3.9.2.2 (ICMP), and RFC 5482 (user time-outs on the wire). */
import { networkCounters } from "../../../net/counters";
import { Socket } from "../../../net/socket/socket";
import { TcpConnection } from "../../../net/socket/tcp/connection";
import { tcpError } from "../../../net/socket/tcp/input";
import { TcpHeader } from "../../../net/wire/tcp";
import { IPPROTO_TCP, TCP_SOFT_ERROR, TCP_USER_TIMEOUT, TCP_UTO } from "../../../sdk/socket";
import {
  abort_,
  close,
  connect,
  create,
  getOption,
  listener,
  peekLength,
  poll,
  setOption,
  taken,
  watch,
  writeText,
} from "./ends";
import { endPair, openPair } from "./pair";
import { addOptions, converse, establish, heard, heardBriefly, meetPeer, say, setOptions } from "./script";
import { arrive, MILLISECOND, OWN, PEER, run, SECOND, setUpWorld, silence } from "./world";

const POLLMSG: u32 = 0x400;

let server: Socket = changetype<Socket>(0);
let s: Socket = changetype<Socket>(0);
let port: u32 = 13000;
const quoted = new Uint8Array(64);

function open(): TcpConnection {
  s = openPair(server, 10000, 1460);
  return changetype<TcpConnection>(s);
}

/** An ICMP error about what is in flight on `c`. */
function icmp(c: TcpConnection, type: u32, code: u32): void {
  const tcp = changetype<TcpHeader>(quoted.dataStart + 20);
  tcp.sourcePort = c.flow.local.port;
  tcp.destinationPort = c.flow.remote.port;
  tcp.sequence = c.SND_UNA;
  tcpError(type, code, 0, c.flow, quoted.dataStart + 20, 8);
}

function softError(): i32 {
  return getOption(s, IPPROTO_TCP, TCP_SOFT_ERROR);
}

/** After how many milliseconds from now the connection ends; what it sent meanwhile was heard. */
function lifetime(c: TcpConnection, limit: u32): u32 {
  let passed: u32 = 0;
  while (c.state != 7 && passed < limit) {
    run(10 * MILLISECOND);
    passed += 10;
  }
  heard();
  return passed;
}

describe("failures", () => {
  beforeAll(() => {
    setUpWorld();
    meetPeer();
  });
  beforeEach(() => {
    server = listener(80, 5);
  });
  afterEach(() => {
    endPair(server, s);
  });

  it("MUST-20: at R1, after three retransmissions, the neighbour is asked for again; at R2 the connection is closed", () => {
    const c = open();
    const asked = networkCounters().arpRequestsSent;
    writeText(s, "abc");
    for (let i = 0; i < 4; i++) {
      expect(heardBriefly()).toBe("P. 1:4(3) ack 1");
      expect(networkCounters().arpRequestsSent - asked).toBe(0);
      silence(100000);
    }
    expect(networkCounters().arpRequestsSent - asked).toBe(1, "with the next packet");
    expect(heardBriefly()).toBe("P. 1:4(3) ack 1");
    watch(0, s, 0x2201d);
    const rest = lifetime(c, 1000000);
    expect(rest).toBeGreaterThan(100000, "R2 is more than 100 s");
    expect(taken()).toBe("1>7 201d");
    expect(peekLength(s)).toBe(-110);
  });

  it("MUST-20, MUST-47: at R1 the application is told that its data does not arrive, and that may pass", () => {
    const c = open();
    watch(0, s, POLLMSG);
    writeText(s, "abc");
    for (let i = 0; i < 3; i++) {
      expect(taken()).toBe("");
      heard();
      silence(100000);
    }
    heard();
    expect(taken()).toBe("400");
    expect(poll(s) & POLLMSG).toBe(POLLMSG);
    expect(softError()).toBe(110);
    expect(poll(s) & POLLMSG).toBe(0, "it has been asked");
    expect(softError()).toBe(110, "and holds");
    expect(c.state).toBe(1);
    say(".", 1, 0, 4, 10000);
    expect(softError()).toBe(0, "an acknowledgement: it has passed");
    expect(poll(s) & POLLMSG).toBe(0);
  });

  it("MUST-47, MUST-54, MUST-56: soft ICMP errors are told to their connection, and end none", () => {
    const types: u32[] = [3, 3, 3, 11, 11, 12];
    const codes: u32[] = [0, 1, 5, 0, 1, 0];
    const errors: i32[] = [101, 113, 113, 113, 113, 92];
    for (let i = 0; i < types.length; i++) {
      const c = open();
      const other = establish(server, ++port, 10000);
      watch(0, s, POLLMSG);
      watch(1, other, POLLMSG);
      writeText(s, "x");
      writeText(other, "x");
      taken();
      icmp(c, types[i], codes[i]);
      expect(taken()).toBe("400", "one of them");
      expect(softError()).toBe(errors[i]);
      expect(c.state).toBe(1);
      expect(peekLength(s)).toBe(-11);
      say(".", 1, 0, 2, 10000);
      abort_(other);
      abort_(s);
      heard();
      // While it is being opened, too.
      converse(9, 0);
      s = create();
      connect(s, PEER, 9);
      heard();
      const opening = changetype<TcpConnection>(s);
      taken();
      watch(2, s, POLLMSG);
      icmp(opening, types[i], codes[i]);
      expect(taken()).toBe("400");
      expect(opening.state).toBe(2);
      say("S.", 0, 0, 1, 10000);
      expect(opening.state).toBe(1);
      expect(poll(s) & 4).toBe(4);
      expect(poll(s) & POLLMSG).toBe(0, "it has passed");
      if (i != types.length - 1) abort_(s);
      heard();
    }
  });

  it("gives the soft error as the reason when it does not pass", () => {
    const c = open();
    writeText(s, "x");
    icmp(c, 3, 1);
    softError();
    lifetime(c, 1000000);
    expect(peekLength(s)).toBe(-113);
    close(s);
    open();
    writeText(s, "x");
    icmp(changetype<TcpConnection>(s), 3, 1);
    say(".", 1, 0, 2, 10000);
    writeText(s, "y");
    lifetime(changetype<TcpConnection>(s), 1000000);
    expect(peekLength(s)).toBe(-110, "that one had passed");
  });

  it("MUST-55: a source quench is discarded in silence", () => {
    const c = open();
    writeText(s, "x");
    heard();
    const window = c.congestionWindow;
    const packet = new Uint8Array(56);
    const at = packet.dataStart;
    store<u32>(at, bswap<u32>(0x45000038));
    store<u32>(at, bswap<u32>(0x40010000), 8);
    store<u32>(at, bswap<u32>(PEER), 12);
    store<u32>(at, bswap<u32>(OWN), 16);
    store<u8>(at, 4, 20);
    store<u32>(at, bswap<u32>(0x45000029), 28);
    store<u32>(at, bswap<u32>(0x40060000), 36);
    store<u32>(at, bswap<u32>(OWN), 40);
    store<u32>(at, bswap<u32>(PEER), 44);
    store<u16>(at, bswap<u16>(<u16>c.flow.local.port), 48);
    store<u16>(at, bswap<u16>(<u16>c.flow.remote.port), 50);
    store<u32>(at, bswap<u32>(c.SND_UNA), 52);
    finish(at, 20, 10);
    finish(at + 20, 36, 2);
    const ignored = networkCounters().icmpIgnored;
    arrive(packet);
    expect(networkCounters().icmpIgnored - ignored).toBe(1);
    expect(c.congestionWindow).toBe(window);
    expect(c.state).toBe(1);
    expect(softError()).toBe(0);
    expect(heard()).toBe("");
  });

  // ---- R2 of the application ----

  it("MUST-21: the application sets R2 of a connection: TCP_USER_TIMEOUT", () => {
    const limits: u32[] = [500, 5000, 30000, 400000];
    for (let i = 0; i < limits.length; i++) {
      const c = open();
      expect(getOption(s, IPPROTO_TCP, TCP_USER_TIMEOUT)).toBe(0);
      expect(setOption(s, IPPROTO_TCP, TCP_USER_TIMEOUT, limits[i])).toBe(0);
      expect(getOption(s, IPPROTO_TCP, TCP_USER_TIMEOUT)).toBe(limits[i]);
      writeText(s, "x");
      const life = lifetime(c, 2000000);
      // Not before, and, with the first time-out of a second, after one retransmission at least.
      const least = max<u32>(limits[i], 1000);
      expect(life >= least && life <= least + (limits[i] < 1000 ? 2020 : 20)).toBe(true, life.toString());
      expect(peekLength(s)).toBe(-110);
      if (i != limits.length - 1) close(s);
    }
  });

  it("counts the user time-out from the first segment that was not acknowledged, anew after each progress", () => {
    const c = open();
    expect(setOption(s, IPPROTO_TCP, TCP_USER_TIMEOUT, 10000)).toBe(0);
    let acked: u32 = 1;
    for (let i = 0; i < 20; i++) {
      writeText(s, "x");
      run(8 * SECOND);
      say(".", 1, 0, ++acked, 10000);
      expect(c.state).toBe(1);
    }
    heard();
    run(3600 * SECOND);
    expect(c.state).toBe(1, "nothing outstanding");
    writeText(s, "x");
    const life = lifetime(c, 100000);
    expect(life >= 10000 && life <= 10020).toBe(true, life.toString());
  });

  it("does not count the time in which a window was shut for what is sent when it opens", () => {
    // What the peer has asked for, and the time that the window stays shut; then of the application, which that counts for, too (RFC 9293, 3.8.6.1).
    const seconds: u32[] = [300, 600, 100, 90];
    for (let i = 0; i < 4; i += 2) {
      expect(setOption(server, IPPROTO_TCP, TCP_UTO, i == 0 ? 1 : 0)).toBe(0);
      const c = open();
      if (i != 0) expect(setOption(s, IPPROTO_TCP, TCP_USER_TIMEOUT, seconds[i] * 1000)).toBe(0);
      addOptions([28, 4, <u8>(seconds[i] >> 8), <u8>seconds[i]]);
      say(".", 1, 0, 1, 0);
      writeText(s, "x");
      for (let passed: u32 = 0; passed < seconds[i + 1]; passed++) {
        run(SECOND);
        if (heardBriefly() != "") say(".", 1, 0, 1, 0);
      }
      say(".", 1, 0, 1, 10000);
      expect(heardBriefly()).toBe("P. 1:2(1) ack 1");
      const life = lifetime(c, 2000000);
      const limit = seconds[i] * 1000;
      expect(life >= limit && life <= limit + 20).toBe(true, life.toString());
      if (i == 0) close(s);
    }
  });

  it("nor that in which a window has shrunk to zero behind what is in flight, and each retransmission is answered (RFC 9293, 3.8.6: MUST-35)", () => {
    expect(setOption(server, IPPROTO_TCP, TCP_UTO, 1)).toBe(0);
    const c = open();
    addOptions([28, 4, 1, 44]);
    say(".", 1, 0, 1, 10000);
    writeText(s, "abc");
    say(".", 1, 0, 2, 0);
    heard();
    for (let passed = 0; passed < 700; passed++) {
      run(SECOND);
      if (heardBriefly() != "") say(".", 1, 0, 2, 0);
    }
    expect(c.state).toBe(1);
    say(".", 1, 0, 2, 10000);
    const life = lifetime(c, 2000000);
    // From the last retransmission that was answered on.
    expect(life > 240000 && life < 300020).toBe(true, life.toString());
  });

  it("can be infinite, and is the time for an open, and for a window that stays shut", () => {
    let c = open();
    expect(setOption(s, IPPROTO_TCP, TCP_USER_TIMEOUT, i32.MAX_VALUE)).toBe(0);
    expect(setOption(s, IPPROTO_TCP, TCP_USER_TIMEOUT, -1)).toBe(-22);
    writeText(s, "x");
    for (let i = 0; i < 200; i++) {
      run(600 * SECOND);
      heard();
    }
    expect(c.state).toBe(1, "33 hours");
    abort_(s);
    heard();
    s = create();
    expect(setOption(s, IPPROTO_TCP, TCP_USER_TIMEOUT, 5000)).toBe(0);
    connect(s, PEER, 9);
    c = changetype<TcpConnection>(s);
    let life = lifetime(c, 1000000);
    expect(life >= 5000 && life <= 5020).toBe(true, life.toString());
    abort_(s);
    c = open();
    expect(setOption(s, IPPROTO_TCP, TCP_USER_TIMEOUT, 20000)).toBe(0);
    say(".", 1, 0, 1, 0);
    writeText(s, "x");
    life = 0;
    while (c.state == 1 && life < 100000) {
      run(10 * MILLISECOND);
      life += 10;
      if (heard() != "") say(".", 1, 0, 1, 0);
    }
    expect(life >= 20000 && life <= 21100).toBe(true, life.toString());
  });

  it("MUST-22: retransmissions of a SYN are handled like those of data: R1, R2, and the application is told", () => {
    s = create();
    connect(s, PEER, 9);
    run(MILLISECOND);
    const asked = networkCounters().arpRequestsSent;
    watch(0, s, POLLMSG | 0x18);
    run(8 * SECOND);
    expect(taken()).toBe("400", "R1");
    heard();
    run(10 * SECOND);
    expect(networkCounters().arpRequestsSent - asked).toBe(1);
    run(200 * SECOND);
    expect(taken()).toBe("18", "R2");
    expect(peekLength(s)).toBe(-110);
    heard();
  });

  // ---- User time-outs on the wire ----

  it("exchanges no user time-outs unless it is enabled", () => {
    setOptions(1460, 255, 0);
    addOptions([28, 4, 0, 200]);
    const c = open();
    expect(setOption(s, IPPROTO_TCP, TCP_USER_TIMEOUT, 10000)).toBe(0);
    addOptions([28, 4, 0, 200]);
    say("P.", 1, 3, 1, 10000);
    run(SECOND);
    expect(heard()).toBe(". 1:1(0) ack 4 win 65532");
    expect(c.remoteTimeout).toBe(0);
  });

  it("sends the option on SYN, SYN,ACK, the first acknowledgement, and when it changes", () => {
    converse(9, 0);
    s = create();
    expect(setOption(s, IPPROTO_TCP, TCP_UTO, 1)).toBe(0);
    expect(setOption(s, IPPROTO_TCP, TCP_USER_TIMEOUT, 120001)).toBe(0);
    connect(s, PEER, 9);
    expect(heard()).toBe("SEW 0:0(0) win 65535 <mss 1460,uto 121,ws 3,sackOK,ts>");
    say("S.", 0, 0, 1, 10000);
    expect(heard()).toBe(". 1:1(0) ack 1 win 65535 <uto 121>");
    writeText(s, "x");
    expect(heard()).toBe("P. 1:2(1) ack 1 win 65535", "and then no more");
    say(".", 1, 0, 2, 10000);
    expect(setOption(s, IPPROTO_TCP, TCP_USER_TIMEOUT, 32768000)).toBe(0);
    expect(heard()).toBe(". 2:2(0) ack 1 win 65535 <uto 33315>", "547 minutes");
    expect(setOption(s, IPPROTO_TCP, TCP_USER_TIMEOUT, i32.MAX_VALUE)).toBe(0);
    expect(heard()).toBe(". 2:2(0) ack 1 win 65535 <uto 65535>", "as much as can be said");
    expect(setOption(s, IPPROTO_TCP, TCP_USER_TIMEOUT, 0)).toBe(0);
    expect(heard()).toBe(". 2:2(0) ack 1 win 65535 <uto 300>");
    abort_(s);
    s = create();
    heard();
    expect(setOption(server, IPPROTO_TCP, TCP_UTO, 1)).toBe(0);
    converse(++port, 80);
    say("S", 0, 0, 0, 10000);
    expect(heard()).toBe("S. 0:0(0) ack 1 win 65535 <mss 1460,uto 300>");
    say(".", 1, 0, 1, 10000);
    say("P.", 1, 3, 1, 10000);
    run(SECOND);
    expect(heard()).toBe(". 1:1(0) ack 4 win 65532 <uto 300>");
  });

  it("honours the peer's option within bounds, unless the application has set its own", () => {
    expect(setOption(server, IPPROTO_TCP, TCP_UTO, 1)).toBe(0);
    let c = open();
    expect(getOption(s, IPPROTO_TCP, TCP_USER_TIMEOUT)).toBe(0);
    const fields: u32[] = [10, 600, 0x8000 | 20, 0x8000 | 32767, 0];
    const results: u32[] = [300000, 600000, 1200000, 3600000, 3600000];
    for (let i = 0; i < fields.length; i++) {
      addOptions([28, 4, <u8>(fields[i] >> 8), <u8>fields[i]]);
      say(".", 1, 0, 1, 10000);
      expect(getOption(s, IPPROTO_TCP, TCP_USER_TIMEOUT)).toBe(results[i]);
    }
    addOptions([28, 4, 2, 88]);
    say("P.", 1, 3, 1, 10000);
    expect(getOption(s, IPPROTO_TCP, TCP_USER_TIMEOUT)).toBe(600000, "also with data in order");
    run(SECOND);
    heard();
    writeText(s, "x");
    const life = lifetime(c, 2000000);
    expect(life >= 600000 && life <= 600020).toBe(true, life.toString());
    close(s);
    c = open();
    addOptions([28, 4, 2, 88]);
    say(".", 1, 0, 1, 10000);
    expect(setOption(s, IPPROTO_TCP, TCP_USER_TIMEOUT, 10000)).toBe(0);
    expect(getOption(s, IPPROTO_TCP, TCP_USER_TIMEOUT)).toBe(10000);
    expect(setOption(s, IPPROTO_TCP, TCP_USER_TIMEOUT, 0)).toBe(0);
    expect(getOption(s, IPPROTO_TCP, TCP_USER_TIMEOUT)).toBe(600000);
    addOptions([28, 3, 1, 1]);
    say(".", 1, 0, 1, 10000);
    expect(getOption(s, IPPROTO_TCP, TCP_USER_TIMEOUT)).toBe(600000, "of a wrong length: ignored");
    // Not acceptable: the sequence number is off.
    addOptions([28, 4, 0x0f, 0xff]);
    say(".", 3000000, 0, 1, 10000);
    expect(getOption(s, IPPROTO_TCP, TCP_USER_TIMEOUT)).toBe(600000);
    heard();
  });
});

/** Internet checksum of `length` bytes at `address`, put at `offset`. */
function finish(address: usize, length: u32, offset: u32): void {
  store<u16>(address + offset, 0);
  let sum: u32 = 0;
  for (let i: u32 = 0; i < length; i += 2) sum += load<u16>(address + i);
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  store<u16>(address + offset, <u16>~sum);
}
