/** AEM 3.1.7, 3.4.1, 3.6.1: each operation of evctl, event data and the queue of a process, in a booted image (spec/boot/apps/operations). */
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { specImage } from "../machine.ts";
import { EINVAL, ESRCH } from "../numbers.ts";
import { reportOf } from "../report.ts";

const [REGISTERED, STOPPED, OCCURRED] = [1, 8, 16];
const KEEPALIVE = 16;

describe("operations", () => {
  const report = reportOf(specImage("operations.json"));
  before(() => assert.deepEqual(report.rows("done"), [[1]], report.console()));
  const { one } = report;

  test("3.1.7 disable and enable: what occurs meanwhile waits, all of it; lookup says so", () => {
    assert.deepEqual(one("enabled"), [7, REGISTERED]);
    assert.deepEqual(one("disabled"), [0, REGISTERED | STOPPED | OCCURRED]);
    assert.deepEqual(one("enabled-again"), [0x123, REGISTERED]);
  });

  test("3.1.7 shutdown: what waits is dropped, or delivered, as asked; then the event is unknown", () => {
    assert.deepEqual(one("dropped"), [0, 0, ESRCH, ESRCH]);
    assert.deepEqual(one("delivered"), [0, 0x123, ESRCH, ESRCH]);
    assert.deepEqual(one("vmtable"), [0]);
  });

  test("3.1.7 clean drops what waits, with its memory, and says how much; the event goes on", () => {
    assert.deepEqual(one("cleaned"), [3, 9, 1, 0]);
    assert.deepEqual(one("cleaned-statistics"), [4, 1, 3, 0]);
    const [posted = 0, used] = one("cleaned-forever");
    assert.ok(posted >= 30_000, `${posted} messages`);
    assert.equal(used, 0);
  });

  test("3.1.7 filter by state: only the wanted transitions reach the handler, the others are counted", () => {
    assert.deepEqual(one("filter-states"), [0]);
    assert.deepEqual(one("states"), [0x18], "ESTABLISHED, CLOSE-WAIT");
    const [others, filtered, handled] = one("states-statistics");
    assert.equal(others, filtered);
    assert.ok((filtered as number) > 0);
    assert.equal(handled, 2);
  });

  test("3.1.7 filter by the peer's prefix, and the time-out of an event that nothing comes for", () => {
    assert.deepEqual(one("filter-peers"), [0]);
    assert.deepEqual(one("foreign"), [0]);
    assert.deepEqual(one("own"), [2]);
    assert.deepEqual([one("filter-peers6"), one("foreign6"), one("own6")], [[0], [0], [2]]);
    assert.deepEqual([one("timeout"), one("timed-out")], [[0], [0xff]]);
  });

  test("3.1.7 change of handler, flags and priority, statistics with the histogram of latencies", () => {
    assert.deepEqual(one("handler"), [0x22]);
    assert.deepEqual(one("flags"), [KEEPALIVE, 10]);
    assert.deepEqual(one("priority"), [0, EINVAL]);
    assert.deepEqual(one("changed"), [50, 1, 0, 1]);
    assert.deepEqual(one("keepalive"), [0, ESRCH]);
  });

  test("3.6.1 activated events wait in the queue of their process: by priority, first in, first out within one", () => {
    assert.deepEqual(one("waiting"), [5]);
    // Priorities 10, 20, 30, 20, 10, the last one raised to 40 while it waited; the first has a second message.
    assert.deepEqual(one("order"), [0x532411]);
  });

  test("3.6.1 what occurs again while it waits is kept by the event: one call says how often", () => {
    const [expirations, pending] = one("congested");
    assert.deepEqual([expirations, pending], [0, 1]);
    assert.deepEqual(one("coalesced"), [1, 1]);
  });

  test("3.4.1 data come in the kernel's memory, which goes back by itself: far more than the zone has room for", () => {
    assert.deepEqual(one("by-kernel"), [2000, 0, 0, 0]);
  });

  test("3.4.1 a handler keeps blocks: they stay, byte for byte, until they are freed, once", () => {
    assert.deepEqual(one("kept"), [16, 1, 0, 0]);
    assert.deepEqual(one("freed"), [16, 0, EINVAL]);
  });

  test("3.4.1 the application's own memory: a buffer that it has registered, and what its allocator finds", () => {
    assert.deepEqual(one("places"), [0x213, 0]);
    assert.deepEqual(one("whole"), [0, 1, 0]);
  });
});
