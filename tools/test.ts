/**
 * `npm test`: all stages, each with its time, and a last line `N passed, N failed`. Arguments are filters: a stage runs
 * when its name matches one (then whole), or with those of its test files whose path does. The whole run and `npm test -- aem`
 * end with the table of AEM's requirements.
 *
 * Two lanes run side by side: each takes the next stage as soon as it has nothing to do, so that both are of about the same length. The fuzzer is in a third one, at the lowest
 * priority: it has the time in which the others wait for a guest, or for the clock.
 */
import { join, relative, sep } from "node:path";
import { buildImage } from "./build.ts";
import { serve } from "./compilers.ts";
import { messageOf } from "./errors.ts";
import { DEFAULT_MANIFEST, ROOT, findTests, isProgram } from "./paths.ts";
import { REQUIREMENTS_FILTER, requirementTable } from "./requirements.ts";
import {
  type Counts,
  type Outcome,
  type Stage,
  check,
  npmProgram,
  runNodeTests,
  runSpecs,
} from "./stages.ts";

/** Stages of test files by folder; those of no folder here are the host's. */
const FOLDERS = [
  ["fuzz", join("spec", "net", "fuzz")],
  ["aem", join("spec", "boot", "aem")],
  ["net", join("spec", "boot", "net")],
  ["wire", join("spec", "wire")],
  ["boot", join("spec", "boot")],
  ["ceilings", join("spec", "bench")],
] as const;

function stageOf(file: string): string {
  return FOLDERS.find(([, folder]) => file.startsWith(join(folder, sep)))?.[0] ?? "host";
}

async function buildDefaultImage(): Promise<Outcome> {
  try {
    await buildImage(DEFAULT_MANIFEST);
    return { passed: 1, failed: 0, output: "" };
  } catch (error) {
    return { passed: 0, failed: 1, output: `${messageOf(error)}\n` };
  }
}

function stages(): Stage[] {
  const tests = findTests(".test.ts");
  const nodeTests = (name: string): Stage => ({
    name,
    files: tests.filter((file) => stageOf(file) === name),
    run: (files) => runNodeTests(name, files),
  });
  const layers = relative(ROOT, join(ROOT, "tools", "check-layers.ts"));
  // The image is first: all others have its kernel. What is long comes early, and last what wants an answer within a second.
  return [
    { name: "image", run: buildDefaultImage },
    check("types", npmProgram("tsc")),
    check("format", npmProgram("prettier"), "--check", "--log-level", "warn", "."),
    check("lint", npmProgram("biome"), "lint", "--error-on-warnings"),
    check("layers", process.execPath, "--import", "tsx", layers),
    nodeTests("aem"),
    // On the frame wire: they wait more than they compute.
    nodeTests("net"),
    { name: "specs", files: findTests(".spec.ts"), run: runSpecs },
    nodeTests("ceilings"),
    nodeTests("host"),
    nodeTests("boot"),
    nodeTests("wire"),
    { ...nodeTests("fuzz"), background: true },
  ];
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

/** Runs what is left in the queue, stage after stage; their counts are added to `total`, their reports to `reports`. */
async function runLane(queue: Stage[], total: Counts, reports: string[]): Promise<void> {
  for (let stage = queue.shift(); stage !== undefined; stage = queue.shift()) {
    const { name, files, run } = stage;
    if (files?.length === 0) continue;
    const start = performance.now();
    const { passed, failed, output, report, notes = [] } = await run(files ?? []);
    if (report !== undefined) reports.push(report);
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    total.passed += passed;
    total.failed += failed;
    if (failed > 0) process.stdout.write(`\n--- ${name}\n${output.trimEnd()}\n---\n`);
    process.stdout.write(
      `${failed > 0 ? "FAILED" : "ok    "}  ${name.padEnd(8)} ${seconds.padStart(6)} s  ${passed} passed, ${failed} failed\n`,
    );
    for (const note of notes) process.stdout.write(`        ${note}\n`);
  }
}

async function main(filters: readonly string[]): Promise<void> {
  await serve();
  const total = { passed: 0, failed: 0 };
  const start = performance.now();
  const reports: string[] = [];
  const queue = select(stages(), filters);
  const background = queue.filter((stage) => stage.background);
  const others = queue.filter((stage) => !stage.background);
  await Promise.all([others, others, background].map((lane) => runLane(lane, total, reports)));
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
