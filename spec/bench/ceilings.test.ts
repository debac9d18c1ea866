/** What has been reached is kept: no path costs more than 2 % above its ceiling (bench/ceilings.json), and one that has become cheaper is named, so that its ceiling comes down. */
import assert from "node:assert/strict";
import { type TestContext, before, describe, it } from "node:test";
import {
  type Verdict,
  difference,
  incomparable,
  judge,
  measureExact,
  measureImage,
  readCeilings,
  tools,
} from "../../bench/ceilings.ts";
import { EXACT } from "../../bench/paths.ts";
import { NOTE } from "../../tools/stages.ts";

const ceilings = await readCeilings();
const why = incomparable(ceilings, await tools());
const names = EXACT.flatMap((session) => session.names);
const UPDATE = "`npm run bench -- --ceilings` writes the file anew";

describe("ceilings", () => {
  it("are there for all paths that are exact, and for no others", () => {
    assert.deepEqual(Object.keys(ceilings.instructions).sort(), [...names].sort(), UPDATE);
  });

  it("say nothing of other tools' code, in plain words", (t) => {
    assert.equal(incomparable(ceilings, ceilings.tools), undefined);
    const other = incomparable(ceilings, { ...ceilings.tools, gcc: "99" });
    assert.match(
      other ?? "",
      new RegExp(`^not compared: .* are of gcc ${ceilings.tools.gcc} .*; here are gcc 99 `),
    );
    if (why !== undefined) t.diagnostic(`${NOTE}${why}`);
  });

  it("are passed from 2 % on, in either direction", () => {
    const verdicts = [979, 980, 1000, 1020, 1021].map((count) => judge(count, 1000));
    assert.deepEqual(verdicts, ["below", "within", "within", "within", "above"]);
  });
});

function check(t: TestContext, verdict: Verdict, text: string, help = ""): void {
  assert.notEqual(verdict, "above", `${text}; ${help}if it is worth it, ${UPDATE}`);
  if (verdict === "below") t.diagnostic(`${NOTE}${text}; ${UPDATE}`);
}

describe("paths", { skip: why ?? false }, () => {
  let found: ReadonlyMap<string, number | Error>;
  before(async () => {
    found = await measureExact();
  });
  for (const name of names)
    it(`${name} costs no more than its ceiling`, (t) => {
      const count = found.get(name);
      if (typeof count !== "number") throw count;
      const ceiling = ceilings.instructions[name] ?? 0;
      const text = difference(name, count, ceiling);
      check(t, judge(count, ceiling), text, `\`npm run profile -- ${name}\` shows where they go; `);
    });
  it("image.bytes is no more than its ceiling", async (t) => {
    const bytes = await measureImage();
    check(
      t,
      judge(bytes, ceilings.imageBytes),
      difference("image.bytes", bytes, ceilings.imageBytes, "bytes"),
    );
  });
});
