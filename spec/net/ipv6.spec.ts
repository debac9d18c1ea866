/** IPv6 input and output: header checks, extension headers, groups, scopes, the way out. */
import { EINVAL, EMSGSIZE, ENETDOWN, ENETUNREACH } from "../../kernel/errno";
import { allocateBuffer, BUFFER_HEADROOM, bufferPool, PacketBuffer, releaseBuffer } from "../../net/buffer";
import { networkCounters } from "../../net/counters";
import { networkFlush, setVlan } from "../../net/interface";
import { ipv6Output } from "../../net/ipv6-output";
import { chooseSource6, isOwn6 } from "../../net/own-addresses";
import { commonPrefix, isLinkLocal, samePrefix, scopeOf } from "../../net/scope";
import { REASSEMBLY_TIME } from "../../net/reassembly";
import { registerTransport } from "../../net/transports";
import { BROADCAST0, BROADCAST4, EthernetHeader } from "../../net/wire/ethernet";
import * as frames from "./frames";
import { deliver, FRAME, NETWORK } from "./frames";
import * as six from "./frames6";
import {
  address6,
  boot6,
  countOf,
  from,
  getGlobal,
  GROUP,
  ipv6,
  knowPeer,
  lastOf,
  LINK_LOCAL,
  OWN_GROUP_LOW,
  OWN_ID,
  PEER_ID,
  PREFIX,
  to,
  TRANSPORT6,
} from "./frames6";
import * as link from "./link";

const SCTP: u32 = 132;
/** TCP with all the options that fit. */
const LONGEST_TRANSPORT: u32 = 60;
let delivered: u32 = 0;
let deliveredLength: u32 = 0;

function input(buffer: PacketBuffer): void {
  delivered++;
  deliveredLength = buffer.length;
  releaseBuffer(buffer);
}

function boot(): void {
  boot6();
  knowPeer();
  delivered = 0;
  registerTransport(SCTP, input.index, 0, 0);
}

/** Sends `payload` bytes; the result of ipv6Output. */
function send(sourceHigh: u64, sourceLow: u64, high: u64, low: u64, payload: u32): i32 {
  const buffer = allocateBuffer(BUFFER_HEADROOM)!;
  buffer.length = payload;
  const result = ipv6Output(buffer, address6(sourceHigh, sourceLow), address6(high, low), SCTP, 64);
  releaseBuffer(buffer);
  return result;
}

describe("ipv6 input", () => {
  beforeEach(boot);

  it("takes what is for one of our addresses or groups", () => {
    ipv6(SCTP, 20);
    deliver();
    expect<u32>(delivered).toBe(1);
    expect<u32>(deliveredLength).toBe(20);
    ipv6(SCTP, 21);
    to(GROUP, 1);
    deliver();
    ipv6(SCTP, 22);
    to(GROUP, OWN_GROUP_LOW);
    deliver();
    expect<u32>(delivered).toBe(3);
    expect<u32>(deliveredLength).toBe(22);
  });

  it("leaves padding of the frame out, and refuses what is cut off", () => {
    ipv6(SCTP, 20);
    frames.setFrameLength(14 + 60);
    deliver();
    expect<u32>(deliveredLength).toBe(20);
    for (let length: u32 = 14; length < 14 + 40 + 20; length++) {
      ipv6(SCTP, 20);
      frames.setFrameLength(length);
      deliver();
    }
    expect<u32>(delivered).toBe(1);
    expect<u64>(networkCounters().ipBadLength).toBe(60);
    for (let version: u32 = 0; version < 16; version++) {
      ipv6(SCTP, 20);
      store<u8>(NETWORK, <u8>(version << 4));
      deliver();
    }
    expect<u64>(networkCounters().ipBadVersion).toBe(15);
    expect<u32>(delivered).toBe(2);
  });

  it("refuses sources that nobody on the wire has", () => {
    const counters = networkCounters();
    const high: u64[] = [0, 0, GROUP, LINK_LOCAL];
    const low: u64[] = [1, 0xffff_0a00_0002, 1, OWN_ID];
    for (let i = 0; i < high.length; i++) {
      ipv6(SCTP, 20);
      from(high[i], low[i]);
      deliver();
    }
    expect<u64>(counters.ipBadSource).toBe(4);
    expect<u32>(delivered).toBe(0);
  });

  it("refuses destinations that are not ours", () => {
    const counters = networkCounters();
    ipv6(SCTP, 20);
    to(0, 1);
    deliver();
    ipv6(SCTP, 20);
    to(0, 0);
    deliver();
    // To one of us, in a frame for many.
    ipv6(SCTP, 20);
    changetype<EthernetHeader>(FRAME).setDestination(BROADCAST0, BROADCAST4);
    deliver();
    expect<u64>(counters.ipBadDestination).toBe(3);
    ipv6(SCTP, 20);
    to(LINK_LOCAL, PEER_ID);
    deliver();
    ipv6(SCTP, 20);
    to(GROUP, 2);
    deliver();
    ipv6(SCTP, 20);
    to(GROUP, OWN_GROUP_LOW + 1);
    deliver();
    expect<u64>(counters.ipNotForUs).toBe(3);
    expect<u32>(delivered).toBe(0);
  });

  it("tells the sender of a transport that there is not, where the field is", () => {
    ipv6(200, 20);
    deliver();
    const error = lastOf(4);
    expect<u32>(error.icmp.code).toBe(1);
    expect<u32>(error.icmp.rest).toBe(6);
    expect<bool>(error.isSound).toBe(true);
    expect<u32>(error.transportLength).toBe(8 + 60);
    expect<u32>(memory.compare(error.transport + 8, NETWORK, 60)).toBe(0);
    // ICMP of IPv4 is none of ours, and nobody is told about groups.
    ipv6(1, 20);
    deliver();
    expect<u32>(countOf(4)).toBe(2);
    ipv6(200, 20);
    to(GROUP, 1);
    deliver();
    ipv6(200, 20);
    from(0, 0);
    deliver();
    expect<u32>(countOf(4)).toBe(2);
  });

  it("quotes 1,280 bytes at most, and not without a limit", () => {
    ipv6(200, 1400);
    deliver();
    expect<i32>(lastOf(4).bytes.length).toBe(14 + 1280);
    for (let i = 0; i < 500; i++) deliver();
    expect<u32>(countOf(4)).toBeLessThan(110);
    expect<u64>(networkCounters().icmpRateLimited).toBeGreaterThan(390);
  });
});

