/**
 * Several handlers on one socket (spec/boot/apps/sharing): each gets all data, whatever its executor, byte for byte, and a slow one does
 * not hold the others up. The application's slow handlers go on only when the fast one is ahead.
 */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";
import { Connection } from "../client.ts";
import { type Machine, boot, specImage } from "../machine.ts";

const STREAM_BYTES = 400_000;
const STREAM_AHEAD = 65_536;
const DATAGRAMS = 40;
const DATAGRAMS_AHEAD = 10;
const STEP = 251;

function pattern(position: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i++) bytes[i] = (position + i) * 7 + ((position + i) >> 8) * 13;
  return bytes;
}

const datagram = (n: number): Buffer => pattern(STEP * n, 100 + 17 * n);

describe("several handlers on one socket", () => {
  let machine: Machine;
  let parent: number;
  let child: number;

  before(async () => {
    machine = await boot(specImage("sharing.json"), { tcp: [2600], udp: [2601, 2602] });
    [parent, child] = (await machine.waitForRows("sharing"))[0] as [number, number];
  });
  after(() => machine?.stop());

  test("3.6.5 of a stream: a function, a slow one and a capsule each get all bytes; the slow one holds nobody up", async () => {
    const connection = await Connection.open(machine.tcp(2600));
    const [fast, slow, capsule, closing] = (await machine.waitForRows("stream"))[0] as number[];
    for (const jid of [fast, slow, capsule, closing]) assert.ok((jid as number) > 0, machine.console());
    await connection.write(pattern(0, STREAM_BYTES));
    connection.socket.end();
    const [closed] = await machine.waitForRows("stream-closed");
    const [slowRow] = machine.rows("stream-slow");
    assert.deepEqual(machine.rows("stream-fast"), [[STREAM_BYTES, 0, 0]], machine.console());
    assert.deepEqual(slowRow?.slice(0, 3), [STREAM_BYTES, 0, 0], machine.console());
    const ahead = slowRow?.[3] ?? 0;
    assert.ok(ahead >= STREAM_AHEAD, `the fast one was ${ahead} bytes ahead`);
    const [capsuleRow] = await machine.waitForRows("stream-capsule");
    assert.deepEqual(capsuleRow?.slice(0, 3), [STREAM_BYTES, 0, 0], machine.console());
    assert.ok(![parent, child].includes(capsuleRow?.[3] ?? parent), "it ran in a process of its own");
    // Error, bytes of the two in the process itself, which did not run the capsule's handler.
    assert.deepEqual(closed, [0, STREAM_BYTES, STREAM_BYTES, 0, parent], machine.console());
    connection.destroy();
  });

  test("3.6.5 of datagrams: a function, a slow one and a thread each get all; the slow one holds nobody up", async () => {
    const socket = createSocket("udp4");
    try {
      for (let n = 0; n < DATAGRAMS; n++) {
        // The fast one answers each: none is sent that the guest has no room for.
        const answer = once(socket, "message", { signal: AbortSignal.timeout(20_000) });
        socket.send(datagram(n), machine.udp(2601), "127.0.0.1");
        await answer;
      }
    } finally {
      socket.close();
    }
    assert.deepEqual(await machine.waitForRows("datagram-fast"), [[DATAGRAMS, 0]]);
    assert.deepEqual(await machine.waitForRows("datagram-thread"), [[DATAGRAMS, 0]]);
    const [slow] = await machine.waitForRows("datagram-slow");
    assert.deepEqual(slow?.slice(0, 2), [DATAGRAMS, 0], machine.console());
    assert.ok((slow?.[2] ?? 0) >= DATAGRAMS_AHEAD, machine.console());
  });

  test("3.6.5 two processes that share a socket after a fork each get all datagrams", async () => {
    for (let n = 0; n < 5; n++) {
      const socket = createSocket("udp4");
      socket.send(datagram(n), machine.udp(2602), "127.0.0.1", () => socket.close());
      const rows = await machine.waitForRows("forked", 2 * (n + 1), 20_000);
      const last = rows.slice(2 * n).sort((a, b) => (a[0] as number) - (b[0] as number));
      const expected = [parent, child].sort((a, b) => a - b).map((pid) => [pid, n + 1, 0]);
      assert.deepEqual(last, expected, machine.console());
    }
  });
});
