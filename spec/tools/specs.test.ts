/** tools/specs.ts: what it counts, that files do not see each other, and what it refuses. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { test } from "node:test";
import { BUILD, ROOT } from "../../tools/paths.ts";
import { checkTopLevel } from "../../tools/specs.ts";
import { countSpecs } from "../../tools/stages.ts";

const FOLDER = join(BUILD, "test", "specs");

/** Runs these files, named here without their ending. */
function run(sources: Record<string, string>): { status: number | null; output: string } {
  mkdirSync(FOLDER, { recursive: true });
  const files = Object.entries(sources).map(([name, text]) => {
    const path = join(FOLDER, `${name}.spec.ts`);
    writeFileSync(path, text);
    return relative(ROOT, path);
  });
  const list = ["--import", "tsx", join(ROOT, "tools", "specs.ts"), ...files];
  const { status, stdout, stderr } = spawnSync(process.execPath, list, { cwd: ROOT, encoding: "utf8" });
  return { status, output: stdout + stderr };
}

/** Fails in whatever file is the second to run in one instance. */
const ALONE = `import { count } from "./shared";
let set: i32 = 0;
beforeAll(() => {
  set = 1;
});
describe("a file", () => {
  it("finds globals as they begin, and its own beforeAll has run", () => {
    expect(count(1)).toBe(1);
    expect(set).toBe(1);
  });
});
`;

test("each file has an instance of its own; a failure, and a file without a test, are failures", () => {
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(
    join(FOLDER, "shared.ts"),
    "let total: i32 = 0;\nexport function count(by: i32): i32 {\n  return (total += by);\n}\n",
  );
  const empty = run({ first: ALONE, empty: "export const nothing = 0;\n", second: ALONE });
  assert.deepEqual(countSpecs(empty.output, empty.status), { passed: 2, failed: 1 }, empty.output);
  assert.match(empty.output, /empty\.spec\.ts has no test/);

  const wrong = `describe("it", () => {\n  it("is wrong", () => {\n    expect(1 + 1).toBe(3, "a sum");\n  });\n});\n`;
  const stops = `beforeAll(() => assert(false, "no set-up"));\n${wrong}`;
  const bad = run({ first: ALONE, wrong, stops, second: ALONE });
  assert.deepEqual(countSpecs(bad.output, bad.status), { passed: 2, failed: 1 }, bad.output);
  assert.match(bad.output, /is wrong - a sum.*\[Actual\]\s*: 2.*\[Expected\]: 3/s);
  assert.match(bad.output, /stops\.spec\.ts: no set-up/);
});

test("what does not compile, or calls something at its top level, is a failure with file and line", () => {
  const error = run({ first: ALONE, wrong: "describe(1);\n" });
  assert.deepEqual(countSpecs(error.output, error.status), { passed: 0, failed: 1 }, error.output);
  assert.match(error.output, /wrong\.spec\.ts\(1,\d+\)/);

  const text = 'beforeAll(setUp);\n\nlet a = make();\ndescribe("it", () => {\n  setUp();\n});\n';
  checkTopLevel("x.spec.ts", text);
  assert.throws(() => checkTopLevel("x.spec.ts", `${text}seedRandom(1);\n`), /x\.spec\.ts:7: /);
});
