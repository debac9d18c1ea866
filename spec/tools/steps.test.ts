/** The incremental engine by itself, the lock, and how the tests are counted. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { withLock } from "../../tools/lock.ts";
import { type Step, Steps } from "../../tools/steps.ts";
import { countSpecs, countTap } from "../../tools/stages.ts";
import { select } from "../../tools/test.ts";
import { temporaryFolder } from "./support.ts";

const folder = temporaryFolder();
const input = join(folder, "input");
const output = join(folder, "out", "output");
const optional = join(folder, "optional");

function copyStep(version = "1", script = 'cat "$1" > "$2"'): Step {
  return {
    unit: "unit",
    command: {
      tool: "copy",
      program: ["/bin/sh", "-c", script, "copy"],
      version,
      arguments: [input, output],
    },
    inputs: [input],
    outputs: [output],
    discover: () => Promise.resolve(new Map([[optional, undefined]])),
  };
}

/** Whether a new build would run the step. */
async function runs(step: Step): Promise<boolean> {
  const steps = new Steps();
  await steps.run(step);
  return steps.started.length === 1;
}

test("a step runs when content, command or version changes, and not when only times do", async () => {
  writeFileSync(input, "one");
  assert.equal(await runs(copyStep()), true);
  assert.equal(await runs(copyStep()), false);
  writeFileSync(input, "one");
  assert.equal(await runs(copyStep()), false);
  writeFileSync(input, "two");
  assert.equal(await runs(copyStep()), true);
  assert.equal(readFileSync(output, "utf8"), "two");
  assert.equal(await runs(copyStep("2")), true);
  assert.equal(await runs(copyStep("2", 'cat < "$1" > "$2"')), true);
});

test("a step runs when a file that it looked for in vain appears", async () => {
  await runs(copyStep());
  assert.equal(await runs(copyStep()), false);
  writeFileSync(optional, "");
  assert.equal(await runs(copyStep()), true);
});

test("a step runs again when its input was edited while it ran", async () => {
  writeFileSync(input, "before");
  assert.equal(await runs(copyStep("1", 'cat "$1" > "$2"; echo edited > "$1"')), true);
  assert.equal(await runs(copyStep("1", 'cat "$1" > "$2"; echo edited > "$1"')), true);
});

test("a step runs when its output was changed by someone else", async () => {
  await runs(copyStep());
  writeFileSync(output, "edited");
  assert.equal(await runs(copyStep()), true);
});

test("a step that fails says what the tool said, and runs again", async () => {
  const fails = copyStep("1", "echo trouble >&2; exit 3");
  await assert.rejects(runs(fails), { name: "UserError", message: "unit: copy failed (status 3)\ntrouble" });
  await assert.rejects(runs(fails), /trouble/);
});

test("a tool that writes nothing is not believed", async () => {
  const step = { ...copyStep("1", "exit 0"), outputs: [join(folder, "never")] };
  await assert.rejects(runs(step), /wrote no .*never/);
});

test("the lock keeps builds apart, and one of a process that died is taken over", async () => {
  const home = join(folder, "lock");
  mkdirSync(home);
  writeFileSync(join(home, ".lock"), "999999999");
  let inside = 0;
  let most = 0;
  const work = async (): Promise<void> => {
    inside++;
    most = Math.max(most, inside);
    await sleep(20);
    inside--;
  };
  await Promise.all([
    withLock(home, work),
    withLock(home, work),
    withLock(home, () => Promise.reject(new Error("x"))).catch(() => 0),
  ]);
  assert.equal(most, 1);
  assert.equal(existsSync(join(home, ".lock")), false);
});

test("results of as-pect are counted, and a crash is a failure", () => {
  const summary = "  [Summary]\n    [Tests]: \u001b[32m7\u001b[39m / 9\n   [Groups]: 1 / 1\n";
  assert.deepEqual(countSpecs(summary, 1), { passed: 7, failed: 2 });
  assert.deepEqual(countSpecs("ERROR TS2304", 1), { passed: 0, failed: 1 });
  assert.deepEqual(countSpecs("    [Tests]: 3 / 3\n", 0), { passed: 3, failed: 0 });
});

test("results of node:test are counted, and a report that is cut off is a failure", () => {
  assert.deepEqual(countTap("# tests 5\n# pass 3\n# fail 1\n# cancelled 1\n", 1), { passed: 3, failed: 2 });
  assert.deepEqual(countTap("TAP version 13\n", null), { passed: 0, failed: 1 });
});

test("filters choose stages by name and test files by path", () => {
  const run = (): Promise<never> => Promise.reject(new Error("not here"));
  const stages = [
    { name: "types", run },
    { name: "specs", files: ["spec/aem/timer.spec.ts", "spec/net/tcp.spec.ts"], run },
  ];
  assert.deepEqual(select(stages, []).length, 2);
  assert.deepEqual(select(stages, ["aem"]), [{ name: "specs", files: ["spec/aem/timer.spec.ts"], run }]);
  assert.deepEqual(select(stages, ["types"]), [stages[0]]);
  assert.deepEqual(select(stages, ["nothing"]), []);
});
