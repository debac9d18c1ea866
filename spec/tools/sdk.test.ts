/**
 * The sdk against the kernel, in C and in TypeScript: each system call is declared in both with the kernel's type, nothing
 * else is, and numbers and structs of the header are those of the TypeScript declarations.
 *
 * What is compared is what compilers make of the declarations: the import section of a module that uses all of them.
 */
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { compileApplication } from "../../tools/application.ts";
import { type SystemCalls, compileKernel } from "../../tools/kernel.ts";
import { BUILD, ROOT } from "../../tools/paths.ts";
import type { ApplicationEntry } from "../../tools/manifest.ts";
import { Steps } from "../../tools/steps.ts";
import { type FunctionType, readModule, showType } from "../../tools/wasm.ts";
import { sourceFolder, writeFiles } from "./support.ts";

const folder = sourceFolder("sdk");
/** aemos.h with its parts in the places where it includes them. */
const header = readFileSync(join(ROOT, "sdk", "aemos.h"), "utf8").replace(
  /^#include "(aemos\/\w+\.h)"$/gm,
  (_, part: string) => readFileSync(join(ROOT, "sdk", part), "utf8"),
);
const typescript = readdirSync(join(ROOT, "sdk"))
  .filter((name) => name.endsWith(".ts"))
  .map((name) => readFileSync(join(ROOT, "sdk", name), "utf8"))
  .join("\n");

/** Differences between the kernel's calls and those that an sdk declares, a line each. */
function differences(calls: SystemCalls, declared: ReadonlyMap<string, FunctionType>): string[] {
  const lines: string[] = [];
  for (const [name, type] of calls) {
    const other = declared.get(name);
    if (other === undefined) lines.push(`${name}${showType(type)} is not declared`);
    else if (showType(other) !== showType(type))
      lines.push(`${name} is declared as ${showType(other)}; the kernel has ${showType(type)}`);
  }
  for (const name of declared.keys())
    if (!calls.has(name)) lines.push(`${name} is declared; the kernel has no such call`);
  return lines;
}

/** Compiles the source, and reads the types of the functions that it imports. */
async function importsOf(file: string, source: string): Promise<Map<string, FunctionType>> {
  writeFiles(folder, { [file]: source });
  const entry: ApplicationEntry = {
    ...{
      name: "all",
      module: join(folder, file),
      runtime: "incremental",
      start: true,
      limits: {},
      policy: {},
    },
    ...{ memoryMiB: 1, stackKiB: 64, vmtableKiB: 64, threadStackKiB: 64 },
    ...{ priority: 32, cpuPercent: 100, children: 0, capsules: 0 },
  };
  const wasm = await compileApplication(new Steps(), join(folder, "out"), entry);
  const found = new Map<string, FunctionType>();
  for (const { module, name, entity } of readModule(file, readFileSync(wasm)).imports) {
    if (module === "aemos" && entity.kind === "function") found.set(name, entity.type);
  }
  return found;
}

/** A function's address goes where the compiler cannot see it, so its import stays. */
function inC(names: readonly string[], text = '#include "aemos.h"\n'): string {
  const uses = names.map((name) => `  use = (void *)${name};\n`);
  return `${text}void *volatile use;\nint main(void) {\n${uses.join("")}  return 0;\n}\n`;
}

function inTypeScript(names: readonly string[]): string {
  const from = `import { ${names.join(", ")} } from "../../../sdk";\n`;
  const uses = names.map((name) => `  sum += ${name}.index;\n`);
  return `${from}export function main(): i32 {\n  let sum: u32 = 0;\n${uses.join("")}  return <i32>sum;\n}\n`;
}

const declaredInC = [...header.matchAll(/^AEMOS_CALL\((\w+)\)/gm)].map(([, name = ""]) => name);
const declaredInTypeScript = [...typescript.matchAll(/@external\("aemos", "(\w+)"\)/g)].map(
  ([, name = ""]) => name,
);

let calls: SystemCalls;
before(async () => {
  ({ calls } = await compileKernel(new Steps(), join(BUILD, "kernel")));
  assert.ok(calls.size > 30, `${calls.size} system calls`);
});

test("aemos.h declares the kernel's system calls with their types, and no other", async () => {
  const declared = await importsOf("all.c", inC(declaredInC));
  assert.equal(declared.size, declaredInC.length, "each declaration is an import");
  assert.deepEqual(differences(calls, declared), []);
});

test("sdk/*.ts declares the kernel's system calls with their types, and no other", async () => {
  const declared = await importsOf("all.ts", inTypeScript(declaredInTypeScript));
  assert.equal(declared.size, declaredInTypeScript.length, "each declaration is an import");
  assert.deepEqual(differences(calls, declared), []);
});

test("a call that a header does not have, one too many and one of another type are found", async () => {
  const own = header
    .replace(/^AEMOS_CALL\(getpid\).*$/m, "")
    .replace("int64_t clock_gettime(int clock)", "int clock_gettime(int clock)")
    .replace("AEMOS_CALL(kill)", "AEMOS_CALL(killall)");
  const names = declaredInC.filter((name) => name !== "getpid");
  assert.deepEqual(differences(calls, await importsOf("own.c", inC(names, own))), [
    "clock_gettime is declared as (i32) -> i32; the kernel has (i32) -> i64",
    "getpid() -> i32 is not declared",
    "kill(i32, i32) -> i32 is not declared",
    "killall is declared; the kernel has no such call",
  ]);
});

/** `export const NAME: type = number;` of TypeScript declarations. */
function constants(text: string): Map<string, string> {
  const found = text.matchAll(/^export const ([A-Z]\w*): [iu](?:32|64) = (-?(?:0x)?[\da-fA-F]+);/gm);
  return new Map([...found].map(([, name = "", value = ""]) => [name, value]));
}

test("every number that sdk/*.ts exports is in aemos.h with the same value", async () => {
  const numbers = constants(typescript);
  assert.ok(numbers.size > 100, `${numbers.size} numbers`);
  const missing = [...numbers.keys()].filter((name) => !new RegExp(`^#define ${name}\\b`, "m").test(header));
  assert.deepEqual(missing, []);
  const checks = [...numbers].map(([name, value]) => `_Static_assert(${name} == ${value}, "${name}");\n`);
  await importsOf("numbers.c", `#include "aemos.h"\n${checks.join("")}int main(void) { return 0; }\n`);
});

test("numbers that aemos.h shares with aem/abi.ts have its values", async () => {
  const abi = constants(readFileSync(join(ROOT, "aem", "abi.ts"), "utf8"));
  const shared = [...abi].filter(([name]) => new RegExp(`^#define ${name}\\b`, "m").test(header));
  assert.ok(shared.length > 30, `${shared.length} numbers`);
  const checks = shared.map(([name, value]) => `_Static_assert(${name} == ${value}, "${name}");\n`);
  await importsOf("abi.c", `#include "aemos.h"\n${checks.join("")}int main(void) { return 0; }\n`);
});
