/** What a fork makes its own (AEM 3.2.3), the function table: spec/boot/apps/table, a module in the text format, sets its entries. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { assemble, sourceFolder } from "../../tools/support.ts";
import { type Machine, boot, specImage } from "../machine.ts";

/** What main returns at its end. */
const STATUS = 7;

describe("the function table of a fork", () => {
  let machine: Machine;

  before(async () => {
    const module = join(sourceFolder("table"), "table.wasm");
    assemble(module, readFileSync(specImage("table/main.wat"), "utf8"));
    machine = await boot(module, { netdev: "none", ready: false, icount: "shift=0,sleep=off" });
    assert.equal(await machine.exited(60_000), STATUS, machine.console());
  });
  after(() => machine?.stop());

  // First look, after a change of its own if it makes one, when the other has changed its own; the handler that is registered then.
  test("3.2.3 table.set in the parent: the children see the table as it was, and change their own", () => {
    assert.deepEqual(machine.rows("forked").slice(0, 2), [
      [11, 11, 11, 1],
      [11, 22, 22, 2],
    ]);
    assert.deepEqual(machine.rows("parent")[0], [11, 33, 33, 3]);
  });

  test("3.2.3 table.set in the child: the parent's table stays as it is", () => {
    assert.deepEqual(machine.rows("forked").slice(2), [[33, 22, 22, 2]]);
    assert.deepEqual(machine.rows("parent")[1], [33, 33, 33, 3]);
  });
});
