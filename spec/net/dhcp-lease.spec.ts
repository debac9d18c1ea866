/** DHCP (RFC 2131, 4.4.5): leases, their renewal and their end. */
import { SECOND } from "../../kernel/time/clock";
import { dhcpStart, dhcpState } from "../../net/dhcp";
import { DHCP_BOUND, DHCP_REBINDING, DHCP_RENEWING, DHCP_SELECTING } from "../../net/dhcp-client";
import { networkInterface } from "../../net/interface";
import { boot, bounds, expectSound, onBound } from "./dhcp-client";
import * as link from "./link";
import { OFFERED, script, SERVER } from "./dhcp-server";

describe("dhcp", () => {
  beforeEach(boot);
  afterEach(expectSound);

  it("renews at T1, by unicast, from its address", () => {
    dhcpStart(onBound.index);
    link.run(1799 * SECOND);
    script.messages = 0;
    link.run(2 * SECOND);
    expect<u32>(script.messages).toBe(1);
    expect<u32>(script.sentType).toBe(3);
    expect<u32>(script.sentSource).toBe(OFFERED);
    expect<u32>(script.sentDestination).toBe(SERVER);
    expect<u32>(script.sentClient).toBe(OFFERED);
    expect<u32>(script.sentRequested).toBe(0);
    expect<u32>(script.sentServer).toBe(0);
    expect<u32>(dhcpState()).toBe(DHCP_BOUND);
    expect<u32>(bounds).toBe(1, "nothing new");
    link.run(36_000 * SECOND);
    expect<u32>(script.messages).toBe(21);
    expect<u32>(networkInterface().address).toBe(OFFERED);
  });

  it("rebinds at T2, and gives the address up when the lease ends", () => {
    dhcpStart(onBound.index);
    link.run(SECOND);
    script.answers = 0;
    script.messages = 0;
    link.run(1900 * SECOND);
    expect<u32>(dhcpState()).toBe(DHCP_RENEWING);
    link.run(1300 * SECOND);
    expect<u32>(dhcpState()).toBe(DHCP_REBINDING);
    expect<u32>(script.sentDestination).toBe(0xffff_ffff);
    expect<u32>(script.sentSource).toBe(OFFERED);
    expect<u32>(networkInterface().address).toBe(OFFERED);
    expect<u32>(script.messages).toBeLessThan(16, "a minute apart at least");
    link.run(400 * SECOND);
    expect<u32>(networkInterface().address).toBe(0);
    expect<u32>(dhcpState()).toBe(DHCP_SELECTING);
    script.answers = 2 | 8;
    link.run(130 * SECOND);
    expect<u32>(networkInterface().address).toBe(OFFERED);
    expect<u32>(bounds).toBe(2);
  });

  it("gives the address up when its renewal is refused", () => {
    dhcpStart(onBound.index);
    link.run(SECOND);
    script.answers = 8 | 64;
    link.run(1800 * SECOND);
    expect<u32>(networkInterface().address).toBe(0);
  });

  it("copes with leases of all lengths", () => {
    const leases: u32[] = [1, 59, 60, 61, 119, 120, 1000, 0x7fff_ffff, 0xffff_fffe, 0xffff_ffff];
    for (let i = 0; i < leases.length; i++) {
      boot();
      script.lease = leases[i];
      script.t1 = i & 1 ? script.lease : 0;
      script.t2 = i & 1 ? 1 : 0;
      dhcpStart(onBound.index);
      link.run(SECOND);
      expect<u32>(dhcpState()).toBe(DHCP_BOUND);
      script.messages = 0;
      link.run(3600 * SECOND);
      expect<u32>(networkInterface().address).toBe(OFFERED);
      expect<u32>(script.messages).toBeLessThan(3600 / 14);
      if (script.lease == 0xffff_ffff) expect<u32>(script.messages).toBe(0);
    }
  });

  it("does not renew all the time because a server says so", () => {
    script.t1 = 1;
    script.t2 = 2;
    dhcpStart(onBound.index);
    link.run(3000 * SECOND);
    expect<u32>(script.messages).toBe(3);
    boot();
    script.t1 = 1;
    script.t2 = 3599;
    dhcpStart(onBound.index);
    link.run(3000 * SECOND);
    expect<u32>(script.messages).toBe(3);
  });
});
