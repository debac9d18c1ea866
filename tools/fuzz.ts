/**
 * The fuzzer of the receive path: runs spec/net/fuzz/target.ts, the kernel's network code for Node, one seed after the other; each is a machine of its own, and a run that can be
 * repeated. A trap is a bug.
 *
 *     npm run fuzz                              until it is stopped, from a random seed on
 *     npm run fuzz -- --seed 7 --seconds 60
 *     npm run fuzz -- --seed 7 --runs 1         once more what has failed
 *     npm run fuzz -- --seed 7 --steps 12,345   the same, cut down
 *     npm run fuzz -- --coverage --seconds 60   also says which functions of net/ were never entered
 *
 * A run that traps is cut down to the steps that make it trap; their frames are kept as build/fuzz/seed-N.pcap, with the trap beside it.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { whole } from "./cli-options.ts";
import { Coverage } from "./fuzz-coverage.ts";
import {
  FOLDER,
  type Target,
  allSteps,
  compileTarget,
  cutDown,
  rangesOf,
  run,
  stepsOf,
  watch,
} from "./fuzz-target.ts";
import { isProgram, shown } from "./paths.ts";

const SEEDS = 2 ** 31;
/** Characters of a list of steps that are printed. */
const SHOWN = 500;

/** What `reached` counts. */
const REACHED = [
  "reassembled",
  "echoes",
  "datagrams",
  "accepted",
  "connected",
  "errors",
  "routers",
  "recoveries",
  "timeouts",
] as const;

export interface FuzzResult {
  runs: number;
  frames: number;
  /** How far frames came, all runs together. */
  reached: Record<(typeof REACHED)[number], number>;
  failure?: Failure;
}

export interface Failure {
  seed: number;
  message: string;
  /** The steps that make it fail. */
  steps: number[];
  /** How to do it again, and where the frames are. */
  again: string;
}

/** The frames as a capture file (libpcap, link type Ethernet), a millisecond apart. */
function capture(frames: readonly Buffer[]): Buffer {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(65535, 16);
  header.writeUInt32LE(1, 20);
  const records = frames.map((frame, index) => {
    const record = Buffer.alloc(16);
    record.writeUInt32LE(Math.floor(index / 1000), 0);
    record.writeUInt32LE((index % 1000) * 1000, 4);
    record.writeUInt32LE(frame.length, 8);
    record.writeUInt32LE(frame.length, 12);
    return Buffer.concat([record, frame]);
  });
  return Buffer.concat([header, ...records]);
}

/** Cuts the run that failed down, and keeps what is left of it. */
function keep(module: WebAssembly.Module, seed: number, error: Error, last: number): Failure {
  const steps = cutDown(module, seed, error, last);
  const frames: Buffer[] = [];
  run(module, seed, steps, (frame) => frames.push(frame));
  const file = join(FOLDER, `seed-${seed}.pcap`);
  writeFileSync(file, capture(frames));
  const ranges = rangesOf(steps);
  const line = `npm run fuzz -- --seed ${seed} --steps ${ranges}`;
  const message = error.stack ?? error.message;
  const text = join(FOLDER, `seed-${seed}.txt`);
  writeFileSync(text, `${message}\n\n${line}\n`);
  const again = `${steps.length} steps are enough: ${ranges.length > SHOWN ? `see ${shown(text)}` : line}; their frames are in ${shown(file)}`;
  return { seed, message, steps, again };
}

export interface FuzzOptions {
  runs?: number;
  /** Seconds by the clock, whatever time the processor has had for it. */
  limit?: number;
  /** Called after each run, with its seed. */
  report?: (result: FuzzResult, seed: number) => void;
  /** Which functions are entered; it is slower then. */
  coverage?: Coverage | undefined;
}

/** Runs seeds from `seed` on until one traps, or this process has had `seconds` of the processor for it. */
export async function fuzz(seed: number, seconds: number, options: FuzzOptions = {}): Promise<FuzzResult> {
  const { runs = Infinity, limit = Infinity, report, coverage } = options;
  const module = coverage?.module ?? new WebAssembly.Module(await compileTarget());
  const watcher = watch();
  const end = performance.now() + limit * 1000;
  const before = process.cpuUsage();
  const used = (): number => {
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1e6;
  };
  const reached = Object.fromEntries(REACHED.map((name) => [name, 0])) as FuzzResult["reached"];
  const result: FuzzResult = { runs: 0, frames: 0, reached };
  for (; result.runs < runs && used() < seconds && performance.now() < end; seed = (seed + 1) % SEEDS) {
    const done = (target: Target): void =>
      REACHED.forEach((name, index) => {
        reached[name] += Number(target.reached(index));
      });
    const { error, last, frames } = run(module, seed, allSteps(), undefined, done, coverage?.enter);
    result.runs += 1;
    result.frames += frames;
    if (error !== undefined) {
      result.failure = keep(module, seed, error, last);
      break;
    }
    report?.(result, seed);
    // Lets a signal in.
    await new Promise(setImmediate);
  }
  await watcher.terminate();
  return result;
}

/** The steps of a run that failed, once more. */
async function again(seed: number, steps: readonly number[]): Promise<void> {
  const { error } = run(new WebAssembly.Module(await compileTarget()), seed, steps);
  console.log(error === undefined ? "it does not fail" : (error.stack ?? error.message));
  process.exitCode = error === undefined ? 0 : 1;
}

interface Options {
  seed?: number;
  seconds?: number;
  runs?: number;
  steps?: string;
  coverage?: true;
}

async function main(): Promise<void> {
  const program = new Command("npm run fuzz --")
    .description("Fuzzes the receive path until it is stopped, or a run traps.")
    .option("--seed <number>", "of the first run; random without", whole)
    .option("--seconds <number>", "stop after so many", whole)
    .option("--runs <number>", "stop after so many", whole)
    .option("--steps <list>", "one run of these steps of the seed, as a failure names them")
    .option("--coverage", "say which functions of net/ were never entered, too")
    .parse();
  const options = program.opts<Options>();
  const { seconds = Infinity, runs = Infinity, seed = Math.floor(Math.random() * SEEDS) } = options;
  if (options.steps !== undefined) return again(seed, stepsOf(options.steps));
  const coverage = options.coverage ? new Coverage(await compileTarget(false)) : undefined;
  console.log(`seed ${seed}`);
  const started = performance.now();
  const result = await fuzz(seed, seconds, {
    runs,
    coverage,
    report: ({ runs, frames, reached }, now) => {
      if (runs % 20 !== 0) return;
      const rate = (frames / (performance.now() - started)).toFixed(0);
      console.log(`seed ${now}: ${frames} frames, ${rate} in a millisecond; ${JSON.stringify(reached)}`);
    },
  });
  console.log(`${result.runs} runs, ${result.frames} frames; ${JSON.stringify(result.reached)}`);
  if (coverage !== undefined) console.log(coverage.report());
  if (result.failure === undefined) return;
  const { failure } = result;
  console.error(`seed ${failure.seed}: ${failure.message}\n${failure.again}`);
  process.exitCode = 1;
}

if (isProgram(import.meta.url)) await main();
