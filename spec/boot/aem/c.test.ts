/** Applications in C (spec/boot/apps/c-echo, c-overflow): the same events, and what freestanding C needs of the machine. */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { Connection } from "../client.ts";
import { type Machine, boot, specImage } from "../machine.ts";
import { EFAULT, EINVAL, EOPNOTSUPP, ESRCH, HOST } from "../numbers.ts";

const ENOPROTOOPT = -92;
const EVENT_TIMER = 5;
const AF_INET = 2;

/** What spec/boot/apps/c-echo does to its 64 KiB. */
function block(): Buffer {
  const bytes = Buffer.alloc(65536);
  for (let i = 0; i < bytes.length; i++) bytes[i] = i * 7 + (i >> 8);
  bytes.copyWithin(100, 0, 50000);
  bytes.copyWithin(10, 20, 60020);
  bytes.fill(0xa5, 30000, 31000);
  bytes.copyWithin(62000, 1000, 4000);
  return bytes;
}

/** CRC-32 of ISO 3309. */
function crc32(bytes: Buffer): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

describe("applications in C", () => {
  let machine: Machine;
  const only = (name: string): number[] => {
    const rows = machine.rows(name);
    assert.equal(rows.length, 1, `rows "${name}"\n${machine.console()}`);
    return rows[0] as number[];
  };

  before(async () => {
    machine = await boot(specImage("c.json"), { tcp: [2000], udp: [2001] });
    await machine.waitForRows("c-refused");
    await machine.waitForRows("c-overflow");
  });
  after(() => machine?.stop());

  test("3.1.1 C: a registration returns a jid or a negative errno", () => {
    const [listener, accept, timer] = only("c-registered") as [number, number, number];
    assert.ok(listener >= 0 && accept > 0 && timer > 0 && accept !== timer, `${[listener, accept, timer]}`);
    assert.deepEqual(only("c-refused"), [EINVAL, ESRCH, EINVAL, ENOPROTOOPT, EFAULT]);
  });

  test("3.1.2 C: each kind of handler gets its own parameters, the jid first", async () => {
    const known = machine.rows("c-accepted").length;
    const connection = await Connection.open(machine.tcp(2000));
    const accepted = (await machine.waitForRows("c-accepted", known + 1))[known] as number[];
    const [listener, jid] = only("c-registered");
    assert.deepEqual(accepted.slice(0, 2), [jid, listener]);
    assert.deepEqual(
      accepted.slice(3),
      [16, AF_INET, HOST],
      "the peer's address, in the application's struct",
    );
    connection.socket.write("Hello");
    assert.equal((await connection.read(5)).toString(), "Hello");
    const rows = await machine.waitForRows("c-received", known + 1);
    assert.deepEqual(rows[known], [1, 5, 0, "H".charCodeAt(0)], "its jid, length, no sender, the first byte");
    const closed = machine.rows("c-closed").length;
    connection.socket.end();
    assert.deepEqual((await machine.waitForRows("c-closed", closed + 1))[closed], [1, 0, 5]);
    connection.destroy();
  });

  test("3.2.3 C: handlers are invoked with the data, and echo 1 MiB byte by byte the same", async () => {
    const data = randomBytes(1 << 20);
    const connection = await Connection.open(machine.tcp(2000));
    const received = connection.read(data.length, 60_000);
    connection.socket.write(data);
    assert.ok((await received).equals(data));
    connection.destroy();
  });

  test("3.6.3 C: a periodic timer of 10 ms, and the counters of its event", async () => {
    const [[calls, expirations, mean] = []] = await machine.waitForRows("c-timer");
    await machine.waitForRows("c-ended", 1);
    assert.ok((calls as number) > 0 && (calls as number) <= (expirations as number));
    assert.ok((expirations as number) >= 20, `${expirations} expirations`);
    // No expiration is ever early.
    assert.ok((mean as number) >= 10_000, `mean of ${mean} us`);
    const [result, size, type, activations, sum, fd] = only("c-statistics");
    assert.deepEqual([result, size, type, fd], [0, 200, EVENT_TIMER, -1]);
    assert.equal(activations, sum, "activations = handled + coalesced + waiting");
    assert.ok((activations as number) >= (expirations as number));
    assert.deepEqual(only("c-ended"), [0, ESRCH]);
  });

  test("floats are IEEE 754's, and a conversion that does not fit saturates", () => {
    assert.deepEqual(only("c-floats"), [1414213562373, Math.trunc(2 ** 24 / 3), 1, 1, -(2 ** 31)]);
  });

  test("recursion over arrays on the shadow stack", () => {
    assert.deepEqual(only("c-recursion"), [338350]);
  });

  test("static memory is zero, static data are there, and memmove, memset, memcpy, memcmp, strlen do what they say", () => {
    assert.deepEqual(only("c-memory"), [1, crc32(block()), 0, 1, 11, 0]);
  });

  test("options of one int, writev with flags, the size of the vmtable", () => {
    assert.deepEqual(only("c-options"), [0, 1, ENOPROTOOPT, EOPNOTSUPP, 1 << 20]);
  });

  test("inet_addr reads addresses and refuses what is none", () => {
    assert.deepEqual(only("c-addresses"), [0x0f02000a, 0xffffffff, 0xffffffff, 0x3412]);
  });

  test("a shadow stack that overflows traps; the other process goes on", async () => {
    const socket = createSocket("udp4");
    const send = (): void => socket.send("now", machine.udp(2001), "127.0.0.1");
    const again = setInterval(send, 1000);
    try {
      send();
      await machine.guest.waitFor(/c-overflow[^\n]*trapped[^\n]*out of bounds/, 10_000);
    } finally {
      clearInterval(again);
      socket.close();
    }
    assert.equal(machine.rows("c-overflowing").length, 1);
    assert.equal(machine.rows("c-overflowed").length, 0);
    const connection = await Connection.open(machine.tcp(2000));
    connection.socket.write("still here");
    assert.equal((await connection.read(10)).toString(), "still here");
    connection.destroy();
  });
});
