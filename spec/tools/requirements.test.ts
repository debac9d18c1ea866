/** The table of AEM's requirements: what is read from a TAP report, and what stands in each row. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { REQUIREMENTS, requirementTable, requirementsOf, testResults } from "../../tools/requirements.ts";
import { temporaryFolder, writeFiles } from "./support.ts";

/** As node:test writes it. */
const REPORT = `TAP version 13
# Subtest: 3.1.2 a suite is no test
    # Subtest: 3.1.1 returns a jid
    ok 1 - 3.1.1 returns a jid
      ---
      duration_ms: 1.5
      ...
    # Subtest: 3.1.1, 3.1.4 both at once
    not ok 2 - 3.1.1, 3.1.4 both at once
      ---
      duration_ms: 2
      type: 'test'
      stack: |-
        ok 7 - 3.1.5 quoted
      ...
    ok 3 - 3.6.1 later # SKIP not yet
    not ok 4 - 3.6.2 some day # TODO
    ok 5 - 3.6.3 \\#1 of them
    1..5
not ok 1 - 3.1.2 a suite is no test
  ---
  duration_ms: 9
  type: 'suite'
  ...
ok 2 - 10.0.2.15 is an address
1..2
# pass 3
`;

const row = (text: string, number: string): string =>
  text.split("\n").find((line) => line.startsWith(`${number} `)) ?? "";
const state = (text: string, number: string): string => row(text, number).split(/ {2,}/).slice(2).join(" ");

test("tests are read with their results, suites and what was skipped are not", () => {
  assert.deepEqual(
    testResults(REPORT).map(({ name, passed }) => `${passed ? "+" : "-"} ${name}`),
    [
      "+ 3.1.1 returns a jid",
      "- 3.1.1, 3.1.4 both at once",
      "+ 3.6.3 #1 of them",
      "+ 10.0.2.15 is an address",
    ],
  );
});

test("a name's requirements", () => {
  assert.deepEqual(requirementsOf("3.1.1 a jid"), ["3.1.1"]);
  assert.deepEqual(requirementsOf("3.1.1, 3.1.4, 3.6.3 a jid"), ["3.1.1", "3.1.4", "3.6.3"]);
  for (const name of [
    "a jid",
    "10.0.2.15 is an address",
    "3.1.1.2 deeper",
    "3.1 a chapter",
    "see 3.1.1 there",
  ])
    assert.deepEqual(requirementsOf(name), [], name);
});

test("a row for each requirement, in order, with its counts", () => {
  const { text, failures } = requirementTable(REPORT, false);
  const numbers = text.split("\n").map((line) => line.slice(0, 5).trim());
  assert.deepEqual(numbers, ["AEM", ...REQUIREMENTS.keys()]);
  assert.equal(REQUIREMENTS.size, 24);
  assert.match(row(text, "3.1.1"), /^3\.1\.1 {2}Event registration +1 +1 {2}fail$/);
  assert.equal(state(text, "3.1.4"), "0 1 fail");
  assert.equal(state(text, "3.6.3"), "1 0 pass");
  for (const number of ["2.1.3", "3.1.2", "3.1.5", "3.6.1", "3.6.2"])
    assert.equal(state(text, number), "0 0 no test", number);
  assert.equal(failures, 0);
});

test("untested requirements are failures when they are meant to be", () => {
  assert.equal(requirementTable(REPORT, true).failures, 24 - 3);
  assert.equal(requirementTable("", true).failures, 24);
});

test("a number that is no requirement's is a failure", () => {
  const { text, failures } = requirementTable("ok 1 - 3.7.1 a slip\n", false);
  assert.match(row(text, "3.7.1"), /THERE IS NO SUCH REQUIREMENT +1 +0 {2}fail$/);
  assert.equal(failures, 1);
});

test("a report that node:test has written", () => {
  const folder = temporaryFolder();
  writeFiles(folder, {
    "own.test.mjs": `import { describe, test } from "node:test";
describe("3.5.1 a suite", () => {
  test("3.1.3 good", () => {});
  test("3.1.3 bad", () => { throw new Error("it is"); });
  describe("deeper", () => test("3.1.7 good", () => {}));
  test("3.1.6 skipped", { skip: true }, () => {});
});
describe("another suite", () => {
  test("3.4.1 good", () => {});
});
`,
  });
  let report = "";
  const options = ["--test", "--test-reporter=tap", join(folder, "own.test.mjs")];
  // A process of node:test that starts another has to hide itself from it.
  const env = { ...process.env, NODE_TEST_CONTEXT: undefined };
  try {
    report = execFileSync(process.execPath, options, { encoding: "utf8", env });
  } catch (error) {
    report = (error as { stdout: string }).stdout;
  }
  const { text } = requirementTable(report);
  assert.equal(state(text, "3.1.3"), "1 1 fail");
  assert.equal(state(text, "3.1.7"), "1 0 pass");
  assert.equal(state(text, "3.4.1"), "1 0 pass");
  assert.equal(state(text, "3.1.6"), "0 0 no test");
  assert.equal(state(text, "3.5.1"), "0 0 no test");
});
