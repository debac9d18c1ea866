/**
 * AEM 3.1.7, 3.4.1: Control of events and an application's own memory in a booted image: what the specs of aem/ cannot show is that the kernel calls an
 * allocator in the application and gets its answer. spec/boot/apps/control reports what it sees.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Machine, boot, specImage } from "../machine.ts";
import { EFAULT, EINVAL } from "../numbers.ts";

const ETIMEDOUT = -110;

/** Sum of the bytes of a message of that length. */
function sum(length: number): number {
  let total = 0;
  for (let i = 0; i < length; i++) total += i & 255;
  return total;
}

describe("control", () => {
  let machine: Machine;
  before(async () => {
    machine = await boot(specImage("control.json"));
    await machine.waitForRows("done");
  });
  after(() => machine?.stop());

  test("3.4.1 data come in a buffer of the application", () => {
    assert.deepEqual(machine.rows("give"), [[0, EFAULT]]);
    assert.deepEqual(machine.rows("datagram")[0], [0, 1, 100, sum(100), 1]);
  });

  test("3.4.1 the kernel calls the allocator, waits when it has nothing, and asks again when told to", () => {
    assert.deepEqual(machine.rows("allocator"), [[0, EINVAL]]);
    assert.deepEqual(machine.rows("retry"), [[1, 0]]);
    assert.deepEqual(machine.rows("allocate"), [
      [216, 0],
      [216, 0],
      [316, 0],
    ]);
    assert.deepEqual(machine.rows("datagram").slice(1), [[1, 2, 200, sum(200), 1]]);
  });

  test("3.1.7 another handler is called, and latencies were measured", () => {
    assert.deepEqual(machine.rows("handler"), [[0]]);
    assert.deepEqual(machine.rows("later"), [[300, sum(300), 316, 3]]);
    assert.deepEqual(machine.rows("size"), [[200]]);
    const [size, handled, buckets, left, ordered, errors] = machine.rows("statistics")[0] as number[];
    assert.deepEqual([size, handled, buckets, left, ordered, errors], [200, 3, 3, 0, 1, 1]);
  });

  test("3.1.7 what the filter drops leaves the handler uncalled, until the time-out", () => {
    assert.deepEqual(machine.rows("filter"), [[0]]);
    assert.deepEqual(machine.rows("timeout"), [[ETIMEDOUT, 0, 0]]);
  });

  test("3.1.7 a stream's handler is called for the least bytes, and for what is left at the end", () => {
    assert.deepEqual(machine.rows("least"), [[0]]);
    const lengths = machine.rows("bytes").map(([length]) => length as number);
    assert.equal(lengths.pop(), 0, "the end");
    assert.equal(
      lengths.reduce((total, length) => total + length, 0),
      12000,
    );
    assert.ok(
      lengths.slice(0, -1).every((length) => length >= 5000),
      `lengths ${lengths.join(" ")}`,
    );
  });
});
