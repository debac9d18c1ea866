/** The network below TCP, and what a hostile one does: ARP, ICMP, UDP, DHCP, forged SYNs, malformed frames. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { TcpClient } from "../../wire/client.ts";
import { DISCOVER, DhcpServer, REQUEST } from "../../wire/dhcp.ts";
import { ARP_REPLY, ARP_REQUEST, BROADCAST, address } from "../../wire/frame.ts";
import {
  ICMP_ECHO,
  ICMP_ECHO_REPLY,
  ICMP_UNREACHABLE,
  PROTOCOL_ICMP,
  PROTOCOL_UDP,
  encodeIcmp,
  encodeUdp,
} from "../../wire/ipv4.ts";
import { mutations } from "../../wire/mutate.ts";
import type { Peer } from "../../wire/peer.ts";
import { type Stats, get, inParallel, parseResponse, request } from "../client.ts";
import {
  BOOT_FAILED,
  BOOT_TIMEOUT,
  DEFAULT_IMAGE,
  READY,
  type WiredMachine,
  boot,
  bootWired,
} from "../machine.ts";
import { PATIENCE, until } from "../../wire/patience.ts";

const complete = (data: Buffer): boolean => parseResponse(data, false, false) !== undefined;

/** GET over frames. */
async function getByPeer(peer: Peer, path: string, from?: string) {
  const options = from === undefined ? {} : { address: address(from) };
  const data = await TcpClient.request(
    peer,
    80,
    Buffer.from(get(path, "Connection: close")),
    PATIENCE,
    complete,
    options,
  );
  const response = parseResponse(data, false, false);
  assert.ok(response, `no whole response: ${JSON.stringify(data.toString("latin1").slice(0, 200))}`);
  return response;
}

async function statsByPeer(peer: Peer): Promise<Stats> {
  return JSON.parse((await getByPeer(peer, "/stats")).body.toString()) as Stats;
}

