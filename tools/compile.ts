/**
 * asc in a process of its own, so that compilations run side by side: `compile.ts DEPENDENCIES ARGUMENT...` runs asc with the
 * arguments and writes to DEPENDENCIES every file that it looked for, found or not: hash of the content, space, path, a line each.
 */
import { readFile, writeFile } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { main } from "assemblyscript/asc";
import { hasCode } from "./errors.ts";
import { ABSENT, hash } from "./steps.ts";

const [dependencies, ...args] = process.argv.slice(2);
if (dependencies === undefined) throw new Error("compile.ts DEPENDENCIES ARGUMENT...");

const looked = new Map<string, string>();

async function read(name: string, folder: string): Promise<string | null> {
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
}

const { error } = await main(args, { readFile: read, stdout: process.stdout, stderr: process.stderr });
await writeFile(dependencies, [...looked].map(([path, value]) => `${value} ${path}\n`).join(""));
if (error !== null) {
  // Its diagnostics are written already; an error of another kind only has a message.
  if (!error.message.endsWith("compile error(s)")) process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
