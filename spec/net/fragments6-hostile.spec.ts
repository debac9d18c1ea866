/** What attackers do with fragments of IPv6: RFC 5722 (overlaps), RFC 7112 (headers in several fragments), RFC 6980 (neighbour discovery), RFC 8200, 4.5 (lengths). */
import { EAGAIN } from "../../kernel/errno";
import { networkCounters } from "../../net/counters";
import { DATAGRAM_LIMIT, reassemblyHeld } from "../../net/reassembly";
import { error, options, PARAMETER_PROBLEM, wrapped } from "./fragments6";
import { deliver } from "./frames";
import * as six from "./frames6";
import { LINK_LOCAL, PEER_ID, TRANSPORT6 } from "./frames6";
import * as link from "./link";
import {
  boot,
  bound,
  close,
  DATAGRAM,
  expectNothingHeld,
  forget,
  fragmentHeader,
  holds,
  make,
  packets,
  peekLength,
  piece,
  pieces,
} from "./pieces";

describe("hostile fragments of IPv6", () => {
  beforeEach(() => boot(6, 700));
  afterEach(expectNothingHeld);

  it("overlapping: all of it is gone, silently, and does not come back (RFC 5722)", () => {
    const socket = bound(7);
    const length = make(1, 3000);
    piece(1, 0, 1480, true);
    piece(1, 1472, 16, true);
    pieces(1, length, 1480);
    expect<i32>(peekLength(socket)).toBe(-EAGAIN);
    expect<i32>(packets.length).toBe(0);
    // Into what comes behind it; and beyond the end.
    piece(2, 2280, 728, false);
    piece(2, 1480, 1480, true);
    pieces(2, length, 1480);
    piece(3, 1480, 800, false);
    piece(3, 2280, 728, false);
    pieces(3, length, 1480);
    expect<i32>(peekLength(socket)).toBe(-EAGAIN);
    expect<i32>(packets.length).toBe(0);
    expect<u32>(reassemblyHeld()).toBe(0);
    expect<u64>(networkCounters().ipReassembled).toBe(0);
    close(socket);
  });

  it("tiny first fragment: without all headers it is dropped, and its sender is told (RFC 7112)", () => {
    make(1, 3000);
    // Eight bytes of TCP; sixteen; and a chain of options that ends with the fragment.
    piece(1, 0, 8, true, 6);
    expect<u32>(error()).toBe(PARAMETER_PROBLEM | (3 << 8));
    piece(2, 0, 16, true, 6);
    piece(3, 0, 24, true, 6);
    expect<i32>(packets.length).toBe(2);
    six.ipv6(44, 8 + 16);
    fragmentHeader(TRANSPORT6, 60, 4, 0, true);
    options(TRANSPORT6 + 8, 2, 17);
    deliver();
    expect<i32>(packets.length).toBe(3);
    expect<u32>(error()).toBe(PARAMETER_PROBLEM | (3 << 8));
    // Options that say they are longer than what is there.
    six.ipv6(44, 8 + 16);
    fragmentHeader(TRANSPORT6, 60, 5, 0, true);
    options(TRANSPORT6 + 8, 2, 17);
    store<u8>(TRANSPORT6 + 8, 30, 1);
    deliver();
    expect<i32>(packets.length).toBe(4);
    expect<u64>(networkCounters().ipBadFragments).toBe(4);
    expect<u32>(reassemblyHeld()).toBe(1);
  });

  it("a length that leaves the next without an offset: a parameter problem at the payload length", () => {
    make(1, 3000);
    for (let length: u32 = 1001; length < 1008; length++) {
      piece(1, 0, length, true);
      expect<u32>(error()).toBe(PARAMETER_PROBLEM | 4);
    }
    expect<i32>(packets.length).toBe(7);
    expect<u32>(reassemblyHeld()).toBe(0);
  });

  it("zero length: no fragment", () => {
    piece(1, 0, 0, true);
    piece(1, 8, 0, true);
    piece(1, 8, 0, false);
    expect<u64>(networkCounters().ipBadFragments).toBe(3);
    expect<i32>(packets.length).toBe(0);
  });

  it("jumbo past 65,535 bytes: a parameter problem at the offset", () => {
    make(1, 3000);
    piece(1, 65528, 8, false);
    expect<u32>(error()).toBe(PARAMETER_PROBLEM | 42);
    piece(1, 65528, 7, false);
    piece(2, 65520, 8, true);
    expect<i32>(packets.length).toBe(1);
    // With headers in front that are a part of the packet, less is too much.
    forget();
    wrapped(3, 65520, 8, false, 1, 0);
    expect<u32>(error()).toBe(PARAMETER_PROBLEM | 50);
    wrapped(4, 65520, 7, false, 1, 0);
    expect<i32>(packets.length).toBe(1);
    // Only the first one shows it: the others have no headers in front.
    for (let offset: u32 = 1024; offset < 65535; offset += 1024)
      piece(9, offset, min<u32>(1024, 65535 - offset), offset + 1024 < 65535);
    wrapped(9, 0, 1024, true, 1, 0);
    expect<u64>(networkCounters().ipReassembled).toBe(0);
    expect<u64>(networkCounters().ipBadFragments).toBe(3);
  });

  it("nested fragment headers: one is enough", () => {
    const socket = bound(7);
    const length = make(1, 100);
    // A fragment that is the whole packet, with another one in it.
    six.ipv6(44, 16 + length);
    fragmentHeader(TRANSPORT6, 44, 1, 0, false);
    fragmentHeader(TRANSPORT6 + 8, 17, 2, 0, false);
    memory.copy(TRANSPORT6 + 16, DATAGRAM, length);
    deliver();
    expect<u64>(networkCounters().ip6BadExtension).toBe(1);
    // A packet that is put together, and is a fragment then; of itself, too.
    for (let inner: u32 = 10; inner < 12; inner++) {
      six.ipv6(44, 16 + 64);
      fragmentHeader(TRANSPORT6, 44, 10, 0, true);
      fragmentHeader(TRANSPORT6 + 8, 17, inner, 0, true);
      memory.copy(TRANSPORT6 + 16, DATAGRAM, 64);
      deliver();
      six.ipv6(44, 8 + 44);
      fragmentHeader(TRANSPORT6, 44, 10, 72, false);
      memory.copy(TRANSPORT6 + 8, DATAGRAM + 64, 44);
      deliver();
      expect<u64>(networkCounters().ip6BadExtension).toBe(inner - 8);
    }
    expect<i32>(peekLength(socket)).toBe(-EAGAIN);
    expect<u32>(reassemblyHeld()).toBe(0);
    expect<i32>(packets.length).toBe(0);
    close(socket);
  });

  it("exhaustion: a flood from everywhere holds no more than its share, and what comes whole is served", () => {
    const socket = bound(7);
    make(1, 3000);
    for (let i: u32 = 0; i < 5000; i++) {
      piece(i, 8 * (link.random() % 8000), 8, true);
      six.from(LINK_LOCAL, 0x1000 + (i % 700));
      deliver();
      expect<u32>(reassemblyHeld()).toBeLessThan(DATAGRAM_LIMIT + 1);
      if (i % 100 != 0) continue;
      const length = make(2, 2000);
      pieces(0x8000_0000 | i, length, 1480);
      expect<bool>(holds(socket, 2, 2000)).toBe(true);
      make(1, 3000);
    }
    expect<u64>(networkCounters().ipFragmentOverflows).toBeGreaterThan(9000);
    close(socket);
  });

  it("neighbour discovery in fragments: never believed (RFC 6980)", () => {
    const counters = networkCounters();
    for (let parts = 1; parts <= 2; parts++) {
      six.neighbour(136, LINK_LOCAL, PEER_ID, 0x6000_0000, 2, 0x9900);
      six.checksum6(58, 2);
      memory.copy(DATAGRAM, TRANSPORT6, 32);
      if (parts == 2) piece(5, 0, 24, true, 58);
      piece(5, parts == 2 ? 24 : 0, parts == 2 ? 8 : 32, false, 58);
      expect<u64>(counters.ndMalformed).toBe(parts);
    }
  });
});
