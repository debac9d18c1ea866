/** A quarter of a minute of the fuzzer (tools/fuzz.ts), from another seed each time. `npm run fuzz` does the same for hours. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fuzz } from "../../../tools/fuzz.ts";

const SECONDS = 15;

test("frames by a grammar: the receive path neither traps nor keeps anything, and sends nothing wrong", async (t) => {
  const seed = Number(process.env["AEMOS_SEED"] ?? Date.now() & 0x7fffffff);
  const { runs, frames, reached, failure } = await fuzz(seed, SECONDS);
  t.diagnostic(`AEMOS_SEED=${seed}: ${runs} runs, ${frames} frames; ${JSON.stringify(reached)}`);
  assert.equal(failure, undefined, failure && `seed ${failure.seed}: ${failure.message}\n${failure.file}`);
  // The grammar is right enough to get through to everything.
  for (const [name, count] of Object.entries(reached)) assert.ok(count > runs, `${name}: ${count}`);
});
