/** Name servers of IPv6: a router names them (RFC 8106), netinfo tells of them, and the resolver asks them over UDP and TCP. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { DhcpServer } from "../../wire/dhcp.ts";
import { DnsServer } from "../../wire/dns-server.ts";
import { addressText } from "../../wire/frame.ts";
import { ROUTER_SOLICITATION, bytesOf, nameServersOption } from "../../wire/ipv6.ts";
import { Router6 } from "../../wire/router6.ts";
import { type WiredMachine, bootWired } from "../machine.ts";
import { ASYNC, BLOCKING, DNS_IMAGE, a, always, command, hex, respond } from "./dns-guest.ts";
import { PATIENCE } from "../../wire/patience.ts";

const SERVER = "2001:db8:0:1::2";
const PREFIX = { prefix: "2001:db8:0:1::" };
const hex6 = (text: string): string => bytesOf(text).toString("hex");

describe("dns, servers of IPv6", () => {
  let wired: WiredMachine;
  let router: Router6;
  let server: DnsServer;
  let local: string;
  let global: string;

  before(async () => {
    wired = await bootWired(DNS_IMAGE, {
      // No server of IPv4.
      dhcp: (peer) => {
        router = new Router6(peer);
        router.intercept = ({ message }) => {
          if (message?.type === ROUTER_SOLICITATION)
            router.advertise([PREFIX], 1800, [nameServersOption([SERVER])]);
          return message?.type === ROUTER_SOLICITATION;
        };
        return new DhcpServer(peer);
      },
    });
    const { guest } = wired.machine;
    [, local = ""] = await guest.waitFor(/ipv6: address (fe80:[0-9a-f:]*)/, PATIENCE);
    [, global = ""] = await guest.waitFor(/ipv6: address (2001:db8:0:1:[0-9a-f:]*)/, PATIENCE);
    router.translate({ own: SERVER, guest: global, port: 53 });
    server = new DnsServer(wired.peer, [addressText(wired.peer.address)]);
  });
  after(async () => {
    server?.close();
    await wired?.stop();
  });

  test("netinfo tells the router, the server, and our addresses", async () => {
    assert.deepEqual((await command(wired.peer, ASYNC, "ipv6")).split(" "), [
      ...["1500", hex6(router.linkLocal), "1", hex6(SERVER)],
      ...["2", hex6(local), "64", "2", hex6(global), "64", "2"],
    ]);
  });

  test("asked over UDP, and over TCP for what is too long", async () => {
    for (const port of [ASYNC, BLOCKING]) {
      server.questions.length = 0;
      server.answerer = (asked) => {
        const truncated = !asked.tcp && asked.name.toLowerCase().startsWith("long");
        return [respond(asked, { truncated, answers: truncated ? [] : [a(asked.name, "192.0.2.1")] })];
      };
      assert.equal(await command(wired.peer, port, `A short${port}.test`), `1 ${hex("192.0.2.1")}`);
      assert.equal(await command(wired.peer, port, `A long${port}.test`), `1 ${hex("192.0.2.1")}`);
      assert.deepEqual(
        server.questions.map(({ tcp }) => tcp),
        [false, false, true],
      );
    }
  });

  test("a lifetime of 0 takes it away; one with a link-local address is asked, too", async () => {
    router.advertise([PREFIX], 1800, [nameServersOption([SERVER], 0), nameServersOption(["fe80::2"])]);
    assert.match(await command(wired.peer, ASYNC, "ipv6"), new RegExp(` 1 ${hex6("fe80::2")} `));
    router.translate({ own: "fe80::2", guest: local, port: 53 });
    server.answerer = always((asked) => ({ answers: [a(asked.name, "192.0.2.7")] }));
    assert.equal(await command(wired.peer, ASYNC, "A link.test"), `1 ${hex("192.0.2.7")}`);
  });
});
