/** AEM 2.1.4, transparency: poll and select beside events, inside handlers, and beside an asynchronous application in one image. */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { after, before, describe, test } from "node:test";
import { Connection, HOST_WIDTH, askUdp, inParallel } from "../client.ts";
import { type Machine, boot, specImage } from "../machine.ts";
import { EBADF } from "../numbers.ts";

describe("2.1.4", () => {
  let machine: Machine;

  before(async () => {
    machine = await boot(specImage("transparency.json"), { tcp: [7, 2101, 2102], udp: [7, 2103, 2104] });
    await machine.waitForRows("poller-timeout");
    await machine.waitForRows("selector-timeout");
    await machine.waitForRows("waiter-registered");
  });
  after(() => machine?.stop());

  /** Several clients at once, in turns, so that each turn has to find the right one. */
  async function serves(port: number, clients: number): Promise<void> {
    const connections: Connection[] = [];
    await inParallel(clients, HOST_WIDTH, async (index) => {
      connections[index] = await Connection.open(port);
    });
    for (let turn = 0; turn < 5; turn++) {
      for (const [index, connection] of connections.entries()) {
        const text = `client ${index}, turn ${turn}`;
        await connection.write(text);
        assert.equal((await connection.read(text.length)).toString(), text, machine.console());
      }
    }
    await Promise.all(
      connections.map(async (connection, index) => {
        const text = `all at once ${index}`;
        await connection.write(text);
        assert.equal((await connection.read(text.length)).toString(), text, machine.console());
      }),
    );
    // One goes, the others stay.
    connections[0]?.socket.end();
    await connections[0]?.until("its end", () => connections[0]?.ended ?? false);
    await connections[1]?.write("still there");
    assert.equal((await connections[1]?.read(11))?.toString(), "still there");
    for (const connection of connections) connection.destroy();
  }

  test("2.1.4 a synchronous application serves several clients with poll", () =>
    serves(machine.tcp(2101), 8));
  test("2.1.4 a synchronous application serves several clients with select", () =>
    serves(machine.tcp(2102), 8));
  test("2.1.4 synchronous and asynchronous applications serve at the same time", async () => {
    await Promise.all([
      serves(machine.tcp(2101), 4),
      serves(machine.tcp(7), 4),
      serves(machine.tcp(2102), 4),
    ]);
  });

  test("2.1.4 poll ends at its time, though handlers run meanwhile", () => {
    const [result, ticks = 0] = machine.rows("poller-timeout")[0] ?? [];
    assert.equal(result, 0);
    // 60 ms are 12 periods of 5 ms: a poll that began anew after each handler would never have ended.
    assert.ok(ticks >= 11, `${ticks} ticks`);
  });

  test("2.1.4 handlers run while the main code is in poll", async () => {
    const connection = await Connection.open(machine.tcp(2101));
    const ticks = async (): Promise<number> => {
      await connection.write("T");
      return (await connection.read(4)).readUInt32LE();
    };
    const first = await ticks();
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.ok((await ticks()) > first, machine.console());
    connection.destroy();
  });

  test("2.1.4 select refuses a set with a descriptor that is none, and leaves the set", () => {
    assert.deepEqual(machine.rows("selector-bad"), [[EBADF, 1]]);
    assert.deepEqual(machine.rows("selector-timeout"), [[0, 0]]);
    assert.deepEqual(machine.rows("selector-count"), [], "as many in the sets as it said");
  });

  test("2.1.4 poll inside a handler waits for another socket; other processes go on; no handler nests", async () => {
    const socket = createSocket("udp4");
    const answer = new Promise<Buffer>((resolve) => socket.once("message", resolve));
    try {
      socket.send("wait", machine.udp(2103), "127.0.0.1");
      await machine.waitForRows("waiter-waits");
      assert.equal((await askUdp(machine.udp(7), Buffer.from("echo?"))).toString(), "echo?");
      assert.deepEqual(machine.rows("waiter-ready"), [], "it still waits");
      const second = createSocket("udp4");
      second.send("for this", machine.udp(2104), "127.0.0.1", () => second.close());
      assert.equal((await answer).toString(), "for this");
      const [result, revents, got, nested] = (await machine.waitForRows("waiter-ready"))[0] ?? [];
      assert.deepEqual([result, (revents ?? 0) & 1, got, nested], [1, 1, 8, 0], machine.console());
    } finally {
      socket.close();
    }
  });

  test("2.1.4 poll inside a handler ends at its time", async () => {
    const socket = createSocket("udp4");
    socket.send("0", machine.udp(2103), "127.0.0.1", () => socket.close());
    const [result, micros = 0, nested] = (await machine.waitForRows("waiter-empty"))[0] ?? [];
    assert.deepEqual([result, nested], [0, 0]);
    assert.ok(micros >= 40_000, `${micros} us`);
  });
});
