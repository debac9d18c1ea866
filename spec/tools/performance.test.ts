/**
 * docs/performance.md says what was measured and nothing else: it is what bench/report.ts makes of the rows beside it, all of the catalog stands in it (bench/catalog.ts), a missed aim has its reason, and the
 * paths with a ceiling cost there what they cost now (bench/ceilings.json).
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { CATALOG } from "../../bench/catalog.ts";
import { difference, judge, readCeilings } from "../../bench/ceilings.ts";
import { PAGE, ROWS, page } from "../../bench/page.ts";
import { type Row, entryOf, judged } from "../../bench/rows.ts";

const HELP = "`npm run bench -- --json FILE`, then `npx tsx bench/report.ts FILE`";
const rows = judged(JSON.parse(await readFile(ROWS, "utf8")) as Row[]);
const text = await readFile(PAGE, "utf8");
/** The first table's rows, by name. */
const table = new Map(
  [...text.matchAll(/^\| `(\S+)` +\|(.*)\|$/gm)].map(([, name = "", cells = ""]) => [
    name,
    cells.split("|").map((cell) => cell.trim()),
  ]),
);

describe("docs/performance.md", () => {
  it("is what bench/report.ts makes of its rows", async () => {
    const { text: wanted, plots } = await page(rows);
    assert.ok(text === wanted, "the page is another one: `npx tsx bench/report.ts` writes it anew");
    for (const [path, picture] of plots)
      assert.ok((await readFile(path, "utf8")) === picture, `${path}: \`npx tsx bench/report.ts\``);
  });

  it("has every row of the catalog, with a figure, and no other", () => {
    for (const { name } of CATALOG) {
      const own = rows.filter((row) => entryOf(row.name)?.name === name);
      assert.ok(own.length > 0, `${name} is not there: ${HELP}`);
      for (const { name: row, aemos, linux } of own) {
        assert.ok(table.has(row), `${row} is not in the table`);
        assert.ok(aemos !== null || linux !== null, `${row} was not measured: ${HELP}`);
      }
    }
    for (const name of table.keys()) assert.ok(entryOf(name), `${name} is not in the catalog: ${HELP}`);
    assert.equal(table.size, rows.length);
  });

  it("has a ratio only of two figures, and an aim in bold where it is missed", () => {
    for (const { name, aemos, linux, ratio, aim, met } of rows) {
      assert.equal(ratio !== null, aemos !== null && linux !== null && aemos * linux > 0, name);
      assert.equal(table.get(name)?.at(-1), met === false ? `**${aim}**` : (aim ?? ""), name);
    }
  });

  it("has the reason of each missed aim", () => {
    for (const { name, met } of rows) {
      if (met !== false) continue;
      assert.ok(entryOf(name)?.missed, `${name} misses its aim, and bench/catalog-*.ts does not say why`);
    }
    assert.doesNotMatch(text, /not looked into yet/);
  });
});

describe("bench/ceilings.json", () => {
  it("is of rows that the page has, which cost there what they may, and no less", async () => {
    const { instructions } = await readCeilings();
    for (const [name, ceiling] of Object.entries(instructions)) {
      const count = rows.find((row) => row.name === name)?.aemos;
      assert.ok(typeof count === "number", `${name} has a ceiling, and no figure in the page: ${HELP}`);
      assert.equal(
        judge(count, ceiling),
        "within",
        `${difference(name, count, ceiling)} in the page: ${HELP}`,
      );
    }
  });
});
