/**
 * What paths may cost: bench/ceilings.json has the instructions of each that is exact, and the size of the default image, and `npm test` fails when one has become more than 2 % dearer
 * (spec/bench/ceilings.test.ts).
 * `npm run bench -- --ceilings` measures them and writes the file.
 *
 * The counts are of one compiler and one QEMU: another gcc makes other code, and QEMU says how often a string instruction counts and what its devices do. With others nothing
 * is compared.
 */
import { execFile } from "node:child_process";
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { DEFAULT_IMAGE, built } from "../spec/boot/machine.ts";
import { ROOT } from "../tools/paths.ts";
import { requireTool } from "../tools/toolchain.ts";
import { EXACT } from "./paths.ts";

const execute = promisify(execFile);
const FILE = join(ROOT, "bench", "ceilings.json");
/** Percent. */
const TOLERANCE = 2;

/** Versions on which the counts depend, as far as they do. */
export interface Tools {
  gcc: string;
  qemu: string;
}

export interface Ceilings {
  tools: Tools;
  /** By the name of the path. */
  instructions: Record<string, number>;
  /** Of the default image's file. */
  imageBytes: number;
}

export async function readCeilings(): Promise<Ceilings> {
  return JSON.parse(await readFile(FILE, "utf8")) as Ceilings;
}

async function version(tool: "gcc" | "qemu-system-x86_64", pattern: RegExp): Promise<string> {
  const { stdout } = await execute(await requireTool(tool), ["--version"]);
  return pattern.exec(stdout)?.[0] ?? stdout.trim();
}

/** Those of this machine. */
export async function tools(): Promise<Tools> {
  return {
    gcc: await version("gcc", /(?<= )\d+(?=\.\d+\.\d+$)/m),
    qemu: await version("qemu-system-x86_64", /(?<=version )\d+\.\d+/),
  };
}

/** Why the ceilings say nothing of what these tools make; undefined: they do. */
export function incomparable({ tools: { gcc, qemu } }: Ceilings, here: Tools): string | undefined {
  if (gcc === here.gcc && qemu === here.qemu) return undefined;
  return `not compared: the ceilings (bench/ceilings.json) are of gcc ${gcc} and QEMU ${qemu}, as in Debian 12; here are gcc ${here.gcc} and QEMU ${here.qemu}`;
}

export type Verdict = "within" | "above" | "below";

/** Whether a path costs what it may. */
export function judge(instructions: number, ceiling: number): Verdict {
  const above = 100 * (instructions - ceiling);
  return above > TOLERANCE * ceiling ? "above" : above < -TOLERANCE * ceiling ? "below" : "within";
}

export function difference(name: string, cost: number, ceiling: number, unit = "instructions"): string {
  const percent = (100 * (cost / ceiling - 1)).toFixed(1);
  return `${name}: ${Math.round(cost)} ${unit}, ${percent} % from its ceiling of ${ceiling}`;
}

export async function measureImage(): Promise<number> {
  return (await stat(await built(DEFAULT_IMAGE))).size;
}

/** The instructions of each path, or why there are none. Two guests at a time: nothing here depends on how busy the host is. */
export async function measureExact(): Promise<Map<string, number | Error>> {
  const found = new Map<string, number | Error>();
  const queue = [...EXACT];
  const lane = async (): Promise<void> => {
    for (let session = queue.shift(); session !== undefined; session = queue.shift()) {
      try {
        for (const [name, { value }] of Object.entries(await session.measure(false, true)))
          found.set(name, value);
      } catch (error) {
        for (const name of session.names) found.set(name, error as Error);
      }
    }
  };
  await Promise.all([lane(), lane()]);
  return found;
}

/** Measures all, and writes the file; says what has changed. */
export async function writeCeilings(): Promise<void> {
  const before = await readCeilings().catch(() => undefined);
  const found = await measureExact();
  const instructions: Record<string, number> = {};
  for (const name of EXACT.flatMap(({ names }) => names)) {
    const count = found.get(name);
    if (typeof count !== "number") throw count ?? new Error(`${name} was not measured`);
    instructions[name] = Math.round(count);
    const old = before?.instructions[name];
    const text = old === undefined ? `${name}: ${instructions[name]}, new` : difference(name, count, old);
    process.stdout.write(`${text}\n`);
  }
  const imageBytes = await measureImage();
  process.stdout.write(
    `${difference("image.bytes", imageBytes, before?.imageBytes ?? imageBytes, "bytes")}\n`,
  );
  const ceilings: Ceilings = { tools: await tools(), instructions, imageBytes };
  await writeFile(FILE, `${JSON.stringify(ceilings, null, 2)}\n`);
}
