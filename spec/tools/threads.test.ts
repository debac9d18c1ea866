/** How many threads an application can have: what its module and its manifest say (tools/application.ts, threadsOf). */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { type Application, compileApplication, translateApplication } from "../../tools/application.ts";
import { type SystemCalls, compileKernel } from "../../tools/kernel.ts";
import { loadManifest } from "../../tools/manifest.ts";
import { BUILD, ROOT } from "../../tools/paths.ts";
import { Steps } from "../../tools/steps.ts";
import { assemble, sourceFolder, writeFiles } from "./support.ts";

const folder = sourceFolder("threads");
/** It allocates, so that the runtime is in the module. */
const TYPESCRIPT = `let list: Array<i32> = [];
export function main(): i32 { list = [list.length]; return list[0]; }
`;
const C = '#include "aemos.h"\nint main(void) { return getpid(); }\n';

let calls: SystemCalls;
before(async () => {
  ({ calls } = await compileKernel(new Steps(), join(BUILD, "kernel")));
  writeFiles(folder, { "main.ts": TYPESCRIPT, "main.c": C });
  assemble(
    join(folder, "ready.wasm"),
    '(module (memory (export "memory") 1) (func (export "main") (result i32) i32.const 0))',
  );
});

/** The application of this module with these keys in its manifest. The same name and module: what is compiled once serves for all keys. */
async function made(name: string, keys: object): Promise<Application> {
  const manifest = `${name}.json`;
  writeFiles(folder, { [manifest]: JSON.stringify({ name, applications: [{ name, ...keys }] }) });
  const [entry] = (await loadManifest(join(folder, manifest))).applications;
  assert.ok(entry);
  const steps = new Steps();
  const wasm = await compileApplication(steps, join(folder, "out"), entry);
  return translateApplication(steps, join(folder, "out"), entry, wasm, calls);
}

const refused = (name: string, keys: object): Promise<string> =>
  made(name, keys).then(
    () => assert.fail("it was not refused"),
    (error: Error) => {
      assert.equal(error.name, "UserError");
      return error.message;
    },
  );

test("the incremental collector: no threads, and an error that says what can have some", async () => {
  assert.equal((await made("collected", { module: "main.ts" })).threads, 0);
  assert.equal((await made("collected", { module: "main.ts", threads: 0 })).threads, 0);
  assert.match(
    await refused("collected", { module: "main.ts", threads: 2 }),
    /main\.ts: has AssemblyScript's incremental collector, so it can have no threads \("runtime": "minimal" or "stub" can\)/,
  );
});

test("the other runtimes: 4, or what the manifest says; they have no shadow stack", async () => {
  for (const runtime of ["minimal", "stub"]) {
    const application = await made(runtime, { module: "main.ts", runtime });
    assert.equal(application.threads, 4, runtime);
    assert.equal(application.stackPointer, undefined);
  }
  assert.equal((await made("minimal", { module: "main.ts", runtime: "minimal", threads: 2 })).threads, 2);
  assert.equal((await made("minimal", { module: "main.ts", runtime: "minimal", threads: 0 })).threads, 0);
});

test("C: 4, or what the manifest says, and the global that is the shadow stack's pointer", async () => {
  const application = await made("in-c", { module: "main.c" });
  assert.equal(application.threads, 4);
  assert.equal(application.stackPointer, "__stack_pointer");
  assert.equal((await made("in-c", { module: "main.c", threads: 9 })).threads, 9);
});

test("C: as many threads as there is room for with their shadow stacks and guards", async () => {
  const layout = readFileSync(join(ROOT, "boot", "layout.h"), "utf8");
  const [base, end] = ["BASE", "END"].map((name) =>
    Number(new RegExp(`define SHADOW_${name} +(\\w+)`).exec(layout)?.[1]),
  ) as [number, number];
  // As kernel/memory/layout.ts has them, of which spec/kernel/paging.spec.ts says so.
  assert.deepEqual([base, end], [0xf8000000, 0xff000000]);
  const each = (end - base) / 1024 / 64;
  const most = { module: "main.c", threads: 64, stackKiB: 256, threadStackKiB: each - 256 };
  assert.equal((await made("in-c", most)).threads, 64);
  assert.match(
    await refused("in-c", { ...most, threadStackKiB: each - 252 }),
    /main\.c: 64 threads with a shadow stack \(threadStackKiB\) and a guard \(stackKiB\) of 1796 KiB together/,
  );
});

test("a ready module of which nobody knows whether it has a shadow stack: none, unless the manifest says so", async () => {
  assert.equal((await made("ready", { module: "ready.wasm" })).threads, 0);
  assert.equal((await made("ready", { module: "ready.wasm", threads: 3 })).threads, 3);
});

test("the schema's bounds", async () => {
  for (const threads of [-1, 65, 1.5])
    await assert.rejects(made("in-c", { module: "main.c", threads }), /threads/);
});
