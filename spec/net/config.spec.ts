/** Setting addresses, and the ip= option of the command line. */
import { isBroadcast, isLocalAddress, networkInterface, setAddress } from "../../net/interface";
import { CONFIG_STORAGE, IP_DHCP, IP_STATIC, parseDnsOption, parseIpOption } from "../../net/config";
import { learnNameServers, nameServer, nameServer4 } from "../../net/name-servers";
import { growMemory } from "../arena";
import { OWN } from "./link";
import { boot } from "./recorder";

const scratch = growMemory(CONFIG_STORAGE, 8);

/** Acts on an option given as a string. */
function option(text: string): i32 {
  const bytes = String.UTF8.encode(text);
  return parseIpOption(changetype<usize>(bytes), bytes.byteLength);
}

function dns(text: string): i32 {
  const bytes = String.UTF8.encode(text);
  return parseDnsOption(changetype<usize>(bytes), bytes.byteLength, scratch);
}

describe("addresses and the command line", () => {
  beforeEach(boot);

  it("sets what makes sense, and nothing else", () => {
    expect<bool>(setAddress(0x0a00_000f, 0xffff_ff00, 0)).toBe(true);
    expect<bool>(isLocalAddress(0x0a00_000f)).toBe(true);
    expect<bool>(isBroadcast(0x0a00_00ff)).toBe(true);
    expect<bool>(setAddress(0x0a00_00ff, 0xffff_ff00, 0)).toBe(false);
    expect<bool>(setAddress(0x0a00_0000, 0xffff_ff00, 0)).toBe(false);
    expect<bool>(setAddress(0x0a00_000f, 0xff00_ff00, 0)).toBe(false);
    expect<bool>(setAddress(0x0a00_000f, 0, 0)).toBe(false);
    expect<bool>(setAddress(0x7f00_0001, 0xff00_0000, 0)).toBe(false);
    expect<bool>(setAddress(0xe000_0001, 0xff00_0000, 0)).toBe(false);
    expect<bool>(setAddress(0x0a00_000f, 0xffff_ff00, 0x0a00_0101)).toBe(false);
    expect<bool>(setAddress(0x0a00_000f, 0xffff_ff00, 0x0a00_000f)).toBe(false);
    expect<bool>(setAddress(0x0a00_000f, 0xffff_ff00, 0x0a00_00ff)).toBe(false);
    expect<u32>(networkInterface().address).toBe(0x0a00_000f);
    // Point to point (RFC 3021) has no broadcast.
    expect<bool>(setAddress(0x0a00_0000, 0xffff_fffe, 0x0a00_0001)).toBe(true);
    expect<bool>(isBroadcast(0x0a00_0001)).toBe(false);
    expect<bool>(setAddress(0, 0, 0)).toBe(true);
    expect<bool>(isLocalAddress(0)).toBe(false);
  });

  it("reads ip=", () => {
    expect<i32>(option("dhcp")).toBe(IP_DHCP);
    expect<i32>(option("10.0.2.15/24,gw=10.0.2.2")).toBe(IP_STATIC);
    expect<u32>(networkInterface().address).toBe(0x0a00_020f);
    expect<u32>(networkInterface().netmask).toBe(0xffff_ff00);
    expect<u32>(networkInterface().gateway).toBe(0x0a00_0202);
    expect<i32>(option("192.168.1.7/16")).toBe(IP_STATIC);
    expect<u32>(networkInterface().gateway).toBe(0);
    expect<u32>(networkInterface().netmask).toBe(0xffff_0000);
  });

  it("knows the servers of the lease, two at most, and none that no host can be", () => {
    expect<u32>(nameServer4(0)).toBe(0);
    learnNameServers(0x0a00_0203, 0x0a00_0204);
    expect<u32>(nameServer4(0)).toBe(0x0a00_0203);
    expect<u32>(nameServer4(1)).toBe(0x0a00_0204);
    expect<u32>(nameServer4(2)).toBe(0);
    learnNameServers(0xffff_ffff, 0x0a00_0205);
    expect<u32>(nameServer4(0)).toBe(0x0a00_0205);
    expect<u32>(nameServer4(1)).toBe(0);
    learnNameServers(0x0a00_0205, 0x0a00_0205);
    expect<u32>(nameServer4(1)).toBe(0);
    learnNameServers(0x0a00_0205, 0xe000_00fb);
    expect<u32>(nameServer4(1)).toBe(0);
    learnNameServers(0, 0);
    expect<u32>(nameServer4(0)).toBe(0);
  });

  it("reads dns=, which holds whatever leases say", () => {
    const wrong: string[] = [
      "",
      "x",
      "10.0.2",
      "10.0.2.3,",
      "10.0.2.3,10.0.2.4,",
      "10.0.2.3 10.0.2.4",
      "10.0.2.3,10.0.2.4,10.0.2.5,10.0.2.6,10.0.2.7",
      "2001:db8::53,",
      "2001:db8::53/64",
      "2001:db8:53",
      "ff02::fb",
      "::",
    ];
    for (let i = 0; i < wrong.length; i++) expect<i32>(dns(wrong[i])).toBe(-22, wrong[i]);
    expect<i32>(dns("0.0.0.0")).toBe(-22);
    expect<i32>(dns("10.0.2.3,255.255.255.255")).toBe(-22);
    expect<u32>(nameServer4(0)).toBe(0);
    learnNameServers(0x0a00_0209, 0);
    expect<i32>(dns("10.0.2.3")).toBe(0);
    expect<u32>(nameServer4(0)).toBe(0x0a00_0203);
    expect<u32>(nameServer4(1)).toBe(0);
    expect<i32>(dns("10.0.2.3,10.0.2.4")).toBe(0);
    learnNameServers(0x0a00_0209, 0);
    learnNameServers(0, 0);
    expect<u32>(nameServer4(0)).toBe(0x0a00_0203);
    expect<u32>(nameServer4(1)).toBe(0x0a00_0204);
    expect<bool>(nameServer(2) === null).toBe(true);
    expect<i32>(dns("2001:db8::53,10.0.2.4,fe80::1,10.0.2.5")).toBe(0);
    expect<u64>(nameServer(0)!.low).toBe(0x53);
    expect<u64>(nameServer(0)!.high).toBe(0x2001_0db8_0000_0000);
    expect<u32>(nameServer(1)!.ipv4).toBe(0x0a00_0204);
    expect<u64>(nameServer(2)!.high).toBe(0xfe80_0000_0000_0000);
    expect<u32>(nameServer4(1)).toBe(0x0a00_0205);
    expect<bool>(nameServer(4) === null).toBe(true);
    // What is wrong changes nothing.
    expect<i32>(dns("10.0.2.9,x")).toBe(-22);
    expect<u64>(nameServer(0)!.low).toBe(0x53);
    expect<i32>(dns("10.0.2.9,10.0.2.9")).toBe(0);
    expect<bool>(nameServer(1) === null).toBe(true);
  });

  it("refuses what is wrong, and changes nothing", () => {
    const wrong: string[] = [
      "",
      "ip=dhcp",
      "ip=dhcp6",
      "ip=dhc",
      "10.0.2.15",
      "10.0.2.15/",
      "10.0.2.15/0",
      "10.0.2.15/33",
      "10.0.2/24",
      "10.0.2.15.1/24",
      "10.0.2.256/24",
      "10.0.2.015/24",
      "10.0.2.15/24,",
      "10.0.2.15/24,gw",
      "10.0.2.15/24,gw=",
      "10.0.2.15/24,gw=10.0.3.1",
      "10.0.2.15/24,gw=10.0.2.2x",
      "10.0.2.15/24,gw=10.0.2.2,",
      "10.0.2.15/24;gw=10.0.2.2",
      "10.0.2.255/24",
      "0.0.0.0/24",
      "127.0.0.1/8",
      "99999999999.0.0.1/8",
      "-1.0.0.1/8",
    ];
    for (let i = 0; i < wrong.length; i++) expect<i32>(option(wrong[i])).toBe(-22, wrong[i]);
    expect<u32>(networkInterface().address).toBe(OWN);
  });
});
