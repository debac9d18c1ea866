/** IPv6 on a frame wire: addresses, ping, UDP, TCP and HTTP as over IPv4, and the MTU of a path. Other ways to start: ipv6-boot.test.ts; what attackers do: ipv6-hostile.test.ts. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { TcpClient } from "../../wire/client.ts";
import {
  type Icmpv6Message,
  MLD2_REPORT,
  NEIGHBOUR_SOLICITATION,
  ROUTER_SOLICITATION,
  encodeIpv6,
  groupMac,
  solicitedNode,
  targetOf,
  textOf,
} from "../../wire/ipv6.ts";
import type { Router6, Seen } from "../../wire/router6.ts";
import { get, parseResponse } from "../client.ts";
import { type Host, Ipv6Host, ROUTER } from "./ipv6-host.ts";
import { PATIENCE } from "../../wire/patience.ts";

const complete = (data: Buffer): boolean => parseResponse(data, false, false) !== undefined;

describe("IPv6", () => {
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

  const of = (type: number): Seen[] => router.seen.filter(({ message }) => message?.type === type);

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
    const answers = (): number =>
      router.seen.filter(({ packet }) => packet.next === 17 && packet.payload.readUInt16BE(2) === 4444)
        .length;
    for (const checksum of [0, 0x1234]) {
      const known = answers();
      six.sendUdp({ sourcePort: 4444, destinationPort: 7, payload: Buffer.from("abc"), checksum });
      // Its answer is behind one to that.
      await host.peer.askUdp(7, Buffer.from("last"));
      assert.equal(answers(), known, `checksum ${checksum}`);
    }
    const unreachable = router.waitFor("ICMPv6 error", PATIENCE, ({ message }) =>
      message?.type === 1 ? message : undefined,
    );
    six.sendUdp({ sourcePort: 4444, destinationPort: 9, payload: Buffer.from("nobody") });
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
    await assert.rejects(new TcpClient(peer, 9).connect(), /reset/);
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
});
