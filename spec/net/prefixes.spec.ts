/** Routers and the prefixes that they advertise: addresses, their lifetimes, and what is not believed (RFC 4861, 6.3; RFC 4862, 5.5). */
import { now, SECOND } from "../../kernel/time/clock";
import { networkCounters } from "../../net/counters";
import { nameServer } from "../../net/name-servers";
import {
  ADDRESS_NONE,
  ADDRESS_TENTATIVE,
  ADDRESS_VALID,
  findOwn,
  OWN_ADDRESSES,
  ownAddress,
} from "../../net/own-addresses";
import { hopLimit6, linkMtu6 } from "../../net/link-parameters";
import { defaultRouter, isOnLink6, routerFailed, ROUTERS } from "../../net/routers";
import { Ipv6Header, storeAddress } from "../../net/wire/ipv6";
import { advertisePrefix, own } from "./autoconfiguration";
import { NETWORK } from "./frames";
import * as six from "./frames6";
import {
  address6,
  boot6,
  countOf,
  deliver6,
  from,
  getGlobal,
  GROUP,
  LINK_LOCAL,
  OWN_ID,
  PEER_ID,
  PREFIX,
  prefixOption,
  routerAdvertisement,
  TRANSPORT6,
} from "./frames6";
import * as link from "./link";
import { PEER4 } from "./link";

/** Seconds that the address from PREFIX has left. */
function left(): u64 {
  const found = findOwn(address6(PREFIX, OWN_ID))!;
  return (found.validUntil - now() + SECOND / 2) / SECOND;
}

