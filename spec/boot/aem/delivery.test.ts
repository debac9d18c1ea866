/**
 * AEM 3.5.1: every activated event triggers its handler; nothing is dropped but datagrams, and those are counted. For a minute more comes
 * than the handlers of spec/boot/apps/delivery can take: timers, streams, datagrams and messages at once.
 *
 *     generated = handled + coalesced + pending + drops on the wire
 *
 * What was generated is what the senders have counted; for datagrams, what a recording of the guest's network device has counted as well.
 * AEMOS_DELIVERY_SECONDS says for how long instead of a minute.
 */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Connection, HOST_WIDTH, askUdp, inParallel } from "../client.ts";
import { type Machine, boot, specImage } from "../machine.ts";

const SECONDS = Number(process.env.AEMOS_DELIVERY_SECONDS ?? 60);
const STREAMS = 8;
const TIMERS = 8;
/** Bytes of a stream that may wait on the host. */
const QUEUED = 1 << 20;
const [STREAM_PORT, DATAGRAM_PORT, CONTROL_PORT] = [4001, 4002, 4003];
/** Bytes of a recorded frame: its headers. */
const SNAP = 64;

/** Datagrams to the guest's port, and frames of IPv6, which the guest is told not to speak, in a recording (pcap, little-endian). */
function count(pcap: Buffer, port: number): { datagrams: number; foreign: number } {
  let [datagrams, foreign] = [0, 0];
  for (let at = 24; at + 16 <= pcap.length;) {
    const length = pcap.readUInt32LE(at + 8);
    const frame = pcap.subarray(at + 16, at + 16 + length);
    at += 16 + length;
    const type = frame.readUInt16BE(12);
    if (type === 0x86dd) foreign++;
    if (type === 0x0800 && frame[23] === 17 && frame.readUInt16BE(36) === port) datagrams++;
  }
  return { datagrams, foreign };
}

/** A block of a stream: byte n of it is n * 7 mod 256, at any multiple of 256. */
const block = Buffer.from(Uint8Array.from({ length: 16_384 }, (_, n) => n * 7));

