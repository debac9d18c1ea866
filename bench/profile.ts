/**
 * npx tsx bench/profile.ts: where the instructions from interrupt to handler go, function by function, in the median sample of
 * each path. With `--path`, in the order in which they run. With `--segments`, where those of a TCP segment go that is received, or sent.
 */
import { parseArgs } from "node:util";
import { type Burst, type CodeSymbol, functionAt, symbolsOf } from "./bursts.ts";
import { latencyBursts, samples } from "./latency.ts";
import { Counted, STREAMS, TRANSFERS } from "./tcp.ts";
import { median } from "./rows.ts";

const { values: options } = parseArgs({
  options: { path: { type: "boolean" }, segments: { type: "boolean" } },
});

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

const SEGMENTS = 40;
/** Every frame gets there: bursts without any say nothing of their blocks. */
const EVERY_FRAME = ["net0x2Finput0x2FethernetInput"];
/** Functions that have less are not shown. */
const SHOWN = 10;

async function paths(): Promise<void> {
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
}

/** What a transfer of SEGMENTS takes, by functions, for each of them. */
async function segments(): Promise<void> {
  for (const [title, open] of TRANSFERS) {
    const guest = await Counted.boot("profile", STREAMS, EVERY_FRAME, true);
    try {
      const [client, transfer] = await open(guest.peer);
      await transfer(5 * SEGMENTS);
      const bursts = await guest.during(() => transfer(SEGMENTS));
      client.abort();
      const symbols = await symbolsOf(guest.elf);
      const sums = new Map<string, number>();
      for (const { address, instructions } of bursts.flatMap(({ blocks }) => blocks)) {
        const name = functionAt(symbols, address);
        sums.set(name, (sums.get(name) ?? 0) + instructions / SEGMENTS);
      }
      const all = [...sums.values()].reduce((sum, value) => sum + value, 0);
      const interrupts = bursts.reduce((sum, burst) => sum + burst.interrupts, 0);
      process.stdout.write(
        `${title}: ${all.toFixed(0)} for each of ${SEGMENTS}, in ${interrupts} interrupts\n`,
      );
      for (const [name, value] of [...sums].sort(([, a], [, b]) => b - a))
        if (value >= SHOWN) process.stdout.write(`${value.toFixed(0).padStart(7)} ${name}\n`);
    } finally {
      await guest.stop();
    }
  }
}

await (options.segments ? segments() : paths());
