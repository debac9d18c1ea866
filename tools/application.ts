/**
 * An application's half of the pipeline: source or module -> checked wasm -> C -> object. It depends on the kernel only
 * through the list of system calls.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { dirname, extname, join, relative } from "node:path";
import { clangStep, wasmLdStep } from "./clang.ts";
import { APPLICATION_OPTIONS, ascStep, binutil, gccStep, wasm2cStep, wasmOptStep } from "./commands.ts";
import { UserError, messageOf } from "./errors.ts";

import { withJoinedData } from "./instance.ts";
import type { SystemCalls } from "./kernel.ts";
import type { ApplicationEntry } from "./manifest.ts";
import { ROOT, shown } from "./paths.ts";
import { boundElsewhere } from "./policy.ts";
import type { Steps } from "./steps.ts";
import { type Declaration, declarations, translate } from "./translate.ts";
import { type Limits, type Module, readModule, sameType, showType } from "./wasm.ts";

/** Name of the module that applications import. */
const CALLS_MODULE = "aemos";
const PAGE_KIB = 64;
/** Most entries that a table may grow to. */
const TABLE_LIMIT = 65536;

export interface Application {
  entry: ApplicationEntry;
  object: string;
  /** Symbols of the system calls that it imports. */
  imports: readonly string[];
  /** Folder of its header, and the header's name. */
  folder: string;
  header: string;
  /** Names of wasm2c's: the type of the instance, and the functions to make and start it. */
  instanceType: string;
  instantiate: string;
  /** Whether `instantiate` takes the instance of the imports. */
  hasImports: boolean;
  main: string;
  /** Prefix of its functions' symbols. */
  symbolPrefix: string;
  memoryPages: number;
  memoryMaximumPages: number;
  tableEntries: number;
  tableMaximum: number;
  /** Workers that it has, and the global that is its shadow stack's pointer. */
  threads: number;
  stackPointer?: string;
}

const unitOf = (entry: ApplicationEntry): string => `application ${entry.name}`;

/** Folder of one application's intermediate files: the same in every image that names the same module the same way. */
function folderOf(applications: string, entry: ApplicationEntry): string {
  const digest = createHash("sha256").update(entry.module).digest("hex");
  return join(applications, `${entry.name}-${digest.slice(0, 8)}`);
}

/** Compiles the application's source, or takes the module as it is. Path of the wasm. */
export async function compileApplication(
  steps: Steps,
  applications: string,
  entry: ApplicationEntry,
): Promise<string> {
  if (extname(entry.module) === ".wasm") return entry.module;
  const output = join(folderOf(applications, entry), "compiled.wasm");
  if (extname(entry.module) === ".c") {
    await compileC(steps, entry, output);
    return output;
  }
  // The compiler names what it compiles by the path below the checkout, so sources elsewhere start with ../
  const entries = [relative(ROOT, entry.module), "sdk/abort.ts"];
  const options = ["--config", "asconfig.json", "--target", "application", "--runtime", entry.runtime];
  await steps.run(await ascStep(unitOf(entry), entries, output, options));
  return output;
}

/** The two steps of a C application; what the linker says names objects, so the source is put ahead of it. */
async function compileC(steps: Steps, entry: ApplicationEntry, output: string): Promise<void> {
  const unit = unitOf(entry);
  const object = join(dirname(output), "compiled.o");
  const stackBytes = entry.stackKiB * 1024;
  await steps.run(await clangStep(unit, entry.module, object, stackBytes));
  try {
    await steps.run(await wasmLdStep(unit, object, output, stackBytes));
  } catch (error) {
    throw new UserError(`${shown(entry.module)}: ${messageOf(error)}`);
  }
}

