/**
 * npx tsx bench/report.ts [FILE]: writes docs/performance.md and its plots (page.ts) from the rows that `npm run bench -- --json FILE` has written, and keeps those in
 * docs/performance/rows.json. Without FILE from those that are kept there: when only the catalog's words have changed.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { PAGE, ROWS, page } from "./page.ts";
import { type Row, judged } from "./rows.ts";

const [file = ROWS] = process.argv.slice(2);
const rows = judged(JSON.parse(await readFile(file, "utf8")) as Row[]);
const { text, plots } = await page(rows);
await mkdir(dirname(ROWS), { recursive: true });
await writeFile(ROWS, `${JSON.stringify(rows, null, 2)}\n`);
await writeFile(PAGE, text);
for (const [path, picture] of plots) await writeFile(path, picture);
