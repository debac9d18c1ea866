/** The ip6= option, and which of our addresses a socket sends from (RFC 6724, 5). */
import { SECOND } from "../../kernel/time/clock";
import { allocateBuffer, BUFFER_HEADROOM, releaseBuffer } from "../../net/buffer";
import { IP6_OFF, IP6_ON } from "../../net/config6";
import { ADDRESS_NONE, isOwn6, ownAddress } from "../../net/own-addresses";
import { defaultRouter, isOnLink6 } from "../../net/routers";
import { interfaceIdentifier } from "../../net/scope";
import { udpCreate, udpSend } from "../../net/socket/udp";
import { advertisePrefix, option } from "./autoconfiguration";
import * as six from "./frames6";
import { address6, begin6, boot6, GROUP, LINK_LOCAL, OWN_ID, PREFIX, sent, to } from "./frames6";
import * as link from "./link";

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
