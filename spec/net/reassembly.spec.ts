/** Reassembly, of both versions: what is put together from fragments, what is refused, and what limits there are. What only IPv6 has is in fragments6.spec.ts. */
import { SECOND } from "../../kernel/time/clock";
import { bufferPool } from "../../net/buffer";
import { checksumAdd, checksumFold, internetChecksum } from "../../net/checksum";
import { networkCounters } from "../../net/counters";
import { DATAGRAM_LIMIT, PIECES_LIMIT, REASSEMBLY_TIME, reassemblyHeld } from "../../net/reassembly";
import { UDP_QUEUE_COUNT, udpQueued } from "../../net/socket/udp-calls";
import { IcmpHeader } from "../../net/wire/icmp";
import { Ipv4Header } from "../../net/wire/ipv4";
import { UdpHeader } from "../../net/wire/udp";
import * as link from "./link";
import {
  assemble,
  boot,
  bound,
  close,
  DATAGRAM,
  forget,
  headOf,
  holds,
  icmp,
  make,
  most,
  octet,
  packets,
  peekLength,
  peerAnswers,
  piece,
  pieces,
  pseudo,
  shuffle,
  version,
  WHOLE,
} from "./pieces";

function check(): void {
  link.run(3 * REASSEMBLY_TIME);
  expect<u32>(reassemblyHeld()).toBe(0);
  expect<u32>(bufferPool().inUse).toBe(0, "buffers left");
}

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

  it("drops all of a datagram whose fragments overlap or contradict each other, and what still comes of it", () => {
    const socket = bound(7);
    // Offset, length, more, of the fragments: the third is always what was missing.
    const cases: u32[][] = [
      [0, 800, 1, 792, 680, 1, 800, 2008 - 800, 0],
      [0, 800, 1, 0, 808, 1, 808, 1200, 0],
      [800, 1208, 0, 0, 808, 1, 0, 800, 1],
      [800, 1208, 0, 800, 1216, 0, 0, 800, 1],
      [800, 1208, 0, 1600, 800, 1, 0, 800, 1],
      [1600, 400, 1, 0, 800, 0, 800, 800, 1],
      [1600, 408, 1, 800, 1208, 0, 0, 800, 1],
      // Within another one, though all of its bytes are the same: at its beginning, inside, and at its end.
      [0, 1480, 1, 0, 800, 1, 1480, 1528, 0],
      [0, 1480, 1, 8, 800, 1, 1480, 1528, 0],
      [0, 1480, 1, 680, 800, 1, 1480, 1528, 0],
      [1480, 1528, 0, 2280, 728, 0, 0, 1480, 1],
    ];
    for (let i = 0; i < cases.length; i++) {
      const list = cases[i];
      const length = make(i, 3000);
      for (let j = 0; j < 9; j += 3) piece(i, list[j], list[j + 1], list[j + 2] != 0);
      // Everything once more: it does not come back.
      pieces(i, length, 1480);
      expect<i32>(peekLength(socket)).toBe(-11, i.toString());
      expect<u32>(reassemblyHeld()).toBe(0);
    }
    expect<u64>(networkCounters().ipFragmentOverlaps).toBeGreaterThan(cases.length * 3);
    expect<u64>(networkCounters().ipReassembled).toBe(0);
    // A repetition with other bytes is an overlap, too.
    const length = make(9, 2000);
    piece(99, 0, 1480, true);
    store<u8>(DATAGRAM + 700, load<u8>(DATAGRAM + 700) ^ 0x80);
    piece(99, 0, 1480, true);
    piece(99, 1480, length - 1480, false);
    expect<i32>(peekLength(socket)).toBe(-11);
    close(socket);
  });

  it("takes a fragment that has come before for a repetition, and nothing else, where they were put together, too (RFC 8200, 4.5)", () => {
    const socket = bound(7);
    const counters = networkCounters();
    // Offset and length of one more after 64 of 24 bytes, the last of which is shorter, and whether it is one of them.
    const cases: u32[][] = [
      [0, 24, 1],
      [24, 24, 1],
      [1488, 24, 1],
      [1512, 16, 1],
      [0, 48, 0],
      [24, 16, 0],
      [8, 24, 0],
      [32, 16, 0],
      [1488, 40, 0],
      [1520, 8, 0],
    ];
    for (let reversed = 0; reversed < 2; reversed++)
      for (let i = 0; i < cases.length; i++) {
        const case_ = cases[i];
        const length = make(i, 1600 - 8);
        for (let j: u32 = 0; j < 64; j++) {
          const at = (reversed ? 63 - j : j) * 24;
          piece(i, at, at == 1512 ? 16 : 24, true);
        }
        const overlaps = counters.ipFragmentOverlaps;
        piece(i, case_[0], case_[1], true);
        piece(i, 1528, length - 1528, false);
        expect<bool>(holds(socket, i, 1600 - 8)).toBe(case_[2] != 0, i.toString());
        expect<u64>(counters.ipFragmentOverlaps - overlaps).toBe(case_[2] != 0 ? 0 : 2);
        link.run(2 * REASSEMBLY_TIME);
      }
    expect<u64>(counters.payloadCopied).toBeGreaterThan(0, "some were put together");
    // Of several sizes it cannot be told any more: taken for an overlap.
    make(1, 1592);
    for (let at: u32 = 0, j: u32 = 0; at < 1528; j++) {
      const size: u32 = 16 + 8 * (j & 1);
      piece(500, at, size, true);
      at += size;
    }
    const overlaps = counters.ipFragmentOverlaps;
    piece(500, 720, 16, true);
    expect<u64>(counters.ipFragmentOverlaps - overlaps).toBe(1);
    close(socket);
  });

  it("has room for so many datagrams and buffers, and the oldest goes", () => {
    const socket = bound(7);
    const counters = networkCounters();
    make(1, 3000);
    for (let i: u32 = 0; i < DATAGRAM_LIMIT + 10; i++) piece(i, 0, 1480, true);
    expect<u32>(reassemblyHeld()).toBe(DATAGRAM_LIMIT);
    expect<u64>(counters.ipFragmentOverflows).toBe(10);
    piece(DATAGRAM_LIMIT + 9, 1480, 1528, false);
    expect<bool>(holds(socket, 1, 3000)).toBe(true, "the newest is whole");
    piece(0, 1480, 1480, true);
    // The share of the pool is 64 buffers here: one datagram more than half of it drives the others out.
    make(2, most);
    pieces(1000, 8 + most, 1480);
    expect<bool>(holds(socket, 2, most)).toBe(true);
    expect<u32>(reassemblyHeld()).toBeLessThan(65);
    // One datagram in more pieces than there may be, with gaps between them.
    link.run(2 * REASSEMBLY_TIME);
    const before = counters.ipFragmentOverflows;
    for (let i: u32 = 0; i < PIECES_LIMIT; i++) piece(2000, i * 1016, 512, true);
    expect<u64>(counters.ipFragmentOverflows).toBe(before);
    piece(2000, 0, 512, true, 17);
    expect<u64>(counters.ipFragmentOverlaps).toBe(0);
    piece(2000, 800, 8, true, 17);
    expect<u64>(counters.ipFragmentOverflows).toBe(before + 1);
    expect<u32>(reassemblyHeld()).toBe(0);
    close(socket);
  });

  it("small fragments take no more buffers than their bytes need, and 16", () => {
    const socket = bound(7);
    const length = make(1, 8000);
    for (let backwards = 0; backwards < 2; backwards++) {
      for (let i: u32 = 0; i < length; i += 64) {
        const at = backwards != 0 ? (length - 1 - i) & ~63 : i;
        if (at != 4032) piece(backwards, at, min<u32>(64, length - at), at + 64 < length);
      }
      expect<u32>(reassemblyHeld()).toBeLessThan(8 + 16);
      // In order once each, backwards again and again: as much as a buffer for each fragment.
      expect<u64>(networkCounters().payloadCopied).toBeGreaterThan(4000);
      if (backwards == 0) expect<u64>(networkCounters().payloadCopied).toBeLessThan(8000);
      piece(backwards, 4032, 64, true);
      expect<bool>(holds(socket, 1, 8000)).toBe(true);
    }
    close(socket);
  });

  it("copies nothing of fragments that are as large as frames, whatever their order", () => {
    const socket = bound(7);
    for (let i: u32 = 0; i < 300; i++) {
      const length = make(i & 0xff, 1480 + (link.random() % (i % 10 == 0 ? most - 1480 : 12000)));
      // Frames of Ethernet, and of IPv6's least MTU.
      const size: u32 = i & 1 ? 1480 : 1232;
      const order: u32[] = [];
      for (let at: u32 = 0; at < length; at += size) order.push(at);
      shuffle(order);
      for (let j = 0; j < order.length; j++)
        piece(i, order[j], min<u32>(size, length - order[j]), order[j] + size < length);
      expect<bool>(holds(socket, i & 0xff, length - 8)).toBe(true);
    }
    expect<u64>(networkCounters().payloadCopied).toBe(0);
    // As many as 119, of the least that every host takes (RFC 791), are put together.
    for (let i: u32 = 0; i < 20; i++) {
      const length = make(i, most);
      const order: u32[] = [];
      for (let at: u32 = 0; at < length; at += 552) order.push(at);
      shuffle(order);
      for (let j = 0; j < order.length; j++)
        piece(1000 + i, order[j], min<u32>(552, length - order[j]), order[j] + 552 < length);
      expect<bool>(holds(socket, i, most)).toBe(true);
    }
    expect<u64>(networkCounters().payloadCopied).toBeGreaterThan(0);
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

  it("counts the buffers of long datagrams against the limits of the queues", () => {
    const socket = bound(7);
    const length = make(1, 20000);
    let taken: u32 = 0;
    for (let i: u32 = 0; i < 20; i++) {
      pieces(i, length, 1480);
      const held = udpQueued();
      if (held != taken) taken = held;
    }
    expect<u32>(taken).toBeGreaterThan(UDP_QUEUE_COUNT / 2);
    expect<u32>(taken).toBeLessThan(UDP_QUEUE_COUNT + 1);
    expect<u64>(networkCounters().udpQueueFull).toBeGreaterThan(10);
    while (headOf(socket) !== null) expect<bool>(holds(socket, 1, 20000)).toBe(true);
    expect<u32>(udpQueued()).toBe(0);
    pieces(100, length, 1480);
    close(socket);
    expect<u32>(udpQueued()).toBe(0);
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
  afterEach(check);

  suite();

  it("refuses fragments that nobody in good faith makes", () => {
    const counters = networkCounters();
    make(1, 3000);
    piece(1, 0, 1479, true); // leaves the next without an offset
    piece(2, 0, 0, true);
    piece(3, 800, 0, false);
    piece(4, 0, 8, true, 6); // less than a TCP header (RFC 1858)
    piece(5, 0, 16, true, 6);
    piece(6, 8, 800, true, 6); // its rest (RFC 3128)
    piece(7, 16, 800, false, 6);
    piece(8, 65528, 8, false, 6); // 65,536 bytes: the "ping of death"
    piece(9, 65528, 8, false, 1);
    piece(10, 65512, 16, true);
    expect<u64>(counters.ipBadFragments).toBe(10);
    expect<u32>(reassemblyHeld()).toBe(0);
    piece(11, 0, 24, true, 6);
    piece(12, 65512, 3, false); // 65,535 with the header
    expect<u64>(counters.ipBadFragments).toBe(10);
    expect<u32>(reassemblyHeld()).toBe(2);
  });

  it("gives up after 60 seconds, and says so when the first fragment had come (RFC 1122, 3.3.2)", () => {
    make(1, 3000);
    piece(1, 0, 1480, true);
    piece(2, 1480, 1480, true);
    link.run(REASSEMBLY_TIME - SECOND);
    expect<u32>(reassemblyHeld()).toBe(2);
    expect<i32>(packets.length).toBe(0);
    link.run(2 * SECOND);
    expect<u32>(reassemblyHeld()).toBe(0);
    expect<u64>(networkCounters().ipFragmentTimeouts).toBe(2);
    // The link address of the peer is asked for again by then.
    peerAnswers();
    expect<i32>(packets.length).toBe(1);
    const error = changetype<IcmpHeader>(packets[0] + 20);
    expect<u32>(error.type).toBe(11);
    expect<u32>(error.code).toBe(1);
    const quoted = changetype<Ipv4Header>(packets[0] + 28);
    expect<u32>(quoted.identification).toBe(1);
    expect<u32>(changetype<Ipv4Header>(packets[0]).totalLength).toBe(576);
    expect<i32>(memory.compare(packets[0] + 48, DATAGRAM, 528)).toBe(0);
  });
});

describe("reassembly of IPv6", () => {
  beforeEach(() => boot(6, 700));
  afterEach(check);

  suite();
});
