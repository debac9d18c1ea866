/** boot/unpack.c as a program of the host: what the guest makes of a block. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "../../tools/paths.ts";

/** From the standard input a block's length, that of its data, and the block, again and again: their data; it aborts where an octet behind them was written. */
const PROGRAM = `
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "unpack.h"

#define BEHIND 64

int main(void) {
  uint32_t lengths[2];
  while (fread(lengths, sizeof lengths, 1, stdin) == 1) {
    uint8_t* block = malloc(lengths[0]);
    uint8_t* data = malloc(lengths[1] + BEHIND);
    if (fread(block, 1, lengths[0], stdin) != lengths[0]) abort();
    memset(data, 0xa5, lengths[1] + BEHIND);
    aemos_unpack(data, block, block + lengths[0]);
    for (int i = 0; i < BEHIND; i++)
      if (data[lengths[1] + i] != 0xa5) abort();
    fwrite(data, 1, lengths[1], stdout);
  }
}
`;

/** The data of blocks, of which the lengths are known, one behind the other. */
export function unpacked(blocks: readonly { block: Buffer; length: number }[]): Buffer {
  const folder = mkdtempSync(join(tmpdir(), "aemos-unpack-"));
  try {
    const source = join(folder, "main.c");
    const program = join(folder, "unpack");
    writeFileSync(source, PROGRAM);
    const boot = join(ROOT, "boot");
    execFileSync("gcc", ["-O2", "-I", boot, source, join(boot, "unpack.c"), "-o", program]);
    const input = blocks.flatMap(({ block, length }) => [
      Buffer.from(Uint32Array.of(block.length, length).buffer),
      block,
    ]);
    return execFileSync(program, { input: Buffer.concat(input), maxBuffer: 1 << 28 });
  } finally {
    rmSync(folder, { recursive: true });
  }
}
