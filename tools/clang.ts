/**
 * C applications: clang for wasm32, and wasm-ld. What an author meets of this is in docs/c-applications.md.
 *
 * The module has the shadow stack below its data (--stack-first): one that overflows runs past address 0 to the top of the
 * address space, where nothing is mapped, instead of into the data.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { readDependencies } from "./commands.ts";
import { ROOT } from "./paths.ts";
import type { Step } from "./steps.ts";
import { requireTool, toolVersion } from "./toolchain.ts";

/** Instructions beyond the first wasm, out of those that wasm-opt lets through (commands.ts). */
const FEATURES = ["-mbulk-memory", "-msign-ext", "-mnontrapping-fptoint", "-mmutable-globals"];

/** Freestanding, with clang's own headers and the sdk's: the host's libc plays no part. */
const C_OPTIONS = [
  "--target=wasm32-unknown-unknown",
  ...FEATURES,
  "-std=gnu17",
  "-O2",
  "-ffreestanding",
  "-nostdlib",
  "-nostdlibinc",
  "-fno-strict-aliasing",
  "-ffunction-sections",
  "-fdata-sections",
  "-fno-color-diagnostics",
  "-Wall",
];

/** What C lets pass with a warning, and what traps or is refused later. */
const ERRORS = [
  "implicit-function-declaration",
  "incompatible-pointer-types",
  "int-conversion",
  "return-type",
  "frame-larger-than",
].map((name) => `-Werror=${name}`);

/** clang -c. `stackBytes`: no function may have a larger frame. */
export async function clangStep(
  unit: string,
  source: string,
  output: string,
  stackBytes: number,
): Promise<Step> {
  const clang = await requireTool("clang");
  const dependencies = output.replace(/\.o$/, ".d");
  const list = [...C_OPTIONS, ...ERRORS, `-Wframe-larger-than=${stackBytes}`, "-I", join(ROOT, "sdk")];
  list.push("-MD", "-MF", dependencies, "-c", source, "-o", output);
  return {
    unit,
    command: { tool: "clang", program: [clang], version: await toolVersion(clang), arguments: list },
    inputs: [source],
    outputs: [output],
    discover: async () => readDependencies(await readFile(dependencies, "utf8")),
  };
}

/**
 * wasm-ld: the module exports `memory`, what the source exports (aemos.h: `main`), and what the kernel needs to make another
 * stack for a thread: `__stack_pointer` and `__indirect_function_table`.
 */
export async function wasmLdStep(
  unit: string,
  object: string,
  output: string,
  stackBytes: number,
): Promise<Step> {
  const linker = await requireTool("wasm-ld");
  const list = ["--no-entry", "--stack-first", "-z", `stack-size=${stackBytes}`, "--fatal-warnings"];
  list.push("--export-table", "--export=__stack_pointer", object, "-o", output);
  return {
    unit,
    command: { tool: "wasm-ld", program: [linker], version: await toolVersion(linker), arguments: list },
    inputs: [object],
    outputs: [output],
  };
}
