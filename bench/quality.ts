/**
 * What the pipeline makes of programs that only compute: bench/apps/quality, AssemblyScript to wasm to C to gcc, and the same programs in C through gcc -O2 alone
 * (bench/apps/quality/native), both in one image and one run. Instructions of the program alone, the least of five rounds: a timer of the kernel's may run in others.
 *
 * The native C has the options of all C in an image, which it cannot do without (no red zone, no libc), and what they keep gcc from by default it may, but for calls of a libc (-ffreestanding).
 */
import { join } from "node:path";
import { Machine } from "../spec/boot/machine.ts";
import { type Natives, buildImage } from "../tools/build.ts";
import { startGuest } from "../tools/qemu.ts";
import { benchImage } from "./instructions.ts";
import type { Figure, Measurement } from "./rows.ts";

/** In the order of bench/apps/quality. */
const PROGRAMS = ["crc", "sieve", "chase", "sort", "sha256", "json", "multiply"];
const LIMIT = 120_000;
const IMAGE = benchImage("quality");
const NATIVES: Natives = {
  sources: ["quality.c", "digests.c"].map((name) => join(IMAGE, "..", "native", name)),
  options: ["-fstrict-aliasing", "-fdse", "-fdelete-null-pointer-checks"],
  calls: new Map([
    ["native_prepare", { parameters: [], results: [] }],
    ["native_run", { parameters: ["i32"], results: ["i32"] }],
  ]),
};

/** PROGRAM, and least and result of each side, ours first. */
type Found = [number, number, number, number, number];

async function run(): Promise<Found[]> {
  const { image } = await buildImage(IMAGE, undefined, { natives: NATIVES });
  const options = { netdev: "none", icount: "shift=0,sleep=off", cpu: "qemu64" } as const;
  const machine = new Machine(await startGuest({ ...options, image }), []);
  try {
    await machine.waitForRows("qualities", 1, LIMIT);
    return machine.rows("quality") as Found[];
  } finally {
    await machine.stop();
  }
}

export const quality: Measurement = {
  rows: ["aot.quality", ...PROGRAMS.map((name) => `aot.quality.${name}`)],
  basis: "exact",
  run: async () => {
    const figures: Figure[] = (await run()).map(([program, least, result, native, expected]) => {
      const name = PROGRAMS[program] as string;
      if (result !== expected) throw new Error(`${name}: ${result}, and in C ${expected}`);
      return { name: `aot.quality.${name}`, aemos: least, linux: native };
    });
    if (figures.length !== PROGRAMS.length) throw new Error(`${figures.length} programs`);
    const mean = (values: number[]): number =>
      Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
    const of = (side: "aemos" | "linux"): number => mean(figures.map((figure) => figure[side] as number));
    const note = "geometric mean; in the column of Linux stands gcc -O2, in the image of aemos";
    return [{ name: "aot.quality", aemos: of("aemos"), linux: of("linux"), note }, ...figures];
  },
};
