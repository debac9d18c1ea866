/** docs/tcp-conformance.md: a row for every MUST of RFC 9293, each with tests that exist or a reason. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { DOCUMENT, REQUIREMENTS, conformanceDocument, mustsOf, namedTests } from "../../tools/conformance.ts";
import { ROOT } from "../../tools/paths.ts";

const MUSTS = Array.from({ length: 69 }, (_, at) => at + 1);

describe("conformance with RFC 9293", () => {
  const tests = namedTests();
  const shown = new Set(tests.flatMap(({ name }) => mustsOf(name)));

  test("every MUST has a row, in order", () => {
    assert.deepEqual(
      REQUIREMENTS.map(({ number }) => number),
      MUSTS,
    );
  });

  test("every MUST has a test; those without one are listed here, and say why", () => {
    const without = REQUIREMENTS.filter(({ number }) => !shown.has(number));
    assert.deepEqual(
      without.map(({ number }) => number),
      [51, 52, 53],
    );
    assert.ok(without.every(({ deviation }) => deviation !== undefined));
    const notQuite = REQUIREMENTS.filter(({ deviation }) => deviation !== undefined);
    assert.deepEqual(
      notQuite.map(({ number }) => number),
      [13, 16, 23, 51, 52, 53],
      "no deviation that is not known",
    );
  });

  test("no test speaks of a MUST that there is not", () => {
    assert.deepEqual(
      [...shown].filter((number) => !MUSTS.includes(number)),
      [],
    );
  });

  test("the document is up to date: npx tsx tools/conformance.ts", () => {
    assert.equal(readFileSync(join(ROOT, DOCUMENT), "utf8"), conformanceDocument(tests));
  });

  test("every file that the document names has a test of that name", () => {
    const document = readFileSync(join(ROOT, DOCUMENT), "utf8");
    const rows = document.split("\n").filter((line) => /^\| \d+ \|/.test(line));
    assert.equal(rows.length, MUSTS.length);
    for (const row of rows) {
      const [, number = "", , , cell = ""] = row.split(/(?<!\\)\|/).map((part) => part.trim());
      for (const entry of cell.split("<br>").filter((part) => part.startsWith("`"))) {
        const [, file = "", name = ""] = entry.match(/^`([^`]+)`: (.*)$/) ?? [];
        const source = readFileSync(join(ROOT, file), "utf8");
        const names = [...source.matchAll(/(?:it|test)\(\s*"([^"]*)"/g)].map(([, text = ""]) => text);
        assert.ok(
          names.some((text) => mustsOf(text).includes(Number(number)) && text.endsWith(name)),
          `${file}: ${name}`,
        );
      }
    }
  });

  test("numbers are read off the beginning of a name only", () => {
    assert.deepEqual(mustsOf("MUST-2, MUST-13: two of them"), [2, 13]);
    assert.deepEqual(mustsOf("not MUST-2"), []);
  });
});
