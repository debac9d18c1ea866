/** The longest sections of a guest in which interrupts were off, counted by the tcg plugin of sections.c, and the functions that they were spent in. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { BUILD } from "../tools/paths.ts";
import { buildPlugin } from "./bursts.ts";
import type { Figure } from "./rows.ts";
import { type CodeSymbol, functionsOf, nameAt, symbol, symbolsOf } from "./symbols.ts";

/** Functions of a section that are named. */
const NAMED = 3;
const STUB_SIZE = 16;
const VECTORS = 256;

export interface Section {
  instructions: number;
  /** What turned interrupts off: a call, or the vector of an interrupt. */
  begin: string;
  /** Where most of it was spent: `function instructions`, the most first. */
  functions: string[];
}

export class SectionCounter {
  private constructor(
    private readonly path: string,
    private readonly functions: readonly CodeSymbol[],
    /** Address of the interrupts' stubs. */
    private readonly stubs: number,
    /** Arguments for QEMU. */
    readonly qemuArguments: readonly string[],
  ) {}

  /** `elf`: the image with symbols. */
  static async create(name: string, elf: string): Promise<SectionCounter> {
    const plugin = await buildPlugin("sections");
    const symbols = await symbolsOf(elf);
    const path = join(BUILD, "bench", `${name}.sections`);
    await writeFile(path, "");
    const address = (end: string): string => symbol(symbols, end).toString(16);
    const list = [
      plugin,
      `out=${path}`,
      `from=${address("vector_stubs")}`,
      `after=${address("thread_start")}`,
    ];
    const functions = await functionsOf(elf);
    return new SectionCounter(path, functions, symbol(symbols, "vector_stubs"), ["-plugin", list.join(",")]);
  }

  /** The longest one so far of each beginning, the longest first. */
  async sections(): Promise<Section[]> {
    const found = new Map<string, Section>();
    // What is behind the last `end` is not complete.
    for (const text of (await readFile(this.path, "latin1")).split("end\n").slice(0, -1)) {
      const [head = "", ...blocks] = text.trimEnd().split("\n");
      const [, at = "", total = ""] = head.split(" ");
      const address = Number.parseInt(at, 16);
      const vector = (address - this.stubs) / STUB_SIZE;
      const begin =
        vector >= 0 && vector < VECTORS
          ? `interrupt 0x${vector.toString(16)}`
          : nameAt(this.functions, address);
      const sums = new Map<string, number>();
      for (const block of blocks) {
        const [, where = "", count = ""] = block.split(" ");
        const where_ = nameAt(this.functions, Number.parseInt(where, 16));
        sums.set(where_, (sums.get(where_) ?? 0) + Number(count));
      }
      const functions = [...sums].sort(([, a], [, b]) => b - a).slice(0, NAMED);
      const instructions = Number(total);
      if ((found.get(begin)?.instructions ?? 0) < instructions)
        found.set(begin, { instructions, begin, functions: functions.map(([f, n]) => `${f} ${n}`) });
    }
    return [...found.values()].sort((a, b) => b.instructions - a.instructions);
  }
}

/** Sections that have a row. */
const SHOWN = 5;

/** The longest ones as rows, `name`.1 and so on. */
export function sectionFigures(name: string, sections: readonly Section[]): Figure[] {
  return sections.slice(0, SHOWN).map(({ instructions, begin, functions }, i) => ({
    name: `${name}.${i + 1}`,
    aemos: instructions,
    note: `begun by ${begin}; most of it in ${functions.join(", ")}`,
  }));
}
