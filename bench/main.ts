/**
 * npm run bench [-- --json FILE]: the figures of this build. None is asserted anywhere; stage 4 sets them against Linux.
 *
 * Times depend on the machine; bytes and instructions do not (-icount shift=0 and -cpu qemu64 repeat exactly, but for when
 * frames arrive).
 */
import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { latencies, perRequest } from "./instructions.ts";
import { type Row, print } from "./rows.ts";
import { imageBytes, smallestMemory, timeToFirstResponse } from "./startup.ts";

const { values } = parseArgs({ options: { json: { type: "string" } } });

const figures: (() => Promise<Row | Row[]>)[] = [
  async () => ({ name: "image of apps/default.json", value: await imageBytes(), unit: "bytes" }),
  async () => ({ name: "smallest -m with which it serves", value: await smallestMemory(), unit: "MiB" }),
  async () => ({
    name: "QEMU start to first HTTP response, static address",
    value: await timeToFirstResponse("ip=10.0.2.15/24,gw=10.0.2.2", 9),
    unit: "ms",
    note: "median of 9",
  }),
  async () => ({
    name: "QEMU start to first HTTP response, DHCP",
    value: await timeToFirstResponse("ip=dhcp", 9),
    unit: "ms",
    note: "median of 9",
  }),
  () => latencies("qemu64"),
  () => latencies("max"),
  () => perRequest("/"),
  () => perRequest("/stats"),
];

const rows: Row[] = [];
for (const figure of figures) {
  try {
    for (const row of [await figure()].flat()) {
      print(row);
      rows.push(row);
    }
  } catch (error) {
    process.exitCode = 1;
    process.stderr.write(`${(error as Error).message}\n`);
  }
}
if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(rows, null, 2)}\n`);
