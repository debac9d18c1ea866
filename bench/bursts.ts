/** Instructions of a guest from interrupt to halt, counted by the tcg plugin of bursts.c. */
import { execFile } from "node:child_process";
import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { BUILD, ROOT } from "../tools/paths.ts";

const execute = promisify(execFile);

/** kernel/interrupts/apic.ts */
export const VECTOR_TIMER = 0xe0;

export interface Block {
  address: number;
  instructions: number;
  /** Instructions of the burst ahead of it. */
  before: number;
}

/** What ran from one interrupt that ended a halt to the next halt. */
export interface Burst {
  vector: number;
  /** 1: nothing else interrupted. */
  interrupts: number;
  total: number;
  /** For each target, instructions ahead of its first one, or -1 when it did not run. */
  reached: number[];
  /** With `blocks`. With `busy` a burst ends where it reaches a target. */
  blocks: Block[];
}

export interface CodeSymbol {
  address: number;
  name: string;
}

/** The functions and labels of an ELF file, by address. */
export async function symbolsOf(elf: string): Promise<CodeSymbol[]> {
  const { stdout } = await execute("nm", ["-n", elf], { maxBuffer: 1 << 26 });
  return stdout
    .split("\n")
    .map((line) => line.split(" "))
    .filter(([, type]) => type === "t" || type === "T")
    .map(([address, , name]) => ({ address: Number.parseInt(address as string, 16), name: name as string }));
}

/** `w2c_kernel_net0x2Fipv40x2Fipv4Input` as `net/ipv4/ipv4Input`. */
function readable(name: string): string {
  return name
    .replace(/^(wrap_)?w2c_(kernel_|app__)?/, "")
    .replace(/0x([0-9A-F]{2})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)));
}

/** Name of the function at an address. */
export function functionAt(symbols: readonly CodeSymbol[], address: number): string {
  let [low, high] = [0, symbols.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((symbols[middle] as CodeSymbol).address <= address) low = middle + 1;
    else high = middle;
  }
  const found = symbols[low - 1];
  return found ? readable(found.name) : "?";
}

/** The one symbol with this end of its name. */
export function symbol(symbols: readonly CodeSymbol[], end: string): number {
  const [found, another] = symbols.filter(({ name }) => name.endsWith(end));
  if (found === undefined || another !== undefined) throw new Error(`not one symbol ends with ${end}`);
  return found.address;
}

/** Compiles bench/NAME.c as a plugin; its path. */
export async function buildPlugin(name: string): Promise<string> {
  const folder = join(BUILD, "bench");
  await mkdir(folder, { recursive: true });
  const plugin = join(folder, `${name}.so`);
  const options = ["-O2", "-Wall", "-Wextra", "-shared", "-fPIC", "-Wl,--unresolved-symbols=ignore-all"];
  await execute("gcc", [...options, "-o", plugin, join(ROOT, "bench", `${name}.c`)]);
  return plugin;
}

/** Counts the bursts of one guest. */
export class BurstCounter {
  private constructor(
    private readonly path: string,
    /** Arguments for QEMU. */
    readonly qemuArguments: readonly string[],
  ) {}

  /** `elf`: the image with symbols; `targets`: ends of the names of functions whose beginning is of interest. */
  static async create(
    name: string,
    elf: string,
    targets: readonly string[],
    blocks = false,
    busy = false,
  ): Promise<BurstCounter> {
    const symbols = await symbolsOf(elf);
    const addresses = targets.map((end) => symbol(symbols, end).toString(16));
    const from = symbol(symbols, "vector_stubs").toString(16);
    const further = [...(blocks ? ["blocks=1"] : []), ...(busy ? ["busy=1"] : [])];
    return BurstCounter.at(name, from, addresses, further);
  }

  /** The same for any kernel: `from` where the stubs of its interrupts are, `to` what is of interest, both hexadecimal. */
  static async at(
    name: string,
    from: string,
    to: readonly string[],
    further: readonly string[] = [],
  ): Promise<BurstCounter> {
    const plugin = await buildPlugin("bursts");
    const path = join(BUILD, "bench", `${name}.bursts`);
    await writeFile(path, "");
    const addresses = to.map((address) => `to=${address}`);
    const list = [plugin, `out=${path}`, `from=${from}`, ...addresses, ...further];
    return new BurstCounter(path, ["-plugin", list.join(",")]);
  }

  /** Those that have ended so far. */
  async bursts(): Promise<Burst[]> {
    const bursts: Burst[] = [];
    const lines = (await readFile(this.path, "latin1")).split("\n");
    // The last one is not complete, or empty.
    for (const line of lines.slice(0, -1)) {
      const [kind, ...values] = line.split(" ");
      if (kind === "burst") {
        const [vector, interrupts, total, ...reached] = values.map(Number) as [number, number, number];
        bursts.push({ vector, interrupts, total, reached, blocks: [] });
      } else {
        const [address, instructions, before] = values as [string, string, string];
        const block = { address: Number.parseInt(address, 16), instructions: +instructions, before: +before };
        bursts.at(-1)?.blocks.push(block);
      }
    }
    return bursts;
  }

  /** Waits until no burst has ended for a while; says how many there were. */
  async quiet(): Promise<number> {
    let seen = -1;
    for (;;) {
      const { size } = await stat(this.path);
      if (size === seen) return (await this.bursts()).length;
      seen = size;
      await sleep(3);
    }
  }
}
