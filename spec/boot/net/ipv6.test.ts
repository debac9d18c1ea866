/** IPv6 on a frame wire: addresses, ping, UDP, TCP and HTTP as over IPv4, and what a hostile link does. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { TcpClient } from "../../wire/client.ts";
import { type UdpDatagram, encodeUdp, fold, sum16 } from "../../wire/ipv4.ts";
import {
  type Icmpv6Message,
  MLD2_REPORT,
  NA_OVERRIDE,
  NEIGHBOUR_ADVERTISEMENT,
  NEIGHBOUR_SOLICITATION,
  ROUTER_ADVERTISEMENT,
  ROUTER_SOLICITATION,
  advertisementBody,
  encodeIpv6,
  groupMac,
  linkOption,
  neighbourBody,
  prefixOption,
  pseudoSum6,
  solicitedNode,
  targetOf,
  textOf,
} from "../../wire/ipv6.ts";
import { Router6, type Seen } from "../../wire/router6.ts";
import { get, parseResponse } from "../client.ts";
import {
  BOOT_FAILED,
  DEFAULT_IMAGE,
  type WiredMachine,
  type WiredOptions,
  boot,
  bootWired,
} from "../machine.ts";
import { DhcpServer } from "../../wire/dhcp.ts";

const ROUTER = "2001:db8:0:1::2";
const ALL_NODES = "ff02::1";

interface Host extends WiredMachine {
  router: Router6;
}

/** Starts the default image on a wire with a router for IPv6. */
async function bootHost(
  options: WiredOptions = {},
  prepare: (router: Router6) => void = () => {},
): Promise<Host> {
  let router: Router6 | undefined;
  const wired = await bootWired(DEFAULT_IMAGE, {
    ...options,
    dhcp: (peer) => {
      router = new Router6(peer);
      prepare(router);
      return new DhcpServer(peer);
    },
  });
  assert.ok(router);
  return { ...wired, router };
}

/** Waits for a line of the console that says that the guest has an address; the address. */
async function addressOf(host: Host, prefix: string, ms = 8000): Promise<string> {
  const [, address] = await host.machine.guest.waitFor(new RegExp(`ipv6: address (${prefix}[0-9a-f:]*)`), ms);
  return address as string;
}

const complete = (data: Buffer): boolean => parseResponse(data, false, false) !== undefined;

