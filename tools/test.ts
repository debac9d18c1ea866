/**
 * `npm test`: all stages, each with its time, and a last line `N passed, N failed`. Arguments are filters: a stage runs
 * when its name matches one (then whole), or with those of its test files whose path does. The whole run and `npm test -- aem`
 * end with the table of AEM's requirements.
 *
 * Two lanes run side by side, of about the same length: what computes and then the network's guests, and the guests of AEM.
 */
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { mkdir, readFile, rm } from "node:fs/promises";
import { join, relative } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { buildImage } from "./build.ts";
import { serve } from "./compilers.ts";
import { messageOf } from "./errors.ts";
import { BUILD, DEFAULT_MANIFEST, ROOT, isProgram } from "./paths.ts";
import { REQUIREMENTS_FILTER, requirementTable } from "./requirements.ts";

interface Counts {
  passed: number;
  failed: number;
}

interface Outcome extends Counts {
  output: string;
  /** TAP report of a stage of node:test. */
  report?: string;
}

interface Stage {
  name: string;
  /** Test files, relative to the checkout; undefined: a stage that is one check. */
  files?: string[];
  run(files: readonly string[]): Promise<Outcome>;
}

const MINUTE = 60_000;
const STAGE_LIMIT = 12 * MINUTE;

interface Ended {
  code: number | null;
  output: string;
}

/** What tells test files the compilers of this process. */
let compilers: Record<string, string> = {};

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
    const env = { ...process.env, ...compilers, NO_COLOR: "1", FORCE_COLOR: "0" };
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

function npmProgram(name: string): string {
  return join(ROOT, "node_modules", ".bin", name);
}

/** A stage that is one check: it passes or fails as a whole. */
function check(name: string, program: string, ...list: string[]): Stage {
  return {
    name,
    run: async () => {
      const { code, output } = await execute(program, list);
      return code === 0 ? { passed: 1, failed: 0, output: "" } : { passed: 0, failed: 1, output };
    },
  };
}

/** Counts in the summary of as-pect; whatever else went wrong counts as one failure. */
export function countSpecs(output: string, code: number | null): Counts {
  const plain = stripVTControlCharacters(output);
  let [passed, failed] = [0, 0];
  for (const [, good, all] of plain.matchAll(/^\s*\[Tests\]:\s*(\d+)\s*\/\s*(\d+)/gm)) {
    passed += Number(good);
    failed += Number(all) - Number(good);
  }
  return { passed, failed: code === 0 || failed > 0 ? failed : 1 };
}

