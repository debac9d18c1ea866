/**
 * How long requests take while the processor has half, once and ten times as many as it can do: bench/apps/response, and bench/linux/response.c. Virtual time (-icount shift=0: an
 * instruction is a nanosecond), so neither the host's speed nor what else it does is in it. Requests come from within the guest, so all of them come.
 */
import { boot } from "../spec/boot/machine.ts";
import { benchImage } from "./instructions.ts";
import { buildLinux, startLinux } from "./linux.ts";
import { type Figure, type Measurement, ofBoth } from "./rows.ts";

const LEVELS = new Map([
  [48, "high"],
  [32, "middle"],
  [16, "low"],
]);
/** Nanoseconds in which requests are made, and of a request's work, of the applications. */
const LOADED = 1500e6;
const SERVICE = 200e3;
/** Of SERVICE: how far off the work may be, so that both systems have the same to do. */
const ERROR = 0.002;
const LIMIT = 580_000;
const OPTIONS = { netdev: "none", icount: "shift=0,sleep=off", cpu: "qemu64", memory: 256 } as const;

/** The numbers of the guest's rows of one name. */
function rowsOf(output: string, name: string): number[][] {
  return [...output.matchAll(new RegExp(`row ${name} ([\\d ]+)`, "g"))].map(([, numbers = ""]) =>
    numbers.trim().split(" ").map(Number),
  );
}

function figures(side: "aemos" | "linux", output: string): Figure[] {
  const found: Figure[] = [];
  const services = rowsOf(output, "service").map(([, least = 0]) => least);
  for (const least of services)
    if (Math.abs(least - SERVICE) > ERROR * SERVICE)
      throw new Error(`${side}: a request's work is ${least} ns, not ${SERVICE}`);
  const servers = rowsOf(output, "response");
  for (const [index, [halves = 0, posted = 0, refused = 0]] of rowsOf(output, "load").entries()) {
    const name = `load.response.${halves / 2}x`;
    let done = 0;
    // Each server has a row for each load, in order.
    for (const [level, label] of LEVELS) {
      const [, , inTime = 0, ...percentiles] = servers.filter(([of]) => of === level)[index] ?? [];
      done += inTime;
      for (const [at, which] of ["p50", "p99", "p99.9"].entries())
        found.push({ name: `${name}.${label}.${which}`, [side]: percentiles[at] as number });
    }
    const note = `${side}: ${posted} posted, ${refused} refused, work of ${Math.min(...services)} to ${Math.max(...services)} ns`;
    found.push({ name: `load.goodput.${halves / 2}x`, [side]: (100 * done * SERVICE) / LOADED, note });
  }
  return found;
}

const WANTED = LEVELS.size;
const COUNT = /row service/g;

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
  rows: ["load.response", "load.response.10x.high.p99.9", "load.goodput", "load.goodput.10x"],
  basis: "exact",
  run: () => ofBoth(aemos(), linux()),
};
