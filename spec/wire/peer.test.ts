/**
 * The frame peer against an independent TCP/IP: QEMU's user network (libslirp), with no guest between. So a failure of the
 * guest is not one of the peer.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, type Server, createServer } from "node:net";
import { after, before, describe, test } from "node:test";
import type { DatagramWire } from "../../tools/qemu.ts";
import { TcpClient } from "./client.ts";
import { DhcpServer, decodeDhcp } from "./dhcp.ts";
import { ETHERTYPE_IPV4, address, encodeEthernet } from "./frame.ts";
import { PROTOCOL_UDP, encodeIpv4, encodeUdp } from "./ipv4.ts";
import { Peer } from "./peer.ts";
import { TcpScript } from "./scenario.ts";
import { Wire, freeUdpPort } from "./wire.ts";
import { PATIENCE } from "./patience.ts";

describe("frame peer against libslirp", () => {
  let peer: Peer;
  let hub: ChildProcess;
  let echo: Server;
  let port: number;

  before(async () => {
    echo = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on("error", () => {});
      socket.pipe(socket);
    });
    echo.listen(0, "127.0.0.1");
    await once(echo, "listening");
    port = (echo.address() as AddressInfo).port;
    peer = await Peer.open({ address: "10.0.2.15", guest: "10.0.2.2" });
    const { localPort, remotePort } = peer.wire.guestEnd as DatagramWire;
    const ends = `local.type=inet,local.host=127.0.0.1,local.port=${localPort},remote.type=inet,remote.host=127.0.0.1`;
    hub = spawn(
      "qemu-system-x86_64",
      ["-M", "none", "-nodefaults", "-display", "none", "-netdev", "user,id=u"]
        .concat(["-netdev", `dgram,id=d,${ends},remote.port=${remotePort}`])
        .concat(["-netdev", "hubport,id=h0,hubid=0,netdev=u", "-netdev", "hubport,id=h1,hubid=0,netdev=d"]),
      { stdio: ["ignore", "ignore", "inherit"] },
    );
    await peer.resolve(undefined, 10000);
  });

  after(async () => {
    peer.close();
    echo.close();
    hub.kill("SIGKILL");
    await once(hub, "exit");
  });

  test("ping", async () => {
    await peer.ping(Buffer.alloc(100, 5));
  });

  test("one request: connect, send, receive, close", async () => {
    const answer = await TcpClient.request(
      peer,
      port,
      Buffer.from("hello"),
      PATIENCE,
      (all) => all.length === 5,
    );
    assert.equal(answer.toString(), "hello");
  });

  test("300 KiB there and back, byte-exact", async () => {
    const data = randomBytes(300 << 10);
    const answer = await TcpClient.request(peer, port, data, PATIENCE, (all) => all.length >= data.length);
    assert.ok(answer.equals(data), `${answer.length} bytes came back of ${data.length}`);
  });

  test("12 KiB there and back over a wire that loses, doubles and reorders", async () => {
    const data = randomBytes(12 << 10);
    peer.wire.impair({ loss: 0.05, duplicate: 0.05, reorder: 0.05, seed: 3 });
    try {
      const done = (all: Buffer): boolean => all.length >= data.length;
      const answer = await TcpClient.request(peer, port, data, 60000, done, { timeout: 100 });
      assert.ok(answer.equals(data), `${answer.length} bytes came back of ${data.length}`);
    } finally {
      peer.wire.impair(undefined);
    }
  });

  test("a refused connection is a reset", async () => {
    const closed = createServer();
    closed.listen(0, "127.0.0.1");
    await once(closed, "listening");
    const refused = (closed.address() as AddressInfo).port;
    closed.close();
    await once(closed, "close");
    await assert.rejects(TcpClient.request(peer, refused, Buffer.from("x"), PATIENCE), /reset/);
  });

  test("a scenario: handshake, echo, close", async () => {
    const script = new TcpScript(peer, port);
    await script.run(`
      +0 < S 0:0(0) win 65535 <mss 1460>
      +0 > S. 0:0(0) ack 1
      +0 < . 1:1(0) ack 1
      +0 < P. 1:6(5) ack 1 "hello"
      *  > . 1:1(0) ack 6
      *  > P. 1:6(5) ack 6 "hello"
      +0 < . 6:6(0) ack 6
      +0 < F. 6:6(0) ack 6
      *  > . 6:6(0) ack 7
      *  > F. 6:6(0) ack 7
      +0 < . 7:7(0) ack 7
      quiet 0.2
    `);
    script.dispose();
  });

  test("a scenario that does not come true says what came", async () => {
    const script = new TcpScript(peer, port);
    const run = script.run(`
      +0 < S 0:0(0) win 65535 <mss 1460>
      +0 > S. 0:0(0) ack 2
    `);
    await assert.rejects(run, /acknowledgement is 1, not 2[\s\S]*came: .* S\. seq 0/);
    script.send({ flags: 4, sequence: 1 });
    script.dispose();
  });
});

describe("frame peer against itself", () => {
  test("DHCP server leases, refuses and keeps silent", async () => {
    const [one, two] = [await freeUdpPort(), await freeUdpPort()];
    const server = new Peer(await Wire.open(one, two));
    const client = new Peer(await Wire.open(two, one), {
      address: "10.0.2.99",
      guest: "10.0.2.2",
      mac: "02:00:00:00:00:63",
    });
    const dhcp = new DhcpServer(server, { leaseTime: 60 });
    const ask = async (type: number, ms = PATIENCE): Promise<number> => {
      const body = Buffer.alloc(240);
      body.set([1, 1, 6, 0, 1, 2, 3, 4]);
      body.set([0x80], 10);
      body.set([2, 0, 0, 0, 0, 0x63], 28);
      body.writeUInt32BE(0x63825363, 236);
      const requested = Buffer.from([53, 1, type, 50, 4, 10, 0, 2, 15, 255]);
      const udp = { sourcePort: 68, destinationPort: 67, payload: Buffer.concat([body, requested]) };
      const packet = { source: 0, destination: 0xffffffff, protocol: PROTOCOL_UDP };
      const payload = encodeIpv4({ ...packet, payload: encodeUdp(0, 0xffffffff, udp) });
      const answer = client.waitFor("DHCP answer", ms, (r) => (r.udp?.sourcePort === 67 ? r.udp : undefined));
      client.wire.send(
        encodeEthernet({
          destination: "ff:ff:ff:ff:ff:ff",
          source: client.mac,
          type: ETHERTYPE_IPV4,
          payload,
        }),
      );
      const message = decodeDhcp((await answer).payload);
      assert.equal(message?.transaction, dhcp.mode === "foreign" ? 0x0102fcfb : 0x01020304);
      if (message?.type === 5) assert.equal(message.options.get(51)?.readUInt32BE(0), 60);
      return message?.type ?? 0;
    };
    try {
      assert.equal(await ask(1), 2, "DISCOVER is answered by OFFER");
      assert.equal(await ask(3), 5, "REQUEST is answered by ACK");
      dhcp.mode = "nak";
      assert.equal(await ask(3), 6, "REQUEST is answered by NAK");
      dhcp.mode = "foreign";
      assert.equal(await ask(1), 2);
      dhcp.mode = "malformed";
      await assert.rejects(async () => assert.notEqual(await ask(1), 2), "options cannot be decoded");
      dhcp.mode = "silent";
      await assert.rejects(ask(1, 300), /nothing within 300 ms/);
      assert.deepEqual(dhcp.types(), [1, 3, 3, 1, 1, 1]);
      assert.equal(dhcp.leases, 1);
      assert.equal(address("10.0.2.15"), dhcp.log[1]?.options.get(50)?.readUInt32BE(0));
    } finally {
      server.close();
      client.close();
    }
  });
});