async function runSpecs(files: readonly string[]): Promise<Outcome> {
  const { code, output } = await execute(npmProgram("asp"), ["--summary", ...files]);
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

/** Runs test files of node:test, `concurrency` files at once. */
async function runNodeTests(name: string, files: readonly string[], concurrency: number): Promise<Outcome> {
  const folder = join(BUILD, "test");
  const tap = join(folder, `${name}.tap`);
  await mkdir(folder, { recursive: true });
  await rm(tap, { force: true });
  const list = ["--import", "tsx", "--test", `--test-concurrency=${concurrency}`];
  // A suite that hangs fails by its name, well before the stage's own limit.
  list.push("--test-timeout=240000");
  list.push("--test-reporter=spec", "--test-reporter-destination=stdout");
  list.push("--test-reporter=tap", `--test-reporter-destination=${tap}`, ...files);
  const { code, output } = await execute(process.execPath, list);
  const report = await readFile(tap, "utf8").catch(() => "");
  const counts = countTap(report, code);
  return { ...counts, output: counts.failed > 0 ? output : "", report };
}

/** Files below spec/ with this ending, relative to the checkout. */
function find(ending: string): string[] {
  const names = readdirSync(join(ROOT, "spec"), { recursive: true, encoding: "utf8" });
  return names.flatMap((name) => (name.endsWith(ending) ? [join("spec", name)] : [])).sort();
}

const BOOT_TESTS = join("spec", "boot");
const NETWORK_TESTS = join(BOOT_TESTS, "net");
const WIRE_TESTS = join("spec", "wire");

/** Tests on the frame wire, and those of its peer: they wait more than they compute. */
function isWireTest(file: string): boolean {
  return file.startsWith(WIRE_TESTS) || file.startsWith(NETWORK_TESTS);
}

/** Tests that start guests, and those of their helpers. */
function isGuestTest(file: string): boolean {
  return file.startsWith(BOOT_TESTS) || file.startsWith(WIRE_TESTS);
}

function stages(): { computing: Stage[]; guests: Stage[] } {
  const tests = find(".test.ts");
  const hostFiles = tests.filter((file) => !isGuestTest(file));
  const guestFiles = tests.filter(isGuestTest);
  const layers = relative(ROOT, join(ROOT, "tools", "check-layers.ts"));
  return {
    computing: [
      check("types", npmProgram("tsc")),
      check("format", npmProgram("prettier"), "--check", "--log-level", "warn", "."),
      check("lint", npmProgram("biome"), "lint", "--error-on-warnings"),
      check("layers", process.execPath, "--import", "tsx", layers),
      { name: "specs", files: find(".spec.ts"), run: runSpecs },
      { name: "host", files: hostFiles, run: (files) => runNodeTests("host", files, 1) },
      {
        name: "wire",
        files: guestFiles.filter(isWireTest),
        run: (files) => runNodeTests("wire", files, 1),
      },
    ],
    guests: [
      {
        name: "image",
        run: async () => {
          try {
            await buildImage(DEFAULT_MANIFEST);
            return { passed: 1, failed: 0, output: "" };
          } catch (error) {
            return { passed: 0, failed: 1, output: `${messageOf(error)}\n` };
          }
        },
      },
      {
        name: "boot",
        files: guestFiles.filter((file) => !isWireTest(file)),
        run: (files) => runNodeTests("boot", files, 1),
      },
    ],
  };
}

/** What is left of the stages after the filters. */
export function select(all: readonly Stage[], filters: readonly string[]): Stage[] {
  if (filters.length === 0) return [...all];
  return all.flatMap((stage) => {
    if (filters.includes(stage.name)) return [stage];
    const files = stage.files?.filter((file) => filters.some((filter) => file.includes(filter))) ?? [];
    return files.length === 0 ? [] : [{ ...stage, files }];
  });
}

/** Runs the stages one after another; their counts are added to `total`, their reports to `reports`. */
async function runLane(lane: readonly Stage[], total: Counts, reports: string[]): Promise<void> {
  for (const { name, files, run } of lane) {
    if (files?.length === 0) continue;
    const start = performance.now();
    const { passed, failed, output, report } = await run(files ?? []);
    if (report !== undefined) reports.push(report);
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    total.passed += passed;
    total.failed += failed;
    if (failed > 0) process.stdout.write(`\n--- ${name}\n${output.trimEnd()}\n---\n`);
    process.stdout.write(
      `${failed > 0 ? "FAILED" : "ok    "}  ${name.padEnd(8)} ${seconds.padStart(6)} s  ${passed} passed, ${failed} failed\n`,
    );
  }
}

async function main(filters: readonly string[]): Promise<void> {
  compilers = await serve();
  const { computing, guests } = stages();
  const total = { passed: 0, failed: 0 };
  const start = performance.now();
  const reports: string[] = [];
  const lanes = [computing, guests].map((lane) => runLane(select(lane, filters), total, reports));
  await Promise.all(lanes);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  if (total.passed + total.failed === 0) process.stdout.write(`nothing matches ${filters.join(" ")}\n`);
  if (filters.length === 0 || filters.includes(REQUIREMENTS_FILTER)) {
    const { text, failures } = requirementTable(reports.join("\n"));
    process.stdout.write(`\n${text}\n`);
    total.failed += failures;
  }
  process.stdout.write(`${seconds} s in all\n${total.passed} passed, ${total.failed} failed\n`);
  process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;
}

if (isProgram(import.meta.url)) await main(process.argv.slice(2));
