/** Reassembly, of both versions (RFC 791, 3.2; RFC 8200, 4.5): what is put together from fragments. Limits are in reassembly-limits.spec.ts, what only IPv6 has in fragments6.spec.ts. */
import { checksumAdd, checksumFold, internetChecksum } from "../../net/checksum";
import { networkCounters } from "../../net/counters";
import { REASSEMBLY_TIME } from "../../net/reassembly";
import { udpQueued } from "../../net/socket/udp-calls";
import { IcmpHeader } from "../../net/wire/icmp";
import { UdpHeader } from "../../net/wire/udp";
import * as link from "./link";
import {
  assemble,
  boot,
  bound,
  close,
  DATAGRAM,
  expectNothingHeld,
  forget,
  headOf,
  holds,
  icmp,
  make,
  most,
  octet,
  peekLength,
  piece,
  pieces,
  pseudo,
  shuffle,
  version,
  WHOLE,
} from "./pieces";

function suite(): void {
  it("puts datagrams of every size together, up to the longest", () => {
    const socket = bound(7);
    const sizes: u32[] = [9, 16, 1472, 1473, 1480, 1481, 1600, 2000, 3000, 8192, 9000, 32768, 65000, most];
    for (let i = 0; i < sizes.length; i++) {
      pieces(i, make(i, sizes[i]), sizes[i] < 1000 ? 8 : 1480);
      expect<bool>(holds(socket, i, sizes[i])).toBe(true, sizes[i].toString());
    }
    expect<u64>(networkCounters().ipReassembled).toBe(sizes.length - 1, "1,472 bytes are no fragments");
    expect<u32>(udpQueued()).toBe(0);
    close(socket);
  });

  it("3,000 datagrams, cut anywhere, in any order, with repetitions, four at a time", () => {
    boot(version, 4000);
    const socket = bound(7);
    let wrong = 0;
    for (let round: u32 = 0; round < 750; round++) {
      // Four datagrams, each in a list of fragments: stream << 16 | index of a cut.
      const sizes: u32[] = [];
      const cuts: u32[][] = [];
      const order: u32[] = [];
      for (let stream: u32 = 0; stream < 4; stream++) {
        const length: u32 = 8 + (link.random() % (round % 50 == 0 ? most : 6000));
        const mean = link.random() & 1 ? 1480 : 8 + (link.random() % 1400);
        const places: u32[] = [0];
        let at: u32 = 0;
        while (places.length < 60) {
          at += places.length > 56 ? 1480 : min<u32>(1480, 8 + ((link.random() % (2 * mean)) & ~7));
          if (at >= length) break;
          places.push(at);
        }
        // What 60 fragments do not cover is no part of it.
        const whole: u32 = at < length ? min(length, places[places.length - 1] + 700) : length;
        places.push(whole);
        sizes.push(whole);
        cuts.push(places);
        for (let i = 0; i < places.length - 1; i++) {
          order.push((stream << 16) | i);
          // Of more, of all sizes, some are put together: then a repetition is not told from an overlap.
          if (places.length <= 17 && link.random() % 8 == 0) order.push((stream << 16) | i);
        }
      }
      shuffle(order);
      let seen: u32 = 0;
      for (let i = 0; i < order.length; i++) {
        const stream = order[i] >> 16;
        const index = order[i] & 0xffff;
        const places = cuts[stream];
        make(stream, sizes[stream] - 8);
        const begin = places[index];
        const end = places[index + 1];
        // The last of them twice may come when the datagram is done: it begins another one.
        piece(round * 4 + stream, begin, end - begin, index + 2 != places.length);
        const head = headOf(socket);
        if (head !== null && head.source.port == 4000 + stream && holds(socket, stream, sizes[stream] - 8))
          seen |= 1 << stream;
      }
      if (seen != 15) wrong++;
      if (round % 10 == 0) link.run(2 * REASSEMBLY_TIME);
    }
    expect<i32>(wrong).toBe(0);
    expect<u64>(networkCounters().ipReassembled).toBeGreaterThan(2500);
    expect<u64>(networkCounters().ipFragmentOverlaps).toBe(0);
    close(socket);
  });

  it("keeps what has another identification apart", () => {
    const socket = bound(7);
    const length = make(1, 2000);
    piece(5, 0, 1480, true);
    piece(6, 1480, length - 1480, false);
    expect<i32>(peekLength(socket)).toBe(-11);
    // Of IPv4 the protocol is a part of it; of IPv6 only the first fragment says which it is.
    piece(5, 1480, length - 1480, false, 99);
    if (version == 4) {
      expect<i32>(peekLength(socket)).toBe(-11);
      piece(5, 1480, length - 1480, false);
    }
    expect<bool>(holds(socket, 1, 2000)).toBe(true);
    close(socket);
  });

  it("checks the transport's checksum over all of it, and its length", () => {
    const socket = bound(7);
    const length = make(1, 5000);
    store<u8>(DATAGRAM + 4000, load<u8>(DATAGRAM + 4000) ^ 1);
    pieces(1, length, 1480);
    expect<u64>(networkCounters().udpBadChecksum).toBe(1);
    make(1, 5000);
    pieces(2, length - 8, 1480);
    expect<u64>(networkCounters().udpMalformed).toBe(1);
    // None at all is as good as a right one (RFC 768), but not with IPv6 (RFC 8200, 8.1).
    make(1, 5000);
    changetype<UdpHeader>(DATAGRAM).checksum = 0;
    pieces(3, length, 1480);
    expect<bool>(holds(socket, 1, 5000)).toBe(version == 4);
    close(socket);
  });

  it("has a segment of TCP in one piece", () => {
    const before = networkCounters().payloadCopied;
    const length = make(1, 1200);
    for (let at: u32 = 0; at < length; at += 400)
      piece(1, at, min<u32>(400, length - at), at + 400 < length, 6);
    expect<u64>(networkCounters().ipReassembled).toBe(1);
    expect<u64>(networkCounters().ipFragmentOverflows).toBe(0);
    expect<u64>(networkCounters().payloadCopied - before).toBe(length - 400);
    link.run(10_000_000);
  });

  it("answers a long echo request with all of its bytes", () => {
    const lengths: u32[] = [1600, 1700, 9000, version == 4 ? 65515 : 65535];
    for (let i = 0; i < lengths.length; i++) {
      const length = lengths[i];
      for (let j: u32 = 0; j < length; j++) store<u8>(DATAGRAM + j, octet(3, j));
      const echo = changetype<IcmpHeader>(DATAGRAM);
      // ICMPv6 has a pseudo header.
      const pseudoSum = version == 4 ? 0 : pseudo(58, length);
      echo.type = version == 4 ? 8 : 128;
      echo.code = 0;
      echo.checksum = 0;
      echo.checksum = internetChecksum(checksumAdd(DATAGRAM, length, pseudoSum));
      forget();
      for (let offset: u32 = 0; offset < length; offset += 1480)
        piece(i, offset, min<u32>(1480, length - offset), offset + 1480 < length, icmp);
      link.run(15_000_000);
      expect<u32>(assemble()).toBe(length);
      expect<u32>(changetype<IcmpHeader>(WHOLE).type).toBe(version == 4 ? 0 : 129);
      expect<u16>(checksumFold(checksumAdd(WHOLE, length, pseudoSum))).toBe(0xffff);
      expect<i32>(memory.compare(WHOLE + 8, DATAGRAM + 8, length - 8)).toBe(0);
    }
  });
}

describe("reassembly of IPv4", () => {
  beforeEach(() => boot(4, 700));
  afterEach(expectNothingHeld);

  suite();
});

describe("reassembly of IPv6", () => {
  beforeEach(() => boot(6, 700));
  afterEach(expectNothingHeld);

  suite();
});
