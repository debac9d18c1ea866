/**
 * npm run profile -- NAME: where the instructions of a path go, by function: a table, and a flame graph in build/profile/NAME.svg. Without a name: the paths that there are.
 *
 * What is shown is one measurement of what `npm run bench` measures under this name, and its sum is that figure.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Command } from "commander";
import { BUILD, shown } from "../tools/paths.ts";
import { type Call, callTree, sums } from "./call-tree.ts";
import { flameGraph } from "./flame.ts";
import { SESSIONS } from "./paths.ts";
import { entryOf } from "./rows.ts";
import { functionsOf } from "./symbols.ts";
import type { Session, Trace } from "./trace.ts";

const program = new Command("npm run profile --")
  .description("Where the instructions of a path go, by function: a table and a flame graph.")
  .argument("[path]", "the path; without it they are listed")
  .parse();
/** Functions with less than this share of their own are one line together. */
const LEAST = 0.003;

function number(value: number): string {
  return value.toLocaleString("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 }).padStart(11);
}

function table(root: Call): string {
  const all = sums(root);
  const seen = all.filter(({ self }) => Math.abs(self) >= LEAST * root.total);
  const rest = all.slice(seen.length).reduce((sum, { self }) => sum + self, 0);
  const lines = seen.map(({ name, self, total }) => {
    const percent = ((100 * self) / root.total).toFixed(1).padStart(5);
    return `${number(self)} ${percent} %${number(total)}  ${name}`;
  });
  const others = `${number(rest)}${" ".repeat(19)}  ${all.length - seen.length} others`;
  return [
    "       self             inclusive  function",
    ...lines,
    others,
    `${number(root.total)}  in all`,
  ].join("\n");
}

async function profile(name: string, { measure }: Session): Promise<void> {
  const { value, note, bursts, nodes, elf } = (await measure(true, true))[name] as Trace;
  const root = callTree(bursts, nodes, await functionsOf(elf));
  const title = `${name}: ${value.toLocaleString("en", { maximumFractionDigits: 1 })} instructions`;
  const folder = join(BUILD, "profile");
  const path = join(folder, `${name}.svg`);
  await mkdir(folder, { recursive: true });
  await writeFile(path, flameGraph(root, title));
  process.stdout.write(`${title}\n${note}\n\n${table(root)}\n\n${shown(path)}\n`);
  if (Math.abs(root.total - value) > 1e-6 * value)
    throw new Error(`the graph's sum is ${root.total}, not ${value}`);
}

const [name] = program.args;
const session = SESSIONS.find(({ names }) => name !== undefined && names.includes(name));
if (name !== undefined && session !== undefined) await profile(name, session);
else {
  if (name !== undefined) process.stderr.write(`there is no path ${name}\n`);
  process.exitCode = name === undefined ? 0 : 1;
  for (const known of SESSIONS.flatMap(({ names }) => names))
    process.stdout.write(`${known.padEnd(28)}${entryOf(known)?.what ?? ""}\n`);
}
