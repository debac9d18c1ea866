/**
 * npx tsx bench/profile.ts: where the instructions from interrupt to handler go, function by function, in the median sample of
 * each path. With `--path`, in the order in which they run.
 */
import { parseArgs } from "node:util";
import { type Burst, type CodeSymbol, functionAt, symbolsOf } from "./bursts.ts";
import { latencyBursts, samples } from "./instructions.ts";
import { median } from "./rows.ts";

const { values: options } = parseArgs({ options: { path: { type: "boolean" } } });

/** Runs of blocks of one function, in order. */
function pathOf(burst: Burst, end: number, symbols: readonly CodeSymbol[]): [string, number][] {
  const path: [string, number][] = [];
  for (const { address, instructions, before } of burst.blocks) {
    if (before >= end) break;
    const name = functionAt(symbols, address);
    const last = path.at(-1);
    if (last?.[0] === name) last[1] += instructions;
    else path.push([name, instructions]);
  }
  return path;
}

const { bursts, elf } = await latencyBursts("qemu64", true);
const symbols = await symbolsOf(elf);
for (const [target, title] of [
  "timer interrupt to handler",
  "virtio interrupt to TCP read handler",
].entries()) {
  const found = samples(bursts, target);
  const count = median(found.map(({ reached }) => reached[target] as number));
  const sample = found.find(({ reached }) => reached[target] === count) as Burst;
  let path = pathOf(sample, count, symbols);
  if (!options.path) {
    const sums = new Map<string, number>();
    for (const [name, instructions] of path) sums.set(name, (sums.get(name) ?? 0) + instructions);
    path = [...sums].sort(([, a], [, b]) => b - a);
  }
  process.stdout.write(`${title}: ${count}\n`);
  for (const [name, instructions] of path)
    process.stdout.write(`${String(instructions).padStart(7)} ${name}\n`);
}
