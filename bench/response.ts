/**
 * How long requests take while the processor has half, once and ten times as many as it can do: bench/apps/response, and bench/linux/response.c. Virtual time (-icount shift=0: an
 * instruction is a nanosecond), so neither the host's speed nor what else it does is in it. Requests come from within the guest, so all of them come.
 */
import { boot } from "../spec/boot/machine.ts";
import { benchImage } from "./instructions.ts";
import { buildLinux, startLinux } from "./linux.ts";
import type { Figure, Measurement } from "./rows.ts";

const LEVELS = new Map([
  [48, "high"],
  [32, "middle"],
  [16, "low"],
]);
/** Milliseconds in which requests are made, of the applications. */
const LOADED = 1500;
const LIMIT = 580_000;
const OPTIONS = { netdev: "none", icount: "shift=0,sleep=off", cpu: "qemu64", memory: 256 } as const;

/** The guest's rows, each a load with the servers' that belong to it. */
function figures(side: "aemos" | "linux", output: string): Figure[] {
  const found: Figure[] = [];
  const servers = [...output.matchAll(/row response (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)/g)].map((row) =>
    row.slice(1).map(Number),
  ) as [number, number, number, number, number, number][];
  // Of one that has nothing else to do: how many a millisecond has room for.
  const service = Math.min(...servers.map(([, , , , , least]) => least).filter((least) => least > 0));
  const loads = [...output.matchAll(/row load (\d+) (\d+) (\d+)/g)].map((row) => row.slice(1).map(Number));
  for (const [index, [halves = 0, posted = 0, refused = 0]] of loads.entries()) {
    const name = `load.response.${halves / 2}x`;
    const own = servers.slice(index * LEVELS.size, (index + 1) * LEVELS.size);
    for (const [level, , p50, p99, p999] of own)
      for (const [which, value] of Object.entries({ p50, p99, "p99.9": p999 }))
        found.push({ name: `${name}.${LEVELS.get(level)}.${which}`, [side]: value });
    const done = own.reduce((sum, [, count]) => sum + count, 0);
    const note = `${side}: ${posted} posted, ${refused} refused`;
    found.push({
      name: `load.goodput.${halves / 2}x`,
      [side]: (100 * done * service) / (LOADED * 1e6),
      note,
    });
  }
  return found;
}

const WANTED = 9;
const COUNT = /row response/g;

async function until(output: () => string, ended: () => boolean): Promise<string> {
  const end = Date.now() + LIMIT;
  while ((output().match(COUNT)?.length ?? 0) < WANTED) {
    if (Date.now() > end || ended()) throw new Error(`not all rows\n${output()}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return output();
}

async function aemos(): Promise<Figure[]> {
  const { guest } = await boot(benchImage("response.json"), { ...OPTIONS, ready: false });
  return until(
    () => guest.output,
    () => guest.ended,
  )
    .then((output) => figures("aemos", output))
    .finally(() => guest.stop());
}

async function linux(): Promise<Figure[]> {
  const guest = await startLinux(await buildLinux(), "response", OPTIONS);
  return until(
    () => guest.output,
    () => guest.ended,
  )
    .then((output) => figures("linux", output))
    .finally(() => guest.stop());
}

export const response: Measurement = {
  rows: ["load.response", "load.goodput", "load.goodput.10x"],
  exact: true,
  run: async () => (await Promise.all([aemos(), linux()])).flat(),
};
