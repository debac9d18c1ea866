/**
 * What the pipeline makes of programs that only compute: bench/apps/quality, AssemblyScript to wasm to C to gcc, and the same in C through gcc -O2 (bench/linux/quality.c), which runs
 * in the Linux guest. Instructions of the program alone: nothing of the system that it runs on is in them, but for Linux's timer tick, so the least of five rounds counts.
 */
import { boot } from "../spec/boot/machine.ts";
import { benchImage } from "./instructions.ts";
import { buildLinux, startLinux } from "./linux.ts";
import type { Figure, Measurement } from "./rows.ts";

/** In the order of bench/apps/quality. */
const PROGRAMS = ["crc", "sieve", "chase", "sort", "sha256", "json", "multiply"];
const LIMIT = 120_000;
const OPTIONS = { netdev: "none", icount: "shift=0,sleep=off", cpu: "qemu64" } as const;

/** Instructions and result of each. */
type Found = [number, number][];

async function aemos(): Promise<Found> {
  const machine = await boot(benchImage("quality"), { ...OPTIONS, ready: false });
  try {
    await machine.waitForRows("qualities", 1, LIMIT);
    return machine.rows("quality").map(([, least, result]) => [least as number, result as number]);
  } finally {
    await machine.stop();
  }
}

async function linux(): Promise<Found> {
  const guest = await startLinux(await buildLinux(), "quality", OPTIONS);
  try {
    await guest.waitFor(/^measured$/m, LIMIT);
    return [...guest.output.matchAll(/^row quality \d+ (\d+) (\d+)/gm)].map(([, least, result]) => [
      Number(least),
      Number(result),
    ]);
  } finally {
    await guest.stop();
  }
}

export const quality: Measurement = {
  rows: ["aot.quality", ...PROGRAMS.map((name) => `aot.quality.${name}`)],
  exact: true,
  run: async () => {
    const [ours, theirs] = await Promise.all([aemos(), linux()]);
    const figures: Figure[] = PROGRAMS.map((name, i) => {
      const [[least, result], [other, expected]] = [
        ours[i] as [number, number],
        theirs[i] as [number, number],
      ];
      if (result !== expected) throw new Error(`${name}: ${result}, and in C ${expected}`);
      return { name: `aot.quality.${name}`, aemos: least, linux: other };
    });
    const mean = (values: number[]): number =>
      Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
    const of = (side: "aemos" | "linux"): number => mean(figures.map((figure) => figure[side] as number));
    return [
      { name: "aot.quality", aemos: of("aemos"), linux: of("linux"), note: "geometric mean" },
      ...figures,
    ];
  },
};
