/** The table of `npm run bench`: what becomes of figures (bench/rows.ts), and the plots of them (bench/plot.ts). */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CATALOG } from "../../bench/catalog.ts";
import { MEASUREMENTS } from "../../bench/measurements.ts";
import { plot } from "../../bench/plot.ts";
import { crowdSuffix, entryOf, makeRows, median } from "../../bench/rows.ts";

const one = (figures: Parameters<typeof makeRows>[0], name: string) =>
  makeRows(figures, (other) => other === name)[0];

describe("rows", () => {
  test("every name is there once, and a row that was not measured says so", () => {
    const names = CATALOG.map(({ name }) => name);
    assert.deepEqual([...new Set(names)], names);
    const rows = makeRows([], () => true);
    assert.deepEqual(
      rows.map(({ name }) => name),
      names,
    );
    for (const { aemos, linux, ratio, met, note } of rows) {
      assert.deepEqual([aemos, linux, ratio, met], [null, null, null, null]);
      assert.match(note, /not measured in this run/);
    }
  });

  test("every name of the catalog is measured, or is the beginning of what is", () => {
    const measured = MEASUREMENTS.flatMap(({ rows }) => rows);
    for (const { name } of CATALOG)
      assert.ok(
        measured.some((row) => entryOf(row)?.name === name || name.startsWith(`${row}.`)),
        name,
      );
  });

  test("a ratio above 1 says that aemos is better: with less instructions, and with more in a second", () => {
    const less = one([{ name: "syscall", aemos: 20, linux: 300 }], "syscall");
    assert.deepEqual([less?.ratio, less?.aim, less?.met], [15, "≤ 30", true]);
    const more = one([{ name: "udp.echo.rate", aemos: 300, linux: 200 }], "udp.echo.rate");
    assert.deepEqual([more?.ratio, more?.met], [1.5, false]);
  });

  test("figures of one row come from several measurements", () => {
    const name = "timer.to-handler";
    const row = one(
      [
        { name, linux: 4000, note: "a" },
        { name, aemos: 400, note: "b" },
      ],
      name,
    );
    assert.deepEqual([row?.aemos, row?.linux, row?.met, row?.note], [400, 4000, false, "a; b"]);
  });

  test("rows with many registered stand behind the one with one, and are to be within 5 % of it", () => {
    const figures = [1, 1000, 100_000].map((count, i) => ({
      name: `timer.arm${crowdSuffix(count)}`,
      aemos: [100, 105, 106][i] as number,
    }));
    const rows = makeRows(figures, (name) => name.startsWith("timer.arm"));
    assert.deepEqual(
      rows.map(({ name, met }) => [name, met]),
      [
        ["timer.arm", true],
        ["timer.arm.1k", true],
        ["timer.arm.100k", false],
      ],
    );
  });

  test("a row may be measured by another one, and says on what its figure rests", () => {
    const [half, ten] = ["load.response.0.5x.high.p99.9", "load.response.10x.high.p99.9"] as const;
    const judgedAs = (value: number) =>
      makeRows(
        [
          { name: half, aemos: 200 },
          { name: ten, aemos: value, basis: "exact" },
        ],
        (name) => name === half || name === ten,
      ).at(-1);
    assert.deepEqual(
      [204, 205].map((value) => judgedAs(value)?.met),
      [true, false],
    );
    assert.deepEqual([judgedAs(204)?.aim, judgedAs(204)?.basis], [`within 2 % of ${half}`, "exact"]);
  });

  test("an entry is found by the longest beginning of the name, in whole words", () => {
    assert.equal(entryOf("tcp.echo.rate.tap")?.name, "tcp.echo.rate.tap");
    assert.equal(entryOf("tcp.echo.crowd.10k")?.name, "tcp.echo.crowd");
    assert.equal(entryOf("interrupts-off.load.3")?.name, "interrupts-off.load");
    assert.equal(entryOf("tcp.echoes"), undefined);
    assert.equal(median([3, 1, 2]), 2);
  });
});

test("a plot has its lines within its frame", () => {
  const points = [
    [1, 40],
    [1000, 400],
    [100_000, 41_000_000],
  ] as const;
  const svg = plot("Title", "x", "y", [{ label: "line", colour: "#123456", dashed: true, points }]);
  const at = [...svg.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)"/g)].map(([, x, y]) => [
    Number(x),
    Number(y),
  ]);
  assert.equal(at.length, points.length);
  for (const [x = -1, y = -1] of at) assert.ok(x >= 80 && x <= 510 && y >= 44 && y <= 344, `${x} ${y}`);
  // Ascending values go up.
  assert.ok((at[0]?.[1] ?? 0) > (at[1]?.[1] ?? 0) && (at[1]?.[1] ?? 0) > (at[2]?.[1] ?? 0));
});
