/** What bounds reassembly, of both versions: datagrams, pieces, buffers, and time (RFC 1122, 3.3.2). */
import { SECOND } from "../../kernel/time/clock";
import { networkCounters } from "../../net/counters";
import { DATAGRAM_LIMIT, PIECES_LIMIT, REASSEMBLY_TIME, reassemblyHeld } from "../../net/reassembly";
import { udpQueued } from "../../net/socket/udp-calls";
import { UDP_QUEUE_COUNT } from "../../net/socket/udp-socket";
import { IcmpHeader } from "../../net/wire/icmp";
import { Ipv4Header } from "../../net/wire/ipv4";
import * as link from "./link";
import {
  boot,
  bound,
  close,
  DATAGRAM,
  expectNothingHeld,
  headOf,
  holds,
  make,
  most,
  packets,
  peerAnswers,
  piece,
  pieces,
  shuffle,
} from "./pieces";

function suite(): void {
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
}

describe("limits of reassembly of IPv4", () => {
  beforeEach(() => boot(4, 700));
  afterEach(expectNothingHeld);

  suite();

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

describe("limits of reassembly of IPv6", () => {
  beforeEach(() => boot(6, 700));
  afterEach(expectNothingHeld);

  suite();
});
