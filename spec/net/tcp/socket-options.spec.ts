/** The options of sockets: the table, and what those do that no other spec here is about. */
import { ENOPROTOOPT } from "../../../kernel/errno";
import { Socket } from "../../../net/socket/socket";
import { connectionPool, TcpConnection } from "../../../net/socket/tcp/connection";
import { REQUESTS_PER_LISTENER } from "../../../net/socket/tcp/parameters";
import { tcpStatistics } from "../../../net/socket/tcp/tcp";
import { chance, seedChance } from "../../chance";
import { udpCreate } from "../../../net/socket/udp";
import {
  abort_,
  accept,
  bind,
  close,
  connect,
  create,
  getOption,
  listen,
  listener,
  readText,
  setOption,
  shutdown,
  taken,
  write,
  writeText,
} from "./ends";
import { endPair, openPair } from "./pair";
import { converse, heard, heardBriefly, meetPeer, say, setOptions } from "./script";
import { MILLISECOND, outbox, OWN, PEER, run, SECOND, setUpWorld, silence } from "./world";

const SOL_SOCKET: u32 = 1;
const IPPROTO_IP: u32 = 0;
const IPPROTO_TCP: u32 = 6;
const SO_REUSEADDR: u32 = 2;
const SO_SNDBUF: u32 = 7;
const SO_RCVBUF: u32 = 8;
const SO_KEEPALIVE: u32 = 9;
const SO_LINGER: u32 = 13;
const IP_TOS: u32 = 1;
const IP_TTL: u32 = 2;
const TCP_NODELAY: u32 = 1;
const TCP_MAXSEG: u32 = 2;
const TCP_KEEPIDLE: u32 = 4;
const TCP_KEEPINTVL: u32 = 5;
const TCP_KEEPCNT: u32 = 6;
const TCP_INFO: u32 = 11;
const TCP_USER_TIMEOUT: u32 = 18;
const TCP_UTO: u32 = 0x4003;

let server: Socket = changetype<Socket>(0);
let s: Socket = changetype<Socket>(0);
/** A socket that has not been opened: `s`, before there is another one. */
let blank: Socket = changetype<Socket>(0);
let port: u32 = 14000;

function open(window: u32 = 60000, at: Socket = server): TcpConnection {
  s = openPair(at, window, 1000);
  return changetype<TcpConnection>(s);
}

/** Half-open connections take up all the room of the listener at `port_`: the next one gets a cookie. */
function fillRequests(port_: u32): void {
  for (let i: u32 = 0; i < REQUESTS_PER_LISTENER; i++) {
    converse(40000 + i, port_);
    say("S", 0, 0, 0, 1000);
  }
  heard();
}

/** Type of service and time to live of all that was sent: "tos/ttl", each once. */
function services(): string {
  let text = "";
  while (outbox.length != 0) {
    const packet = outbox.shift();
    const one = packet[1].toString() + "/" + packet[8].toString();
    if (text.indexOf(one) < 0) text += (text == "" ? "" : " ") + one;
  }
  return text;
}