/** An extension header of `size` bytes at `at`. */
function extension(at: usize, next: u32, size: u32): void {
  memory.fill(at, 0, size);
  store<u8>(at, <u8>next);
  store<u8>(at, <u8>(size / 8 - 1), 1);
  // PadN over all of it.
  store<u8>(at, 1, 2);
  store<u8>(at, <u8>(size - 4), 3);
}

describe("extension headers", () => {
  beforeEach(boot);

  it("are passed up to eight of them, a hop-by-hop header only as the first", () => {
    for (let count: u32 = 0; count <= 10; count++) {
      ipv6(count == 0 ? SCTP : 60, 20 + 8 * count);
      for (let i: u32 = 0; i < count; i++) extension(TRANSPORT6 + 8 * i, i == count - 1 ? SCTP : 60, 8);
      deliver();
      expect<u32>(delivered).toBe(min<u32>(count, 8) + 1);
      expect<u32>(deliveredLength).toBe(20);
    }
    expect<u64>(networkCounters().ip6BadExtension).toBe(2);
    ipv6(0, 28);
    extension(TRANSPORT6, SCTP, 8);
    deliver();
    expect<u32>(delivered).toBe(10);
    ipv6(60, 36);
    extension(TRANSPORT6, 0, 8);
    extension(TRANSPORT6 + 8, SCTP, 8);
    deliver();
    expect<u32>(delivered).toBe(10);
    expect<u32>(lastOf(4).icmp.code).toBe(1);
    expect<u32>(lastOf(4).icmp.rest).toBe(40);
  });

  it("do what unknown options say", () => {
    for (let action: u32 = 0; action < 4; action++) {
      for (let group = 0; group < 2; group++) {
        six.forgetSent();
        delivered = 0;
        ipv6(60, 28);
        if (group != 0) to(GROUP, 1);
        extension(TRANSPORT6, SCTP, 8);
        store<u8>(TRANSPORT6, <u8>((action << 6) | 30), 2);
        deliver();
        expect<u32>(delivered).toBe(action == 0 ? 1 : 0);
        const told: u32 = action == 2 || (action == 3 && group == 0) ? 1 : 0;
        expect<u32>(countOf(4)).toBe(told);
        if (told == 0) continue;
        expect<u32>(lastOf(4).icmp.code).toBe(2);
        expect<u32>(lastOf(4).icmp.rest).toBe(42);
        expect<bool>(lastOf(4).source.same(address6(LINK_LOCAL, OWN_ID))).toBe(true);
      }
    }
  });

  it("of routing are refused while a segment is left, type 0 too", () => {
    for (let type: u32 = 0; type < 5; type++) {
      for (let left: u32 = 0; left < 2; left++) {
        six.forgetSent();
        delivered = 0;
        ipv6(43, 44);
        memory.fill(TRANSPORT6, 0, 24);
        store<u8>(TRANSPORT6, SCTP);
        store<u8>(TRANSPORT6, 2, 1);
        store<u8>(TRANSPORT6, <u8>type, 2);
        store<u8>(TRANSPORT6, <u8>left, 3);
        deliver();
        expect<u32>(delivered).toBe(1 - left);
        expect<u32>(countOf(4)).toBe(left);
        if (left != 0) expect<u32>(lastOf(4).icmp.rest).toBe(42);
      }
    }
    expect<u64>(networkCounters().ipSourceRoute).toBe(5);
  });

  it("of fragments pass when the fragment is the whole packet", () => {
    ipv6(44, 28);
    memory.fill(TRANSPORT6, 0, 8);
    store<u8>(TRANSPORT6, SCTP);
    // The reserved bits do not count.
    store<u16>(TRANSPORT6, bswap<u16>(6), 2);
    deliver();
    expect<u32>(delivered).toBe(1);
    store<u16>(TRANSPORT6, bswap<u16>(1), 2);
    deliver();
    store<u16>(TRANSPORT6, bswap<u16>(8), 2);
    deliver();
    expect<u32>(delivered).toBe(1);
    expect<u64>(networkCounters().ipFragments).toBe(2);
  });

  it("survive anything: 200,000 random ones, and no buffer is lost", () => {
    const held = bufferPool().inUse;
    for (let round = 0; round < 200_000; round++) {
      const length = link.random() % 64;
      const kinds: u32[] = [0, 43, 44, 60, 59, SCTP, 58];
      ipv6(kinds[link.random() % 7], length);
      for (let i: u32 = 0; i < length; i++) {
        const byte = link.random();
        store<u8>(
          TRANSPORT6 + i,
          <u8>((byte & 0x300) == 0 ? kinds[(byte >> 12) % 7] : (byte & 0xc00) == 0 ? byte & 3 : byte),
        );
      }
      deliver();
    }
    link.run(2 * REASSEMBLY_TIME);
    expect<u32>(bufferPool().inUse).toBe(held);
    expect<u32>(delivered).toBeGreaterThan(1000);
  });
});