/** What is wrong with an application's module, one message each; nothing when it can run. */
export function checkApplication(module: Module, calls: SystemCalls): string[] {
  const problems: string[] = [];
  for (const { module: from, name, entity } of module.imports) {
    const wanted = `${from}.${name}`;
    if (from !== CALLS_MODULE) {
      problems.push(`imports ${wanted}; an application imports from "${CALLS_MODULE}" and nothing else`);
      continue;
    }
    const offered = calls.get(name);
    if (entity.kind !== "function")
      problems.push(`imports ${wanted} as a ${entity.kind}; aemos offers functions only`);
    else if (offered === undefined)
      problems.push(`imports ${wanted}${showType(entity.type)}; there is no such system call`);
    else if (!sameType(offered, entity.type)) {
      problems.push(`imports ${wanted} as ${showType(entity.type)}; the system call is ${showType(offered)}`);
    }
  }
  if (module.exports.get("memory")?.kind !== "memory")
    problems.push(`does not export its memory as "memory"`);
  const main = module.exports.get("main");
  if (main?.kind !== "function") problems.push(`does not export a function "main"`);
  else if (showType(main.type) !== "() -> i32") {
    problems.push(
      `exports main as ${showType(main.type)}; it has to be () -> i32, whose result is the exit status`,
    );
  }
  if (module.memories.length > 1) problems.push(`has ${module.memories.length} memories; one is supported`);
  if (module.tables.length > 1) problems.push(`has ${module.tables.length} tables; one is supported`);
  for (const limits of [...module.memories, ...module.tables]) {
    if (limits.shared) problems.push("has a shared memory; threads are not supported");
    if (limits.wide) problems.push("has 64-bit addresses (memory64); 32-bit ones are supported");
  }
  return problems;
}

/** Checks the module against the system calls and the manifest, translates it and compiles the result. */
export async function translateApplication(
  steps: Steps,
  applications: string,
  entry: ApplicationEntry,
  wasm: string,
  calls: SystemCalls,
): Promise<Application> {
  const unit = unitOf(entry);
  const folder = folderOf(applications, entry);
  const file = shown(entry.module);
  const bytes = await readFile(wasm);
  const module = readModule(file, bytes);
  const problems = checkApplication(module, calls);
  if (extname(entry.module) === ".c" && !module.exports.has("main"))
    problems.push('a C application includes "aemos.h", which exports main, and defines int main(void)');
  const memory = module.memories[0];
  const pages = (entry.memoryMiB * 1024) / PAGE_KIB;
  if (memory !== undefined && memory.minimum > pages) {
    problems.push(
      `starts with ${(memory.minimum * PAGE_KIB) / 1024} MiB of memory; the manifest allows application "${entry.name}" ` +
        `memoryMiB: ${entry.memoryMiB}`,
    );
  }
  if (problems.length > 0 || memory === undefined)
    throw new UserError(problems.map((text) => `${file}: ${text}`).join("\n"));

  // Last, because it would be all that is said of a module with, say, two memories.
  if (!WebAssembly.validate(bytes)) throw new UserError(`${file}: not a valid WebAssembly module`);

  const optimized = join(folder, "application.wasm");
  try {
    await steps.run(await wasmOptStep(unit, wasm, optimized));
  } catch (error) {
    // It refuses what wasm2c cannot translate: vectors, threads, exceptions.
    throw new UserError(`${file}: ${messageOf(error)}`);
  }
  const raw = join(folder, "wasm2c", "application.c");
  await steps.run(await wasm2cStep(unit, optimized, `app_${entry.name}`, raw));
  const source = await readFile(raw, "utf8");
  const header = await readFile(join(folder, "wasm2c", "application.h"), "utf8");
  await steps.generate(join(folder, "application.c"), withJoinedData(translate(file, source, "application")));
  await steps.generate(join(folder, "application.h"), header);
  const object = join(folder, "application.o");
  const options = [...APPLICATION_OPTIONS, "-include", join(ROOT, "boot", "app.h")];
  const compilation = {
    unit,
    source: join(folder, "application.c"),
    output: object,
    folders: [folder],
    options,
  };
  await steps.run(await gccStep({ ...compilation, generated: true }));

  const grows = source.includes(" wasm_rt_grow_funcref_table(");
  return {
    entry,
    object,
    folder,
    header: join(folder, "application.h"),
    ...symbolsOf(header),
    memoryPages: memory.minimum,
    memoryMaximumPages: Math.min(memory.maximum ?? pages, pages),
    ...tableSize(module.tables[0], grows),
    ...threadsOf(file, entry, module, bytes),
  };
}

