/** Segment sizes of a connection of IPv6: black holes, of which none is smaller than what every path takes (RFC 8201, 4), and a link that takes less than it did (RFC 4861, 6.3.4). */
import { MILLISECOND, SECOND } from "../../kernel/time/clock";
import { networkInterface } from "../../net/interface";
import { lowerPathMtu, PATH_MTU_LIFE, pathMtu } from "../../net/pmtu";
import { TcpConnection } from "../../net/socket/tcp/connection";
import { TCP_ACK, TcpHeader } from "../../net/wire/tcp";
import {
  address6,
  deliver6,
  forgetSent,
  knowPeer,
  LINK_LOCAL,
  neighbour,
  PEER_ID,
  routerAdvertisement,
  sent,
  TRANSPORT6,
} from "./frames6";
import * as link from "./link";
import { bootServer, go, open, segment, server, takeTurns } from "./server6";
import { fill } from "./tcp/ends";

/** Bytes of headers of a segment without options. */
const HEADERS: u32 = 60;
const LEAST: u32 = 1280;

let c: TcpConnection = changetype<TcpConnection>(0);
/** What the peer has of the stream: the next sequence number; octets that are still to come. */
let next: u32 = 0;
let missing: u32 = 0;
/** Of the last `answers`: the longest packet that was sent, in bytes, and the least segment size that the connection had. */
let longest: u32 = 0;
let smallest: u32 = 0;

function begin(): void {
  bootServer();
  c = open(1440);
  assert(c.sendMss == 1440);
  next = c.SND_NXT;
  missing = 0;
}

function end(): void {
  call_indirect<void>(c.protocol.abort, c);
  call_indirect<void>(server.protocol.close, server);
}

function write(bytes: u32): void {
  assert(fill(c, memory.data(8000), bytes) == bytes);
  missing += bytes;
  call_indirect<void>(c.protocol.push, c, 0);
  takeTurns();
}

/** The peer gets what was sent, but of segments none that is longer than `limit` as a packet or that is not the next; it acknowledges and is there for its neighbours. */
function answer(limit: u32): void {
  const all = sent;
  const before = next;
  forgetSent();
  for (let i = 0; i < all.length; i++) {
    const one = all[i];
    if (one.type == 135) {
      neighbour(136, LINK_LOCAL, PEER_ID, 0x6000_0000, 2, link.PEER4);
      deliver6();
    }
    if (!one.isIpv6 || one.network.nextHeader != 6) continue;
    const header = changetype<TcpHeader>(one.transport);
    const payload = one.transportLength - header.headerLength;
    if (payload == 0) continue;
    const packet = one.transportLength + 40;
    longest = max(longest, packet);
    if (packet > limit || header.sequence != next) continue;
    next += payload;
    missing -= payload;
  }
  if (next == before) return;
  segment(TCP_ACK, 101, next);
  go();
}

/** The same for `time`, or until all has come. */
function answers(limit: u32, time: u64): void {
  longest = 0;
  smallest = c.sendMss;
  for (let passed: u64 = 0; passed < time && missing != 0; passed += 10 * MILLISECOND) {
    answer(limit);
    smallest = min(smallest, c.sendMss);
    link.run(10 * MILLISECOND);
    takeTurns();
  }
}

function known(): u32 {
  return pathMtu(address6(LINK_LOCAL, PEER_ID));
}

describe("black holes of IPv6", () => {
  beforeEach(begin);
  afterEach(end);

  it("are found out", () => {
    write(7200);
    answers(LEAST, 1200 * SECOND);
    expect<u32>(missing).toBe(0);
    expect<u32>(c.sendMss).toBe(LEAST - HEADERS);
    expect<u32>(known()).toBe(LEAST);
  });

  it("MUST NOT be below 1,280 (RFC 8201, 4): neither for an outage, nor for who takes less", () => {
    write(7200);
    for (let i = 0; i < 9; i++) {
      answers(i == 3 || i == 6 ? 1000 : 0, 25 * SECOND);
      expect<u32>(smallest).toBeGreaterThanOrEqual(LEAST - HEADERS);
      expect<u32>(known()).toBeGreaterThanOrEqual(LEAST);
    }
    expect<u32>(missing).toBe(7200);
    lowerPathMtu(address6(LINK_LOCAL, PEER_ID), 576);
    expect<u32>(known()).toBe(LEAST);
    answers(LEAST, 1200 * SECOND);
    expect<u32>(missing).toBe(0);
  });
});