describe("ipv6 output", () => {
  beforeEach(boot);

  it("goes to groups at once, with the link address of the group", () => {
    expect<i32>(send(0, 0, GROUP, 0x1234_5678, 30)).toBe(0);
    const last = six.sent[six.sent.length - 1];
    expect<u32>(changetype<EthernetHeader>(last.frame).destination0).toBe(0x3412_3333);
    expect<u32>(<u32>changetype<EthernetHeader>(last.frame).destination4).toBe(0x7856);
    expect<bool>(last.source.same(address6(LINK_LOCAL, OWN_ID))).toBe(true);
    expect<u32>(last.network.payloadLength).toBe(30);
    expect<u32>(last.network.hopLimit).toBe(64);
  });

  it("has room for the longest header of a transport, and a tag", () => {
    setVlan(100);
    const buffer = allocateBuffer(BUFFER_HEADROOM)!;
    buffer.length = 10;
    buffer.push(LONGEST_TRANSPORT);
    // The link sees to it that the driver's header still has its place.
    const result = ipv6Output(buffer, address6(LINK_LOCAL, OWN_ID), address6(GROUP, 1), SCTP, 64);
    releaseBuffer(buffer);
    expect<i32>(result).toBe(0);
    setVlan(0);
  });

  it("comes back from our own addresses", () => {
    expect<i32>(send(0, 0, 0, 1, 30)).toBe(0);
    expect<i32>(send(0, 0, LINK_LOCAL, OWN_ID, 31)).toBe(0);
    networkFlush();
    expect<u32>(delivered).toBe(2);
    expect<i32>(six.sent.length).toBe(0);
  });

  it("says what cannot be", () => {
    expect<i32>(send(0, 0, PREFIX, 9, 30)).toBe(-ENETUNREACH);
    expect<i32>(send(0, 0, 0, 9, 30)).toBe(-ENETUNREACH);
    expect<i32>(send(0, 1, LINK_LOCAL, PEER_ID, 30)).toBe(-EINVAL);
    expect<i32>(send(0, 0, GROUP, 1, 1461)).toBe(-EMSGSIZE);
    expect<i32>(send(0, 0, GROUP, 1, 1460)).toBe(0);
    link.linkDevice().linkUp = 0;
    expect<i32>(send(0, 0, GROUP, 1, 30)).toBe(-ENETDOWN);
  });

  it("asks for neighbours on the link, and for the router beyond it", () => {
    getGlobal();
    expect<i32>(send(0, 0, PREFIX, 9, 30)).toBe(0);
    expect<bool>(lastOf(135).target.same(address6(PREFIX, 9))).toBe(true);
    expect<bool>(lastOf(135).source.same(address6(PREFIX, OWN_ID))).toBe(true);
    expect<i32>(send(0, 0, 0x2001_0db8_ffff_0000, 9, 30)).toBe(0);
    const last = six.sent[six.sent.length - 1];
    expect<bool>(last.destination.same(address6(0x2001_0db8_ffff_0000, 9))).toBe(true);
    expect<u32>(<u32>changetype<EthernetHeader>(last.frame).destination4).toBe(link.PEER4);
    const question = lastOf(135);
    expect<bool>(question.isSound).toBe(true);
    expect<u32>(question.network.hopLimit).toBe(255);
  });

  it("has the source whose scope and prefix fit", () => {
    getGlobal();
    const source = address6(0, 0);
    expect<bool>(chooseSource6(source, address6(LINK_LOCAL, PEER_ID))).toBe(true);
    expect<bool>(isLinkLocal(source)).toBe(true);
    expect<bool>(chooseSource6(source, address6(GROUP, 1)) && isLinkLocal(source)).toBe(true);
    expect<bool>(chooseSource6(source, address6(0xff0e_0000_0000_0000, 1)) && source.high == PREFIX).toBe(
      true,
    );
    expect<bool>(chooseSource6(source, address6(PREFIX + 7, 1)) && source.high == PREFIX).toBe(true);
    expect<bool>(chooseSource6(source, address6(0, 1)) && source.low == 1).toBe(true);
    six.prefixOption(six.routerAdvertisement(1800, 32), 0xfd00_0000_0000_0001, 64, 0xc0, 86400, 14400);
    six.deliver6();
    link.run(3_000_000_000);
    expect<bool>(isOwn6(address6(0xfd00_0000_0000_0001, OWN_ID))).toBe(true);
    expect<bool>(chooseSource6(source, address6(0xfd00_0000_0000_0009, 1)) && source.high >> 56 == 0xfd).toBe(
      true,
    );
    expect<bool>(chooseSource6(source, address6(0x2600_0000_0000_0009, 1)) && source.high == PREFIX).toBe(
      true,
    );
    // Deprecated: only when there is nothing better.
    six.prefixOption(six.routerAdvertisement(1800, 32), PREFIX, 64, 0xc0, 86400, 0);
    six.deliver6();
    expect<bool>(chooseSource6(source, address6(0x2600_0000_0000_0009, 1)) && source.high >> 56 == 0xfd).toBe(
      true,
    );
  });
});