describe("routers and prefixes", () => {
  beforeEach(() => boot6());

  it("give an address, a way out, MTU, hop limit and name servers", () => {
    const options = routerAdvertisement(1800, 8 + 8 + 32 + 24);
    six.linkOption(options, 1, PEER4);
    store<u64>(options + 8, 0x0105);
    store<u32>(options + 12, bswap<u32>(1400));
    prefixOption(options + 16, PREFIX, 64, 0xc0, 86400, 14400);
    store<u64>(options + 48, 0x0319);
    store<u32>(options + 52, bswap<u32>(600));
    storeAddress(options + 56, address6(PREFIX, 53));
    store<u8>(TRANSPORT6, 17, 4);
    deliver6();
    expect<u32>(own(PREFIX)).toBe(ADDRESS_TENTATIVE);
    expect<u32>(linkMtu6()).toBe(1400);
    expect<u32>(hopLimit6).toBe(17);
    expect<bool>(nameServer(0)!.same(address6(PREFIX, 53))).toBe(true);
    expect<bool>(nameServer(1) === null).toBe(true);
    expect<bool>(defaultRouter()!.same(address6(LINK_LOCAL, PEER_ID))).toBe(true);
    expect<bool>(isOnLink6(address6(PREFIX, 7)) && !isOnLink6(address6(PREFIX + 1, 7))).toBe(true);
    link.run(3 * SECOND);
    expect<u32>(own(PREFIX)).toBe(ADDRESS_VALID);
    expect<u32>(countOf(133)).toBe(0);
    link.run(1800 * SECOND);
    expect<bool>(defaultRouter() === null).toBe(true);
    link.run(86400 * SECOND);
    expect<u32>(own(PREFIX)).toBe(ADDRESS_NONE);
    expect<bool>(isOnLink6(address6(PREFIX, 7))).toBe(false);
  });

  it("believe no MTU that cannot be", () => {
    const mtus: u32[] = [0, 1279, 1501, 0xffff_ffff];
    for (let i = 0; i < mtus.length; i++) {
      const options = routerAdvertisement(1800, 8);
      store<u64>(options, 0x0105);
      store<u32>(options + 4, bswap<u32>(mtus[i]));
      deliver6();
      expect<u32>(linkMtu6()).toBe(1500);
    }
  });

  it("come from link-local addresses only", () => {
    routerAdvertisement(1800, 0);
    from(PREFIX, PEER_ID);
    deliver6();
    expect<bool>(defaultRouter() === null).toBe(true);
    routerAdvertisement(1800, 0);
    from(0, 0);
    deliver6();
    expect<u64>(networkCounters().ndMalformed).toBe(2);
    routerAdvertisement(1800, 0);
    changetype<Ipv6Header>(NETWORK).hopLimit = 64;
    deliver6();
    expect<u64>(networkCounters().ndAdvertisements).toBe(0);
  });

  it("make no addresses of what is no prefix for addresses", () => {
    advertisePrefix(PREFIX, 63, 0xc0, 86400, 14400);
    advertisePrefix(PREFIX, 65, 0xc0, 86400, 14400);
    advertisePrefix(PREFIX, 64, 0x80, 86400, 14400);
    advertisePrefix(PREFIX, 64, 0xc0, 14400, 86400);
    advertisePrefix(PREFIX, 64, 0xc0, 0, 0);
    advertisePrefix(LINK_LOCAL, 64, 0xc0, 86400, 14400);
    advertisePrefix(GROUP, 64, 0xc0, 86400, 14400);
    advertisePrefix(0, 64, 0xc0, 86400, 14400);
    advertisePrefix(PREFIX, 129, 0xc0, 86400, 14400);
    for (let i: u32 = 1; i < OWN_ADDRESSES; i++) expect<u32>(ownAddress(i).state).toBe(ADDRESS_NONE);
  });

  it("give at most so many addresses, prefixes and routers; those that are there stay", () => {
    getGlobal();
    for (let i: u64 = 0; i < 500; i++) {
      prefixOption(routerAdvertisement(1800, 32), 0x2600_0000_0000_0000 + i, 64, 0xc0, 86400, 14400);
      from(LINK_LOCAL, 0x5555 + i);
      deliver6();
    }
    link.run(3 * SECOND);
    expect<u32>(own(PREFIX)).toBe(ADDRESS_VALID);
    expect<u32>(own(0x2600_0000_0000_0001)).toBe(ADDRESS_VALID);
    expect<u32>(own(0x2600_0000_0000_0002)).toBe(ADDRESS_NONE);
    expect<bool>(defaultRouter()!.same(address6(LINK_LOCAL, PEER_ID))).toBe(true);
    expect<u64>(networkCounters().ndNoRoom).toBeGreaterThan(1400);
  });

  it("take no address away from one moment to the next (RFC 4862, 5.5.3)", () => {
    getGlobal();
    advertisePrefix(PREFIX, 64, 0xc0, 60, 60);
    expect<u64>(left()).toBe(7200);
    link.run(1000 * SECOND);
    advertisePrefix(PREFIX, 64, 0xc0, 60, 60);
    expect<u64>(left()).toBe(6200);
    advertisePrefix(PREFIX, 64, 0xc0, 6500, 60);
    expect<u64>(left()).toBe(6500);
    advertisePrefix(PREFIX, 64, 0xc0, 10_000, 0);
    expect<u64>(left()).toBe(10_000);
    expect<bool>(findOwn(address6(PREFIX, OWN_ID))!.preferredUntil <= now()).toBe(true);
    advertisePrefix(PREFIX, 64, 0xc0, 0xffff_ffff, 0xffff_ffff);
    link.run(40 * 86400 * SECOND);
    expect<u32>(own(PREFIX)).toBe(ADDRESS_VALID);
    // It ends when nobody renews it.
    advertisePrefix(PREFIX, 64, 0xc0, 7201, 0);
    link.run(7300 * SECOND);
    expect<u32>(own(PREFIX)).toBe(ADDRESS_NONE);
  });

  it("change the router when the one in use does not answer", () => {
    for (let i: u64 = 0; i < 2; i++) {
      routerAdvertisement(1800, 0);
      from(LINK_LOCAL, 0x10 + i);
      deliver6();
    }
    expect<u64>(defaultRouter()!.low).toBe(0x10);
    routerFailed(address6(LINK_LOCAL, 0x99));
    expect<u64>(defaultRouter()!.low).toBe(0x10);
    routerFailed(address6(LINK_LOCAL, 0x10));
    expect<u64>(defaultRouter()!.low).toBe(0x11);
    for (let i: u32 = 0; i < ROUTERS; i++) {
      routerAdvertisement(0, 0);
      from(LINK_LOCAL, 0x10 + i);
      deliver6();
    }
    expect<bool>(defaultRouter() === null).toBe(true);
  });
});
