/** When handlers run, and when not (docs/architecture.md, Execution): spec/boot/apps/core reports what it saw. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Machine, boot, specImage } from "./machine.ts";

describe("handlers", () => {
  let machine: Machine;

  before(async () => {
    machine = await boot(specImage("core.json"), { netdev: "none", ready: false });
    await machine.exited(30_000);
  });
  after(() => machine?.stop());

  const one = (name: string): number[] => {
    const rows = machine.rows(name);
    assert.equal(rows.length, 1, machine.console());
    return rows[0] as number[];
  };

  test("a timer comes for a process that makes calls and never blocks", () => {
    assert.deepEqual(one("timer-calling"), [1], machine.console());
  });

  test("memory.grow runs no handler; the next call does", () => {
    assert.deepEqual(one("grow"), [1, 0, 0, 1], machine.console());
  });

  test("the calls of a handler start no other handler", () => {
    assert.deepEqual(one("nesting"), [0, 3, 1], machine.console());
  });
});
