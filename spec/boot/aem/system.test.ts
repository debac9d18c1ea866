/**
 * Events that are no sockets (docs/aem-calls.md, evsystem): messages between processes, signals, memory, overload, the link, limits,
 * and the error handler. Applications: spec/boot/apps/{messages,system,eater}; what is right stands here.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { type Socket, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Connection, askUdp } from "../client.ts";
import { type Machine, boot, specImage } from "../machine.ts";
import { ESRCH } from "../numbers.ts";
import { reportOf } from "../report.ts";

const SIGKILL = 9;
const SIGUSR1 = 10;
const SIGUSR2 = 12;
const ENOMEM = -12;
const EDQUOT = -122;

describe("messages between processes", () => {
  const report = reportOf(specImage("messages.json"), {}, 150_000);

  test("3.4.2 10,000 messages each way, of 0 to 64 KiB: all arrive, once, in order, byte for byte", () => {
    assert.deepEqual(report.rows("messages-failed"), [], report.console());
    const rows = report.rows("messages").sort((a, b) => (a[0] as number) - (b[0] as number));
    assert.equal(rows.length, 2, report.console());
    for (const [, received, wrong, , bytes] of rows) {
      assert.deepEqual([received, wrong], [10_000, 0], report.console());
      assert.ok((bytes as number) > 10_000_000, `${bytes} bytes`);
    }
    assert.equal(rows[0]?.[4], rows[1]?.[4], "both sent the same");
  });

  test("3.5.1 a slow receiver: the sender hears -EAGAIN, and nothing is lost", () => {
    const [, , , refused] = report.rows("messages").find(([slow]) => slow === 0) as number[];
    assert.ok((refused as number) > 0, report.console());
  });

  test("getpidof: -ESRCH for a name that nobody has", () => {
    assert.deepEqual(report.rows("messages-nobody"), [[ESRCH], [ESRCH]]);
  });
});

describe("events of the system", () => {
  let machine: Machine;
  let folder: string;
  let monitor: Socket;
  let pid: number;
  let memory: number;
  let link: number;
  let limit: number;
  let overload: number;
  let error: number;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "aemos-"));
    const path = join(folder, "monitor");
    machine = await boot(specImage("system.json"), {
      udp: [2000],
      tcp: [2001],
      extra: ["-monitor", `unix:${path},server=on,wait=off`],
    });
    monitor = connect(path);
    await once(monitor, "connect");
    monitor.resume();
    [pid, memory, link, limit] = (await machine.waitForRows("registered"))[0] as [
      number,
      number,
      number,
      number,
    ];
    [overload, error] = (await machine.waitForRows("registered-more"))[0] as [number, number];
    for (const jid of [memory, link, limit, overload, error]) assert.ok(jid > 0, machine.console());
  });
  after(async () => {
    monitor?.destroy();
    await machine?.stop();
    await rm(folder, { recursive: true });
  });

  async function command(letter: string, a = 0, b = 0): Promise<void> {
    const message = Buffer.alloc(9);
    message.write(letter);
    message.writeUInt32BE(a, 1);
    message.writeUInt32BE(b, 5);
    await askUdp(machine.udp(2000), message);
  }

  test("3.1.1 a signal goes to its handler with its sender, and does not interrupt enter_keepalive", async () => {
    await command("s", 1, SIGUSR1);
    assert.deepEqual(await machine.waitForRows("signal", 1), [[SIGUSR1, pid, 1, 1, 0]], machine.console());
    await command("s", 1, SIGUSR2);
    assert.deepEqual((await machine.waitForRows("signal", 2))[1], [SIGUSR2, pid, 1, 1, 0]);
    assert.deepEqual(machine.rows("eater-interrupted"), []);
  });

  test("3.5.1 signals that come before the handler has run are one call, and are counted", async () => {
    const known = machine.rows("signal").length;
    await command("s", 5, SIGUSR1);
    const rows = await machine.waitForRows("signal", known + 1);
    assert.deepEqual(rows.at(-1), [SIGUSR1, pid, 6, 2, 4], machine.console());
  });

  test("3.1.1 memory: below the threshold, once; again after it was released", async () => {
    assert.deepEqual(machine.rows("memory"), [], machine.console());
    await command("e", 1, 800);
    const [jid, free, total] = (await machine.waitForRows("memory", 1))[0] as [number, number, number];
    assert.equal(jid, memory);
    assert.ok(free < 81_920 && free > 0, `${free} KiB free`);
    assert.ok(total > 100_000 && total <= 131_072, `${total} KiB in all`);
    assert.deepEqual((await machine.waitForRows("eaten", 1))[0], [pid, 1]);
    // Still short: that is no news.
    await command("e", 2, 16);
    await machine.waitForRows("eaten", 2);
    assert.equal(machine.rows("memory").length, 1);
    await command("k", 1, SIGKILL);
    await command("f", 100_000);
    await machine.waitForRows("free");
    await command("e", 2, 800);
    await machine.waitForRows("memory", 2);
    await machine.waitForRows("eaten", 3);
    assert.equal(machine.rows("memory").length, 2);
  });

  test("3.1.1 overload: told ahead of what waits, once each time", async () => {
    for (let round = 1; round <= 2; round++) {
      await command("o");
      const rows = await machine.waitForRows("overload", round);
      const [jid, waiting, at, expired] = rows.at(-1) as [number, number, number, number];
      assert.deepEqual([jid, at], [overload, 20]);
      assert.ok(waiting >= 20 && waiting <= 44, `${waiting} wait`);
      assert.equal(expired, 40 * (round - 1), "before any of the timers' handlers");
      assert.deepEqual((await machine.waitForRows("expired", round)).at(-1), [40 * round, round]);
    }
  });

  test("3.1.1 link: its state at first, and each change", async () => {
    assert.deepEqual(await machine.waitForRows("link", 1), [[link, 1]]);
    monitor.write("set_link n0 off\n");
    assert.deepEqual((await machine.waitForRows("link", 2))[1], [link, 0]);
    monitor.write("set_link n0 on\n");
    assert.deepEqual((await machine.waitForRows("link", 3))[2], [link, 1]);
    // And it carries frames again.
    await command("-");
  });

  test("3.5.4 a limit that was hit is told to the application, once", async () => {
    await command("q");
    assert.deepEqual((await machine.waitForRows("exceeded", 1))[0], [32, EDQUOT]);
    assert.deepEqual(await machine.waitForRows("limit", 1), [[limit, 3, 32]], machine.console());
  });

  test("3.5.2 the vmtable is exhausted: the error handler is told, frees, and no byte is lost", async () => {
    const data = Buffer.alloc(3_000_000);
    for (let at = 0; at < data.length; at++) data[at] = (at * 7 + (at >> 8) * 13 + (at >> 16)) & 255;
    const connection = await Connection.open(machine.tcp(2001));
    connection.socket.end(data);
    const rows = await machine.waitForRows("received", 1, 60_000);
    const [bytes, wrong, errors, bad, end] = rows[0] as [number, number, number, number, number];
    assert.deepEqual([bytes, wrong, bad, end], [data.length, 0, 0, 0], machine.console());
    // 128 KiB hold so much between two reports.
    assert.ok(errors >= data.length / 131_072 - 1, `${errors} reports`);
    const [jid, about, errno, wanted, kept] = machine.rows("error")[0] as number[];
    assert.deepEqual([jid, errno], [error, ENOMEM]);
    assert.ok((about as number) > 0 && (wanted as number) > 0 && (kept as number) > 1, machine.console());
    connection.destroy();
    await command("-");
  });
});
