/** What the tests of the tools share: folders that go away, modules from wat text, and the command line. */
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after } from "node:test";
import { BUILD, ROOT } from "../../tools/paths.ts";

/** An empty folder that is removed after the file's tests. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "aemos-test-"));
  after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Writes files, named by their path below `folder`. */
export function writeFiles(folder: string, files: Record<string, string>): void {
  for (const [name, text] of Object.entries(files)) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
}

/** The module that `text` (WebAssembly text format) stands for, written to `path`. */
export function assemble(path: string, text: string): void {
  execFileSync(join(ROOT, "node_modules", ".bin", "wat2wasm"), ["--enable-all", "-", "-o", path], {
    input: text,
  });
}

/**
 * An empty folder for sources that are built. Always at the same place, so that their intermediate files in build/ are
 * written over by the next run instead of piling up.
 */
export function sourceFolder(name: string): string {
  const folder = join(BUILD, "test", name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  return folder;
}

export interface Ended {
  status: number | null;
  output: string;
  errors: string;
}

export interface RunningCommand {
  ended: Promise<Ended>;
  /** Resolves when standard output holds `text`. */
  printed(text: string): Promise<void>;
  signal(name: NodeJS.Signals): void;
}

/** Starts a program; `environment` is added to this process's. */
export function start(
  program: string,
  list: readonly string[],
  environment: Record<string, string> = {},
  folder = process.cwd(),
): RunningCommand {
  const child = spawn(program, list, {
    cwd: folder,
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const seen = { output: "", errors: "" };
  let look = (): void => undefined;
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    seen.output += text;
    look();
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    seen.errors += text;
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (status) => resolve({ status, ...seen }));
  });
  const printed = (text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      look = (): void => {
        if (seen.output.includes(text)) resolve();
      };
      look();
      ended.then(
        () => reject(new Error(`it ended without "${text}":\n${seen.output}${seen.errors}`)),
        reject,
      );
    });
  return { ended, printed, signal: (name) => child.kill(name) };
}

/** The command `aemos`. */
export function aemos(
  list: readonly string[],
  environment: Record<string, string> = {},
  folder?: string,
): RunningCommand {
  return start(process.execPath, [join(ROOT, "tools", "aemos.mjs"), ...list], environment, folder);
}