describe("socket options", () => {
  beforeAll(() => {
    setUpWorld();
    seedChance(55);
    meetPeer();
  });
  beforeEach(() => {
    server = listener(80, 5);
    blank = create();
    s = blank;
  });
  afterEach(() => {
    if (s !== blank) abort_(s);
    endPair(server, blank);
  });

  it("are in the table, or -ENOPROTOOPT", () => {
    const known: u32[] = [
      0x10002, 0x10003, 0x10004, 0x10007, 0x10008, 0x10009, 0x1000a, 0x1000d, 0x1001e, 0x10026, 0x10027, 1, 2,
      0x60001, 0x60002, 0x60004, 0x60005, 0x60006, 0x6000b, 0x60012, 0x64001, 0x64002, 0x64003,
    ];
    for (let level: u32 = 0; level < 20; level++)
      for (let name: u32 = 0; name < 300; name++) {
        const there = known.includes((level << 16) | name);
        assert((getOption(s, level, name) == -ENOPROTOOPT) != there);
        if (!there) assert(setOption(s, level, name, 1) == -ENOPROTOOPT);
      }
    for (let i = 0; i < known.length; i++)
      expect(getOption(s, known[i] >> 16, known[i] & 0xffff)).not.toBe(-ENOPROTOOPT);
    expect(getOption(s, 0x10000, 1)).toBe(-ENOPROTOOPT);
    expect(getOption(s, 1, 0x10002)).toBe(-ENOPROTOOPT);
    const reads: u32[] = [3, 4, 30, 38, 39];
    for (let i = 0; i < reads.length; i++)
      expect(setOption(s, 1, reads[i], 1)).toBe(-ENOPROTOOPT, "only to be read");
    const datagram = udpCreate()!;
    expect(setOption(datagram, SOL_SOCKET, 6, 1)).toBe(0);
    expect(getOption(datagram, SOL_SOCKET, 6)).toBe(1);
    expect(setOption(datagram, IPPROTO_TCP, TCP_NODELAY, 1)).toBe(-ENOPROTOOPT);
    expect(getOption(datagram, SOL_SOCKET, 3)).toBe(2);
    expect(getOption(datagram, SOL_SOCKET, 38)).toBe(17);
    close(datagram);
  });

  it("take any value and survive it", () => {
    for (let round = 0; round < 300; round++) {
      const c = round % 3 == 0 ? open() : changetype<TcpConnection>(s);
      for (let i = 0; i < 30; i++) {
        const level = chance(2) == 0 ? IPPROTO_TCP : chance(4) == 0 ? IPPROTO_IP : SOL_SOCKET;
        const name = level == IPPROTO_TCP && chance(3) == 0 ? 0x4001 + chance(3) : 1 + chance(20);
        const value = chance(3) == 0 ? <i32>chance(0xffffffff) : <i32>chance(100) - 5;
        const result = setOption(c, level, name, value, <i32>chance(100));
        assert(result == 0 || result == -22 || result == -92 || result == -106);
        getOption(c, level, name);
        if (c.state == 1) {
          write(c, 0, 0, 1);
          run(<u64>chance(2000) * MILLISECOND);
        }
        outbox.length = 0;
      }
      if (s !== blank) {
        abort_(s);
        s = blank;
      }
      outbox.length = 0;
    }
    expect(connectionPool().inUse).toBe(2);
  });

  it("MUST-17: TCP_NODELAY turns Nagle's algorithm off, and lets go what it held", () => {
    open();
    expect(getOption(s, IPPROTO_TCP, TCP_NODELAY)).toBe(0);
    writeText(s, "a");
    writeText(s, "b");
    expect(heardBriefly()).toBe("P. 1:2(1) ack 1");
    expect(setOption(s, IPPROTO_TCP, TCP_NODELAY, 1)).toBe(0);
    expect(heardBriefly()).toBe("P. 2:3(1) ack 1");
    writeText(s, "c");
    expect(heardBriefly()).toBe("P. 3:4(1) ack 1");
    expect(getOption(s, IPPROTO_TCP, TCP_NODELAY)).toBe(1);
  });

  it("MUST-48: IP_TOS is in every segment of the connection, from its first on, without the bits of ECN", () => {
    expect(setOption(s, IPPROTO_IP, IP_TOS, 0xb9)).toBe(0);
    expect(getOption(s, IPPROTO_IP, IP_TOS)).toBe(0xb8);
    expect(setOption(s, IPPROTO_IP, IP_TOS, 256)).toBe(-22);
    expect(setOption(s, IPPROTO_IP, IP_TOS, -1)).toBe(-22);
    converse(9, 0);
    connect(s, PEER, 9);
    expect(services()).toBe("184/64", "SYN");
    close(s);
    blank = create();
    s = blank;
    expect(setOption(server, IPPROTO_IP, IP_TOS, 0x68)).toBe(0);
    converse(++port, 80);
    say("S", 0, 0, 0, 1000);
    const packet = outbox[0].slice(0);
    heard();
    outbox.push(packet);
    expect(services()).toBe("104/64", "SYN,ACK");
    say(".", 1, 0, 1, 1000);
    s = accept(server)!;
    writeText(s, "x");
    say("P.", 1, 3, 1, 1000);
    run(SECOND);
    expect(services()).toBe("104/64", "data, retransmission, acknowledgement");
    expect(setOption(s, IPPROTO_IP, IP_TOS, 0)).toBe(0);
    run(10 * SECOND);
    expect(services()).toBe("0/64", "it can be changed");
    readText(s);
    outbox.length = 0;
    expect(setOption(s, IPPROTO_IP, IP_TOS, 0x28)).toBe(0);
    say("F.", 4, 0, 2, 1000);
    shutdown(s, 1);
    expect(services()).toBe("40/64", "acknowledgement of a FIN, and FIN");
    abort_(s);
    s = blank;
    open();
    expect(setOption(s, IPPROTO_IP, IP_TOS, 0x28)).toBe(0);
    shutdown(s, 1);
    say(".", 1, 0, 2, 1000);
    close(s);
    s = blank;
    say("F.", 1, 0, 2, 1000);
    outbox.length = 0;
    say("F.", 1, 0, 2, 1000);
    expect(services()).toBe("40/64", "from TIME-WAIT");
    open();
    expect(setOption(s, IPPROTO_IP, IP_TOS, 0x28)).toBe(0);
    abort_(s);
    s = blank;
    expect(services()).toBe("40/64", "RST");
  });

  it("MUST-49: IP_TTL can be configured", () => {
    expect(getOption(s, IPPROTO_IP, IP_TTL)).toBe(64);
    expect(setOption(s, IPPROTO_IP, IP_TTL, 3)).toBe(0);
    expect(setOption(s, IPPROTO_IP, IP_TTL, 0)).toBe(-22);
    expect(setOption(s, IPPROTO_IP, IP_TTL, 256)).toBe(-22);
    connect(s, PEER, 9);
    expect(services()).toBe("0/3");
    expect(setOption(s, IPPROTO_IP, IP_TTL, -1)).toBe(0);
    run(2 * SECOND);
    expect(services()).toBe("0/64");
  });

  it("TCP_MAXSEG bounds the segments of both directions", () => {
    expect(getOption(s, IPPROTO_TCP, TCP_MAXSEG)).toBe(1460);
    expect(setOption(s, IPPROTO_TCP, TCP_MAXSEG, 87)).toBe(-22);
    expect(setOption(s, IPPROTO_TCP, TCP_MAXSEG, 700)).toBe(0);
    expect(getOption(s, IPPROTO_TCP, TCP_MAXSEG)).toBe(700);
    converse(9, 0);
    connect(s, PEER, 9);
    expect(heard()).toBe("SEW 0:0(0) win 65535 <mss 700,ws 3,sackOK,ts>");
    say("S.", 0, 0, 1, 60000);
    heard();
    write(s, 0, 0, 1400);
    expect(heardBriefly()).toBe(". 1:701(700) ack 1 | P. 701:1401(700) ack 1");
    expect(setOption(s, IPPROTO_TCP, TCP_MAXSEG, 500)).toBe(-106, "it is connected");
    abort_(s);
    blank = create();
    heard();
    expect(setOption(server, IPPROTO_TCP, TCP_MAXSEG, 600)).toBe(0);
    setOptions(1460, 255, 0);
    converse(++port, 80);
    say("S", 0, 0, 0, 60000);
    expect(heard()).toBe("S. 0:0(0) ack 1 win 65535 <mss 600>");
    say(".", 1, 0, 1, 60000);
    s = accept(server)!;
    write(s, 0, 0, 1000);
    expect(heardBriefly()).toBe(". 1:601(600) ack 1", "Nagle keeps the rest");
    expect(getOption(s, IPPROTO_TCP, TCP_MAXSEG)).toBe(600);
  });

  it("SO_RCVBUF bounds what is offered and what is kept", () => {
    const most = getOption(s, SOL_SOCKET, SO_RCVBUF);
    expect(setOption(s, SOL_SOCKET, SO_RCVBUF, 1 << 30)).toBe(0);
    expect(getOption(s, SOL_SOCKET, SO_RCVBUF)).toBe(most);
    expect(setOption(s, SOL_SOCKET, SO_RCVBUF, 1)).toBe(0);
    expect(getOption(s, SOL_SOCKET, SO_RCVBUF)).toBe(4096);
    expect(setOption(s, SOL_SOCKET, SO_RCVBUF, 8192)).toBe(0);
    setOptions(1460, 255, 0);
    converse(9, 0);
    connect(s, PEER, 9);
    expect(heard()).toBe("SEW 0:0(0) win 8192 <mss 1460,ws 3,sackOK,ts>");
    say("S.", 0, 0, 1, 60000);
    expect(heard()).toBe(". 1:1(0) ack 1 win 8192");
    const c = changetype<TcpConnection>(s);
    for (let at: u32 = 1; at < 20000; at += 1000) say(".", at, 1000, 1, 60000);
    expect(c.receivedBytes).toBeLessThan(8193);
    expect(c.receivedBytes).toBeGreaterThan(7000);
    heard();
    // Of a listener, it is what connections have.
    const small = create();
    expect(setOption(small, SOL_SOCKET, SO_RCVBUF, 5000)).toBe(0);
    expect(bind(small, 0, 81)).toBe(0);
    expect(listen(small, 5)).toBe(0);
    converse(++port, 81);
    say("S", 0, 0, 0, 60000);
    expect(heard()).toBe("S. 0:0(0) ack 1 win 5000 <mss 1460>");
    say(".", 1, 0, 1, 60000);
    const accepted = accept(small)!;
    expect(getOption(accepted, SOL_SOCKET, SO_RCVBUF)).toBe(5000);
    abort_(accepted);
    close(small);
  });

  it("SO_SNDBUF bounds what waits to be acknowledged", () => {
    const most = getOption(s, SOL_SOCKET, SO_SNDBUF);
    expect(setOption(s, SOL_SOCKET, SO_SNDBUF, 1 << 30)).toBe(0);
    expect(getOption(s, SOL_SOCKET, SO_SNDBUF)).toBe(most);
    expect(setOption(s, SOL_SOCKET, SO_SNDBUF, 0)).toBe(0);
    expect(getOption(s, SOL_SOCKET, SO_SNDBUF)).toBe(8 * 2048);
    open(0);
    expect(setOption(s, SOL_SOCKET, SO_SNDBUF, 20480)).toBe(0);
    expect(write(s, 0, 0, 100000)).toBe(10000, "ten buffers of a segment each");
  });

  it("TCP_INFO tells what the connection knows", () => {
    const c = open();
    writeText(s, "abc");
    heard();
    run(100 * MILLISECOND);
    say(".", 1, 0, 4, 60000);
    write(s, 0, 0, 2500);
    silence(10000);
    silence(10000);
    expect(getOption(s, IPPROTO_TCP, TCP_INFO) & 0xff).toBe(1, "ESTABLISHED");
    expect(getOption(s, IPPROTO_TCP, TCP_INFO, 68)).toBe(100000, "round trip");
    expect(getOption(s, IPPROTO_TCP, TCP_INFO, 72)).toBe(50000, "variation");
    expect(getOption(s, IPPROTO_TCP, TCP_INFO, 16)).toBe(1000, "payload of segments");
    expect(getOption(s, IPPROTO_TCP, TCP_INFO, 60)).toBe(1040, "packets");
    heard();
    silence(10000);
    heard();
    expect((getOption(s, IPPROTO_TCP, TCP_INFO) >> 16) & 0xff).toBe(1, "a retransmission");
    expect(getOption(s, IPPROTO_TCP, TCP_INFO, 8)).toBe(600000, "time-out, doubled");
    expect(getOption(s, IPPROTO_TCP, TCP_INFO, 80)).toBe(1, "congestion window in segments");
    expect(getOption(s, IPPROTO_TCP, TCP_INFO, 24)).toBe(2, "sent and not acknowledged");
    expect(getOption(s, IPPROTO_TCP, TCP_INFO, 100)).toBe(1);
    expect(c.totalRetransmits).toBe(1);
    const fresh = create();
    expect(getOption(fresh, IPPROTO_TCP, TCP_INFO)).toBe(7);
    close(fresh);
  });

  it("SO_LINGER with a time of 0 makes close a reset", () => {
    open();
    expect(getOption(s, SOL_SOCKET, SO_LINGER)).toBe(0);
    expect(setOption(s, SOL_SOCKET, SO_LINGER, 1, 0)).toBe(0);
    expect(getOption(s, SOL_SOCKET, SO_LINGER)).toBe(1);
    close(s);
    expect(heardBriefly()).toBe("R. 1:1(0) ack 1");
    expect(connectionPool().inUse).toBe(2, "the listener, and the one that was never opened");
    open();
    expect(setOption(s, SOL_SOCKET, SO_LINGER, 1, 20)).toBe(0);
    expect(getOption(s, SOL_SOCKET, SO_LINGER, 4)).toBe(20);
    close(s);
    expect(heardBriefly()).toBe("F. 1:1(0) ack 1", "the transport's part of it is as ever");
    s = blank;
  });

  it("SO_REUSEADDR: both have to have it, and neither listens", () => {
    const a = create();
    const b = create();
    expect(bind(a, 0, 90)).toBe(0);
    expect(bind(b, 0, 90)).toBe(-98);
    expect(setOption(b, SOL_SOCKET, SO_REUSEADDR, 1)).toBe(0);
    expect(bind(b, 0, 90)).toBe(-98, "the other one does not want it");
    expect(setOption(a, SOL_SOCKET, SO_REUSEADDR, 1)).toBe(0);
    expect(bind(b, OWN, 90)).toBe(0);
    expect(listen(a, 5)).toBe(0);
    expect(listen(b, 5)).toBe(-98, "one listener");
    const c = create();
    expect(setOption(c, SOL_SOCKET, SO_REUSEADDR, 1)).toBe(0);
    expect(bind(c, 0, 90)).toBe(-98, "there is a listener");
    close(a);
    expect(bind(c, 0, 90)).toBe(0);
    expect(listen(b, 5)).toBe(0);
    close(b);
    expect(listen(c, 5)).toBe(0);
    close(c);
  });

  it("several connections from one port, to different peers", () => {
    const all: Socket[] = [];
    for (let i: u32 = 0; i < 5; i++) {
      const one = create();
      expect(setOption(one, SOL_SOCKET, SO_REUSEADDR, 1)).toBe(0);
      expect(bind(one, 0, 5060)).toBe(0);
      expect(connect(one, PEER, 100 + i)).toBe(-115);
      all.push(one);
    }
    const again = create();
    expect(setOption(again, SOL_SOCKET, SO_REUSEADDR, 1)).toBe(0);
    expect(bind(again, 0, 5060)).toBe(0);
    expect(connect(again, PEER, 102)).toBe(-98, "that four-tuple is taken");
    close(again);
    while (all.length != 0) close(all.pop());
    heard();
  });

  it("whatever a listener has been set, before listen or after, its connections have, those by a cookie, too", () => {
    // Level, name, value, and the second word of those that have two.
    const options: u32[][] = [
      [SOL_SOCKET, SO_REUSEADDR, 1, 0],
      [SOL_SOCKET, SO_SNDBUF, 20480, 0],
      [SOL_SOCKET, SO_RCVBUF, 6000, 0],
      [SOL_SOCKET, SO_KEEPALIVE, 1, 0],
      [SOL_SOCKET, SO_LINGER, 1, 7],
      [IPPROTO_TCP, TCP_NODELAY, 1, 0],
      [IPPROTO_TCP, TCP_MAXSEG, 700, 0],
      [IPPROTO_TCP, TCP_KEEPIDLE, 11, 0],
      [IPPROTO_TCP, TCP_KEEPINTVL, 12, 0],
      [IPPROTO_TCP, TCP_KEEPCNT, 3, 0],
      [IPPROTO_TCP, TCP_USER_TIMEOUT, 9000, 0],
      [IPPROTO_TCP, TCP_UTO, 1, 0],
      [IPPROTO_IP, IP_TOS, 0x28, 0],
      [IPPROTO_IP, IP_TTL, 9, 0],
    ];
    for (let mode = 0; mode < 3; mode++)
      for (let i = 0; i < options.length; i++) {
        const level = options[i][0];
        const name = options[i][1];
        const words: usize = level == SOL_SOCKET && name == SO_LINGER ? 2 : 1;
        const one = create();
        expect(bind(one, 0, 81)).toBe(0);
        if (mode != 0) expect(listen(one, 5)).toBe(0);
        const before = getOption(one, level, name);
        expect(setOption(one, level, name, options[i][2], options[i][3])).toBe(0);
        if (mode == 0) expect(listen(one, 5)).toBe(0);
        if (mode == 2) fillRequests(81);
        const cookies = tcpStatistics().cookiesAccepted;
        open(60000, one);
        expect(tcpStatistics().cookiesAccepted - cookies).toBe(mode == 2 ? 1 : 0);
        for (let word: usize = 0; word < words; word++) {
          const value = getOption(s, level, name, 4 * word);
          expect(value).toBe(options[i][2 + <i32>word], name.toString());
          if (word == 0) expect(value).not.toBe(before);
        }
        abort_(s);
        s = blank;
        close(one);
      }
  });

  it("SO_RCVBUF of a listener takes back nothing that a SYN,ACK has offered, nor that of a connection what its SYN has", () => {
    s = create();
    setOptions(1460, 255, 0);
    converse(9, 0);
    connect(s, PEER, 9);
    expect(heard()).toBe("SEW 0:0(0) win 65535 <mss 1460,ws 3,sackOK,ts>");
    expect(setOption(s, SOL_SOCKET, SO_RCVBUF, 5000)).toBe(0);
    expect(silence(2000)).toBe(1000);
    expect(heard()).toBe("S 0:0(0) win 65535 <mss 1460,ws 3,sackOK,ts>");
    say("S.", 0, 0, 1, 60000);
    expect(heard()).toBe(". 1:1(0) ack 1 win 65535");
    abort_(s);
    s = blank;
    heard();
    for (let cookie = 0; cookie < 2; cookie++) {
      const one = listener(81, 5);
      if (cookie == 1) fillRequests(81);
      setOptions(1460, 255, 0);
      converse(++port, 81);
      say("S", 0, 0, 0, 60000);
      expect(heard()).toBe("S. 0:0(0) ack 1 win 65535 <mss 1460>");
      expect(setOption(one, SOL_SOCKET, SO_RCVBUF, 5000)).toBe(0);
      if (cookie == 0) {
        say("S", 0, 0, 0, 60000);
        expect(heard()).toBe("S. 0:0(0) ack 1 win 65535 <mss 1460>", "repeated");
      }
      say(".", 1, 0, 1, 60000);
      s = accept(one)!;
      expect(getOption(s, SOL_SOCKET, SO_RCVBUF)).toBe(5000);
      for (let at: u32 = 1; at < 60000; at += 1000) say(".", at, 1000, 1, 60000);
      expect(changetype<TcpConnection>(s).receivedBytes).toBe(60000);
      heard();
      // The other requests that wait repeat their SYN,ACKs after a second.
      run(SECOND / 2);
      expect(heard()).toBe("", "all of it was acknowledged");
      abort_(s);
      // The next one is offered less.
      converse(++port, 81);
      say("S", 0, 0, 0, 60000);
      expect(heard()).toBe("S. 0:0(0) ack 1 win 5000 <mss 1460>");
      s = blank;
      close(one);
    }
  });
});
