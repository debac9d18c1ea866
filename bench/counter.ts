/** Counts the instructions that a guest executes, with the tcg plugin of count.c. */
import { execFile } from "node:child_process";
import { closeSync, openSync, readSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { BUILD, ROOT } from "../tools/paths.ts";

export class InstructionCounter {
  private readonly file: number;

  private constructor(
    private readonly plugin: string,
    private readonly path: string,
  ) {
    writeFileSync(path, Buffer.alloc(4096));
    this.file = openSync(path, "r");
  }

  /** Compiles the plugin; the counter is for one guest. */
  static async create(name: string): Promise<InstructionCounter> {
    const folder = join(BUILD, "bench");
    await mkdir(folder, { recursive: true });
    const plugin = join(folder, "count.so");
    const source = join(ROOT, "bench", "count.c");
    const undefinedAllowed = ["-shared", "-fPIC", "-Wl,--unresolved-symbols=ignore-all"];
    await promisify(execFile)("gcc", ["-O2", "-Wall", "-Wextra", ...undefinedAllowed, "-o", plugin, source]);
    return new InstructionCounter(plugin, join(folder, `${name}.count`));
  }

  /** Arguments for QEMU. */
  get arguments(): string[] {
    return ["-plugin", `${this.plugin},out=${this.path}`];
  }

  /** Instructions executed so far. */
  read(): number {
    const bytes = Buffer.alloc(8);
    readSync(this.file, bytes, 0, 8, 0);
    return Number(bytes.readBigUInt64LE());
  }

  close(): void {
    closeSync(this.file);
  }
}