describe("prefixes and scopes", () => {
  beforeEach(boot);

  it("are what a comparison bit by bit says", () => {
    for (let round = 0; round < 20_000; round++) {
      const a = address6(
        ((<u64>link.random()) << 32) | link.random(),
        ((<u64>link.random()) << 32) | link.random(),
      );
      const b = address6(a.high, a.low);
      const bit = link.random() & 127;
      if (bit < 64) b.high ^= (<u64>1) << (63 - bit);
      else b.low ^= (<u64>1) << (127 - bit);
      const bits = link.random() % 129;
      assert(samePrefix(a, b, bits) == bits <= bit, "prefix");
      assert(commonPrefix(a, b) == min<u32>(bit, 64), "common prefix");
    }
  });

  it("have the numbers of RFC 4291", () => {
    expect<u32>(scopeOf(address6(0xff02_0000_0000_0000, 1))).toBe(2);
    expect<u32>(scopeOf(address6(0xff05_0000_0000_0000, 1))).toBe(5);
    expect<u32>(scopeOf(address6(0xfe80_0000_0000_0000, 1))).toBe(2);
    expect<u32>(scopeOf(address6(0xfebf_ffff_0000_0000, 1))).toBe(2);
    expect<u32>(scopeOf(address6(0xfec0_0000_0000_0000, 1))).toBe(5);
    expect<u32>(scopeOf(address6(0, 1))).toBe(2);
    expect<u32>(scopeOf(address6(PREFIX, 1))).toBe(14);
  });
});
