/**
 * npm run bench [-- --json FILE] [--quick] [--only PREFIX] [--ceilings]: aemos and a Linux guest side by side, in one table. Some of the figures have ceilings (ceilings.ts), and none of those that depend on the host.
 *
 * --quick takes shorter turns and leaves out the largest numbers, the tap device, and what takes many boots: two minutes. --only measures the rows whose names begin with PREFIX. --json writes the rows (rows.ts), of which
 * bench/report.ts makes docs/performance.md. What each measurement took, and all of them, is said on standard error.
 *
 * Instructions and bytes do not depend on how fast the machine is (-icount shift=0 and -cpu qemu64 repeat exactly, but for when frames arrive): such measurements run two at a time.
 * Rates and times do: they run alone, aemos and Linux by turns. Each row says which it is (Basis in rows.ts).
 */
import { writeFile } from "node:fs/promises";
import { Command } from "commander";
import { messageOf } from "../tools/errors.ts";
import { CATALOG } from "./catalog.ts";
import { writeCeilings } from "./ceilings.ts";
import { MEASUREMENTS } from "./measurements.ts";
import { type Figure, type Measurement, entryOf, makeRows, table } from "./rows.ts";

interface Options {
  json?: string;
  quick?: true;
  only: string;
  ceilings?: true;
}

const program = new Command("npm run bench --")
  .description("Measures aemos and a Linux guest side by side, and prints one table.")
  .option("--json <file>", "write the rows as JSON, too")
  .option("--quick", "shorter turns, and without what takes long: two minutes")
  .option("--only <prefix>", "the rows whose names begin so", "")
  .option("--ceilings", "measure what `npm test` has ceilings of, and write those anew, nothing else")
  .parse();
const options = program.opts<Options>();
const quick = options.quick ?? false;
const { only } = options;
const wanted = CATALOG.map(({ name }) => name).filter(
  (name) => name.startsWith(only) || entryOf(only)?.name === name,
);
if (wanted.length === 0) program.error(`error: no row's name begins with ${only}`);
const selected = MEASUREMENTS.filter(({ rows }) => rows.some((name) => wanted.includes(name)));

if (options.ceilings) {
  await writeCeilings();
  process.exit();
}

const began = performance.now();
const figures: Figure[] = [];
async function lane(queue: Measurement[]): Promise<void> {
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const start = performance.now();
    try {
      const { run, basis } = next;
      for (const figure of await run(quick)) figures.push({ basis, ...figure });
    } catch (error) {
      process.exitCode = 1;
      process.stderr.write(`${next.rows.join(", ")}: ${messageOf(error)}\n`);
      continue;
    }
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    process.stderr.write(`${seconds.padStart(6)} s  ${next.rows.join(", ")}\n`);
  }
}

const beside = selected.filter(({ alone }) => !alone);
await Promise.all([lane(beside), lane(beside)]);
await lane(selected.filter(({ alone }) => alone));
process.stderr.write(`${((performance.now() - began) / 1000).toFixed(1).padStart(6)} s  in all\n`);

const rows = makeRows(figures, (name) => name.startsWith(only));
process.stdout.write(`${table(rows)}\n`);
if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(rows, null, 2)}\n`);
