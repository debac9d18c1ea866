/**
 * npm run bench [-- --json FILE] [--quick] [--only NAME]: the figures of this build, beside the goals of docs/performance-goals.md. None is
 * asserted anywhere; the group `linux` sets some of them beside Linux.
 *
 * --quick leaves out the million of events and shortens the rest; --only prints the groups of figures whose name begins with NAME.
 *
 * Times depend on the machine; bytes and instructions do not (-icount shift=0 and -cpu qemu64 repeat exactly, but for when
 * frames arrive).
 */
import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { compared, measuredLinux } from "./compare.ts";
import { costs } from "./costs.ts";
import { executors, preemption } from "./executors.ts";
import { latencies, perRequest } from "./instructions.ts";
import { load } from "./load.ts";
import { lossy } from "./lossy.ts";
import { type Row, print } from "./rows.ts";
import type { Section } from "./sections.ts";
import { connectRequestClose, idleConnection, segments } from "./tcp.ts";
import { imageBytes, smallestMemory, timeToFirstResponse } from "./startup.ts";

const { values: options } = parseArgs({
  options: { json: { type: "string" }, quick: { type: "boolean" }, only: { type: "string" } },
});
const quick = options.quick ?? false;
const BOOTS = quick ? 3 : 9;
/** Most instructions with interrupts off. */
const SECTION_GOAL = 15_000;
const SECTIONS_SHOWN = 5;

async function firstResponse(name: string, append: string): Promise<Row> {
  const value = await timeToFirstResponse(append, BOOTS);
  return {
    name: `QEMU start to first HTTP response, ${name}`,
    value,
    unit: "ms",
    note: `median of ${BOOTS}`,
  };
}

function withSections(where: string, { rows, sections }: { rows: Row[]; sections: Section[] }): Row[] {
  const longest = sections.slice(0, SECTIONS_SHOWN).map(({ instructions, begin, functions }, i) => ({
    name: `interrupts off, ${where}: ${i === 0 ? "longest" : `${i + 1}.`}`,
    value: instructions,
    unit: "instructions",
    goal: SECTION_GOAL,
    note: `begun by ${begin}; most of it in ${functions.join(", ")}`,
  }));
  return [...rows, ...longest];
}

const figures: [string, () => Promise<Row | Row[]>][] = [
  ["size", async () => ({ name: "image of apps/default.json", value: await imageBytes(), unit: "bytes" })],
  [
    "memory",
    async () => ({ name: "smallest -m with which it serves", value: await smallestMemory(), unit: "MiB" }),
  ],
  ["start", () => firstResponse("static address", "ip=10.0.2.15/24,gw=10.0.2.2")],
  ["start", () => firstResponse("DHCP", "ip=dhcp")],
  ["latency", () => latencies("qemu64")],
  ["latency", () => latencies("max")],
  ["executors", executors],
  ["preemption", preemption],
  ["costs", async () => withSections("many events", await costs(quick))],
  ["load", async () => withSections("full load", await load(quick))],
  ["request", () => perRequest("/")],
  ["request", () => perRequest("/stats")],
  ["tcp", segments],
  ["tcp", connectRequestClose],
  ["memory", idleConnection],
  ["lossy", () => lossy(quick)],
  ["linux", () => compared(quick)],
  ["linux", measuredLinux],
];

const rows: Row[] = [];
for (const [name, figure] of figures) {
  if (!name.startsWith(options.only ?? "")) continue;
  try {
    for (const row of [await figure()].flat()) {
      print(row);
      rows.push(row);
    }
  } catch (error) {
    process.exitCode = 1;
    process.stderr.write(`${name}: ${(error as Error).message}\n`);
  }
}
if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(rows, null, 2)}\n`);
