/** Addresses without a server: duplicate address detection, routers, prefixes, lifetimes, MLD; and the ip6= option. */
import { MILLISECOND, now, SECOND } from "../../kernel/time/clock";
import { allocateBuffer, BUFFER_HEADROOM, releaseBuffer } from "../../net/buffer";
import { networkCounters } from "../../net/counters";
import { CONFIG6_STORAGE, IP6_OFF, IP6_ON, parseIp6Option } from "../../net/config6";
import { learnNameServers, NAME_SERVERS, nameServer, nameServer4 } from "../../net/name-servers";
import {
  ADDRESS_DUPLICATE,
  ADDRESS_NONE,
  ADDRESS_TENTATIVE,
  ADDRESS_VALID,
  findOwn,
  isOwn6,
  OWN_ADDRESSES,
  ownAddress,
} from "../../net/own-addresses";
import { hopLimit6, linkMtu6, reachableTime6, retryTime6 } from "../../net/link-parameters";
import { defaultRouter, isOnLink6, routerFailed, ROUTERS } from "../../net/routers";
import { interfaceIdentifier } from "../../net/scope";
import { udpCreate, udpSend } from "../../net/socket/udp";
import { Ipv6Header, storeAddress } from "../../net/wire/ipv6";
import { growMemory } from "../arena";
import { NETWORK } from "./frames";
import * as six from "./frames6";
import {
  address6,
  begin6,
  boot6,
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
  PEER_ID,
  PREFIX,
  prefixOption,
  routerAdvertisement,
  sent,
  to,
  TRANSPORT6,
} from "./frames6";
import * as link from "./link";
import { PEER4 } from "./link";

const option6 = growMemory(CONFIG6_STORAGE, 8);

function own(high: u64): u32 {
  const found = findOwn(address6(high, OWN_ID));
  return found === null ? ADDRESS_NONE : found.state;
}

function linkChanges(): void {
  call_indirect<void>(link.linkDevice().linkChanged, link.linkDevice());
}

/** A router advertisement with one prefix. */
function advertisePrefix(high: u64, bits: u32, flags: u32, valid: u32, preferred: u32): void {
  prefixOption(routerAdvertisement(1800, 32), high, bits, flags, valid, preferred);
  deliver6();
}

/** Seconds that the address from PREFIX has left. */
function left(): u64 {
  const found = findOwn(address6(PREFIX, OWN_ID))!;
  return (found.validUntil - now() + SECOND / 2) / SECOND;
}

