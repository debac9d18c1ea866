/**
 * Whole transfers over a wire that loses, overtakes, doubles, damages and delays frames: a TCP of the peer sends to the guest's echo, and
 * what comes back is the same, octet for octet. AEMOS_TRANSFER_MIB makes the transfers of another size; AEMOS_SEED another run.
 */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { TcpClient } from "./client.ts";
import { type Impairment, type LinkCounts, Link } from "./link.ts";
import { Suite } from "./suite.ts";

const ECHO = 7;
const MIB = 1 << 20;
const SEED = Number(process.env["AEMOS_SEED"] ?? Date.now() & 0xffff);
const ONLY_MIB = Number(process.env["AEMOS_TRANSFER_MIB"] ?? 0);
/** Seconds that a transfer may take. */
const LIMIT = 100;

interface Transfer {
  impairment: Impairment;
  mib: number;
  /** What must have happened in both directions, so that the test is one. */
  happened: (keyof LinkCounts)[];
  sack?: boolean;
}

const TRANSFERS: Record<string, Transfer> = {
  "a good wire: next to nothing is sent twice": { impairment: {}, mib: 4, happened: [] },
  "5 % loss and 5 % overtaken each way": {
    impairment: { loss: 0.05, reorder: 0.05 },
    mib: 10,
    happened: ["lost", "reordered"],
  },
  "the same with SACK": {
    impairment: { loss: 0.05, reorder: 0.05 },
    mib: 1,
    happened: ["lost", "reordered"],
    sack: true,
  },
  "the same with SACK, and a round trip of 4 ms and more": {
    impairment: { loss: 0.05, reorder: 0.05, delay: 2, jitter: 1 },
    mib: 1,
    happened: ["lost", "reordered"],
    sack: true,
  },
  "5 % doubled and 5 % damaged each way: checksums find every bit": {
    impairment: { duplicate: 0.05, corrupt: 0.05 },
    mib: 2,
    happened: ["duplicated", "corrupted"],
  },
};

function hash(data: Buffer): string {
  return createHash("sha256").update(data).digest("hex");
}

describe("TCP over a bad wire", () => {
  const suite = new Suite();
  before(() => suite.boot());
  after(() => suite.stop());

  for (const [name, { impairment, mib, happened, sack = false }] of Object.entries(TRANSFERS)) {
    test(`${name}, ${mib} MiB there and back`, async (t) => {
      const { wire } = suite.peer;
      const data = randomBytes((ONLY_MIB || mib) * MIB);
      const client = new TcpClient(suite.peer, ECHO, {
        ...(happened.length === 0 ? { timeout: 1000, minimum: 1000 } : { timeout: 100 }),
        sack,
      });
      const began = performance.now();
      wire.impair({ ...impairment, seed: SEED });
      try {
        await client.connect(20_000);
        client.send(data);
        const back = await client.receive(LIMIT * 1000, (all) => all.length >= data.length);
        assert.equal(hash(back), hash(data), `AEMOS_SEED=${SEED}`);
        await client.close(20_000);
        const [there, here] = [wire.outward?.counts, wire.inward?.counts] as [LinkCounts, LinkCounts];
        for (const fate of happened) assert.ok(there[fate] > 10 && here[fate] > 10, `${fate}: too few`);
        // A frame that a full buffer of the host's had no room for, a probe of a closed window.
        if (happened.length === 0) assert.ok(client.retransmissions < 20, `${client.retransmissions} again`);
        const seconds = ((performance.now() - began) / 1000).toFixed(1);
        t.diagnostic(`${seconds} s, AEMOS_SEED=${SEED}; to the guest ${JSON.stringify(there)}`);
        t.diagnostic(`${client.retransmissions} sent again; from the guest ${JSON.stringify(here)}`);
      } finally {
        wire.impair(undefined);
        client.dispose();
      }
    });
  }
});

describe("the link itself", () => {
  /** What comes of frames that are numbered. */
  function carry(impairment: Impairment, count: number): { came: number[]; link: Link } {
    const came: number[] = [];
    const link = new Link(impairment, (frame) => came.push(frame.readUInt32BE(14)));
    for (let i = 0; i < count; i++) {
      const frame = Buffer.alloc(60);
      frame.writeUInt32BE(i, 14);
      link.pass(frame);
    }
    link.close();
    return { came, link };
  }

  test("loses, doubles and reorders as often as it is asked to, and the same with the same seed", () => {
    const impairment = { loss: 0.1, duplicate: 0.05, reorder: 0.02, seed: 7 };
    const { came, link } = carry(impairment, 20_000);
    const { lost, duplicated, reordered } = link.counts;
    assert.ok(Math.abs(lost - 2000) < 200 && Math.abs(duplicated - 880) < 150, JSON.stringify(link.counts));
    assert.ok(reordered > 200 && reordered < 500, JSON.stringify(link.counts));
    assert.equal(came.length, 20_000 - lost + duplicated);
    const back = came.filter((number, i) => i > 0 && number < (came[i - 1] as number)).length;
    assert.ok(back > reordered / 2, `${back} overtaken of ${reordered}`);
    assert.deepEqual(carry(impairment, 20_000).came, came);
    assert.notDeepEqual(carry({ ...impairment, seed: 8 }, 20_000).came, came);
  });

  test("delays, and keeps the order", async () => {
    const came: { number: number; at: number }[] = [];
    const began = performance.now();
    const link = new Link({ delay: 20, jitter: 10 }, (frame) =>
      came.push({ number: frame[0] as number, at: performance.now() - began }),
    );
    for (let i = 0; i < 50; i++) link.pass(Buffer.from([i]));
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.deepEqual(
      came.map(({ number }) => number),
      Array.from({ length: 50 }, (_, i) => i),
    );
    assert.ok(
      came.every(({ at }) => at >= 19),
      "not before the delay",
    );
  });
});