describe("network, on a frame wire", () => {
  let wired: WiredMachine;
  let peer: Peer;

  before(async () => {
    wired = await bootWired(DEFAULT_IMAGE);
    ({ peer } = wired);
  });
  after(() => wired?.stop());

  test("DHCP: DISCOVER, then REQUEST for what was offered, then the address is used", async () => {
    assert.deepEqual(wired.dhcp.types(), [DISCOVER, REQUEST]);
    const [discover, ask] = wired.dhcp.log;
    assert.equal(discover?.options.has(54), false);
    assert.equal(ask?.options.get(50)?.readUInt32BE(0), address("10.0.2.15"));
    assert.equal(ask?.options.get(54)?.readUInt32BE(0), peer.address);
    assert.equal(ask?.transaction, discover?.transaction);
    assert.match(wired.machine.guest.output, /10\.0\.2\.15/);
  });

  test("ARP: a request for the guest's address is answered, one for another is not", async () => {
    peer.sendArp(
      { operation: ARP_REQUEST, targetMac: "00:00:00:00:00:00", targetAddress: peer.guest },
      BROADCAST,
    );
    const mac = await peer.waitFor("ARP reply", PATIENCE, ({ arp }) =>
      arp?.operation === ARP_REPLY ? arp.senderMac : undefined,
    );
    assert.match(mac, /^52:54:00:/);
    const other = { targetMac: "00:00:00:00:00:00", targetAddress: address("10.0.2.77") };
    const reply = await peer.answerTo(
      () => peer.sendArp({ operation: ARP_REQUEST, ...other }, BROADCAST),
      ({ arp }) => (arp?.operation === ARP_REPLY ? arp : undefined),
    );
    assert.equal(reply, undefined);
  });

  test("ping of every size that fits a frame", async () => {
    for (const size of [0, 1, 8, 56, 57, 511, 1024, 1471, 1472]) await peer.ping(randomBytes(size));
  });

  test("an echo request to the broadcast address or with a wrong checksum is not answered", async () => {
    const echo = encodeIcmp({
      type: ICMP_ECHO,
      code: 0,
      identifier: 1,
      sequence: 1,
      payload: Buffer.from("x"),
    });
    const wrong = Buffer.from(echo);
    wrong[2] = (wrong[2] as number) ^ 0x55;
    const send = (): void => {
      peer.sendIpv4({ protocol: PROTOCOL_ICMP, payload: echo, destination: address("255.255.255.255") });
      peer.sendIpv4({ protocol: PROTOCOL_ICMP, payload: wrong });
      peer.sendIpv4({ protocol: PROTOCOL_ICMP, payload: echo, checksum: 0x1234 });
    };
    const reply = await peer.answerTo(send, ({ icmp }) =>
      icmp?.type === ICMP_ECHO_REPLY && icmp.identifier === 1 ? icmp : undefined,
    );
    assert.equal(reply, undefined);
  });

  test("UDP: echo of 0 to 1472 bytes, checksums right", async () => {
    for (const size of [0, 1, 9, 18, 19, 100, 1000, 1471, 1472]) {
      const data = randomBytes(size);
      const answer = await peer.askUdp(7, data);
      assert.ok(answer.equals(data), `${size} bytes sent, ${answer.length} came back`);
    }
  });

  test("UDP without a checksum is answered, with a wrong one it is dropped", async () => {
    const ask = (checksum: number): Promise<Buffer | undefined> => {
      const sourcePort = peer.port();
      return peer.answerTo(
        () => peer.sendUdp({ sourcePort, destinationPort: 7, payload: Buffer.from("abc"), checksum }),
        ({ udp }) => (udp?.destinationPort === sourcePort ? udp.payload : undefined),
        () => peer.askUdp(7, Buffer.from("last")),
      );
    };
    assert.equal((await ask(0))?.toString(), "abc");
    assert.equal(await ask(0x1234), undefined);
  });

  test("UDP to a port that nobody has: ICMP port unreachable, with the packet inside", async () => {
    const answer = peer.waitFor("ICMP", PATIENCE, ({ icmp }) =>
      icmp?.type === ICMP_UNREACHABLE ? icmp : undefined,
    );
    peer.sendUdp({ sourcePort: 4444, destinationPort: 9, payload: Buffer.from("nobody") });
    const icmp = await answer;
    assert.equal(icmp.code, 3);
    assert.equal(icmp.payload.readUInt16BE(20), 4444);
    assert.equal(icmp.payload.readUInt16BE(22), 9);
  });

  test("a client outside the subnet is answered through the gateway", async () => {
    assert.equal((await getByPeer(peer, "/", "172.16.5.5")).status, 200);
  });

  test("packets that are not for the guest are not answered", async () => {
    const payload = encodeUdp(peer.address, address("10.0.2.99"), {
      sourcePort: 5555,
      destinationPort: 7,
      payload: Buffer.from("x"),
    });
    const mac = await peer.resolve();
    const packet = {
      source: peer.address,
      destination: address("10.0.2.99"),
      protocol: PROTOCOL_UDP,
      payload,
    };
    // The guest's MAC address with another's IP address.
    const answer = await peer.answerTo(
      () => peer.sendRaw(mac, packet),
      ({ udp }) => (udp?.destinationPort === 5555 ? udp : undefined),
      () => peer.askUdp(7, Buffer.from("last")),
    );
    assert.equal(answer, undefined);
  });

  test("50 connections opened in the same moment, then 1,000 more, 50 at a time", async () => {
    const before = await statsByPeer(peer);
    const clients = Array.from({ length: 50 }, () => new TcpClient(peer, 7));
    await Promise.all(clients.map((client) => client.connect()));
    await Promise.all(
      clients.map(async (client, index) => {
        client.send(`client ${index}`);
        const answer = await client.receive(PATIENCE, (data) => data.length >= `client ${index}`.length);
        assert.equal(answer.toString(), `client ${index}`);
        await client.close();
      }),
    );
    await inParallel(1000, 50, async (index) => {
      const answer = await TcpClient.request(
        peer,
        7,
        Buffer.from(`no ${index}`),
        PATIENCE,
        (data) => data.length >= 4,
      );
      assert.equal(answer.toString().slice(0, 3), "no ");
    });
    const now = await statsByPeer(peer);
    assert.equal((now.kernel["tcpAccepted"] ?? NaN) - (before.kernel["tcpAccepted"] ?? NaN), 1051);
  });

  test("4,000 malformed frames are counted and dropped, and the guest goes on answering", async (t) => {
    const before = await statsByPeer(peer);
    const mac = await peer.resolve();
    const seed = Number(process.env["AEMOS_SEED"] ?? Date.now() & 0xffff);
    t.diagnostic(`AEMOS_SEED=${seed}`);
    let sent = 0;
    for (const frame of mutations({
      seed,
      count: 4000,
      mac: peer.mac,
      guestMac: mac,
      source: peer.address,
      guest: peer.guest,
    })) {
      peer.wire.send(frame);
      if (++sent % 50 === 0) await sleep(5);
    }
    await sleep(200);
    assert.equal(wired.machine.guest.ended, false, `the guest ended\n${wired.machine.console()}`);
    await peer.ping(Buffer.from("still there"));
    assert.equal((await peer.askUdp(7, Buffer.from("udp"))).toString(), "udp");
    const now = await statsByPeer(peer);
    const counted = (now.kernel["framesDropped"] ?? NaN) - (before.kernel["framesDropped"] ?? NaN);
    assert.ok(counted > sent / 4, `${counted} dropped frames counted of ${sent} malformed ones`);
    assert.ok(counted <= sent + 100, `${counted} dropped frames counted of ${sent} sent`);
  });
});

