/**
 * 10,000 connections opened and closed in a second, and a flood of 50,000 SYNs: what that takes of the guest, in instructions, which neither the speed of the host
 * nor what else it does can change. A processor of 1 GHz that does one in a nanosecond has 100,000 for each connection, and 20,000 for each SYN; a quarter of
 * that has to be enough. The application is that of scale.test.ts, where they go by the clock.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { BurstCounter } from "../../bench/bursts.ts";
import { buildImage } from "../../tools/build.ts";
import { type WiredMachine, bootWired, specImage } from "../boot/machine.ts";
import { Crowd } from "./crowd.ts";
import { serveEverybody } from "./everybody.ts";
import { Flood } from "./flood.ts";
import { address } from "./frame.ts";
import type { Peer } from "./peer.ts";

const COUNT = 2000;
const RATE = 10_000;
const FLOOD_RATE = 50_000;
/** So many a second find room in the ring, so that they are counted. */
const SLOW_FLOOD = 5000;
const INSTRUCTIONS_A_SECOND = 1e9;
const ECHO = 7;
const CONTROL = 9;
const DAYTIME = 13;
const DISCARD = 100;
/** Index in struct SystemInformation (sdk/sysinfo.ts). */
const FRAMES_RECEIVED = 9;

describe("10,000 connections a second", () => {
  let wired: WiredMachine;
  let peer: Peer;
  let counter: BurstCounter;
  before(async () => {
    const { elf } = await buildImage(specImage("many.json"));
    counter = await BurstCounter.create("spec-rate", elf, []);
    wired = await bootWired(specImage("many.json"), { memory: 256, extra: counter.qemuArguments });
    ({ peer } = wired);
  });
  after(() => wired?.stop());

  /** Instructions of the guest, whatever for, while `doing` does something. */
  async function instructions(doing: () => Promise<void>): Promise<number> {
    const first = await counter.quiet();
    await doing();
    await counter.quiet();
    return (await counter.bursts()).slice(first).reduce((sum, { total }) => sum + total, 0);
  }

  function judge(total: number, count = COUNT, rate = RATE): string {
    const each = total / count;
    assert.ok(each > 500, "they were counted");
    assert.ok(each * rate < INSTRUCTIONS_A_SECOND / 4, `${each.toFixed(0)} instructions for each`);
    return `${each.toFixed(0)} instructions for each: ${(INSTRUCTIONS_A_SECOND / each).toFixed(0)} in 10^9`;
  }

  test("opened and closed by a client, with a read and a close event for each", async (t) => {
    const crowd = new Crowd(peer, ECHO, COUNT, address("10.0.2.100"));
    try {
      const total = await instructions(async () => {
        await crowd.open(60_000);
        await crowd.close(60_000);
      });
      t.diagnostic(judge(total));
    } finally {
      crowd.dispose();
    }
  });

  test("opened by a client and closed by the guest", async (t) => {
    const crowd = new Crowd(peer, DAYTIME, COUNT, address("10.0.2.101"));
    try {
      t.diagnostic(judge(await instructions(() => crowd.visit(60_000))));
    } finally {
      crowd.dispose();
    }
  });

  test("opened and closed by the guest, with an event for each", async (t) => {
    const server = serveEverybody(peer, DISCARD);
    const command = Buffer.alloc(12);
    for (const [index, word] of [COUNT, DISCARD, 1].entries()) command.writeUInt32LE(word, 4 * index);
    try {
      const total = await instructions(async () => {
        await peer.askUdp(CONTROL, command);
        const rows = await wired.machine.waitForRows("opened", 1, 60_000);
        assert.deepEqual(rows, [[COUNT, 0]]);
      });
      t.diagnostic(judge(total));
    } finally {
      server.stop();
    }
  });

  test("a SYN of a flood", async (t) => {
    const received = async (): Promise<number> => {
      const counters = await peer.askUdp(CONTROL, Buffer.from("?"));
      return Number(counters.readBigUInt64LE(8 * FRAMES_RECEIVED));
    };
    await peer.resolve();
    const before = await received();
    const total = await instructions(async () => {
      const flood = new Flood(peer, ECHO, SLOW_FLOOD);
      while (flood.seconds < COUNT / SLOW_FLOOD) await sleep(10);
      flood.stop();
    });
    const count = (await received()) - before;
    assert.ok(count > COUNT / 2, `${count} have reached the guest`);
    t.diagnostic(judge(total, count, FLOOD_RATE));
  });
});
