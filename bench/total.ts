/** Instructions that a guest has executed so far, by the plugin of total.c. */
import { type FileHandle, mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import { BUILD } from "../tools/paths.ts";
import { buildPlugin } from "./bursts.ts";

export class InstructionCounter {
  private readonly words = Buffer.alloc(16);
  private constructor(
    private readonly file: FileHandle,
    /** Arguments for QEMU. */
    readonly qemuArguments: readonly string[],
  ) {}

  /** `from`: the address for `sinceFrom`. */
  static async create(name: string, from?: number): Promise<InstructionCounter> {
    const plugin = await buildPlugin("total");
    await mkdir(join(BUILD, "bench"), { recursive: true });
    const path = join(BUILD, "bench", `${name}.total`);
    return new InstructionCounter(await open(path, "w+"), [
      "-plugin",
      `${plugin},out=${path}${from === undefined ? "" : `,from=${from.toString(16)}`}`,
    ]);
  }

  /** 0 until the guest runs. */
  async read(): Promise<number> {
    await this.file.read(this.words, 0, 16, 0);
    return Number(this.words.readBigUInt64LE(0));
  }

  /** Since it last came to `from`. Rejects if it has not. */
  async sinceFrom(): Promise<number> {
    const all = await this.read();
    const before = Number(this.words.readBigUInt64LE(8));
    if (before === 0) throw new Error("the guest has not come to where counting begins");
    return all - before;
  }

  async close(): Promise<void> {
    await this.file.close();
  }
}