describe("IPv6", () => {
  let host: Host;
  let router: Router6;
  let global: string;
  let local: string;

  before(async () => {
    host = await bootHost();
    ({ router } = host);
    local = await addressOf(host, "fe80:");
    global = await addressOf(host, "2001:db8:0:1:");
    router.translate({ own: ROUTER, guest: global });
  });
  after(() => host?.stop());

  const of = (type: number): Seen[] => router.seen.filter(({ message }) => message?.type === type);

  /** A UDP datagram, with a right checksum unless it has one. */
  function sendUdp(datagram: UdpDatagram, source = ROUTER, destination = global): void {
    const payload = encodeUdp(0, 0, { ...datagram, checksum: 0 });
    const sum = fold(sum16(payload, pseudoSum6(source, destination, 17, payload.length)));
    payload.writeUInt16BE(datagram.checksum ?? (sum === 0 ? 0xffff : sum), 6);
    router.send({ source, destination, next: 17, payload });
  }

  /** The connection, and UDP, work as if nothing had happened. */
  async function stillThere(): Promise<void> {
    await router.ping(Buffer.from("still there"), global, ROUTER);
    assert.equal((await host.peer.askUdp(7, Buffer.from("udp"))).toString(), "udp");
  }

  test("the first questions: group joined, address asked for from ::, then the routers, then the next address", () => {
    const identifier = local.slice("fe80::".length);
    assert.equal(global, `2001:db8:0:1:${identifier}`);
    const probes = of(NEIGHBOUR_SOLICITATION).filter(({ packet }) => packet.source === "::");
    assert.deepEqual(
      probes.map(({ message }) => targetOf(message as Icmpv6Message)),
      [local, global],
    );
    for (const { packet, to, message } of probes) {
      assert.equal(packet.destination, solicitedNode(local));
      assert.equal(to, groupMac(packet.destination));
      assert.equal(packet.hopLimit, 255);
      assert.equal(message?.checksumOk, true);
    }
    const first = router.seen.findIndex(({ message }) => message?.type === MLD2_REPORT);
    assert.equal(first, 0, "the report of the group goes first");
    const report = router.seen[first] as Seen;
    assert.equal(report.packet.hopLimit, 1);
    assert.equal(report.packet.destination, "ff02::16");
    assert.equal(textOf((report.message as Icmpv6Message).body.subarray(8, 24)), solicitedNode(local));
    const [question] = of(ROUTER_SOLICITATION);
    assert.equal(question?.packet.source, local);
    assert.equal(question?.packet.destination, "ff02::2");
    assert.equal(of(ROUTER_SOLICITATION).length, 1, "who was answered asks no more");
    assert.ok(router.seen.every(({ message }) => message?.checksumOk !== false));
  });

  test("ping of every size that fits a frame, to both addresses; the neighbour is asked for first", async () => {
    for (const size of [0, 1, 8, 56, 57, 511, 1024, 1451, 1452]) {
      await router.ping(randomBytes(size), global, ROUTER);
      await router.ping(randomBytes(size), local, router.linkLocal);
    }
    const questions = of(NEIGHBOUR_SOLICITATION).filter(({ packet }) => packet.source !== "::");
    assert.ok(questions.some(({ message }) => targetOf(message as Icmpv6Message) === ROUTER));
  });

  test("UDP: echo of 0 to 1,452 bytes; without or with a wrong checksum nothing; nobody's port", async () => {
    for (const size of [0, 1, 9, 100, 1000, 1451, 1452]) {
      const data = randomBytes(size);
      const answer = await host.peer.askUdp(7, data);
      assert.ok(answer.equals(data), `${size} bytes sent, ${answer.length} came back`);
    }
    for (const checksum of [0, 0x1234]) {
      const answer = router.waitFor("UDP answer", 400, ({ packet }) =>
        packet.next === 17 && packet.payload.readUInt16BE(2) === 4444 ? packet : undefined,
      );
      sendUdp({ sourcePort: 4444, destinationPort: 7, payload: Buffer.from("abc"), checksum });
      await assert.rejects(answer, /nothing within/);
    }
    const unreachable = router.waitFor("ICMPv6 error", 1000, ({ message }) =>
      message?.type === 1 ? message : undefined,
    );
    sendUdp({ sourcePort: 4444, destinationPort: 9, payload: Buffer.from("nobody") });
    const { code, body, checksumOk } = await unreachable;
    assert.equal(code, 4);
    assert.equal(checksumOk, true);
    assert.equal(body.readUInt16BE(4 + 40), 4444);
    assert.equal(body.readUInt16BE(4 + 42), 9);
  });

  test("TCP: the MSS of IPv6, streams of 300 KB both ways, HTTP, a port that nobody has", async () => {
    const { peer } = host;
    const client = new TcpClient(peer, 7);
    await client.connect();
    assert.equal(client.remoteMss, 1440);
    const data = randomBytes(300_000);
    client.send(data);
    const back = await client.receive(20_000, (all) => all.length >= data.length);
    assert.ok(back.equals(data));
    await client.close();
    const answer = await TcpClient.request(
      peer,
      80,
      Buffer.from(get("/", "Connection: close")),
      5000,
      complete,
    );
    assert.equal(parseResponse(answer, false, false)?.status, 200);
    await assert.rejects(new TcpClient(peer, 9).connect(2000), /reset/);
  });

  test("TCP: a path that takes 1,300 bytes, as a router says (RFC 8201)", async () => {
    let refused = 0;
    let largest = 0;
    router.intercept = ({ packet }) => {
      if (packet.next !== 6) return false;
      const whole = encodeIpv6(packet);
      if (whole.length <= 1300) {
        largest = Math.max(largest, whole.length);
        return false;
      }
      refused += 1;
      const mtu = Buffer.from([0, 0, 1300 >> 8, 1300 & 255]);
      router.sendIcmpv6(
        { source: "2001:db8:0:1::2", destination: packet.source },
        { type: 2, code: 0, body: Buffer.concat([mtu, whole.subarray(0, 1232)]) },
      );
      return true;
    };
    try {
      const client = new TcpClient(host.peer, 7);
      await client.connect();
      const data = randomBytes(60_000);
      client.send(data);
      const back = await client.receive(20_000, (all) => all.length >= data.length);
      assert.ok(back.equals(data));
      await client.close();
    } finally {
      router.intercept = () => false;
    }
    assert.ok(refused > 0, "nothing was too large");
    assert.ok(refused < 60, `${refused} packets were too large`);
    assert.ok(largest > 1280 && largest <= 1300, `${largest} bytes`);
  });

  test("IPv4 goes on beside it, on the same sockets", async () => {
    router.translate(undefined);
    assert.equal((await host.peer.askUdp(7, Buffer.from("four"))).toString(), "four");
    const answer = await TcpClient.request(host.peer, 7, Buffer.from("four"), 5000, (all) => all.length >= 4);
    assert.equal(answer.toString(), "four");
    router.translate({ own: ROUTER, guest: global });
    assert.equal((await host.peer.askUdp(7, Buffer.from("six"))).toString(), "six");
  });

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
    test(`hostile: ${name}`, async () => {
      act();
      await sleep(50);
      await stillThere();
      assert.doesNotMatch(host.machine.guest.output, /address 2001:db8:bad:/);
    });
  }

  test("hostile: a flood of neighbours, of packets that want neighbours, and of routers, beside a connection that lives", async () => {
    // The one before has made our address one for old conversations only.
    router.advertise([{ prefix: "2001:db8:0:1::" }]);
    const client = new TcpClient(host.peer, 7);
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
        sendUdp({ sourcePort: 5000, destinationPort: 7, payload: Buffer.from("who am I") }, source);
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
    const back = await client.receive(10_000, (all) => all.length >= sent.length);
    assert.equal(back.toString(), sent);
    assert.ok(client.retransmissions < 10, `${client.retransmissions} segments sent again`);
    await client.close();
    await stillThere();
    const made = host.machine.guest.output.match(/ipv6: address 2001:db8:bad:/g) ?? [];
    assert.ok(made.length <= 2, `${made.length} addresses made from invented prefixes`);
  });
});

describe("IPv6, other ways to start", () => {
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
      await host.machine.guest.waitFor(/ipv6: another host has fe80:[0-9a-f:]*: not used/, 5000);
      await host.peer.ping(Buffer.from("four"), 2000);
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
      const reply = host.router.waitFor("echo reply", 3000, ({ packet, to }) =>
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
      await machine.guest.waitFor(/ipv6: address fec0::[0-9a-f:]+\/64/, 8000);
    } finally {
      await machine.stop();
    }
  });

  test("ip6=off: not a word", async () => {
    const host = await bootHost({ append: "ip6=off" });
    try {
      await host.peer.ping(Buffer.from("four"), 2000);
      await sleep(2500);
      assert.equal(host.router.seen.length, 0, host.router.recent());
    } finally {
      await host.stop();
    }
  });

  test("an address that makes no sense ends the boot, and is named", async () => {
    const machine = await boot(DEFAULT_IMAGE, { append: "ip6=2001:db8::1", ready: false });
    try {
      assert.equal(await machine.exited(20_000), BOOT_FAILED, machine.console());
      assert.match(machine.console(), /2001:db8::1: a prefix length/);
    } finally {
      await machine.stop();
    }
  });
});
