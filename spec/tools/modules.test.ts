/** What the build reads from a module, and which modules it refuses, with what words. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { checkApplication } from "../../tools/application.ts";
import { checkKernelSource, systemCalls } from "../../tools/kernel.ts";
import { type Module, readModule, showType } from "../../tools/wasm.ts";
import { assemble, temporaryFolder } from "./support.ts";

const folder = temporaryFolder();

function parse(text: string): Module {
  const path = join(folder, "module.wasm");
  assemble(path, text);
  return readModule("module.wasm", readFileSync(path));
}

const kernel = parse(`(module
  (import "hal" "out8" (func (param i32 i32)))
  (func (export "sys_log") (param i32 i32 i32) (result i32) i32.const 0)
  (func (export "sys_nanosleep") (param i64) (result i32) i32.const 0)
  (func (export "main")))`);
const calls = systemCalls(kernel);

const MAIN = '(func (export "main") (result i32) i32.const 0)';
const MEMORY = '(memory (export "memory") 1)';
const problems = (text: string): string => checkApplication(parse(`(module ${text})`), calls).join("\n");

test("system calls are the kernel's sys_ exports with their types", () => {
  assert.deepEqual([...calls.keys()], ["log", "nanosleep"]);
  assert.equal(showType(calls.get("nanosleep") ?? { parameters: [], results: [] }), "(i64) -> i32");
});

test("a module that uses them rightly passes", () => {
  const imports = '(import "aemos" "log" (func (param i32 i32 i32) (result i32)))';
  assert.equal(problems(`${imports} (table (export "table") 3 funcref) ${MEMORY} ${MAIN}`), "");
});

const refused: [string, string, RegExp][] = [
  [
    "an unknown import",
    `(import "aemos" "reboot" (func (param i32))) ${MEMORY} ${MAIN}`,
    /^imports aemos\.reboot\(i32\) -> \(\); there is no such system call$/,
  ],
  [
    "a wrong signature",
    `(import "aemos" "log" (func (param i32 i64 i32) (result i32))) ${MEMORY} ${MAIN}`,
    /^imports aemos\.log as \(i32, i64, i32\) -> i32; the system call is \(i32, i32, i32\) -> i32$/,
  ],
  [
    "a result that is missing",
    `(import "aemos" "log" (func (param i32 i32 i32))) ${MEMORY} ${MAIN}`,
    /^imports aemos\.log as \(i32, i32, i32\) -> \(\); /,
  ],
  [
    "another module's function",
    `(import "wasi_snapshot_preview1" "fd_write" (func)) ${MEMORY} ${MAIN}`,
    /^imports wasi_snapshot_preview1\.fd_write; an application imports from "aemos" and nothing else$/,
  ],
  [
    "an imported memory",
    `(import "env" "memory" (memory 1)) (export "memory" (memory 0)) ${MAIN}`,
    /^imports env\.memory;/,
  ],
  [
    "an imported global",
    `(import "aemos" "log" (global i32)) ${MEMORY} ${MAIN}`,
    /^imports aemos\.log as a global; aemos offers functions only$/,
  ],
  ["no memory", MAIN, /^does not export its memory as "memory"$/],
  ["no main", MEMORY, /^does not export a function "main"$/],
  [
    "a main of another type",
    `${MEMORY} (func (export "main"))`,
    /^exports main as \(\) -> \(\); it has to be \(\) -> i32/,
  ],
  ["two memories", `${MEMORY} (memory 1) ${MAIN}`, /^has 2 memories; one is supported$/],
  ["two tables", `${MEMORY} (table 1 funcref) (table 1 funcref) ${MAIN}`, /^has 2 tables; one is supported$/],
  [
    "a shared memory",
    `(memory (export "memory") 1 2 shared) ${MAIN}`,
    /^has a shared memory; threads are not supported$/,
  ],
];
for (const [name, text, message] of refused) {
  test(`refused: ${name}`, () => assert.match(problems(text), message));
}

test("refused: bytes that are no module", () => {
  assert.throws(() => readModule("x.wasm", new Uint8Array(100)), {
    name: "UserError",
    message: /^x\.wasm: not a WebAssembly module$/,
  });
});

test("a kernel that imports more than the hal is refused", () => {
  const module = parse('(module (import "env" "abort" (func)))');
  assert.throws(() => systemCalls(module), /kernel\.wasm imports env\.abort/);
});

test("a system call with more parameters than the glue passes is refused", () => {
  const module = parse('(module (func (export "sys_many") (param i32 i32 i32 i32 i32 i32 i32)))');
  assert.throws(() => systemCalls(module), /sys_many\(.*\): a system call has up to 6 parameters/);
});

test("a kernel that allocates or grows is refused, and the function named", () => {
  const grows =
    "u32 w2c_kernel_net0x2Fipv40x2Finput(w2c_kernel* instance) {\n  var_i0 = wasm_rt_grow_memory(&instance->w2c_memory, var_i0);\n}\n";
  assert.throws(() => checkKernelSource(grows), /the kernel grows its memory in net\/ipv4\/input/);
  const call = "  var_i0 = w2c_kernel_0x7Elib0x2Frt0x2Fstub0x2F0x5F_new(instance, var_i0, var_i1);\n";
  const allocates = `static u32 w2c_kernel_aem0x2Fjob0x2Fstart(w2c_kernel* instance) {\n${call}}\n`;
  assert.throws(
    () => checkKernelSource(allocates),
    /the kernel allocates managed objects in aem\/job\/start/,
  );
  checkKernelSource("u32 w2c_kernel_main(w2c_kernel* instance) {\n  return 0;\n}\n");
});
