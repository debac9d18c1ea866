/** Instructions of a guest from interrupt to halt, counted by the tcg plugin of bursts.c. */
import { execFile } from "node:child_process";
import { mkdir, open, rename, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { BUILD, ROOT } from "../tools/paths.ts";
import { symbol, symbolsOf } from "./symbols.ts";

const execute = promisify(execFile);

/** Bytes that are read at once. */
const CHUNK = 1 << 22;

/** kernel/interrupts/apic.ts */
export const VECTOR_TIMER = 0xe0;

/** A function, called by the chain of functions that its parents are. */
export interface Node {
  /** Index among the nodes; 0: the root. */
  parent: number;
  /** The function's address. */
  address: number;
}

/** What ran from one interrupt that ended a halt to the next halt. */
export interface Burst {
  vector: number;
  /** 1: nothing else interrupted. */
  interrupts: number;
  total: number;
  /** For each target, instructions ahead of its first one, or -1 when it did not run. */
  reached: number[];
  /** With `stacks`: instructions by node, all together `total`; or when a target was reached, what ran before the first. */
  ran: Map<number, number>;
}

const plugins = new Map<string, Promise<string>>();

/** Compiles bench/NAME.c as a plugin; its path. */
export function buildPlugin(name: string): Promise<string> {
  let plugin = plugins.get(name);
  if (plugin === undefined) {
    plugin = compilePlugin(name);
    plugins.set(name, plugin);
  }
  return plugin;
}

async function compilePlugin(name: string): Promise<string> {
  const folder = join(BUILD, "bench");
  await mkdir(folder, { recursive: true });
  const plugin = join(folder, `${name}.so`);
  // A guest of another process may be about to load it.
  const output = join(folder, `${name}.${process.pid}.so`);
  const options = ["-O2", "-Wall", "-Wextra", "-shared", "-fPIC", "-Wl,--unresolved-symbols=ignore-all"];
  await execute("gcc", [...options, "-o", output, join(ROOT, "bench", `${name}.c`)]);
  await rename(output, plugin);
  return plugin;
}

export interface BurstOptions {
  /** Ends of the names of functions whose beginning is of interest. */
  targets?: readonly string[];
  /** Also the stacks that ran, for a profile. */
  stacks?: boolean;
  /** A burst is also what runs from an interrupt that stops an application; it ends where it reaches a target. */
  busy?: boolean;
  /** End of the name of a function: a burst is what runs from its return to its next call. Such bursts have stacks, which do not end at a target. */
  between?: string;
}

/** Counts the bursts of one guest. */
export class BurstCounter {
  /** Of the stacks that were seen so far, by index; the first is the root. */
  readonly nodes: Node[] = [{ parent: 0, address: 0 }];
  private readonly found: Burst[] = [];
  /** Bytes of the file that have been read, and the beginning of a line that is not complete. */
  private done = 0;
  private rest = "";

  private constructor(
    private readonly path: string,
    /** Arguments for QEMU. */
    readonly qemuArguments: readonly string[],
  ) {}

  /** `elf`: the image with symbols. `targets`, `stacks`, `busy`: as in BurstOptions. */
  static async create(
    name: string,
    elf: string,
    targets: readonly string[],
    stacks = false,
    busy = false,
  ): Promise<BurstCounter> {
    return BurstCounter.with(name, elf, { targets, stacks, busy });
  }

  static async with(name: string, elf: string, options: BurstOptions): Promise<BurstCounter> {
    const symbols = await symbolsOf(elf);
    const { targets = [], between, stacks = false, busy = false } = options;
    const address = (end: string): string => symbol(symbols, end).toString(16);
    const further = busy ? ["busy=1"] : [];
    if (between !== undefined) further.push(`between=${address(between)}`);
    if (stacks || between !== undefined) {
      const functions = join(BUILD, "bench", `${name}.functions`);
      const addresses = [...new Set(symbols.map((known) => known.address))];
      await mkdir(dirname(functions), { recursive: true });
      await writeFile(functions, addresses.map((known) => `${known.toString(16)}\n`).join(""));
      further.push(`entry=${address("long_mode")}`, `functions=${functions}`);
    }
    return BurstCounter.at(name, address("vector_stubs"), targets.map(address), further);
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
    const file = await open(this.path);
    try {
      for (;;) {
        const { bytesRead, buffer } = await file.read(Buffer.alloc(CHUNK), 0, CHUNK, this.done);
        if (bytesRead === 0) break;
        this.done += bytesRead;
        const lines = (this.rest + buffer.toString("latin1", 0, bytesRead)).split("\n");
        this.rest = lines.pop() as string;
        for (const line of lines) this.take(line);
      }
    } finally {
      await file.close();
    }
    return [...this.found];
  }

  private take(line: string): void {
    const [kind, ...values] = line.split(" ");
    if (kind === "burst") {
      const [vector, interrupts, total, ...reached] = values.map(Number) as [number, number, number];
      this.found.push({ vector, interrupts, total, reached, ran: new Map() });
    } else if (kind === "ran") {
      const [node, instructions] = values.map(Number) as [number, number];
      this.found.at(-1)?.ran.set(node, instructions);
    } else {
      const [id, parent, address] = values as [string, string, string];
      this.nodes[Number(id)] = { parent: Number(parent), address: Number.parseInt(address, 16) };
    }
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
