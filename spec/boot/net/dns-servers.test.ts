/** Where the DNS resolver has its servers from, and what it says when there are none. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { DhcpServer } from "../../wire/dhcp.ts";
import { DnsServer } from "../../wire/dns-server.ts";
import { BOOT_FAILED, boot, bootWired } from "../machine.ts";
import { ASYNC, BLOCKING, DNS_IMAGE, FIRST, SECOND, a, always, command, hex } from "./dns-guest.ts";

const [EDESTADDRREQ, ETIMEDOUT, ECONNREFUSED] = [-89, -110, -111];

describe("dns, servers from the command line", () => {
  test("dns= takes the place of the lease's servers; one that is silent is asked three times", async () => {
    const wired = await bootWired(DNS_IMAGE, {
      append: "dns=10.0.2.9",
      dhcp: (each) => new DhcpServer(each, { nameServers: [FIRST, SECOND] }),
    });
    const { peer } = wired;
    const server = new DnsServer(peer, ["10.0.2.9", FIRST, SECOND]);
    try {
      server.answerer = always((asked) => ({ answers: [a(asked.name, "192.0.2.1")] }));
      assert.equal(await command(peer, ASYNC, "A host.test"), `1 ${hex("192.0.2.1")}`);
      assert.deepEqual(
        server.questions.map((asked) => asked.server),
        ["10.0.2.9"],
      );
      server.answerer = () => [];
      const start = performance.now();
      const replies = await Promise.all(
        [ASYNC, BLOCKING].map((port) => command(peer, port, "A late.test", 15_000)),
      );
      assert.deepEqual(replies, [`${ETIMEDOUT}`, `${ETIMEDOUT}`]);
      const took = performance.now() - start;
      assert.ok(took > 6900 && took < 12_000, `1 + 2 + 4 s: ${took} ms`);
    } finally {
      server.close();
      await wired.stop();
    }
  });

  test("a static address: without servers there is nobody to ask; where nobody listens, that is told at once", async () => {
    const wired = await bootWired(DNS_IMAGE, { append: "ip=10.0.2.15/24,gw=10.0.2.2" });
    try {
      for (const port of [ASYNC, BLOCKING])
        assert.equal(await command(wired.peer, port, "A host.test"), `${EDESTADDRREQ}`);
    } finally {
      await wired.stop();
    }
    // The guest itself: nobody listens on its port 53.
    const own = await bootWired(DNS_IMAGE, { append: "ip=10.0.2.15/24,gw=10.0.2.2 dns=10.0.2.15,127.0.0.1" });
    try {
      for (const port of [ASYNC, BLOCKING])
        assert.equal(await command(own.peer, port, "A host.test"), `${ECONNREFUSED}`);
    } finally {
      await own.stop();
    }
  });

  test("QEMU's user network names its own", async () => {
    const machine = await boot(DNS_IMAGE);
    try {
      assert.match(machine.console(), /name server 10\.0\.2\.3/);
    } finally {
      await machine.stop();
    }
  });

  test("servers that make no sense end the boot, and are named", async () => {
    const machine = await boot(DNS_IMAGE, { append: "dns=10.0.2.3,0.0.0.0", ready: false });
    try {
      assert.equal(await machine.exited(60_000), BOOT_FAILED, machine.console());
      assert.match(machine.console(), /10\.0\.2\.3,0\.0\.0\.0: one to four addresses/);
    } finally {
      await machine.stop();
    }
  });
});
