/**
 * A thread of compilers.ts: runs asc, wasm-opt and wasm2c as often as it is asked to. What makes them slow in a process of
 * their own is not what they compile but their start: megabytes of JavaScript and WebAssembly, compiled anew each time.
 */
import fs from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, isAbsolute, join } from "node:path";
import { compileFunction } from "node:vm";
import { parentPort } from "node:worker_threads";
import type { Ended, Job } from "./compilers.ts";
import { hasCode } from "./errors.ts";
import { ROOT } from "./paths.ts";
import { ABSENT, hash } from "./steps.ts";

/**
 * asc in the checkout. Writes to `dependencies` every file that it looked for, found or not: hash of the content, space,
 * path, a line each.
 */
async function compile(dependencies: string, list: readonly string[]): Promise<Ended> {
  // Its import alone takes a second: a thread that nobody asks for it does without.
  const { createMemoryStream, main } = await import("assemblyscript/asc");
  const looked = new Map<string, string>();
  const read = async (name: string, folder: string): Promise<string | null> => {
    const path = isAbsolute(name) ? name : join(folder, name);
    try {
      const text = await readFile(path, "utf8");
      looked.set(path, hash(text));
      return text;
    } catch (error) {
      if (!hasCode(error, "ENOENT") && !hasCode(error, "ENOTDIR")) throw error;
      looked.set(path, ABSENT);
      return null;
    }
  };
  const [stdout, stderr] = [createMemoryStream(), createMemoryStream()];
  const { error } = await main([...list, "--baseDir", ROOT], { readFile: read, stdout, stderr });
  await writeFile(dependencies, [...looked].map(([path, value]) => `${value} ${path}\n`).join(""));
  // Its diagnostics are written already; an error of another kind only has a message.
  if (error !== null && !error.message.endsWith("compile error(s)")) stderr.write(`${error.message}\n`);
  return { status: error === null ? 0 : 1, output: stdout.toString(), errors: stderr.toString() };
}

type Script = (Module: object, module: object, require: NodeJS.Require, __dirname: string) => void;
const scripts = new Map<string, Promise<Script>>();

/** The script as a function, so that each run has variables of its own. */
async function load(path: string): Promise<Script> {
  const text = (await readFile(path, "utf8")).replace(/^#!/, "//");
  return compileFunction(text, ["Module", "module", "require", "__dirname"], { filename: path }) as Script;
}

/** A program of C++ that Emscripten has made a script: wasm-opt, wasm2c. */
async function runScript(path: string, list: readonly string[]): Promise<Ended> {
  const script = scripts.get(path) ?? load(path);
  scripts.set(path, script);
  const start = await script;
  const written = ["", "", ""];
  // It writes to the descriptors of the whole process.
  const writeSync = (
    fd: number,
    data: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): number => {
    if (fd > 2) return fs.writeSync(fd, data, offset, length, position);
    written[fd] += Buffer.from(data.buffer, data.byteOffset + offset, length).toString();
    return length;
  };
  const require = createRequire(path);
  const ownRequire = (name: string): unknown => (name === "node:fs" ? { ...fs, writeSync } : require(name));
  return new Promise((resolve) => {
    const end = (): void => {
      const [, output = "", errors = ""] = written;
      // It says how it ended to the process, which is this thread.
      resolve({ status: Number(process.exitCode), output, errors });
    };
    const own = { arguments: [...list], postRun: end };
    start(own, {}, ownRequire as NodeJS.Require, dirname(path));
  });
}

parentPort?.on("message", async ({ tool, list: [first = "", ...rest] }: Job) => {
  parentPort?.postMessage(await (tool === "asc" ? compile(first, rest) : runScript(first, rest)));
});
