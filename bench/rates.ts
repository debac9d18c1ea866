/**
 * How many operations a second and how many bits: what the clients see, aemos and Linux by turns in guests that both stand ready. Over QEMU's user networking, and (tap-rates.ts) over
 * tap devices in a network namespace. These depend on the host and on what else runs there; the ratio does so less.
 */
import { availableParallelism, loadavg } from "node:os";
import { join } from "node:path";
import { inNamespace } from "../spec/boot/net/tap.ts";
import { type Client, ab, bulkIn, bulkOut, tcp, udp, wrk } from "./clients.ts";
import { type Figure, type Measurement, median } from "./rows.ts";
import { type System, startBoth, underKvm } from "./systems.ts";

const ROUNDS = 3;
/** In flight at once, as wrk -c16 has. */
const WIDTH = 16;

/** All of them, `rounds` times in turn. */
export async function rateFigures(
  both: readonly System[],
  quick: boolean,
  suffix: string,
): Promise<Figure[]> {
  const seconds = quick ? 1 : 2;
  const bytes = (quick ? 8 : 64) << 20;
  const second = ({ count, ms }: { count: number; ms: number }): number => (1000 * count) / ms;
  const megabits = ({ count, ms }: { count: number; ms: number }): number => (8 * count) / ms / 1000;
  const clients: [string, Client, typeof second][] = [
    ["http.keepalive.rate", wrk(WIDTH, seconds), second],
    ["http.connection.rate", ab(quick ? 300 : 3000), second],
    ["udp.echo.rate", udp(WIDTH, seconds), second],
    ["tcp.echo.rate", tcp(WIDTH, seconds), second],
    ["tcp.bulk.in", bulkIn(bytes), megabits],
    ["tcp.bulk.out", bulkOut(bytes), megabits],
  ];
  const figures: Figure[] = [];
  for (const [name, client, unit] of clients) {
    const busy = loadavg()[0]?.toFixed(1);
    const found = { aemos: [] as number[], linux: [] as number[] };
    for (let round = 0; round < (quick ? 1 : ROUNDS); round++)
      for (const system of both) found[system.name].push(unit(await client(system)));
    // More than three or so: others had the processors as well.
    const note = `load average of the host ${busy}, ${availableParallelism()} processors${await underKvm()}`;
    figures.push({ name: name + suffix, aemos: median(found.aemos), linux: median(found.linux), note });
  }
  return figures;
}

const NAMES = [
  "http.keepalive.rate",
  "http.connection.rate",
  "udp.echo.rate",
  "tcp.echo.rate",
  "tcp.bulk.in",
  "tcp.bulk.out",
];

export const rates: Measurement = {
  rows: NAMES,
  basis: "real time",
  alone: true,
  run: async (quick) => {
    const both = await startBoth(() => ({}));
    try {
      return await rateFigures(both, quick, "");
    } finally {
      for (const system of both) await system.stop();
    }
  },
};

export const tapRates: Measurement = {
  rows: NAMES.map((name) => `${name}.tap`),
  basis: "real time",
  alone: true,
  // In a quick run those over user networking have to do.
  run: async (quick) => (quick ? [] : inNamespace<Figure[]>(join(import.meta.dirname, "tap-rates.ts"), {})),
};