const DEFAULT_THREADS = 4;
/** C's stack of what has an address, in linear memory; each thread has one of its own. */
const STACK_POINTER = "__stack_pointer";
/** Room for the shadow stacks of threads, in KiB: SHADOW_BASE to SHADOW_END of boot/layout.h. */
const SHADOW_KIB = 112 * 1024;

/**
 * How many workers the module can have: handlers on several stacks in one memory need to have its shadow stack switched, if it has one.
 * AssemblyScript's incremental collector keeps one that it looks for references on.
 */
function threadsOf(
  file: string,
  entry: ApplicationEntry,
  module: Module,
  bytes: Uint8Array<ArrayBuffer>,
): Pick<Application, "threads" | "stackPointer"> {
  const pointer = module.exports.get(STACK_POINTER);
  if (pointer?.kind === "global") {
    const threads = entry.threads ?? DEFAULT_THREADS;
    // The guard below each is larger than any frame, which tools/clang.ts keeps below the main stack's size.
    const each = entry.threadStackKiB + entry.stackKiB;
    if (threads * each > SHADOW_KIB) {
      throw new UserError(
        `${file}: ${threads} threads with a shadow stack (threadStackKiB) and a guard (stackKiB) of ${each} KiB together need ` +
          `${threads * each} KiB of addresses; there are ${SHADOW_KIB}`,
      );
    }
    return { threads, stackPointer: STACK_POINTER };
  }
  const [names] = WebAssembly.Module.customSections(new WebAssembly.Module(bytes), "name");
  const known = names !== undefined && !Buffer.from(names).includes("~lib/rt/itcms/");
  if (names !== undefined && !known && (entry.threads ?? 0) > 0) {
    throw new UserError(
      `${file}: has AssemblyScript's incremental collector, so it can have no threads ("runtime": "minimal" or "stub" can)`,
    );
  }
  return { threads: entry.threads ?? (known ? DEFAULT_THREADS : 0) };
}

function tableSize(
  table: Limits | undefined,
  grows: boolean,
): { tableEntries: number; tableMaximum: number } {
  if (table === undefined) return { tableEntries: 0, tableMaximum: 0 };
  const most = Math.max(table.minimum, Math.min(table.maximum ?? TABLE_LIMIT, TABLE_LIMIT));
  return { tableEntries: table.minimum, tableMaximum: grows ? most : table.minimum };
}

/**
 * The object that is linked: the application's own, or, where its policy restricts calls that it makes, a copy in `folder` whose
 * imports are bound to other stubs. So another policy compiles nothing anew.
 */
export async function bindCalls(
  steps: Steps,
  folder: string,
  { entry, object, imports }: Application,
): Promise<string> {
  const renamed = boundElsewhere(entry.policy, imports);
  if (renamed.length === 0) return object;
  const output = join(folder, `application_${entry.name}.o`);
  const list = renamed.flatMap(([from, to]) => ["--redefine-sym", `${from}=${to}`]);
  const command = await binutil("objcopy", [...list, object, output]);
  await steps.run({ unit: unitOf(entry), command, inputs: [object], outputs: [output] });
  return output;
}

type Symbols = Pick<
  Application,
  "instanceType" | "instantiate" | "hasImports" | "imports" | "main" | "symbolPrefix"
>;

/** The C names in the header that wasm2c wrote. */
function symbolsOf(header: string): Symbols {
  const prototype = header.match(/^void (wasm2c_\w+_instantiate)\((\w+)\*(, struct \w+\*)?\);$/m);
  const declared = declarations(header);
  const main = declared.exports.find(({ name }: Declaration) => name === "main");
  if (prototype === null || main === undefined)
    throw new Error("wasm2c's header has no instantiate or no main");
  const [, instantiate = "", instanceType = "", imports] = prototype;
  return {
    instantiate,
    instanceType,
    hasImports: imports !== undefined,
    imports: declared.imports.map(({ symbol }) => symbol),
    main: main.symbol,
    symbolPrefix: `${instanceType}_`,
  };
}
