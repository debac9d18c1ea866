/** The threads of the compilers: they compile as processes of their own would, say what went wrong, and serve others. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { runCompiler, serve } from "../../tools/compilers.ts";
import { ROOT } from "../../tools/paths.ts";
import { temporaryFolder, writeFiles } from "./support.ts";

const folder = temporaryFolder();
const program = (name: string): string => join(ROOT, "node_modules", ".bin", name);

test("what a thread makes after other work is what a process makes", async () => {
  const source = [
    "apps/hello/main.ts",
    "sdk/abort.ts",
    "--config",
    "asconfig.json",
    "--target",
    "application",
  ];
  const [ours, theirs] = ["ours/x", "theirs/x"].map((name) => join(folder, name));
  const compile = (entry: string) =>
    runCompiler({
      tool: "asc",
      list: [`${ours}.deps`, entry, ...source.slice(1), "--outFile", `${ours}.wasm`],
    });
  const steps = [
    ["wasm-opt", ".wasm", "-O3", "-g", "-o", ".optimized.wasm"],
    ["wasm2c", ".optimized.wasm", "-n", "hello", "-o", ".c"],
  ];
  const file = (base: string | undefined, word: string): string =>
    word.startsWith(".") ? base + word : word;

  await compile("apps/echo/main.ts");
  assert.equal((await compile("apps/none.ts")).status, 1);
  assert.deepEqual(await compile("apps/hello/main.ts"), { status: 0, output: "", errors: "" });
  execFileSync(program("asc"), [...source, "--outFile", `${theirs}.wasm`], { cwd: ROOT });
  for (const [tool = "", ...words] of steps) {
    const list = [program(tool), ...words.map((word) => file(ours, word))];
    for (let i = 0; i < 2; i++)
      assert.deepEqual(await runCompiler({ tool, list }), { status: 0, output: "", errors: "" });
    execFileSync(
      program(tool),
      words.map((word) => file(theirs, word)),
    );
  }
  for (const ending of [".wasm", ".optimized.wasm", ".c"])
    assert.deepEqual(readFileSync(ours + ending).equals(readFileSync(theirs + ending)), true, ending);
});

test("a program that fails: its status and its words", async () => {
  const ended = await runCompiler({ tool: "wasm-opt", list: [program("wasm-opt"), join(folder, "none")] });
  assert.deepEqual(ended, {
    status: 1,
    output: "",
    errors: `Fatal: Failed opening '${join(folder, "none")}'\n`,
  });
});

test("a thread that is lost fails what it ran, and the next has another; here and where it is served", async () => {
  writeFiles(folder, {
    "exits.js": "process.exit(3);",
    "throws.js": 'throw new Error("trouble");',
    "prints.js": 'require("node:fs").writeSync(1, Buffer.from(Module.arguments[0]), 0, 5); Module.postRun();',
  });
  const run = (name: string) => runCompiler({ tool: "script", list: [join(folder, name), "hello"] });
  const other = process.env["AEMOS_COMPILERS"];
  delete process.env["AEMOS_COMPILERS"];
  for (const prepare of [() => undefined, serve]) {
    await prepare();
    assert.deepEqual(await run("exits.js"), {
      status: 1,
      output: "",
      errors: "script has ended its thread\n",
    });
    assert.deepEqual(await run("throws.js"), { status: 1, output: "", errors: "trouble\n" });
    assert.equal((await run("prints.js")).output, "hello");
  }
  if (other !== undefined) process.env["AEMOS_COMPILERS"] = other;
});
