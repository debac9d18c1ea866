/** Whole builds over the real kernel: what an incremental build starts and what it does not, and what goes wrong, said clearly. */
import assert from "node:assert/strict";
import { readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { type BuiltImage, buildImage } from "../../tools/build.ts";
import type { StartedCommand } from "../../tools/steps.ts";
import { aemos, assemble, sourceFolder, writeFiles } from "./support.ts";

const folder = sourceFolder("build");
const manifest = join(folder, "image.json");
const source = (status: number): string => `export function main(): i32 {\n  return ${status};\n}\n`;
const calling =
  '@external("aemos", "getpid") declare function getpid(): i32;\nexport function main(): i32 {\n  return getpid();\n}\n';
const applications = [
  { name: "one", module: "one.ts" },
  { name: "two", module: "two/main.ts" },
];

function writeManifest(more: object = {}): void {
  writeFiles(folder, { "image.json": JSON.stringify({ name: "incremental", applications, ...more }) });
}

const build = (): Promise<BuiltImage> => buildImage(manifest);
const shown = (started: readonly StartedCommand[]): string[] =>
  started.map(({ unit, tool }) => `${unit}: ${tool}`);

before(async () => {
  writeFiles(folder, { "one.ts": source(1), "two/main.ts": source(2) });
  writeManifest();
  await build();
});

test("a build with nothing changed starts nothing", async () => {
  assert.deepEqual(shown((await build()).started), []);
});

test("nor does one that is started from another folder", async () => {
  const { status, errors } = await aemos(["build", manifest, "--verbose"], {}, folder).ended;
  assert.deepEqual({ status, errors }, { status: 0, errors: "" });
});

test("a build after one application changed starts nothing for the kernel or the others", async () => {
  writeFiles(folder, { "one.ts": source(11) });
  const started = shown((await build()).started);
  assert.deepEqual(
    [...new Set(started.filter((line) => /asc|wasm-opt|wasm2c/.test(line)))],
    ["application one: asc", "application one: wasm-opt", "application one: wasm2c"],
  );
  const others = started.filter((line) => !line.startsWith("application one:") && !line.startsWith("image:"));
  assert.deepEqual(others, []);
  assert.ok(started.includes("image: ld"), "the image is linked again");
});

test("a comment that leaves the wasm as it was starts asc and nothing after it but what reads debug names", async () => {
  writeFiles(folder, { "one.ts": `// Nothing new.\n${source(11)}` });
  const started = shown((await build()).started);
  assert.equal(started[0], "application one: asc");
  assert.ok(!started.includes("application one: gcc"), started.join("\n"));
  assert.ok(!started.includes("image: ld"), started.join("\n"));
});

test("a limit in the manifest changes the application's descriptor only", async () => {
  writeManifest({ applications: [applications[0], { ...applications[1], stackKiB: 128 }] });
  const started = shown((await build()).started).filter((line) => !line.startsWith("image:"));
  assert.deepEqual(started, ["application two: gcc"]);
});

test("another policy binds calls anew or compiles the descriptor, and nothing else", async () => {
  const withPolicy = async (policy: object): Promise<string[]> => {
    writeManifest({ applications: [{ ...applications[0], policy }, applications[1]] });
    return shown((await build()).started).filter((line) => !line.startsWith("image:"));
  };
  writeFiles(folder, { "one.ts": calling });
  await withPolicy({});
  assert.deepEqual(await withPolicy({ denyCalls: ["sendto"] }), [], "it does not call that");
  assert.deepEqual(await withPolicy({ denyCalls: ["getpid"] }), ["application one: objcopy"]);
  assert.deepEqual(await withPolicy({ denyCalls: ["getpid"] }), []);
  assert.deepEqual(await withPolicy({ handlersAfter: ["enter_keepalive"] }), ["application one: objcopy"]);
  assert.deepEqual(await withPolicy({}), [], "its own object again");
  assert.deepEqual(
    await withPolicy({ events: ["read"] }),
    ["application one: gcc"],
    "bits of the descriptor",
  );
});

test("a policy that names a call that there is not: file, key and the calls that there are", async () => {
  for (const key of ["calls", "denyCalls", "handlersAfter"]) {
    const policy = { [key]: ["enter_keepalive", "getpidd"] };
    writeManifest({ applications: [applications[0], { ...applications[1], policy }] });
    await assert.rejects(build(), {
      name: "UserError",
      message: new RegExp(
        `image\\.json: applications\\[1\\]\\.policy\\.${key}\\[1\\]: there is no system call "getpidd" \\(known: accept, .*getpid, `,
      ),
    });
  }
  writeManifest();
  await build();
});

test("an intermediate file that is gone is made again", async () => {
  const { image } = await build();
  rmSync(image);
  assert.deepEqual(shown((await build()).started), ["image: objcopy"]);
  assert.ok(statSync(image).size > 0);
});

test("a copy goes where -o says, the ELF with symbols beside it", async () => {
  const output = join(folder, "out", "image");
  const { status, output: text } = await aemos(["build", manifest, "-o", output]).ended;
  assert.equal(status, 0);
  assert.match(text, /image\n$/);
  // e_ident: class 1 is ELF32, class 2 ELF64.
  assert.equal(readFileSync(output)[4], 1);
  assert.equal(readFileSync(`${output}.elf`)[4], 2);
});

test("a source that does not compile: the compiler's words, with file and line", async () => {
  writeFiles(folder, { "bad.ts": "export function main(): i32 {\n  return nothing;\n}\n" });
  await assert.rejects(buildImage(join(folder, "bad.ts")), {
    name: "UserError",
    message: /application bad: asc failed.*Cannot find name 'nothing'.*bad\.ts\(2,/s,
  });
});

test("an unknown import and a wrong signature: file, import and both types", async () => {
  const wasm = join(folder, "wrong.wasm");
  assemble(
    wasm,
    `(module (import "aemos" "reboot" (func)) (import "aemos" "getpid" (func (param i64) (result i32)))
       (memory (export "memory") 1) (func (export "main") (result i32) i32.const 0))`,
  );
  const { status, errors } = await aemos(["build", wasm]).ended;
  assert.equal(status, 1);
  assert.match(errors, /wrong\.wasm: imports aemos\.reboot\(\) -> \(\); there is no such system call/);
  assert.match(
    errors,
    /wrong\.wasm: imports aemos\.getpid as \(i64\) -> i32; the system call is \(\) -> i32/,
  );
});

test("a module with instructions that wasm2c does not translate is refused with its name", async () => {
  const wasm = join(folder, "vector.wasm");
  assemble(
    wasm,
    `(module (memory (export "memory") 1)
       (func (export "main") (result i32) (i32x4.extract_lane 0 (v128.load (i32.const 0)))))`,
  );
  await assert.rejects(buildImage(wasm), { name: "UserError", message: /vector\.wasm: .*SIMD/s });
});

test("a module whose memory is larger than the manifest allows", async () => {
  assemble(
    join(folder, "large.wasm"),
    '(module (memory (export "memory") 64) (func (export "main") (result i32) i32.const 0))',
  );
  writeFiles(folder, {
    "large.json": JSON.stringify({
      name: "large",
      applications: [{ name: "large", module: "large.wasm", memoryMiB: 2 }],
    }),
  });
  await assert.rejects(buildImage(join(folder, "large.json")), {
    message: /large\.wasm: starts with 4 MiB of memory; the manifest allows application "large" memoryMiB: 2/,
  });
});

test("a missing tool: its name and the package to install", async () => {
  const { status, errors } = await aemos(["build", manifest], { PATH: folder }).ended;
  assert.equal(status, 1);
  assert.match(errors, /^aemos: gcc is not installed: apt-get install --no-install-recommends gcc/);
});
