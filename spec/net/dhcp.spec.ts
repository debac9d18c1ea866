/** DHCP (RFC 2131): how an address is got, what is asked and how often, and what the server's answers say. */
import { SECOND } from "../../kernel/time/clock";
import { networkCounters } from "../../net/counters";
import { dhcpStart, dhcpState } from "../../net/dhcp";
import { DHCP_BOUND, DHCP_INIT, DHCP_REQUESTING, DHCP_SELECTING } from "../../net/dhcp-client";
import { networkInterface, NetworkInterface, setAddress } from "../../net/interface";
import { nameServer4 } from "../../net/name-servers";
import { udpCreate } from "../../net/socket/udp";
import { boot, bounds, expectSound, onBound } from "./dhcp-client";
import * as frames from "./frames";
import { deliver } from "./frames";
import * as link from "./link";
import { begin, finish, offer, OFFERED, put8, putOption, script, SERVER } from "./dhcp-server";
import { endpoint } from "./addresses";

describe("dhcp", () => {
  beforeEach(boot);
  afterEach(expectSound);

  it("gets an address", () => {
    script.answers = 0;
    expect<bool>(dhcpStart(onBound.index)).toBe(true);
    expect<u32>(link.doorbells).toBe(1);
    expect<u32>(dhcpState()).toBe(DHCP_SELECTING);
    expect<u32>(script.sentType).toBe(1);
    expect<u32>(script.sentSource).toBe(0);
    expect<u32>(script.sentDestination).toBe(0xffff_ffff);
    expect<bool>(script.sentBroadcast).toBe(true);
    offer(2);
    deliver();
    expect<u32>(dhcpState()).toBe(DHCP_REQUESTING);
    expect<u32>(script.sentType).toBe(3);
    expect<u32>(script.sentRequested).toBe(OFFERED);
    expect<u32>(script.sentServer).toBe(SERVER);
    expect<u32>(script.sentClient).toBe(0);
    expect<u32>(networkInterface().address).toBe(0);
    offer(5);
    deliver();
    expect<u32>(dhcpState()).toBe(DHCP_BOUND);
    expect<u32>(bounds).toBe(1);
    expect<u32>(networkInterface().address).toBe(OFFERED);
    expect<u32>(networkInterface().netmask).toBe(0xffff_ff00);
    expect<u32>(networkInterface().gateway).toBe(SERVER);
    expect<u32>(script.announcements).toBe(1);
  });

  it("takes answers by unicast to the address that is not set yet", () => {
    script.unicast = true;
    dhcpStart(onBound.index);
    link.run(SECOND);
    expect<u32>(dhcpState()).toBe(DHCP_BOUND);
    // Only to port 68: other packets to addresses that are not ours stay out.
    setAddress(0, 0, 0);
    frames.udp(SERVER, 67, OFFERED, 69, 20);
    deliver();
    expect<u64>(networkCounters().ipNotForUs).toBe(1);
  });

  it("keeps port 68 for itself", () => {
    dhcpStart(onBound.index);
    link.run(SECOND);
    const socket = udpCreate()!;
    expect<i32>(call_indirect<i32>(socket.protocol.bind, socket, endpoint(0, 68))).toBe(-98);
    call_indirect<void>(socket.protocol.close, socket);
  });

  it("asks again, at growing intervals that vary", () => {
    script.answers = 0;
    dhcpStart(onBound.index);
    link.run(400 * SECOND);
    expect<u32>(script.messages).toBeGreaterThan(8);
    let limit: u64 = 4;
    let wrong = 0;
    for (let i = 1; i < script.times.length; i++) {
      const gap = script.times[i] - script.times[i - 1];
      if (gap < (limit - 1) * SECOND || gap > (limit + 1) * SECOND + 65536) wrong++;
      if (gap % SECOND < 65536) wrong++;
      if (limit < 64) limit *= 2;
    }
    expect<i32>(wrong).toBe(0);
    expect<u32>(script.sentSeconds).toBeGreaterThan(300);
    script.answers = 2 | 8;
    link.run(130 * SECOND);
    expect<u32>(dhcpState()).toBe(DHCP_BOUND);
  });

  it("looks for another server when requests are not answered", () => {
    script.answers = 2;
    dhcpStart(onBound.index);
    link.run(10 * SECOND);
    expect<u32>(dhcpState()).toBe(DHCP_REQUESTING);
    const xid = script.sentXid;
    script.messages = 0;
    link.run(60 * SECOND);
    expect<bool>(script.sentXid != xid).toBe(true);
    script.answers = 2 | 8;
    link.run(80 * SECOND);
    expect<u32>(dhcpState()).toBe(DHCP_BOUND);
  });

  it("begins again after a refusal, but not at once", () => {
    script.answers = 2 | 8 | 64;
    dhcpStart(onBound.index);
    link.run(SECOND);
    expect<u32>(dhcpState()).toBe(DHCP_INIT);
    expect<u32>(script.messages).toBe(2);
    link.run(60 * SECOND);
    expect<u32>(script.messages).toBeLessThan(30);
    expect<u32>(bounds).toBe(0);
    script.answers = 2 | 8;
    link.run(70 * SECOND);
    expect<u32>(dhcpState()).toBe(DHCP_BOUND);
  });

  it("does without netmask and router, and with a router that is elsewhere", () => {
    script.netmask = script.router = 0;
    dhcpStart(onBound.index);
    link.run(SECOND);
    expect<u32>(networkInterface().netmask).toBe(0xff00_0000);
    expect<u32>(networkInterface().gateway).toBe(0);
    boot();
    script.router = 0x0808_0808;
    dhcpStart(onBound.index);
    link.run(SECOND);
    expect<u32>(networkInterface().address).toBe(OFFERED);
    expect<u32>(networkInterface().gateway).toBe(0);
    boot();
    script.netmask = 0xff00_ff00;
    dhcpStart(onBound.index);
    link.run(SECOND);
    expect<u32>(networkInterface().address).toBe(0);
  });

  it("knows the first two name servers of the lease, as long as it holds", () => {
    script.answers = 2;
    dhcpStart(onBound.index);
    link.run(SECOND);
    expect<u32>(dhcpState()).toBe(DHCP_REQUESTING);
    expect<u32>(nameServer4(0)).toBe(0);
    begin(5);
    putOption(54, SERVER);
    putOption(51, script.lease);
    putOption(1, script.netmask);
    put8(6);
    put8(12);
    for (let i: u32 = 1; i <= 3; i++) {
      store<u32>(script.end, bswap<u32>(SERVER + i));
      script.end += 4;
    }
    // Of an option that comes twice the first counts.
    putOption(6, SERVER + 9);
    put8(255);
    finish();
    deliver();
    expect<u32>(dhcpState()).toBe(DHCP_BOUND);
    expect<u32>(nameServer4(0)).toBe(SERVER + 1);
    expect<u32>(nameServer4(1)).toBe(SERVER + 2);
    script.answers = 0;
    link.run(<u64>script.lease * SECOND);
    expect<u32>(networkInterface().address).toBe(0);
    expect<u32>(nameServer4(0)).toBe(0);
    expect<u32>(nameServer4(1)).toBe(0);
  });

  it("says when there is no device", () => {
    store<usize>(changetype<usize>(networkInterface()) + offsetof<NetworkInterface>("device"), 0);
    expect<bool>(dhcpStart(onBound.index)).toBe(false);
    expect<u32>(script.messages).toBe(0);
  });
});
