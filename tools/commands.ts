/** The command lines of the pipeline's tools, with the options that are the same wherever a tool is used. */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { ROOT } from "./paths.ts";
import type { Command, Step } from "./steps.ts";
import { npmTool, requireTool, toolVersion } from "./toolchain.ts";

const execute = promisify(execFile);

/** What wasm2c 1.0.39 translates and aemos runs; a module that uses more is refused by wasm-opt. */
const WASM_FEATURES = [
  "--mvp-features",
  "--enable-mutable-globals",
  "--enable-sign-ext",
  "--enable-nontrapping-float-to-int",
  "--enable-bulk-memory",
  "--enable-bulk-memory-opt",
  "--enable-multivalue",
  "--enable-reference-types",
];

/**
 * For all C: freestanding, with headers of gcc and boot/include only, so that the host's libc plays no part. Functions and jumps are not aligned, which is 18 KB of the default image; loops are, but for the
 * kernel's.
 *
 * No dead stores are sought behind RTL: gcc 12 takes two constant addresses for two objects there, and leaves out a store of which a load at another address has a part
 * (spec/tools/memory.test.ts).
 */
const C_OPTIONS = [
  "-std=gnu17",
  "-O2",
  "-falign-functions=1",
  "-falign-jumps=1",
  "-falign-labels=1",
  "-ffreestanding",
  "-nostdinc",
  "-mno-red-zone",
  "-mcmodel=small",
  "-fno-pic",
  "-fno-pie",
  "-fno-strict-aliasing",
  "-fno-dse",
  "-fno-delete-null-pointer-checks",
  "-fno-stack-protector",
  "-fno-asynchronous-unwind-tables",
  "-fcf-protection=none",
  "-ffunction-sections",
  "-fdata-sections",
  "-Wall",
];
/** Of generated C, gcc has only things to say that nobody can mend there. */
const GENERATED_OPTIONS = ["-w"];

/**
 * The kernel and boot/: no floating point, no vectors. Nor is anything computed early because it may be wanted later, or again in the next round of a loop: a path of the kernel's
 * takes few of its branches, and most of its loops end in the first round. That is 1 to 3 % of the instructions of most paths that bench/ceilings.json has.
 *
 * Small functions are inlined somewhat more readily than by default, since asc has inlined none (asconfig.json): with these two figures the paths cost what they did when it had, and the
 * image is 23 KB smaller. Strings are boot/memory.S's to copy and clear: in cold functions gcc would do it byte by byte, which made the boot a million instructions longer.
 */
export const KERNEL_OPTIONS = [
  "-mgeneral-regs-only",
  "-fno-code-hoisting",
  "-fno-move-loop-invariants",
  "-fno-tree-loop-im",
  "-fno-tree-pre",
  "-falign-loops=1",
  "-mstringop-strategy=libcall",
  "--param=early-inlining-insns=18",
  "--param=inline-min-speedup=10",
];
/**
 * Applications: wasm's float rules, and no frame that skips the guard page. Code is not hoisted, as in the kernel: 6 % of sort in bench/apps/quality and 2 % of GET /stats. Registers
 * that are left over are used: 3 % of sha256.
 */
export const APPLICATION_OPTIONS = [
  "-fno-code-hoisting",
  "-frename-registers",
  "-frounding-math",
  "-fsignaling-nans",
  "-fstack-clash-protection",
];

/** asc with a target of asconfig.json; `discover` reads what it looked at. */
export async function ascStep(
  unit: string,
  entries: readonly string[],
  output: string,
  options: readonly string[],
): Promise<Step> {
  const { version } = await npmTool("asc");
  const dependencies = `${output}.deps`;
  const list = [...entries, "--outFile", output, ...options];
  return {
    unit,
    command: { tool: "asc", program: [dependencies], warm: true, version, arguments: list },
    inputs: [join(ROOT, "asconfig.json"), ...entries.map((entry) => resolve(ROOT, entry))],
    outputs: [output],
    discover: async () => readLooked(await readFile(dependencies, "utf8")),
  };
}

/** The lines that compiler-thread.ts wrote, in the checkout: hash and path. */
function readLooked(text: string): Map<string, string> {
  return new Map(
    [...text.matchAll(/^(\S+) (.+)$/gm)].map(([, value = "", path = ""]) => [resolve(ROOT, path), value]),
  );
}

/** What has one caller is inlined by gcc, which knows what that costs; by wasm-opt when it is as small as this only. */
const ONE_CALLER = "--one-caller-inline-max-function-size=40";

export async function wasmOptStep(unit: string, input: string, output: string): Promise<Step> {
  const { path, version } = await npmTool("wasm-opt");
  const list = [input, "-o", output, "-O3", ONE_CALLER, "-g", ...WASM_FEATURES];
  return {
    unit,
    command: { tool: "wasm-opt", program: [path], warm: true, version, arguments: list },
    inputs: [input],
    outputs: [output],
  };
}

/** wasm2c: writes `output` and the header beside it. `module`: its name in the symbols. */
export async function wasm2cStep(unit: string, input: string, module: string, output: string): Promise<Step> {
  const { path, version } = await npmTool("wasm2c");
  const list = [input, "-n", module, "-o", output];
  return {
    unit,
    command: { tool: "wasm2c", program: [path], warm: true, version, arguments: list },
    inputs: [input],
    outputs: [output, output.replace(/\.c$/, ".h")],
  };
}

let gccInclude: Promise<string> | undefined;

export interface Compilation {
  unit: string;
  source: string;
  output: string;
  /** Folders for #include, after boot/. */
  folders: readonly string[];
  options: readonly string[];
  generated?: boolean;
}

/** gcc -c. The headers that it read are found from its dependency file. */
export async function gccStep({
  unit,
  source,
  output,
  folders,
  options,
  generated,
}: Compilation): Promise<Step> {
  const gcc = await requireTool("gcc");
  gccInclude ??= execute(gcc, ["-print-file-name=include"]).then(({ stdout }) => stdout.trim());
  const boot = join(ROOT, "boot");
  const includes = ["-I", boot, ...folders.flatMap((folder) => ["-I", folder])];
  includes.push("-isystem", await gccInclude, "-isystem", join(boot, "include"));
  const dependencies = output.replace(/\.o$/, ".d");
  const warnings = generated ? GENERATED_OPTIONS : [];
  const list = [
    ...C_OPTIONS,
    ...warnings,
    ...options,
    ...includes,
    "-MD",
    "-MF",
    dependencies,
    "-c",
    source,
    "-o",
    output,
  ];
  return {
    unit,
    command: { tool: "gcc", program: [gcc], version: await toolVersion(gcc), arguments: list },
    inputs: [source],
    outputs: [output],
    discover: async () => readDependencies(await readFile(dependencies, "utf8")),
  };
}

/** Prerequisites in a make rule as gcc and clang write it. */
export function readDependencies(rule: string): Map<string, undefined> {
  const list = rule.replaceAll("\\\n", " ").replace(/^.*?:\s/, "");
  const paths = list.match(/(?:\\.|[^\s\\])+/g) ?? [];
  return new Map(paths.map((path) => [path.replace(/\\(.)/g, "$1").replaceAll("$$", "$"), undefined]));
}

export async function binutil(tool: "ld" | "objcopy" | "nm", list: readonly string[]): Promise<Command> {
  const path = await requireTool(tool);
  return { tool, program: [path], version: await toolVersion(path), arguments: list };
}
