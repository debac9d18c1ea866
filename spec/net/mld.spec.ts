/** Multicast listener discovery (RFC 3810, RFC 2710). */
import { SECOND } from "../../kernel/time/clock";
import { Ipv6Header } from "../../net/wire/ipv6";
import { NETWORK } from "./frames";
import * as six from "./frames6";
import {
  boot6,
  countOf,
  deliver6,
  from,
  getGlobal,
  GROUP,
  lastOf,
  OWN_GROUP_LOW,
  PREFIX,
  sent,
  to,
  TRANSPORT6,
} from "./frames6";
import * as link from "./link";

describe("multicast listener discovery", () => {
  beforeEach(() => boot6());

  it("answers queries of both versions with our groups, some time within what they ask for", () => {
    getGlobal();
    for (let version: u32 = 1; version <= 2; version++) {
      six.forgetSent();
      six.icmpv6(130, version == 1 ? 24 : 28);
      to(GROUP, 1);
      changetype<Ipv6Header>(NETWORK).hopLimit = 1;
      store<u16>(TRANSPORT6, bswap<u16>(1000), 4);
      deliver6();
      link.run(SECOND + SECOND / 10);
      const report = lastOf(version == 1 ? 131 : 143);
      expect<i32>(sent.length).toBe(1);
      expect<bool>(report.isSound).toBe(true);
      expect<u32>(report.network.nextHeader).toBe(0);
      expect<u32>(report.network.hopLimit).toBe(1);
      // Hop-by-hop: ICMPv6 follows, router alert, padding.
      expect<u64>(load<u64>(report.transport - 8)).toBe(0x0001_0000_0205_003a);
      const group = report.transport + (version == 1 ? 8 : 12);
      expect<u32>(bswap<u32>(load<u32>(group + 12))).toBe(<u32>OWN_GROUP_LOW);
      expect<u32>(report.transportLength).toBe(version == 1 ? 24 : 28);
    }
  });

  it("answers no others", () => {
    six.forgetSent();
    const lengths: u32[] = [8, 20, 25, 27];
    for (let i = 0; i < lengths.length; i++) {
      six.icmpv6(130, lengths[i]);
      to(GROUP, 1);
      changetype<Ipv6Header>(NETWORK).hopLimit = 1;
      deliver6();
    }
    six.icmpv6(130, 28);
    deliver6();
    six.icmpv6(130, 28);
    changetype<Ipv6Header>(NETWORK).hopLimit = 1;
    from(PREFIX, 1);
    deliver6();
    link.run(SECOND);
    expect<u32>(countOf(143) + countOf(131)).toBe(0);
  });
});
