/** apps/echo (RFC 862) over TCP and UDP: bytes that come back unchanged, many of them, at once. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Connection, HOST_WIDTH, askUdp, inParallel, stats } from "./client.ts";
import { DEFAULT_IMAGE, type Machine, boot } from "./machine.ts";

/** Bytes that the questions for statistics come to between two looks, and more. */
const STATISTICS = 10_000;

describe("echo", () => {
  let machine: Machine;
  let port: number;

  before(async () => {
    machine = await boot(DEFAULT_IMAGE, { tcp: [7, 80], udp: [7] });
    port = machine.tcp(7);
  });
  after(() => machine?.stop());

  test("10 MiB each way, byte-exact", async () => {
    const data = randomBytes(10 << 20);
    const connection = await Connection.open(port);
    const received = connection.readToEnd(60000);
    connection.socket.end(data);
    const answer = await received;
    connection.destroy();
    assert.equal(answer.length, data.length);
    const digest = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
    assert.equal(digest(answer), digest(data));
  });

  test("a client that does not read holds the stream back; all 16 MiB come when it reads", async () => {
    const data = randomBytes(16 << 20);
    const connection = await Connection.open(port);
    connection.socket.pause();
    connection.socket.end(data);
    // The other process serves meanwhile.
    const received = async (): Promise<number> =>
      (await stats(machine.tcp(80))).kernel["bytesReceived"] ?? NaN;
    const begin = await received();
    let into = 0;
    await machine.until("the stream stands", async () => {
      const before = into;
      await sleep(300);
      into = (await received()) - begin;
      return into > 0 && into - before < STATISTICS;
    });
    // The host's buffers take some of what comes back.
    assert.ok(into < (3 * data.length) / 4, `${into} bytes went into the guest`);
    connection.socket.resume();
    const answer = await connection.readToEnd(60000);
    connection.destroy();
    assert.ok(
      answer.equals(data),
      `${answer.length} of ${data.length} bytes came back, or not the same ones`,
    );
  });

  test("50 connections at once with 100 kB each", async () => {
    const connections: Connection[] = [];
    for (let i = 0; i < 50; i++) {
      const connection = await Connection.open(port);
      await connection.write("x");
      await connection.read(1);
      connections.push(connection);
    }
    const data = randomBytes(100_000);
    await Promise.all(
      connections.map(async (connection, index) => {
        const mine = data.subarray(index);
        connection.socket.write(mine);
        const answer = await connection.read(mine.length, 30000);
        assert.ok(answer.equals(mine), `connection ${index}: other bytes came back`);
        connection.destroy();
      }),
    );
  });

  test("small pieces, one at a time, come back one by one", async () => {
    const connection = await Connection.open(port);
    for (let size = 1; size <= 64; size++) {
      const data = randomBytes(size);
      await connection.write(data);
      assert.ok((await connection.read(size)).equals(data), `piece of ${size} bytes`);
    }
    connection.destroy();
  });

  test("1,000 connections opened and closed", async () => {
    await inParallel(1000, HOST_WIDTH, async (index) => {
      const connection = await Connection.open(port);
      connection.socket.end(`connection ${index}`);
      assert.equal((await connection.readToEnd()).toString(), `connection ${index}`);
      connection.destroy();
    });
  });

  test("connections that are reset are forgotten", async () => {
    await inParallel(40, 1, async () => {
      const connection = await Connection.open(port);
      await connection.write(randomBytes(3000));
      connection.socket.resetAndDestroy();
    });
    const connection = await Connection.open(port);
    await connection.write("still here");
    assert.equal((await connection.read(10)).toString(), "still here");
    connection.destroy();
  });

  test("what is received is copied once on its way to the application, whatever its sizes and whoever is slow", async () => {
    const before = (await stats(machine.tcp(80))).kernel;
    const data = randomBytes(1 << 20);
    const connection = await Connection.open(port);
    // Nothing is read for a while, so that the guest's windows close.
    connection.socket.pause();
    let total = data.length;
    for (let at = 0, size = 1; at < data.length; at += size) {
      size = 1 + ((at * 7919) % (at % 3 === 0 ? 100 : 5000));
      connection.socket.write(data.subarray(at, at + size));
      if (at % 50 === 0) await new Promise(setImmediate);
    }
    setTimeout(() => connection.socket.resume(), 500);
    const answer = await connection.read(data.length, 60000);
    assert.ok(answer.equals(data));
    connection.destroy();
    for (let size = 1; size <= 1472; size += 97) {
      assert.equal((await askUdp(machine.udp(7), randomBytes(size))).length, size);
      total += size;
    }
    const after = (await stats(machine.tcp(80))).kernel;
    const grown = (name: string): number => (after[name] ?? NaN) - (before[name] ?? NaN);
    // The second request for the counters was delivered as well, and a datagram may have been asked twice.
    const delivered = grown("payloadDelivered");
    assert.ok(delivered > total && delivered < total + 5000, `${delivered} bytes delivered of ${total}`);
    assert.equal(grown("payloadCopied"), delivered);
  });

  test("UDP datagrams of every size class up to 1472 bytes", async () => {
    for (const size of [
      1, 2, 17, 18, 19, 63, 64, 65, 127, 511, 512, 1000, 1023, 1024, 1025, 1400, 1471, 1472,
    ]) {
      const data = randomBytes(size);
      const answer = await askUdp(machine.udp(7), data);
      assert.ok(answer.equals(data), `${size} bytes sent, ${answer.length} came back`);
    }
  });
});