describe("network, addresses", () => {
  test("DHCP of QEMU's user network", async () => {
    const machine = await boot(DEFAULT_IMAGE, { tcp: [80], append: "ip=dhcp" });
    try {
      assert.match(machine.guest.output, /10\.0\.2\.15/);
      assert.equal((await request(machine.tcp(80), get("/"))).status, 200);
    } finally {
      await machine.stop();
    }
  });

  test("static address on the user network", async () => {
    const machine = await boot(DEFAULT_IMAGE, { tcp: [80], append: "ip=10.0.2.15/24,gw=10.0.2.2" });
    try {
      assert.equal((await request(machine.tcp(80), get("/"))).status, 200);
    } finally {
      await machine.stop();
    }
  });

  test("an address that makes no sense ends the boot, and is named", async () => {
    const machine = await boot(DEFAULT_IMAGE, { append: "ip=10.0.2.15", ready: false });
    try {
      assert.equal(await machine.exited(60_000), BOOT_FAILED, machine.console());
      assert.match(machine.console(), /10\.0\.2\.15: a prefix length/, "what is wrong with which");
    } finally {
      await machine.stop();
    }
  });

  test("static address on the wire: no DHCP, the gateway is used, the other half of the net is not ours", async () => {
    const wired = await bootWired(DEFAULT_IMAGE, {
      append: "ip=192.168.7.9/29,gw=192.168.7.10",
      peer: { address: "192.168.7.10", netmask: "255.255.255.248", guest: "192.168.7.9" },
    });
    try {
      await wired.peer.ping(Buffer.from("static"));
      assert.equal((await getByPeer(wired.peer, "/")).status, 200);
      assert.equal(
        (await getByPeer(wired.peer, "/", "192.168.7.17")).status,
        200,
        "beyond /29: through the gateway",
      );
      assert.deepEqual(wired.dhcp.types(), []);
    } finally {
      await wired.stop();
    }
  });

  test("DHCP: silence, foreign and malformed answers and NAK are survived; the lease is renewed, given up by NAK", async (t) => {
    const wired = await bootWired(DEFAULT_IMAGE, {
      ready: false,
      dhcp: (peer) => {
        const server = new DhcpServer(peer, { leaseTime: 60, renewal: 15, rebinding: 40 });
        server.mode = "silent";
        return server;
      },
    });
    const { peer, dhcp, machine } = wired;
    const messages = async (count: number, type: number, ms: number): Promise<void> => {
      const start = dhcp.types().filter((seen) => seen === type).length;
      await until(
        () => `mode ${dhcp.mode}: ${count} more messages of type ${type}; seen: ${dhcp.types().join(" ")}`,
        () => dhcp.types().filter((seen) => seen === type).length >= start + count,
        ms,
      );
    };
    try {
      await messages(1, DISCOVER, BOOT_TIMEOUT);
      dhcp.mode = "hostile";
      await messages(1, DISCOVER, 60_000);
      assert.equal(READY.test(machine.guest.output), false, `ready without an address\n${machine.console()}`);
      dhcp.mode = "nak";
      await messages(1, REQUEST, 90_000);
      dhcp.mode = "lease";
      await dhcp.leased(90_000);
      await machine.guest.waitFor(READY, PATIENCE);
      await peer.ping(Buffer.from("leased"));
      // T1 (the shortest that the client follows): a REQUEST without a requested address, from the address itself (RFC 2131, table 4). It is refused.
      dhcp.mode = "nak";
      await messages(1, REQUEST, 60_000);
      const renewal = dhcp.log.findLast(({ type }) => type === REQUEST);
      assert.equal(renewal?.clientAddress, address("10.0.2.15"));
      assert.equal(renewal?.options.has(50), false);
      await messages(1, DISCOVER, 60_000);
      dhcp.mode = "silent";
      await assert.rejects(
        peer.ping(Buffer.from("no lease"), 700),
        /nothing within/,
        "the address is not used any more",
      );
      dhcp.mode = "lease";
      dhcp.leases = 0;
      await dhcp.leased(90_000);
      await sleep(300);
      await peer.ping(Buffer.from("leased again"));
      t.diagnostic(`message types: ${dhcp.types().join(" ")}`);
    } finally {
      await wired.stop();
    }
  });
});
