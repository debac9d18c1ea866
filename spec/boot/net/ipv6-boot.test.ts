/** Where the addresses of IPv6 come from: an address that is taken (RFC 4862, 5.4), a static one, QEMU's user network, none (`ip6=` of the command line). */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  NA_OVERRIDE,
  NEIGHBOUR_ADVERTISEMENT,
  NEIGHBOUR_SOLICITATION,
  ROUTER_SOLICITATION,
  linkOption,
  neighbourBody,
  targetOf,
} from "../../wire/ipv6.ts";
import { BOOT_FAILED, DEFAULT_IMAGE, boot } from "../machine.ts";
import { ALL_NODES, addressOf, bootHost } from "./ipv6-host.ts";
import { PATIENCE } from "../../wire/patience.ts";

describe("IPv6, ways to start", () => {
  test("an address that another host has is not used; IPv4 goes on", async () => {
    const host = await bootHost({}, (router) => {
      router.intercept = ({ packet, message }) => {
        if (message?.type !== NEIGHBOUR_SOLICITATION || packet.source !== "::") return false;
        const target = targetOf(message);
        router.sendIcmpv6(
          { source: target, destination: ALL_NODES, hopLimit: 255 },
          {
            type: NEIGHBOUR_ADVERTISEMENT,
            code: 0,
            body: neighbourBody(NA_OVERRIDE, target, [linkOption(2, "02:00:00:00:00:77")]),
          },
        );
        return true;
      };
    });
    try {
      await host.machine.guest.waitFor(/ipv6: another host has fe80:[0-9a-f:]*: not used/, PATIENCE);
      await host.peer.ping(Buffer.from("four"));
      await sleep(2500);
      assert.doesNotMatch(host.machine.guest.output, /ipv6: address/);
      assert.ok(host.router.seen.every(({ message }) => message?.type !== ROUTER_SOLICITATION));
      assert.ok(host.router.seen.every(({ packet }) => packet.source === "::"));
    } finally {
      await host.stop();
    }
  });

  test("a static address: no router is needed, the gateway is used", async () => {
    const options = { append: "ip6=2001:db8:7::9/64,gw=2001:db8:7::2" };
    const host = await bootHost(options, (router) => {
      router.prefixes = undefined;
      router.addresses.add("2001:db8:7::2");
    });
    try {
      assert.equal(await addressOf(host, "2001:db8:7:"), "2001:db8:7::9");
      await host.router.ping(Buffer.from("near"), "2001:db8:7::9", "2001:db8:7::2");
      // Beyond the net: the answer goes to the gateway's link address.
      const reply = host.router.waitFor("echo reply", PATIENCE, ({ packet, to }) =>
        packet.destination === "2001:db8:9999::1" ? to : undefined,
      );
      await host.router.ping(Buffer.from("far"), "2001:db8:7::9", "2001:db8:9999::1");
      assert.equal(await reply, host.peer.mac);
    } finally {
      await host.stop();
    }
  });

  test("QEMU's user network: an address from its router", async () => {
    const machine = await boot(DEFAULT_IMAGE, { tcp: [80], append: "ip=dhcp" });
    try {
      await machine.guest.waitFor(/ipv6: address fec0::[0-9a-f:]+\/64/, PATIENCE);
    } finally {
      await machine.stop();
    }
  });

  test("ip6=off: not a word", async () => {
    const host = await bootHost({ append: "ip6=off" });
    try {
      await host.peer.ping(Buffer.from("four"));
      await sleep(2500);
      assert.equal(host.router.seen.length, 0, host.router.recent());
    } finally {
      await host.stop();
    }
  });

  test("an address that makes no sense ends the boot, and is named", async () => {
    const machine = await boot(DEFAULT_IMAGE, { append: "ip6=2001:db8::1", ready: false });
    try {
      assert.equal(await machine.exited(60_000), BOOT_FAILED, machine.console());
      assert.match(machine.console(), /2001:db8::1: a prefix length/);
    } finally {
      await machine.stop();
    }
  });
});
