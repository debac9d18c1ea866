/** What `npm test` starts: checks, as-pect and node:test, and how their results are counted. */
import { spawn } from "node:child_process";
import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { BUILD, ROOT } from "./paths.ts";

export interface Counts {
  passed: number;
  failed: number;
}

export interface Outcome extends Counts {
  output: string;
  /** TAP report of a stage of node:test. */
  report?: string;
  /** What passed tests want said all the same. */
  notes?: readonly string[];
}

export interface Stage {
  name: string;
  /** Test files, relative to the checkout; undefined: a stage that is one check. */
  files?: string[];
  run(files: readonly string[]): Promise<Outcome>;
  /** It has a lane of its own, and lowers its priority itself. */
  background?: boolean;
}

const MINUTE = 60_000;
/** Of a test file: what its tests may take on a slow host. */
const FILE_LIMIT = 10 * MINUTE;
/** Of a stage, whose files run one after another. */
const STAGE_LIMIT = 45 * MINUTE;

interface Ended {
  code: number | null;
  output: string;
}

/** Process groups that are running; killed as a whole, guests included. */
const groups = new Set<number>();

function killGroup(group: number): void {
  try {
    process.kill(-group, "SIGKILL");
  } catch {
    // It has ended.
  }
}

process.on("exit", () => groups.forEach(killGroup));
for (const [signal, status] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)
  process.on(signal, () => process.exit(status));

/** Runs a program in the checkout, in a process group of its own; standard output and error together. */
function execute(program: string, list: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const env = { ...process.env, NO_COLOR: "1", FORCE_COLOR: "0" };
    const child = spawn(program, list, { cwd: ROOT, env, stdio: ["ignore", "pipe", "pipe"], detached: true });
    const group = child.pid;
    if (group !== undefined) groups.add(group);
    let output = "";
    const take = (text: string): void => {
      output += text;
    };
    const timer = setTimeout(() => {
      take(`stopped after ${STAGE_LIMIT / MINUTE} minutes\n`);
      if (group !== undefined) killGroup(group);
    }, STAGE_LIMIT);
    child.stdout.setEncoding("utf8").on("data", take);
    child.stderr.setEncoding("utf8").on("data", take);
    child.on("error", (error) => take(`${error.message}\n`));
    child.on("close", (code) => {
      clearTimeout(timer);
      if (group !== undefined) groups.delete(group);
      resolve({ code, output });
    });
  });
}

export function npmProgram(name: string): string {
  return join(ROOT, "node_modules", ".bin", name);
}

/** A stage that is one check: it passes or fails as a whole. */
export function check(name: string, program: string, ...list: string[]): Stage {
  return {
    name,
    run: async () => {
      const { code, output } = await execute(program, list);
      return code === 0 ? { passed: 1, failed: 0, output: "" } : { passed: 0, failed: 1, output };
    },
  };
}

/** Counts in the summary of specs.ts; whatever else went wrong counts as one failure. */
export function countSpecs(output: string, code: number | null): Counts {
  const plain = stripVTControlCharacters(output);
  let [passed, failed] = [0, 0];
  for (const [, good, all] of plain.matchAll(/^\s*\[Tests\]:\s*(\d+)\s*\/\s*(\d+)/gm)) {
    passed += Number(good);
    failed += Number(all) - Number(good);
  }
  return { passed, failed: code === 0 || failed > 0 ? failed : 1 };
}

export async function runSpecs(files: readonly string[]): Promise<Outcome> {
  const program = join(ROOT, "tools", "specs.ts");
  const { code, output } = await execute(process.execPath, ["--import", "tsx", program, ...files]);
  const counts = countSpecs(output, code);
  return { ...counts, output: counts.failed > 0 ? output : "" };
}

/** Counts at the end of a TAP report of node:test; a report that is cut off counts as a failure. */
export function countTap(report: string, code: number | null): Counts {
  const last = (name: string): number =>
    Number([...report.matchAll(new RegExp(`^# ${name} (\\d+)$`, "gm"))].at(-1)?.[1] ?? 0);
  const failed = last("fail") + last("cancelled");
  return { passed: last("pass"), failed: code === 0 || failed > 0 ? failed : 1 };
}

/** Begins a diagnostic of a test (`t.diagnostic`) that `npm test` prints. */
export const NOTE = "note: ";

/** Those of a TAP report. */
export function notesOf(report: string): string[] {
  return [...report.matchAll(new RegExp(`^ *# ${NOTE}(.*)$`, "gm"))].map(([, note = ""]) => note);
}

/** Runs test files of node:test, one after another. */
export async function runNodeTests(name: string, files: readonly string[]): Promise<Outcome> {
  const folder = join(BUILD, "test");
  const tap = join(folder, `${name}.tap`);
  await mkdir(folder, { recursive: true });
  await rm(tap, { force: true });
  const list = ["--import", "tsx", "--test", "--test-concurrency=1"];
  // A suite that hangs fails by its name, well before the stage's own limit.
  list.push(`--test-timeout=${FILE_LIMIT}`);
  list.push("--test-reporter=spec", "--test-reporter-destination=stdout");
  list.push("--test-reporter=tap", `--test-reporter-destination=${tap}`, ...files);
  const { code, output } = await execute(process.execPath, list);
  const report = await readFile(tap, "utf8").catch(() => "");
  const counts = countTap(report, code);
  return { ...counts, output: counts.failed > 0 ? output : "", report, notes: notesOf(report) };
}
