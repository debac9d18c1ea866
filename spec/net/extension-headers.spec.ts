/** RFC 8200, 4: extension headers of packets that arrive, unknown options (4.2), and routing headers (RFC 5095). */
import { bufferPool } from "../../net/buffer";
import { networkCounters } from "../../net/counters";
import { REASSEMBLY_TIME } from "../../net/reassembly";
import { deliver } from "./frames";
import * as six from "./frames6";
import { address6, countOf, GROUP, ipv6, lastOf, LINK_LOCAL, OWN_ID, to, TRANSPORT6 } from "./frames6";
import { bootTransport, delivered, deliveredLength, SCTP } from "./ipv6-transport";
import * as link from "./link";

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
  beforeEach(bootTransport);

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
