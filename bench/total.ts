/** Instructions that a guest has executed so far, by the plugin of total.c. */
import { type FileHandle, mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import { BUILD } from "../tools/paths.ts";
import { buildPlugin } from "./bursts.ts";

export class InstructionCounter {
  private readonly word = Buffer.alloc(8);
  private constructor(
    private readonly file: FileHandle,
    /** Arguments for QEMU. */
    readonly qemuArguments: readonly string[],
  ) {}

  static async create(name: string): Promise<InstructionCounter> {
    const plugin = await buildPlugin("total");
    await mkdir(join(BUILD, "bench"), { recursive: true });
    const path = join(BUILD, "bench", `${name}.total`);
    return new InstructionCounter(await open(path, "w+"), ["-plugin", `${plugin},out=${path}`]);
  }

  /** 0 until the guest runs. */
  async read(): Promise<number> {
    const { bytesRead } = await this.file.read(this.word, 0, 8, 0);
    return bytesRead === 8 ? Number(this.word.readBigUInt64LE(0)) : 0;
  }

  async close(): Promise<void> {
    await this.file.close();
  }
}
