/**
 * The kernel's half of the pipeline: kernel/main.ts -> kernel.wasm -> kernel.c -> objects, and the objects of boot/.
 * What leaves it is the same for every image.
 */
import { readFile, readdir } from "node:fs/promises";
import { basename, extname, join } from "node:path";
import { withColdFunctions } from "./cold.ts";
import { KERNEL_OPTIONS, ascStep, gccStep, wasm2cStep, wasmOptStep } from "./commands.ts";
import { UserError } from "./errors.ts";
import { syscallsSource } from "./generate.ts";
import { withKernelInstance } from "./instance.ts";
import { ROOT } from "./paths.ts";
import type { Steps } from "./steps.ts";
import { declarations, demangle, translate } from "./translate.ts";
import { type FunctionType, type Module, readModule } from "./wasm.ts";

const UNIT = "kernel";
/** Prefix of the exports of the kernel that are system calls. */
const CALL_PREFIX = "sys_";
/** Parameters of a call that fit the registers of System V and one word of stack (boot/syscall.h). */
const MAXIMUM_PARAMETERS = 6;

/** A page of linear memory as wasm counts it, in bytes. */
export const WASM_PAGE = 65536;

export interface Kernel {
  objects: string[];
  /** Folder of kernel.h. */
  folder: string;
}

/** The system calls by the names under which an application imports them. */
export type SystemCalls = ReadonlyMap<string, FunctionType>;

export interface KernelModule {
  wasm: string;
  calls: SystemCalls;
}

/** Compiles the kernel to wasm and reads the system calls off its exports. */
export async function compileKernel(
  steps: Steps,
  folder: string,
  entry = "kernel/main.ts",
): Promise<KernelModule> {
  const compiled = join(folder, "compiled.wasm");
  const wasm = join(folder, "kernel.wasm");
  const options = ["--config", "asconfig.json", "--target", "kernel"];
  await steps.run(await ascStep(UNIT, [entry], compiled, options));
  await steps.run(await wasmOptStep(UNIT, compiled, wasm));
  return { wasm, calls: systemCalls(readModule("kernel.wasm", await readFile(wasm))) };
}

/** The exports `sys_<name>`, checked: a kernel imports the hal and nothing else. */
export function systemCalls(module: Module): SystemCalls {
  for (const { module: from, name } of module.imports) {
    if (from !== "hal")
      throw new UserError(`kernel.wasm imports ${from}.${name}; the kernel imports the hal and nothing else`);
  }
  const calls = new Map<string, FunctionType>();
  for (const [name, entity] of module.exports) {
    if (!name.startsWith(CALL_PREFIX) || entity.kind !== "function") continue;
    const { parameters } = entity.type;
    if (
      parameters.length > MAXIMUM_PARAMETERS ||
      parameters.some((type) => type !== "i32" && type !== "i64")
    ) {
      throw new UserError(
        `kernel.wasm: ${name}(${parameters.join(", ")}): a system call has up to 6 parameters, i32 or i64`,
      );
    }
    calls.set(name.slice(CALL_PREFIX.length), entity.type);
  }
  return calls;
}

/** Translates the kernel's wasm and compiles all C and assembly that does not depend on the applications. */
export async function translateKernel(
  steps: Steps,
  folder: string,
  { wasm, calls }: KernelModule,
): Promise<Kernel> {
  const raw = join(folder, "wasm2c", "kernel.c");
  await steps.run(await wasm2cStep(UNIT, wasm, "kernel", raw));
  const source = await readFile(raw, "utf8");
  const header = await readFile(join(folder, "wasm2c", "kernel.h"), "utf8");
  checkKernelSource(source);
  await steps.generate(
    join(folder, "kernel.c"),
    withColdFunctions(withKernelInstance(translate("kernel.c", source, "kernel"))),
  );
  await steps.generate(join(folder, "kernel.h"), header);
  const exports = new Map(declarations(header).exports.map((entry) => [entry.name, entry]));
  const glue = [...calls.keys()].map((name) => {
    const entry = exports.get(CALL_PREFIX + name);
    if (entry === undefined) throw new Error(`kernel.h does not declare ${CALL_PREFIX}${name}`);
    return entry;
  });
  await steps.generate(join(folder, "syscalls.c"), syscallsSource(glue));

  const boot = join(ROOT, "boot");
  const hal = ["-include", join(boot, "hal.h")];
  const sources = (await readdir(boot)).filter((name) => /\.[cS]$/.test(name)).sort();
  const units = [
    { source: join(folder, "kernel.c"), options: hal, generated: true },
    { source: join(folder, "syscalls.c"), options: hal, generated: true },
    ...sources.map((name) => ({
      source: join(boot, name),
      options: extname(name) === ".c" ? hal : [],
      generated: false,
    })),
  ];
  const objects = units.map(async ({ source, options, generated }) => {
    const output = join(folder, `${basename(source)}.o`);
    const all = [...KERNEL_OPTIONS, ...options];
    await steps.run(
      await gccStep({ unit: UNIT, source, output, folders: [folder], options: all, generated }),
    );
    return output;
  });
  return { objects: await Promise.all(objects), folder };
}

/** Names of functions in the C of wasm2c. */
const KERNEL_PREFIX: ReadonlyMap<string, string> = new Map([["w2c_kernel_", ""]]);
const DEFINITION = /^(?:static )?\w+ (w2c_kernel_\w+)\([^;]*\) \{$/;

/**
 * No managed object in the kernel: the stub allocator (~lib/rt/stub) and memory.grow would take memory that the kernel has
 * given away. The message names the functions, so that the `new` or the string concatenation is found.
 */
export function checkKernelSource(source: string): void {
  const grows = new Set<string>();
  const allocates = new Set<string>();
  let current = "";
  for (const line of source.split("\n")) {
    const definition = line.match(DEFINITION)?.[1];
    if (definition !== undefined) current = demangle(definition, KERNEL_PREFIX);
    else if (line.includes("wasm_rt_grow_memory(")) grows.add(current);
    else if (
      line.startsWith(" ") &&
      /w2c_kernel_0x7Elib0x2Frt0x2F(?:stub|tlsf|itcms|tcms)0x2F|w2c_0x7Elib0x2Frt0x2F/.test(line)
    )
      allocates.add(current);
  }
  if (allocates.size > 0) {
    throw new UserError(
      `the kernel allocates managed objects in ${[...allocates].join(", ")}: use a Pool (kernel/memory/pool.ts)`,
    );
  }
  if (grows.size > 0) {
    throw new UserError(
      `the kernel grows its memory in ${[...grows].join(", ")}: its linear memory is physical memory`,
    );
  }
}
