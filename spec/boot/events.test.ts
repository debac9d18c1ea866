/**
 * The events of docs/aem-calls.md on sockets, row by row: accept, read, close. spec/boot/apps/calls reports what it sees; what is right stands here.
 * Those that tell of a connection's state are in events-state.test.ts.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { CallsMachine } from "./calls-machine.ts";
import { Connection, askUdp } from "./client.ts";
import type { Machine } from "./machine.ts";
import { EINVAL, ESRCH, ECONNRESET, HOST } from "./numbers.ts";

/** State of an event that is stopped, and for which something has come (sdk/control.ts). */
const EVENT_OCCURRED = 16;

describe("events of sockets", () => {
  let calls: CallsMachine;
  let machine: Machine;

  before(async () => {
    calls = await CallsMachine.start();
    ({ machine } = calls);
  });
  after(() => machine?.stop());

  describe("sockasync_accept", () => {
    test("jid, listener, new descriptor; and the peer's address where it was asked for", async () => {
      const { connection, fd } = await calls.watched();
      const [jid, listener] = calls.row("accept-registered") as [number, number];
      assert.ok(jid > 0);
      assert.deepEqual(machine.rows("accept").at(-1), [jid, listener, fd]);
      const peer = await calls.rowWhere("accept-peer", ([newfd]) => newfd === fd);
      assert.deepEqual(peer.slice(0, 4), [fd, 16, 2, HOST]);
      assert.ok((peer[4] as number) > 0, `port ${peer[4]}`);
      connection.destroy();
    });

    test("EVF_ONESHOT: the first connection only", async () => {
      const [jid] = calls.row("oneshot-registered") as [number];
      const first = await Connection.open(machine.tcp(2002));
      await machine.waitForRows("oneshot", 1);
      const second = await Connection.open(machine.tcp(2002));
      // What comes behind it has been dealt with.
      (await calls.watched()).connection.destroy();
      await sleep(300);
      assert.equal(machine.rows("oneshot").length, 1);
      assert.equal(machine.rows("oneshot")[0]?.[0], jid);
      await calls.command("l", jid);
      await calls.rowWhere("lookup", ([asked, result]) => asked === jid && result === ESRCH);
      first.destroy();
      second.destroy();
    });

    test("each of 20 connections is reported", async () => {
      const known = machine.rows("accept").length;
      const connections: Connection[] = [];
      for (let i = 1; i <= 20; i++) {
        connections.push(await Connection.open(machine.tcp(2001)));
        await machine.waitForRows("accept", known + i);
      }
      const rows = (await machine.waitForRows("accept", known + 20)).slice(known);
      assert.equal(new Set(rows.map(([, , fd]) => fd)).size, 20, "20 descriptors");
      for (const connection of connections) connection.destroy();
    });
  });

  describe("sockasync_read", () => {
    test("jid, descriptor, data, length, no sender for TCP; the block can be sent from", async () => {
      const { connection, fd, read } = await calls.watched();
      await connection.write("echo this");
      assert.equal((await connection.read(9)).toString(), "echo this");
      await calls.rowWhere("read", (values) => values.join() === [read, fd, 9, 0, 0x65].join());
      connection.destroy();
    });

    test("the end of the stream: length 0, once, after the data", async () => {
      const { connection, fd, read } = await calls.watched();
      connection.socket.end("no command");
      await calls.rowWhere("read", ([jid, , length]) => jid === read && length === 0);
      await sleep(100);
      const mine = machine.rows("read").filter(([jid]) => jid === read);
      assert.deepEqual(mine, [
        [read, fd, 10, 0, 0x6e],
        [read, fd, 0, 0, -1],
      ]);
      await calls.command("x", fd);
      connection.destroy();
    });

    test("a reset: length -ECONNRESET", async () => {
      const { connection, fd, read } = await calls.watched();
      connection.socket.resetAndDestroy();
      await calls.rowWhere("read", ([jid, , length]) => jid === read && length === ECONNRESET);
      await calls.command("x", fd);
    });

    test("UDP: the sender's address, and datagrams stay datagrams, of no bytes too", async () => {
      const [jid, fd] = calls.row("udp-registered") as [number, number];
      for (const size of [1, 700, 1472]) {
        const data = randomBytes(size);
        assert.ok((await askUdp(machine.udp(2003), data)).equals(data));
        const values = await calls.rowWhere("udp-read", ([, , length]) => length === size);
        assert.deepEqual(values.slice(0, 5), [jid, fd, size, 2, HOST]);
        assert.ok((values[5] as number) > 0);
      }
    });

    test("vmtable_keep: the block is the application's until vmtable_free, each works once", async () => {
      const { connection, read } = await calls.watched();
      await connection.write("kZ");
      assert.deepEqual(await machine.waitForRows("keep", 1), [[0, EINVAL]]);
      const other = "other data that would take its place";
      await connection.write(other);
      await calls.rowWhere("read", ([jid, , length]) => jid === read && length === other.length);
      await connection.write("f");
      assert.deepEqual(await machine.waitForRows("free", 1), [["Z".charCodeAt(0), 0, EINVAL]]);
      connection.destroy();
    });

    test("EVJOBSTOP holds the data in the socket, EVJOBSTART delivers them", async () => {
      const { connection, read } = await calls.watched();
      await connection.write("s");
      assert.deepEqual(await machine.waitForRows("read-stop", 1), [[0]]);
      await connection.write("while it is stopped");
      await sleep(200);
      const delivered = (): number[][] => machine.rows("read").filter(([jid]) => jid === read);
      assert.equal(delivered().length, 1, JSON.stringify(delivered()));
      await calls.command("s", read);
      await calls.rowWhere("read", ([jid, , length]) => jid === read && length === 19);
      connection.destroy();
    });

    test("EVJOBSHTDN with 1 delivers what waits, then ends the event", async () => {
      const { connection, read } = await calls.watched();
      const stops = machine.rows("read-stop").length;
      await connection.write("s");
      await machine.waitForRows("read-stop", stops + 1);
      await connection.write("the last words");
      // The command goes another way, and must not overtake them.
      await calls.lookedUp(read, (state) => (state & EVENT_OCCURRED) !== 0);
      await calls.command("h", read, 1);
      await calls.rowWhere("read", ([jid, , length]) => jid === read && length === 14);
      await connection.write("nobody listens");
      await sleep(200);
      const lengths = machine.rows("read").flatMap(([jid, , length]) => (jid === read ? [length] : []));
      assert.deepEqual(lengths, [1, 14]);
      await calls.command("l", read);
      await calls.rowWhere("lookup", ([asked, result]) => asked === read && result === ESRCH);
      connection.destroy();
    });

    test("EVJOBSHTDN ends the event: nothing is delivered any more", async () => {
      const { connection, read } = await calls.watched();
      await calls.command("h", read, 0);
      await connection.write("nobody listens");
      await sleep(200);
      assert.deepEqual(
        machine.rows("read").filter(([jid]) => jid === read),
        [],
      );
      await calls.command("l", read);
      await calls.rowWhere("lookup", ([asked, result]) => asked === read && result === ESRCH);
      connection.destroy();
    });
  });

  describe("sockasync_close", () => {
    test("an orderly end: error 0, once, after the data", async () => {
      const { connection, fd, close, read } = await calls.watched();
      connection.socket.end("bye");
      const event = await calls.rowWhere("close-event", ([jid]) => jid === close);
      assert.deepEqual(event, [close, fd, 0]);
      const lines = machine.guest.lines.filter(
        (line) => line.includes(`row read ${read} `) || line.includes(`row close-event ${close} `),
      );
      assert.match(lines.at(-1) ?? "", /close-event/, lines.join("\n"));
      await sleep(100);
      assert.equal(machine.rows("close-event").filter(([jid]) => jid === close).length, 1);
      await calls.command("x", fd);
      connection.destroy();
    });

    test("a reset: error ECONNRESET", async () => {
      const { connection, fd, close } = await calls.watched();
      connection.socket.resetAndDestroy();
      const event = await calls.rowWhere("close-event", ([jid]) => jid === close);
      assert.deepEqual(event.slice(0, 2), [close, fd]);
      assert.equal(event[2], ECONNRESET);
      await calls.command("x", fd);
    });
  });
});
