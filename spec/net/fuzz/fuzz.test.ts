/**
 * A minute of the fuzzer (tools/fuzz.ts), from another seed each time; `npm run fuzz` does the same for hours. A minute of the processor's time, at the lowest priority: beside
 * tests that wait (tools/test.ts) it takes longer, and costs them nothing.
 */
import assert from "node:assert/strict";
import { constants, setPriority } from "node:os";
import { test } from "node:test";
import { fuzz } from "../../../tools/fuzz.ts";

const SECONDS = 60;
/** The longest that it may take, whatever else the machine has to do; and what has to have come in by then, at least. */
const LIMIT = 400;
const FRAMES = 1_000_000;

test(
  "frames by a grammar: the receive path neither traps nor keeps anything, and sends nothing wrong",
  {
    timeout: (LIMIT + 150) * 1000,
  },
  async (t) => {
    setPriority(constants.priority.PRIORITY_LOW);
    const seed = Number(process.env["AEMOS_SEED"] ?? Date.now() & 0x7fffffff);
    const { runs, frames, reached, failure } = await fuzz(seed, SECONDS, { limit: LIMIT });
    t.diagnostic(`AEMOS_SEED=${seed}: ${runs} runs, ${frames} frames; ${JSON.stringify(reached)}`);
    assert.equal(failure, undefined, failure && `seed ${failure.seed}: ${failure.message}\n${failure.again}`);
    assert.ok(frames >= FRAMES, `only ${frames} frames`);
    // The grammar is right enough to get through to everything.
    for (const [name, count] of Object.entries(reached)) assert.ok(count > runs, `${name}: ${count}`);
  },
);