/** Acts on an option given as a string. */
function option(text: string): i32 {
  const bytes = String.UTF8.encode(text);
  return parseIp6Option(changetype<usize>(bytes), bytes.byteLength, option6);
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

describe("a socket that is bound to :: (RFC 6724, 5)", () => {
  beforeEach(() => boot6());

  it("sends from the address of ours that fits the destination", () => {
    const ours: u64[] = [PREFIX, 0xfd00_0000_0000_0001, 0x2002_0a00_0001_0001];
    for (let i = 0; i < ours.length; i++) advertisePrefix(ours[i], 64, 0xc0, 86400, 14400);
    link.run(3 * SECOND);
    const socket = udpCreate()!;
    socket.setFamily6();
    expect<i32>(call_indirect<i32>(socket.protocol.bind, socket, address6(0, 0, 5000))).toBe(0);
    // Scope, then the label (6to4, unique local), then the longest prefix.
    const destinations: u64[] = [
      LINK_LOCAL,
      GROUP,
      PREFIX,
      PREFIX + 5,
      0x2600_0000_0000_0000,
      0xfd77_0000_0000_0000,
      0x2002_0b00_0000_0000,
      0x2003_0000_0000_0000,
      0xff0e_0000_0000_0000,
      0xff05_0000_0000_0000,
    ];
    const sources: u64[] = [
      LINK_LOCAL,
      LINK_LOCAL,
      PREFIX,
      PREFIX,
      PREFIX,
      0xfd00_0000_0000_0001,
      0x2002_0a00_0001_0001,
      PREFIX,
      PREFIX,
      PREFIX,
    ];
    for (let i = 0; i < destinations.length; i++) {
      const to = address6(destinations[i], 0x77, 9);
      six.forgetSent();
      const buffer = allocateBuffer(BUFFER_HEADROOM)!;
      expect<i32>(udpSend(socket, to, buffer)).toBe(0);
      releaseBuffer(buffer);
      // The neighbour or the router is asked for, or the packet has gone.
      link.run(SECOND / 100);
      if (destinations[i] >> 56 == 0xff) {
        const last = sent[sent.length - 1];
        expect<bool>(last.source.same(address6(sources[i], OWN_ID))).toBe(true, i.toString());
      }
      expect<i32>(call_indirect<i32>(socket.protocol.connect, socket, to)).toBe(0);
      expect<bool>(socket.flow.local.same(address6(sources[i], OWN_ID))).toBe(true, i.toString());
      expect<i32>(call_indirect<i32>(socket.protocol.connect, socket, address6(0, 0, 0))).toBe(0);
      expect<bool>(socket.flow.local.isAny).toBe(true);
    }
    // Deprecated: for old conversations only (rule 3).
    advertisePrefix(PREFIX, 64, 0xc0, 86400, 0);
    call_indirect<i32>(socket.protocol.connect, socket, address6(0x2600_0000_0000_0000, 1, 9));
    expect<u64>(socket.flow.local.high).toBe(0x2002_0a00_0001_0001);
    expect<i32>(call_indirect<i32>(socket.protocol.connect, socket, address6(PREFIX, OWN_ID, 9))).toBe(0);
    // To ourselves, from the same (rule 1).
    call_indirect<i32>(socket.protocol.connect, socket, address6(0, 0, 0));
    call_indirect<i32>(socket.protocol.connect, socket, address6(PREFIX, OWN_ID, 9));
    expect<u64>(socket.flow.local.high).toBe(PREFIX);
  });
});

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

describe("ip6=", () => {
  beforeEach(() => begin6());

  it("sets an address, its prefix and a router", () => {
    expect<i32>(option("auto")).toBe(IP6_ON);
    expect<i32>(option("off")).toBe(IP6_OFF);
    expect<i32>(option("2001:db8:0:7::2/64,gw=2001:DB8:0:7::1")).toBe(IP6_ON);
    link.run(3 * SECOND);
    expect<bool>(isOwn6(address6(0x2001_0db8_0000_0007, 2))).toBe(true);
    expect<bool>(isOnLink6(address6(0x2001_0db8_0000_0007, 77))).toBe(true);
    expect<bool>(defaultRouter()!.same(address6(0x2001_0db8_0000_0007, 1))).toBe(true);
    // Nobody on the link takes these away.
    advertisePrefix(0x2001_0db8_0000_0007, 64, 0xc0, 0, 0);
    expect<bool>(isOnLink6(address6(0x2001_0db8_0000_0007, 77))).toBe(true);
    link.run(100_000 * SECOND);
    expect<bool>(isOwn6(address6(0x2001_0db8_0000_0007, 2))).toBe(true);
    expect<bool>(defaultRouter() !== null).toBe(true);
  });

  it("reads addresses in all their forms", () => {
    const texts: string[] = [
      "1:2:3:4:5:6:7:8",
      "2001::",
      "1::8",
      "1:2::7:8",
      "1:2:3:4:5:6:7::",
      "a::b:c",
      "1:0:0:4::8",
    ];
    const high: u64[] = [
      0x0001_0002_0003_0004, 0x2001_0000_0000_0000, 0x0001_0000_0000_0000, 0x0001_0002_0000_0000,
      0x0001_0002_0003_0004, 0x000a_0000_0000_0000, 0x0001_0000_0000_0004,
    ];
    const low: u64[] = [0x0005_0006_0007_0008, 0, 8, 0x0007_0008, 0x0005_0006_0007_0000, 0x000b_000c, 8];
    for (let i = 0; i < texts.length; i++) {
      begin6();
      expect<i32>(option(texts[i] + "/128")).toBe(IP6_ON);
      expect<u64>(ownAddress(1).high).toBe(high[i]);
      expect<u64>(ownAddress(1).low).toBe(low[i]);
    }
  });

  it("refuses what is wrong, and changes nothing", () => {
    const wrong: string[] = [
      "",
      "on",
      "autos",
      "2001:db8::2",
      "2001:db8::2/",
      "2001:db8::2/0",
      "2001:db8::2/129",
      "2001:db8::2/64x",
      "2001:db8::2/64,",
      "2001:db8::2/64,gw=",
      "2001:db8::2/64,gw=2001:db8::2",
      "2001:db8::2/64,gw=2001:db9::1",
      "2001:db8::2/64,gw=ff02::1",
      "2001:db8::2/64,gw=2001:db8::1x",
      "::/64",
      "::1/64",
      "::ffff:1:2/64",
      "fe80::1/64",
      "ff02::1/64",
      "1:2:3:4:5:6:7/64",
      "1:2:3:4:5:6:7:8:9/64",
      "1:2:3:4:5:6:7:8::/64",
      "1::2::3/64",
      "1:::2/64",
      ":1::2/64",
      "1:2:3:4:5:6:7:/64",
      "12345::/64",
      "10000::/64",
      "g::1/64",
      "10.0.0.1/24",
    ];
    for (let i = 0; i < wrong.length; i++) {
      assert(option(wrong[i]) < 0, wrong[i]);
      expect<u32>(ownAddress(1).state).toBe(ADDRESS_NONE);
    }
    expect<bool>(defaultRouter() === null).toBe(true);
  });

  it("has the interface identifier of RFC 4291", () => {
    // 34-56-78-9A-BC-DE: 3656:78ff:fe9a:bcde.
    expect<u64>(interfaceIdentifier(0x9a78_5634, 0xdebc)).toBe(0x3656_78ff_fe9a_bcde);
  });
});
