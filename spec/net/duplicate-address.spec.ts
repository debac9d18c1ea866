/** Duplicate address detection (RFC 4862, 5.4). */
import { SECOND } from "../../kernel/time/clock";
import { networkCounters } from "../../net/counters";
import {
  ADDRESS_DUPLICATE,
  ADDRESS_NONE,
  ADDRESS_TENTATIVE,
  ADDRESS_VALID,
  isOwn6,
  ownAddress,
} from "../../net/own-addresses";
import { advertisePrefix, own } from "./autoconfiguration";
import * as six from "./frames6";
import {
  address6,
  begin6,
  countOf,
  deliver6,
  from,
  getGlobal,
  GROUP,
  lastOf,
  LINK_LOCAL,
  neighbour,
  OWN_GROUP_LOW,
  OWN_ID,
  PREFIX,
  to,
  TRANSPORT6,
} from "./frames6";
import * as link from "./link";
import { PEER4 } from "./link";

function linkChanges(): void {
  call_indirect<void>(link.linkDevice().linkChanged, link.linkDevice());
}

describe("duplicate address detection", () => {
  beforeEach(() => begin6());

  it("joins the group, asks from :: with a nonce, waits a second, and asks the routers then", () => {
    expect<u64>(ownAddress(0).high).toBe(LINK_LOCAL);
    expect<u64>(ownAddress(0).low).toBe(OWN_ID);
    expect<u32>(own(LINK_LOCAL)).toBe(ADDRESS_TENTATIVE);
    expect<bool>(isOwn6(ownAddress(0))).toBe(false);
    while (countOf(135) == 0) link.run(SECOND / 100);
    expect<u32>(countOf(143)).toBe(1);
    const probe = lastOf(135);
    expect<bool>(probe.isSound).toBe(true);
    expect<bool>(probe.source.isAny).toBe(true);
    expect<bool>(probe.destination.same(address6(GROUP, OWN_GROUP_LOW))).toBe(true);
    expect<bool>(probe.target.same(address6(LINK_LOCAL, OWN_ID))).toBe(true);
    expect<u32>(<u32>load<u16>(probe.transport, 24)).toBe(0x010e);
    link.run(SECOND - SECOND / 20);
    expect<u32>(own(LINK_LOCAL)).toBe(ADDRESS_TENTATIVE);
    expect<u32>(countOf(133)).toBe(0);
    link.run(SECOND / 10);
    expect<u32>(own(LINK_LOCAL)).toBe(ADDRESS_VALID);
    expect<u32>(countOf(143)).toBe(2);
    const question = lastOf(133);
    expect<bool>(question.isSound).toBe(true);
    expect<bool>(question.source.same(address6(LINK_LOCAL, OWN_ID))).toBe(true);
    expect<bool>(question.destination.same(address6(GROUP, 2))).toBe(true);
    link.run(20 * SECOND);
    expect<u32>(countOf(133)).toBe(3);
    expect<u32>(countOf(135)).toBe(1);
  });

  it("gives the address up when somebody has it, or wants it too, but not for our own question", () => {
    for (let round = 0; round < 4; round++) {
      begin6();
      while (countOf(135) == 0) link.run(SECOND / 100);
      const type: u32 = round == 0 ? 136 : 135;
      neighbour(
        type,
        LINK_LOCAL,
        OWN_ID,
        round == 0 ? 0x2000_0000 : 0,
        round == 0 ? 2 : round == 1 ? 0 : 14,
        PEER4,
      );
      if (round != 0) from(0, 0);
      to(GROUP, round == 0 ? 1 : OWN_GROUP_LOW);
      // Our own nonce.
      if (round == 3) memory.copy(TRANSPORT6 + 24, lastOf(135).transport + 24, 8);
      deliver6();
      expect<u32>(own(LINK_LOCAL)).toBe(round == 3 ? ADDRESS_TENTATIVE : ADDRESS_DUPLICATE);
      link.run(10 * SECOND);
      expect<u32>(own(LINK_LOCAL)).toBe(round == 3 ? ADDRESS_VALID : ADDRESS_DUPLICATE);
      expect<u64>(networkCounters().ndDuplicates).toBe(round == 3 ? 0 : 1);
      if (round == 3) continue;
      // Then there is no IPv6: no questions, no addresses from prefixes, no answers.
      expect<u32>(countOf(133)).toBe(0);
      advertisePrefix(PREFIX, 64, 0xc0, 86400, 86400);
      expect<u32>(own(PREFIX)).toBe(ADDRESS_NONE);
      neighbour(135, LINK_LOCAL, OWN_ID, 0, 1, PEER4);
      to(GROUP, OWN_GROUP_LOW);
      deliver6();
      expect<u32>(countOf(136)).toBe(0);
    }
  });

  it("answers nobody, and takes nothing, while the address is tentative", () => {
    while (countOf(135) == 0) link.run(SECOND / 100);
    neighbour(135, LINK_LOCAL, OWN_ID, 0, 1, PEER4);
    to(GROUP, OWN_GROUP_LOW);
    deliver6();
    six.icmpv6(128, 20);
    deliver6();
    expect<u32>(countOf(136) + countOf(129)).toBe(0);
    expect<u32>(own(LINK_LOCAL)).toBe(ADDRESS_TENTATIVE);
  });

  it("waits for the link, and begins again when it comes back", () => {
    link.linkDevice().linkUp = 0;
    link.run(5 * SECOND);
    expect<u32>(countOf(135)).toBe(0);
    link.linkDevice().linkUp = 1;
    linkChanges();
    link.run(3 * SECOND);
    expect<u32>(own(LINK_LOCAL)).toBe(ADDRESS_VALID);
    getGlobal();
    linkChanges();
    expect<u32>(own(LINK_LOCAL)).toBe(ADDRESS_TENTATIVE);
    expect<u32>(own(PREFIX)).toBe(ADDRESS_TENTATIVE);
    link.run(3 * SECOND);
    expect<u32>(countOf(135)).toBe(2);
    expect<u32>(own(PREFIX)).toBe(ADDRESS_VALID);
  });
});
