/** IPv6 on a frame wire, on which somebody sends false or damaged router advertisements, solicitations and redirects, and floods (RFC 4861, 6.1, 7.1, RFC 4862, 5.5.3): ping and UDP go on. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { TcpClient } from "../../wire/client.ts";
import {
  type Icmpv6Message,
  NA_OVERRIDE,
  NEIGHBOUR_ADVERTISEMENT,
  NEIGHBOUR_SOLICITATION,
  ROUTER_ADVERTISEMENT,
  advertisementBody,
  linkOption,
  neighbourBody,
  prefixOption,
  solicitedNode,
} from "../../wire/ipv6.ts";
import type { Router6 } from "../../wire/router6.ts";
import { ALL_NODES, type Host, Ipv6Host, ROUTER } from "./ipv6-host.ts";
import { PATIENCE } from "../../wire/patience.ts";

describe("IPv6 on a hostile link", () => {
  let six: Ipv6Host;
  let host: Host;
  let router: Router6;
  let global: string;
  let local: string;

  before(async () => {
    six = await Ipv6Host.start();
    ({ host, global, local } = six);
    ({ router } = host);
  });
  after(() => host?.stop());

  const evil = "2001:db8:bad::";
  const advertisement = (options: readonly Buffer[], lifetime = 1800): Icmpv6Message => ({
    type: ROUTER_ADVERTISEMENT,
    code: 0,
    body: advertisementBody(lifetime, options),
  });
  const zero = Buffer.alloc(8, 0);
  const hostile: [name: string, act: () => void][] = [
    [
      "a router advertisement that has passed a router",
      () =>
        router.sendIcmpv6(
          { source: router.linkLocal, destination: ALL_NODES, hopLimit: 254 },
          advertisement([prefixOption({ prefix: evil })]),
        ),
    ],
    [
      "a router advertisement from an address that is not of the link",
      () =>
        router.sendIcmpv6(
          { source: "2001:db8:0:1::66", destination: ALL_NODES, hopLimit: 255 },
          advertisement([prefixOption({ prefix: evil })]),
        ),
    ],
    [
      "a router advertisement with an option of no length",
      () =>
        router.sendIcmpv6(
          { source: router.linkLocal, destination: ALL_NODES, hopLimit: 255 },
          advertisement([zero, prefixOption({ prefix: evil })]),
        ),
    ],
    [
      "a router advertisement with an option that ends beyond it",
      () =>
        router.sendIcmpv6(
          { source: router.linkLocal, destination: ALL_NODES, hopLimit: 255 },
          advertisement([prefixOption({ prefix: evil }), Buffer.from([1, 9, 0, 0, 0, 0, 0, 0])]),
        ),
    ],
    [
      "a router advertisement with a wrong checksum",
      () => {
        const message = Buffer.from([134, 0, 0x12, 0x34]);
        const payload = Buffer.concat([message, advertisementBody(1800, [prefixOption({ prefix: evil })])]);
        router.send({ source: router.linkLocal, destination: ALL_NODES, next: 58, hopLimit: 255, payload });
      },
    ],
    [
      "prefixes that end the life of our addresses at once",
      () => router.advertise([{ prefix: "2001:db8:0:1::", valid: 0, preferred: 0, flags: 0x40 }]),
    ],
    [
      "prefixes of groups, of the link, and of lengths that cannot be",
      () => {
        const bad = ["ff02::", "fe80::", "::"].map((prefix) => ({ prefix }));
        router.advertise([...bad, { prefix: evil, bits: 63 }, { prefix: evil, bits: 200 }]);
      },
    ],
    [
      "a neighbour solicitation with an option of no length",
      () =>
        router.sendIcmpv6(
          { source: router.linkLocal, destination: solicitedNode(local), hopLimit: 255 },
          { type: NEIGHBOUR_SOLICITATION, code: 0, body: neighbourBody(0, local, [zero]) },
        ),
    ],
    [
      "an advertisement that nobody asked for gives the router a link address, without override",
      () =>
        router.sendIcmpv6(
          { source: ROUTER, destination: ALL_NODES, hopLimit: 255 },
          {
            type: NEIGHBOUR_ADVERTISEMENT,
            code: 0,
            body: neighbourBody(0x80, ROUTER, [linkOption(2, "66:66:66:66:66:66")]),
          },
        ),
    ],
    [
      "an advertisement says that our own address is another's",
      () =>
        router.sendIcmpv6(
          { source: global, destination: ALL_NODES, hopLimit: 255 },
          {
            type: NEIGHBOUR_ADVERTISEMENT,
            code: 0,
            body: neighbourBody(NA_OVERRIDE, global, [linkOption(2, "66:66:66:66:66:66")]),
          },
        ),
    ],
    [
      "a redirect",
      () =>
        router.sendIcmpv6(
          { source: router.linkLocal, destination: global, hopLimit: 255 },
          { type: 137, code: 0, body: neighbourBody(0, "fe80::66", [Buffer.alloc(16)]) },
        ),
    ],
  ];
  for (const [name, act] of hostile) {
    test(name, async () => {
      act();
      await sleep(50);
      await six.stillThere();
      assert.doesNotMatch(host.machine.guest.output, /address 2001:db8:bad:/);
    });
  }

  test("a flood of neighbours, of packets that want neighbours, and of routers, beside a connection that lives", async () => {
    // The one before has made our address one for old conversations only.
    router.advertise([{ prefix: "2001:db8:0:1::" }]);
    const client = new TcpClient(host.peer, 7, { timeout: 1000, minimum: 1000 });
    await client.connect();
    for (let i = 0; i < 6000; i++) {
      const source = `2001:db8:0:1::bad:${(i & 0xffff).toString(16)}`;
      const mac = `02:66:66:66:${(i >> 8).toString(16).padStart(2, "0")}:${(i & 255).toString(16).padStart(2, "0")}`;
      if (i % 3 === 0) {
        router.sendIcmpv6(
          { source, destination: solicitedNode(global), hopLimit: 255 },
          { type: NEIGHBOUR_SOLICITATION, code: 0, body: neighbourBody(0, global, [linkOption(1, mac)]) },
        );
      } else if (i % 3 === 1) {
        six.sendUdp({ sourcePort: 5000, destinationPort: 7, payload: Buffer.from("who am I") }, source);
      } else {
        router.sendIcmpv6(
          { source: `fe80::bad:${(i & 0xffff).toString(16)}`, destination: ALL_NODES, hopLimit: 255 },
          advertisement([prefixOption({ prefix: `2001:db8:bad:${(i & 0xffff).toString(16)}::` })]),
        );
      }
      if (i % 100 === 0) {
        client.send(`round ${i}\n`);
        await sleep(5);
      }
    }
    const sent = Array.from({ length: 60 }, (_, i) => `round ${i * 100}\n`).join("");
    const back = await client.receive(PATIENCE, (all) => all.length >= sent.length);
    assert.equal(back.toString(), sent);
    assert.ok(client.retransmissions < 10, `${client.retransmissions} segments sent again`);
    await client.close();
    await six.stillThere();
    const made = host.machine.guest.output.match(/ipv6: address 2001:db8:bad:/g) ?? [];
    assert.ok(made.length <= 2, `${made.length} addresses made from invented prefixes`);
  });
});
