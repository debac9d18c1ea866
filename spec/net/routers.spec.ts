/** What routers say beside prefixes: name servers (RFC 8106), their preference (RFC 4191), times of neighbour discovery (RFC 4861, 6.3.4). */
import { MILLISECOND, SECOND } from "../../kernel/time/clock";
import { allocateBuffer, BUFFER_HEADROOM, releaseBuffer } from "../../net/buffer";
import { networkCounters } from "../../net/counters";
import { learnNameServers, NAME_SERVERS, nameServer, nameServer4 } from "../../net/name-servers";
import { ADDRESS_VALID } from "../../net/own-addresses";
import { reachableTime6, retryTime6 } from "../../net/link-parameters";
import { defaultRouter, routerFailed } from "../../net/routers";
import { udpCreate, udpSend } from "../../net/socket/udp";
import { storeAddress } from "../../net/wire/ipv6";
import { advertisePrefix, option, own } from "./autoconfiguration";
import * as six from "./frames6";
import {
  address6,
  boot6,
  countOf,
  deliver6,
  from,
  GROUP,
  LINK_LOCAL,
  PREFIX,
  routerAdvertisement,
  TRANSPORT6,
} from "./frames6";
import * as link from "./link";

/** An advertisement of name servers PREFIX::`first`, … (RFC 8106). */
function advertiseServers(first: u64, count: u32, lifetime: u32): void {
  const option = routerAdvertisement(1800, 8 + 16 * count);
  store<u64>(option, 25 | ((1 + 2 * count) << 8));
  store<u32>(option, bswap<u32>(lifetime), 4);
  for (let i: u32 = 0; i < count; i++) storeAddress(option + 8 + 16 * i, address6(PREFIX, first + i));
  deliver6();
}

/** The low half of name server `index`; 0: there are not so many. */
function server(index: u32): u64 {
  const found = nameServer(index);
  return found === null ? 0 : found.low;
}

describe("name servers", () => {
  beforeEach(() => boot6());

  it("of routers stand behind those of the lease, each for its time", () => {
    advertiseServers(0x50, 3, 600);
    expect<u64>(server(0)).toBe(0x50);
    expect<u64>(server(2)).toBe(0x52);
    expect<u64>(server(3)).toBe(0);
    learnNameServers(0x0a00_0203, 0x0a00_0204);
    expect<u32>(nameServer4(0)).toBe(0x0a00_0203);
    expect<u32>(nameServer4(1)).toBe(0x0a00_0204);
    expect<u64>(server(2)).toBe(0x50);
    expect<u64>(server(3)).toBe(0x51);
    expect<u64>(server(4)).toBe(0);
    link.run(300 * SECOND);
    advertiseServers(0x51, 1, 600);
    link.run(301 * SECOND);
    expect<u64>(server(2)).toBe(0x51);
    expect<u64>(server(3)).toBe(0);
    // 0 takes it away, and all ones is for ever.
    advertiseServers(0x51, 1, 0);
    expect<u64>(server(2)).toBe(0);
    advertiseServers(0x51, 1, 0xffff_ffff);
    link.run(100_000_000 * SECOND);
    expect<u64>(server(2)).toBe(0x51);
  });

  it("are no more than so many, and those that are there stay", () => {
    for (let i: u32 = 0; i < 500; i++) advertiseServers(0x100 + 4 * i, 4, 600 + i);
    for (let i: u32 = 0; i < NAME_SERVERS; i++) expect<u64>(server(i)).toBe(0x100 + i);
    expect<u64>(networkCounters().ndNoRoom).toBe(499 * 4);
    link.run(601 * SECOND);
    expect<u64>(server(0)).toBe(0);
    advertiseServers(0x77, 1, 600);
    expect<u64>(server(0)).toBe(0x77);
  });

  it("are hosts, and stand in lists that are whole", () => {
    const option = routerAdvertisement(1800, 40);
    store<u64>(option, 25 | (5 << 8));
    store<u32>(option, bswap<u32>(600), 4);
    storeAddress(option + 8, address6(GROUP, 0xfb));
    storeAddress(option + 24, address6(0, 1));
    deliver6();
    // Half an address, and none.
    store<u64>(routerAdvertisement(1800, 16), 25 | (2 << 8));
    deliver6();
    store<u64>(routerAdvertisement(1800, 8), 25 | (1 << 8));
    deliver6();
    expect<u64>(server(0)).toBe(0);
    expect<u64>(networkCounters().ndAdvertisements).toBe(3);
  });
});

/** An advertisement of the router with the identifier `low`: two bits of preference. */
function advertiseRouter(low: u64, preference: u32, lifetime: u32 = 1800): void {
  routerAdvertisement(lifetime, 0);
  from(LINK_LOCAL, low);
  store<u8>(TRANSPORT6, <u8>(preference << 3), 5);
  deliver6();
}