describe("delivery", () => {
  let machine: Machine;
  let folder: string;
  let pcap: string;
  let running = true;
  const sentBytes: number[] = [];
  let sentDatagrams = 0;
  let droppedBefore = 0;

  async function stream(index: number, connection: Connection): Promise<void> {
    let bytes = 0;
    while (running) {
      if (connection.ended) throw new Error(`connection ${index} has ended: ${connection.error?.message}`);
      // It is more than the guest takes beside its timers; what piles up on the host has to be worked off in the end, so there is a limit to it.
      if (connection.socket.writableLength < QUEUED) {
        connection.socket.write(block);
        bytes += block.length;
      }
      await sleep(20);
    }
    sentBytes[index] = bytes;
    connection.socket.end();
    await connection.until("the end", () => connection.ended, 120_000);
    connection.destroy();
  }

  async function datagrams(): Promise<void> {
    const socket = createSocket("udp4");
    const data = Buffer.alloc(32);
    while (running) {
      for (let i = 0; i < 10; i++) {
        data.writeUInt32LE(sentDatagrams++);
        socket.send(Buffer.from(data), machine.udp(DATAGRAM_PORT), "127.0.0.1");
      }
      await sleep(1);
    }
    await sleep(200);
    socket.close();
    await once(socket, "close");
  }

  const last = (name: string): number[] => {
    const row = machine.rows(name).at(-1);
    assert.ok(row, `no row "${name}"\n${machine.console()}`);
    return row;
  };

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "aemos-"));
    pcap = join(folder, "wire.pcap");
    machine = await boot(specImage("delivery.json"), {
      tcp: [STREAM_PORT],
      udp: [DATAGRAM_PORT, CONTROL_PORT],
      ready: /source started/,
      // So that what comes in IPv6 is dropped, all of it.
      append: "ip6=off",
      extra: ["-object", `filter-dump,id=dump1,netdev=n0,file=${pcap},maxlen=${SNAP}`],
    });
    const control = (letter: string): Promise<Buffer> =>
      askUdp(machine.udp(CONTROL_PORT), Buffer.from(letter));
    // What was dropped until now: a second offer of DHCP, and what else comes while a machine starts.
    await control("r");
    droppedBefore = (await machine.waitForRows("system"))[0]?.[0] as number;
    const connections: Connection[] = [];
    await inParallel(STREAMS, HOST_WIDTH, async (index) => {
      connections[index] = await Connection.open(machine.tcp(STREAM_PORT));
    });
    const work = [datagrams()];
    for (const [index, connection] of connections.entries()) work.push(stream(index, connection));
    await sleep(SECONDS * 1000);
    await control("s");
    running = false;
    await Promise.all(work);
    await machine.waitForRows("posted", 1, 120_000);
    await machine.waitForRows("stream", STREAMS, 120_000);
    // What waits is worked off; then two reports say the same.
    let before = "";
    for (let round = 0; round < 100; round++) {
      const reports = machine.rows("system").length;
      await control("r");
      await machine.waitForRows("system", reports + 1);
      const now = JSON.stringify([last("datagrams"), last("messages"), last("system")]);
      if (now === before) break;
      before = now;
      await sleep(200);
    }
  });
  after(async () => {
    running = false;
    await machine?.stop();
    await rm(folder, { recursive: true });
  });

  test("3.5.1 timers: every expiration that was due is told, in one call or in an overrun", (t) => {
    const rows = machine.rows("timer");
    assert.equal(rows.length, TIMERS, machine.console());
    const told = new Map(machine.rows("told").map(([index, count]) => [index, count]));
    let coalescedInAll = 0;
    for (const [index, due = 0, most = 0, activations = 0, coalesced = 0, left] of rows) {
      // So many may be due and still to come: those of the present tick, and what a busy machine has left to its polls.
      assert.ok(activations <= due + 1 && activations >= due - 100, `${due} due, ${activations} came`);
      assert.equal(left, 0, "activations = handled + coalesced + waiting");
      const got = told.get(index) ?? 0;
      const bound = Math.max(activations, most) + 1;
      assert.ok(got >= activations && got <= bound, `${activations} to ${bound} expirations, ${got} told`);
      coalescedInAll += coalesced;
    }
    t.diagnostic(`${rows[0]?.[3]} expirations of each of ${TIMERS} timers, ${coalescedInAll} coalesced`);
    assert.ok(coalescedInAll > 1000, `the handlers could keep up: ${coalescedInAll}`);
  });

  test("3.5.1 streams: every byte of every connection, in order", (t) => {
    const rows = machine.rows("stream");
    assert.equal(rows.length, STREAMS, machine.console());
    const sort = (values: readonly number[]): number[] => [...values].sort((a, b) => a - b);
    assert.deepEqual(sort(rows.map((row) => row[0] as number)), sort(sentBytes));
    for (const [, end, , , left] of rows) assert.deepEqual([end, left], [0, 0]);
    assert.equal(last("system")[1], 0, "wrong bytes");
    t.diagnostic(`${sentBytes.reduce((sum, bytes) => sum + bytes, 0)} bytes`);
  });

  test("3.5.1 messages: every one that was posted, once, in order; what finds no room stays with its sender", (t) => {
    const [posted, refused = 0, failed] = last("posted");
    const [received, gaps, activations, handled, waiting, coalesced] = last("messages");
    assert.deepEqual([received, gaps, failed], [posted, 0, 0], machine.console());
    assert.deepEqual([activations, handled, waiting, coalesced], [posted, posted, 0, 0]);
    assert.ok(refused > 0, "the receiver could keep up");
    t.diagnostic(`${posted} messages, ${refused} times no room`);
  });

  test("3.5.1 datagrams: in order, none twice; sent = handled + drops, and each drop has been counted", async (t) => {
    const [received = 0, unordered, handled, waiting, left] = last("datagrams");
    assert.deepEqual([unordered, handled, waiting, left], [0, received, 0, 0], machine.console());
    const { datagrams: arrived, foreign } = count(await readFile(pcap), DATAGRAM_PORT);
    const dropped = (last("system")[0] as number) - droppedBefore;
    t.diagnostic(`${sentDatagrams} sent, ${arrived} arrived, ${received} handled, ${dropped} frames dropped`);
    assert.ok(received > 1000 && arrived <= sentDatagrams);
    // No frame was dropped that was not one of these datagrams.
    assert.equal(received + dropped, arrived + foreign);
  });
});
