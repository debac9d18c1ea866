/**
 * The specs: compiles the files named, all of spec/**\/*.spec.ts when none is, to one module with the kernel code that they test,
 * and runs each of them in an instance of its own, over spec/hal.js in the place of boot/hal.h.
 *
 *     npx tsx tools/specs.ts                                            all of them, a line each
 *     npx tsx tools/specs.ts --verbose spec/kernel/vmtable.spec.ts      each test named
 *
 * One module, since most of what a spec file needs is what the others need too. One instance each, so that no file finds the
 * kernel's globals as another has left them.
 */
import { readFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { SummaryReporter, TestContext, VerboseReporter } from "@as-pect/core";
import { instantiate } from "@assemblyscript/loader";
import { main as asc } from "assemblyscript/asc";
import { createMachine } from "../spec/hal.js";
import { UserError, hasCode, messageOf } from "./errors.ts";
import { ROOT, findTests, isProgram } from "./paths.ts";

/** Source of the module's entry; it has no file. */
const ENTRY = "spec/all.ts";

/** Imports the files one by one and says, before what stands at the top level of each runs, which one it is. */
function entrySource(files: readonly string[]): string {
  const lines = files.map((file, index) => {
    const path = relative("spec", file).replace(/\.ts$/, "");
    return `begin(${index}); import "./${path}";`;
  });
  return ['@external("spec", "begin") declare function begin(file: i32): void;', ...lines].join("\n");
}

/** A call at the top level, as prettier leaves it: in the first column. */
const TOP_LEVEL_CALL = /^(?!describe\(|(?:before|after)(?:All|Each)\()[\w.]+\(/m;

/** What stands at the top level runs in the instances of the other files too, so there it must do nothing. */
export function checkTopLevel(file: string, text: string): void {
  const call = text.match(TOP_LEVEL_CALL);
  if (call?.index === undefined) return;
  const line = text.slice(0, call.index).split("\n").length;
  throw new UserError(`${file}:${line}: a call at the top level; it belongs into beforeAll()`);
}

/** The module of the files. */
async function compile(files: readonly string[]): Promise<Uint8Array> {
  const specs = new Set(files);
  const readFile = (name: string, folder: string): string | null => {
    if (name === ENTRY) return entrySource(files);
    try {
      const text = readFileSync(join(folder, name), "utf8");
      if (specs.has(name)) checkTopLevel(name, text);
      return text;
    } catch (error) {
      if (hasCode(error, "ENOENT") || hasCode(error, "ENOTDIR")) return null;
      throw error;
    }
  };
  let binary: Uint8Array | undefined;
  const writeFile = (_name: string, contents: string | Uint8Array): void => {
    if (typeof contents !== "string") binary = contents;
  };
  const options = ["--config", "as-pect.asconfig.json", "--baseDir", ROOT];
  const { stdout, stderr } = process;
  const { error } = await asc([ENTRY, ...options], { readFile, writeFile, stdout, stderr });
  if (error !== null) throw new UserError(error.message);
  if (binary === undefined) throw new Error("asc wrote no module");
  return binary;
}

/** What a spec file declares of itself while its top level runs. */
const DECLARATIONS = [
  "reportGroupTypeNode",
  "reportTestTypeNode",
  "reportNegatedTestNode",
  "reportTodo",
  "beforeAll",
  "beforeEach",
  "afterAll",
  "afterEach",
];

type AspectImports = Record<string, (...parameters: number[]) => void>;

/** Runs the tests of one file. They are in `context` afterwards. */
async function run(module: WebAssembly.Module, index: number, context: TestContext): Promise<void> {
  let instance: { exports: WebAssembly.Exports } | undefined;
  const machine = createMachine(() => {
    if (instance === undefined) throw new Error("the start function uses the machine");
    return instance.exports;
  });
  // At the top level of each file in turn; in none when the tests run.
  let current: number | undefined;
  const begin = (file: number): void => {
    current = file;
  };
  const imports = context.createImports(machine, { spec: { begin } });
  const aspect = imports.__aspect as AspectImports;
  for (const name of DECLARATIONS) {
    const declare = aspect[name];
    if (declare === undefined) throw new Error(`as-pect has no ${name}`);
    aspect[name] = (...parameters) => {
      if (current === undefined || current === index) declare(...parameters);
    };
  }
  // No reporter shows where a value was compared, and a stack trace for each takes longer than the comparison.
  aspect.attachStackTraceToReflectedValue = () => undefined;
  const clearExpected = aspect.clearExpected;
  aspect.clearExpected = () => {
    clearExpected?.();
    // The comparison is over: as-pect would keep its values until the file ends.
    context["reflectedValueCache"].length = 0;
  };
  instance = await instantiate(module, imports);
  const start = instance.exports._start as () => void;
  const _start = (): void => {
    start();
    current = undefined;
  };
  context.run({ ...instance, exports: { ...instance.exports, _start } } as never);
}

async function main(list: readonly string[]): Promise<void> {
  const verbose = list.includes("--verbose");
  const named = list.filter((argument) => argument !== "--verbose");
  const paths = named.map((name) => relative(ROOT, resolve(name)));
  const files = paths.length > 0 ? [...new Set(paths)] : findTests(".spec.ts");
  const binary = await compile(files);
  const module = new WebAssembly.Module(binary as Uint8Array<ArrayBuffer>);
  const reporter = verbose ? new VerboseReporter() : new SummaryReporter();
  reporter.stdout = process.stdout;
  reporter.stderr = process.stderr;
  // Read once: to do so as-pect compiles the module.
  const names = new TestContext({ reporter, binary })["nameSection"];
  let [passed, tests, good] = [0, 0, true];
  for (const [index, fileName] of files.entries()) {
    const context = new TestContext({ reporter, fileName });
    context["nameSection"] = names;
    await run(module, index, context);
    const { message, stackTrace } = context.rootNode;
    // Of what fails outside of all groups as-pect only says that it has failed.
    if (stackTrace) process.stdout.write(`${fileName}: ${message}\n${stackTrace}\n`);
    else if (context.testCount === 0) process.stdout.write(`${fileName} has no test\n`);
    passed += context.testPassCount;
    tests += context.testCount;
    good &&= context.pass && context.testCount > 0;
  }
  process.stdout.write(`\n[Tests]: ${passed} / ${tests}\n`);
  process.exitCode = good ? 0 : 1;
}

if (isProgram(import.meta.url)) {
  await main(process.argv.slice(2)).catch((error: unknown) => {
    process.stderr.write(`${messageOf(error)}\n`);
    process.exitCode = 1;
  });
}