describe("preferences of routers (RFC 4191)", () => {
  beforeEach(() => boot6());

  it("choose the highest; what is reserved is medium; an advertisement changes it", () => {
    // High is 01, medium 00, low 11.
    advertiseRouter(0x10, 3);
    expect<u64>(defaultRouter()!.low).toBe(0x10);
    advertiseRouter(0x11, 2);
    expect<u64>(defaultRouter()!.low).toBe(0x11);
    advertiseRouter(0x12, 0);
    expect<u64>(defaultRouter()!.low).toBe(0x11, "the same: the first stays");
    advertiseRouter(0x13, 1);
    expect<u64>(defaultRouter()!.low).toBe(0x13);
    advertiseRouter(0x13, 3);
    expect<u64>(defaultRouter()!.low).toBe(0x11);
    advertiseRouter(0x11, 0, 0);
    expect<u64>(defaultRouter()!.low).toBe(0x12);
    advertiseRouter(0x12, 1, 0);
    expect<u64>(defaultRouter()!.low).toBe(0x10);
  });

  it("count among those that answer; when none does, all are tried in turn", () => {
    advertiseRouter(0x10, 1);
    advertiseRouter(0x11, 0);
    advertiseRouter(0x12, 3);
    for (let i: u64 = 0; i < 3; i++) {
      expect<u64>(defaultRouter()!.low).toBe(0x10 + i);
      routerFailed(address6(LINK_LOCAL, 0x10 + i));
      link.run(SECOND);
    }
    for (let i: u64 = 0; i < 7; i++) {
      expect<u64>(defaultRouter()!.low).toBe(0x10 + (i % 3));
      routerFailed(defaultRouter()!);
      link.run(SECOND);
    }
    // Who is heard of again is there again.
    advertiseRouter(0x12, 3);
    expect<u64>(defaultRouter()!.low).toBe(0x12);
    advertiseRouter(0x10, 1);
    expect<u64>(defaultRouter()!.low).toBe(0x10);
  });
});

describe("solicitations of routers (RFC 4861, 6.3.7)", () => {
  // The first has left in boot6.
  beforeEach(() => boot6());

  it("end with the first router", () => {
    advertiseRouter(0x10, 0);
    link.run(60 * SECOND);
    expect<u32>(countOf(133)).toBe(0);
  });

  it("do not end with a router that says it is none", () => {
    advertiseRouter(0x10, 0, 0);
    link.run(60 * SECOND);
    expect<u32>(countOf(133)).toBe(2);
    expect<bool>(defaultRouter() === null).toBe(true);
  });
});

/** An advertisement with times in ms. */
function adviseTimes(reachable: u32, retry: u32): void {
  routerAdvertisement(1800, 0);
  store<u32>(TRANSPORT6, bswap<u32>(reachable), 8);
  store<u32>(TRANSPORT6, bswap<u32>(retry), 12);
  deliver6();
}

describe("times of neighbour discovery", () => {
  beforeEach(() => boot6());

  it("are what the router says, within bounds; 0 says nothing", () => {
    const said: u32[] = [0, 5000, 10, 0xffff_ffff];
    const reachable: u64[] = [30_000, 5000, 1000, 3_600_000];
    const retry: u64[] = [1000, 5000, 100, 10_000];
    for (let i = 0; i < said.length; i++) {
      adviseTimes(said[i], said[i]);
      expect<u64>(retryTime6).toBe(retry[i] * MILLISECOND);
      let least: u64 = u64.MAX_VALUE;
      let greatest: u64 = 0;
      for (let j = 0; j < 1000; j++) {
        const time = reachableTime6();
        least = min(least, time);
        greatest = max(greatest, time);
      }
      const base = reachable[i] * MILLISECOND;
      expect<bool>(least >= base / 2 && least < (base * 55) / 100).toBe(true, "from a half");
      expect<bool>(greatest < (base * 3) / 2 && greatest > (base * 145) / 100).toBe(
        true,
        "to one and a half",
      );
      adviseTimes(0, 0);
      expect<u64>(retryTime6).toBe(retry[i] * MILLISECOND);
    }
  });

  it("are those between questions, for neighbours and for an address of our own", () => {
    adviseTimes(0, 200);
    const socket = udpCreate()!;
    socket.setFamily6();
    const buffer = allocateBuffer(BUFFER_HEADROOM)!;
    six.forgetSent();
    udpSend(socket, address6(LINK_LOCAL, 0x999, 9), buffer);
    releaseBuffer(buffer);
    link.run(SECOND / 2);
    expect<u32>(countOf(135)).toBe(3);
    link.run(SECOND / 2);
    expect<u32>(countOf(135)).toBe(3);
    six.forgetSent();
    advertisePrefix(PREFIX, 64, 0xc0, 86400, 14400);
    while (countOf(135) == 0) link.run(SECOND / 100);
    link.run(SECOND / 4);
    expect<u32>(own(PREFIX)).toBe(ADDRESS_VALID);
  });
});
