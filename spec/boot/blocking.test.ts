/** The socket calls that block, as POSIX has them, on the real machine: spec/boot/apps/plain reports what it sees; what is right stands here. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { CallsMachine } from "./calls-machine.ts";
import { Connection, askUdp } from "./client.ts";
import { GuestServer } from "./guest-server.ts";
import type { Machine } from "./machine.ts";
import { EFAULT, EMSGSIZE, ECONNREFUSED, HOST } from "./numbers.ts";

describe("calls that block", () => {
  let calls: CallsMachine;
  let machine: Machine;
  let server: GuestServer;

  before(async () => {
    calls = await CallsMachine.start();
    ({ machine } = calls);
    server = await GuestServer.start();
  });
  after(async () => {
    server?.stop();
    await machine?.stop();
  });

  test("recvfrom, sendmsg of a datagram in pieces", async () => {
    assert.equal(
      (await askUdp(machine.udp(2011), Buffer.from("0123456789"))).toString(),
      "01234567",
      "cut to the buffer",
    );
    await machine.waitForRows("plain-udp-close", 1);
    assert.deepEqual(calls.row("plain-udp-bind"), [0]);
    assert.deepEqual(calls.row("plain-udp-recvfrom"), [8, 16]);
    assert.deepEqual(calls.row("plain-udp-sendmsg"), [8]);
  });

  test("bind, listen, getsockname, accept, recv, send, close", async () => {
    await machine.waitForRows("plain-sockname", 1);
    assert.deepEqual(calls.row("plain-listen"), [0]);
    assert.deepEqual(calls.row("plain-sockname"), [0, 16, 2, 0, 2010]);
    const data = randomBytes(500_000);
    const connection = await Connection.open(machine.tcp(2010));
    connection.socket.end(data);
    assert.ok((await connection.readToEnd()).equals(data), "other bytes came back");
    connection.destroy();
    assert.deepEqual((await machine.waitForRows("plain-close", 1))[0], [0]);
    const accept = machine.rows("plain-accepted")[0] as number[];
    assert.deepEqual(accept.slice(0, 4), [0, 16, 2, HOST]);
    assert.deepEqual(machine.rows("plain-carried")[0], [data.length]);
    assert.deepEqual(machine.rows("plain-so-error")[0], [0, 0]);
  });

  test("with and without blocking: sendmsg of a head and a body in pieces, which arrive as one stream", async () => {
    const [pieces, piece, rounds] = [63, 4001, 8];
    const body = Buffer.alloc(pieces * piece);
    for (let at = 0; at < body.length; at++) body[at] = at * 7 + Math.floor(at / piece);
    const whole = Buffer.concat([Buffer.from("head\r\n\r\n"), ...Array<Buffer>(1 + rounds).fill(body)]);
    const connection = await Connection.open(machine.tcp(2010));
    // So that there is no room for some of it.
    connection.socket.pause();
    await connection.write(Buffer.from([0, 0, 0, 1]));
    setTimeout(() => connection.socket.resume(), 700);
    const answer = await connection.readToEnd();
    connection.destroy();
    assert.equal(answer.length, whole.length);
    assert.ok(answer.equals(whole), "other bytes came");
    assert.deepEqual(calls.row("plain-pieces-refused"), [EMSGSIZE, EFAULT, EFAULT, EFAULT, EFAULT]);
    assert.deepEqual(calls.row("plain-pieces"), [8 + body.length]);
    assert.deepEqual(calls.row("plain-pieces-unblocked"), [1]);
  });

  test("a writev that waits sends its own vector, though a handler has called writev meanwhile", async () => {
    const connection = await Connection.open(machine.tcp(2010));
    connection.socket.pause();
    await connection.write(Buffer.from([0, 0, 0, 2]));
    assert.deepEqual(await machine.waitForRows("plain-beside", 1, 30000), [[7]]);
    assert.deepEqual(machine.rows("plain-waited"), [], "the call of main code waits still");
    connection.socket.resume();
    const stream = await connection.readToEnd(30000);
    connection.destroy();
    const end = stream.subarray(stream.findIndex((byte) => byte !== 0));
    assert.equal(end.toString(), "ours");
    assert.deepEqual(await machine.waitForRows("plain-waited", 1), [[4, 7, 7]]);
  });

  test("connect, getpeername, shutdown; data from the server to a client", async () => {
    const first = Buffer.from([0, 0, server.port >> 8, server.port & 255]);
    const connection = await Connection.open(machine.tcp(2010));
    await connection.write(first);
    const socket = await server.connection(1);
    const greeting: Buffer[] = [];
    socket.on("data", (chunk: Buffer) => greeting.push(chunk));
    await once(socket, "end");
    assert.equal(Buffer.concat(greeting).toString("utf16le"), "hello");
    const data = randomBytes(300_000);
    socket.end(data);
    assert.ok((await connection.readToEnd()).equals(data), "other bytes were carried");
    connection.destroy();
    assert.deepEqual(calls.row("plain-connect"), [0]);
    assert.deepEqual(calls.row("plain-dial-peer"), [0, 16, 2, HOST, server.port]);
    assert.deepEqual(calls.row("plain-dial-shutdown"), [0]);
    assert.deepEqual(await machine.waitForRows("plain-dial-carried", 1), [[data.length]]);
  });

  test("connect to a port that refuses: -ECONNREFUSED", async () => {
    server.stop();
    await sleep(50);
    const connection = await Connection.open(machine.tcp(2010));
    await connection.write(Buffer.from([0, 0, server.port >> 8, server.port & 255]));
    await connection.readToEnd();
    connection.destroy();
    assert.deepEqual((await machine.waitForRows("plain-connect", 2))[1], [ECONNREFUSED]);
  });
});