/** A router says what the link takes. */
function advertiseMtu(mtu: u32): void {
  const option = routerAdvertisement(1800, 8);
  store<u64>(option, 0x0105);
  store<u32>(option + 4, bswap<u32>(mtu));
  deliver6();
}

describe("a link that takes less than it did (RFC 4861, 6.3.4)", () => {
  beforeEach(begin);
  afterEach(end);

  it("and a path behind it that takes still less, and does not say so, is found out", () => {
    advertiseMtu(1400);
    for (let i = 0; i < 4 && known() != LEAST; i++) {
      write(7200);
      answers(LEAST, 1200 * SECOND);
      expect<u32>(missing).toBe(0);
    }
    expect<u32>(known()).toBe(LEAST);
    expect<u32>(c.sendMss).toBe(LEAST - HEADERS);
  });

  it("gets smaller segments at once, one or many, put together or not", () => {
    const sizes: u32[] = [1400, 1440, 2880, 7000];
    for (let cuts: u32 = 0; cuts < 2; cuts++)
      for (let i = 0; i < sizes.length; i++) {
        networkInterface().cuts = cuts;
        advertiseMtu(1280);
        forgetSent();
        write(sizes[i]);
        expect<i32>(sent.length).toBeGreaterThan(0);
        answers(1500, SECOND);
        expect<u32>(missing).toBe(0, sizes[i].toString());
        expect<u32>(longest).toBe(LEAST);
        expect<u32>(c.sendMss).toBe(LEAST - HEADERS);
        expect<u64>(c.totalRetransmits).toBe(0);
        call_indirect<void>(c.protocol.abort, c);
        begin();
      }
  });

  it("gets what is sent again in smaller segments, too", () => {
    for (let count: u32 = 1; count < 6; count++) {
      write(1440 * count);
      answers(0, SECOND / 1000);
      expect<u32>(longest).toBe(1500);
      advertiseMtu(1280);
      // The first time-out is after a second.
      answers(1500, 2 * SECOND);
      expect<u32>(missing).toBe(0, count.toString());
      expect<u32>(longest).toBe(LEAST);
      call_indirect<void>(c.protocol.abort, c);
      begin();
    }
  });

  it("gets a window in smaller segments that takes more than one of them", () => {
    write(1440);
    answer(1500);
    expect<u32>(missing).toBe(0);
    segment(TCP_ACK, 101, next);
    changetype<TcpHeader>(TRANSPORT6).window = 1300;
    go();
    advertiseMtu(1280);
    write(1440);
    answers(1500, 30 * SECOND);
    expect<u32>(missing).toBe(0);
    expect<u32>(longest).toBe(LEAST);
  });

  it("may take more again after ten minutes", () => {
    write(7200);
    advertiseMtu(1280);
    // What is on its way was of the full size, and is acknowledged.
    write(7200);
    answers(1500, 10 * SECOND);
    expect<u32>(missing).toBe(0);
    expect<u32>(c.sendMss).toBe(LEAST - HEADERS);
    const mtus: u32[] = [1280, 1500];
    for (let i = 0; i < 2; i++) {
      link.run(PATH_MTU_LIFE);
      knowPeer();
      advertiseMtu(mtus[i]);
      forgetSent();
      write(7200);
      answers(1500, 10 * SECOND);
      expect<u32>(missing).toBe(0);
      expect<u32>(longest).toBe(mtus[i]);
    }
  });
});
