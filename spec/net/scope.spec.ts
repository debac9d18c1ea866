/** RFC 4291, 2: prefixes and scopes of addresses. */
import { commonPrefix, samePrefix, scopeOf } from "../../net/scope";
import { address6, PREFIX } from "./frames6";
import { bootTransport } from "./ipv6-transport";
import * as link from "./link";

describe("prefixes and scopes", () => {
  beforeEach(bootTransport);

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
