/**
 * AEM 3.5.2: whatever is short, the application's error handler is told what, of which event and how much; the activation stays pending, and no
 * transaction dies of it. (Shortage of vmtable memory: system.test.ts.) Application: spec/boot/apps/shortage.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Machine, boot, specImage } from "../machine.ts";

const EAGAIN = -11;
const ENOMEM = -12;
const EMFILE = -24;
const PENDING = 2;
const STARVED = 32;
const [WORKERS, DESCRIPTORS, CHILDREN, CAPSULES, FRAMES] = [1, 2, 3, 4, 5];

describe("shortage", () => {
  let machine: Machine;

  before(async () => {
    machine = await boot(specImage("shortage.json"), { netdev: "none", ready: false, memory: 64 });
    await machine.waitForRows("done");
  });
  after(() => machine?.stop());

  /** What the error handler was told in a part: errno, bytes, state of the event, and whether it was the right one. */
  const errors = (part: number | undefined): number[][] =>
    machine
      .rows("error")
      .filter(([its]) => its === part)
      .map((row) => row.slice(1));

  test("3.5.2 more handlers that block than there are worker threads: told once in each burst, and all of them run", () => {
    const busy = [EAGAIN, 0, PENDING, 1];
    assert.deepEqual(errors(WORKERS), [busy, busy], machine.console());
    assert.deepEqual(machine.rows("worked"), [
      [1, 6],
      [2, 12],
    ]);
  });

  test("3.5.2 no descriptor for a connection: it waits, the handler makes room, and every client has its answer", () => {
    const told = errors(DESCRIPTORS);
    assert.ok(told.length >= 7, machine.console());
    for (const row of told) assert.deepEqual(row, [EMFILE, 0, PENDING | STARVED, 1]);
    assert.deepEqual(machine.rows("client-failed"), []);
    assert.deepEqual(machine.rows("answered"), [[10]]);
    const [, handled, waiting, counted] = machine.rows("accepted")[0] as number[];
    assert.deepEqual([handled, waiting, counted], [10, 0, 1]);
  });

  test("3.5.2 as many children, or capsules, as there may be are busy: the others run when those have ended", () => {
    for (const part of [CHILDREN, CAPSULES]) {
      const told = errors(part);
      assert.ok(told.length >= 3, machine.console());
      for (const row of told) assert.deepEqual(row, [EAGAIN, 0, PENDING | STARVED, 1]);
    }
    assert.deepEqual(machine.rows("children"), [
      [CHILDREN, 5],
      [CAPSULES, 5],
    ]);
  });

  test("3.5.2 no frames for a fork: told once for each try, until there are some again", () => {
    const told = errors(FRAMES);
    assert.ok(told.length >= 1, machine.console());
    // The memory of the process that the error handler ends goes back bit by bit: a try may come too early. But nothing spins.
    assert.ok(told.length <= 3 + machine.rows("retry").length, machine.console());
    for (const row of told) assert.deepEqual(row, [ENOMEM, 0, PENDING | STARVED, 1], machine.console());
    assert.deepEqual(machine.rows("forked"), [[1]]);
  });
});
