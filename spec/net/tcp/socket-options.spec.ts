/** The options of sockets: the table, what connections have of their listener, and what those do that no other spec here is about. */
import { ENOPROTOOPT } from "../../../kernel/errno";
import { connectionPool, TcpConnection } from "../../../net/socket/tcp/connection";
import { tcpStatistics } from "../../../net/socket/tcp/tcp";
import { udpCreate } from "../../../net/socket/udp";
import { chance, seedChance } from "../../chance";
import {
  IP_TOS,
  IP_TTL,
  IPPROTO_IP,
  IPPROTO_TCP,
  SO_KEEPALIVE,
  SO_LINGER,
  SO_RCVBUF,
  SO_REUSEADDR,
  SO_SNDBUF,
  SOL_SOCKET,
  TCP_INFO,
  TCP_KEEPCNT,
  TCP_KEEPIDLE,
  TCP_KEEPINTVL,
  TCP_MAXSEG,
  TCP_NODELAY,
  TCP_USER_TIMEOUT,
  TCP_UTO,
} from "../../../sdk/socket";
import { abort_, bind, close, create, getOption, listen, setOption, write, writeText } from "./ends";
import { beginPair, endOfPair, forget, keep, open, s } from "./pair";
import { fillRequests, heard, heardBriefly, meetPeer, say } from "./script";
import { MILLISECOND, outbox, run, silence } from "./world";

describe("socket options", () => {
  beforeAll(() => {
    meetPeer();
    seedChance(55);
  });
  beforeEach(beginPair);
  afterEach(endOfPair);

  it("are in the table, or -ENOPROTOOPT", () => {
    keep(create());
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
    const fresh = create();
    for (let round = 0; round < 300; round++) {
      const c = round % 3 == 0 ? open() : changetype<TcpConnection>(fresh);
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
      if (round % 3 == 0) {
        abort_(s);
        forget();
      }
      outbox.length = 0;
    }
    expect(connectionPool().inUse).toBe(2, "the listener, and the one that was never opened");
    abort_(fresh);
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
    expect(connectionPool().inUse).toBe(1, "the listener");
    open();
    expect(setOption(s, SOL_SOCKET, SO_LINGER, 1, 20)).toBe(0);
    expect(getOption(s, SOL_SOCKET, SO_LINGER, 4)).toBe(20);
    close(s);
    expect(heardBriefly()).toBe("F. 1:1(0) ack 1", "the transport's part of it is as ever");
    forget();
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
        open(60000, 1000, one);
        expect(tcpStatistics().cookiesAccepted - cookies).toBe(mode == 2 ? 1 : 0);
        for (let word: usize = 0; word < words; word++) {
          const value = getOption(s, level, name, 4 * word);
          expect(value).toBe(options[i][2 + <i32>word], name.toString());
          if (word == 0) expect(value).not.toBe(before);
        }
        abort_(s);
        forget();
        close(one);
      }
  });
});
