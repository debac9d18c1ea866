/** What a fork makes its own (AEM 3.2.3), the function table: spec/boot/apps/table, a module in the text format, sets its entries. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { assemble, sourceFolder } from "../../tools/support.ts";
import { specImage } from "../machine.ts";
import { EXACT, reportOf } from "../report.ts";

/** What main returns at its end. */
const STATUS = 7;

describe("the function table of a fork", () => {
  const module = join(sourceFolder("table"), "table.wasm");
  before(() => assemble(module, readFileSync(specImage("table/main.wat"), "utf8")));
  const report = reportOf(module, EXACT);
  before(() => assert.equal(report.status, STATUS, report.console()));

  // First look, after a change of its own if it makes one, when the other has changed its own; the handler that is registered then.
  test("3.2.3 table.set in the parent: the children see the table as it was, and change their own", () => {
    assert.deepEqual(report.rows("forked").slice(0, 2), [
      [11, 11, 11, 1],
      [11, 22, 22, 2],
    ]);
    assert.deepEqual(report.rows("parent")[0], [11, 33, 33, 3]);
  });

  test("3.2.3 table.set in the child: the parent's table stays as it is", () => {
    assert.deepEqual(report.rows("forked").slice(2), [[33, 22, 22, 2]]);
    assert.deepEqual(report.rows("parent")[1], [33, 33, 33, 3]);
  });
});
