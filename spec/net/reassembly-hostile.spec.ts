/** Fragments that are refused, of both versions: overlaps and contradictions (RFC 8200, 4.5, RFC 5722), and what nobody in good faith makes (RFC 1858, RFC 3128). */
import { networkCounters } from "../../net/counters";
import { REASSEMBLY_TIME, reassemblyHeld } from "../../net/reassembly";
import * as link from "./link";
import {
  boot,
  bound,
  close,
  DATAGRAM,
  expectNothingHeld,
  holds,
  make,
  peekLength,
  piece,
  pieces,
} from "./pieces";

function suite(): void {
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
}

describe("refused fragments of IPv4", () => {
  beforeEach(() => boot(4, 700));
  afterEach(expectNothingHeld);

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
});

describe("refused fragments of IPv6", () => {
  beforeEach(() => boot(6, 700));
  afterEach(expectNothingHeld);

  suite();
});
