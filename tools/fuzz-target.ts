/** The fuzzer's module (spec/net/fuzz/target.ts) in Node: compiled, run, and runs that fail cut down. */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { createMachine } from "../spec/hal.js";
import { runCompiler } from "./compilers.ts";
import { BUILD } from "./paths.ts";

export const FOLDER = join(BUILD, "fuzz");
/** Steps of one run: a frame each, or more. */
export const STEPS = 40_000;
/** After so many the invariants are looked at. */
const CHECKED = 256;
/** Milliseconds that cutting a failing run down may take. */
const CUTTING = 90_000;

export interface Target {
  memory: WebAssembly.Memory;
  _start?: () => void;
  boot: (seed: number) => void;
  step: (number: number) => void;
  check: () => void;
  received: () => number;
  finish: () => void;
  reached: (what: number) => bigint;
}

/** The bytes of the module. `optimize`: else every function of the sources is one of the module. */
export async function compileTarget(optimize = true): Promise<Uint8Array<ArrayBuffer>> {
  mkdirSync(FOLDER, { recursive: true });
  const wasm = join(FOLDER, optimize ? "target.wasm" : "coverage.wasm");
  const list = [
    "spec/net/fuzz/target.ts",
    "-o",
    wasm,
    optimize ? "-O2" : "-O0",
    "--debug",
    "--exportTable",
    "--exportStart",
    "_start",
  ];
  const options = ["--runtime", "incremental", "--disable", "threads"];
  const { status, errors } = await runCompiler({
    tool: "asc",
    list: [`${wasm}.dependencies`, ...list, ...options],
  });
  if (status !== 0) throw new Error(`spec/net/fuzz/target.ts does not compile\n${errors}`);
  return new Uint8Array(readFileSync(wasm));
}

/** All steps of a run. */
export function* allSteps(): Iterable<number> {
  for (let number = 0; number < STEPS; number++) yield number;
}

/** Seconds after which a step counts as one without an end. */
const STUCK = 60;
/** Where the present run is: seed and step. */
const progress = new Int32Array(new SharedArrayBuffer(8));

/** Ends the process when a step does not end: no other thread can stop it. */
export function watch(): Worker {
  const code = `
    const { workerData } = require("node:worker_threads");
    let last = "";
    setInterval(() => {
      const now = workerData.progress.join(", step ");
      if (now === last) {
        require("node:fs").writeSync(2, "seed " + now + " does not end\\n");
        process.kill(process.pid, "SIGKILL");
      }
      last = now;
    }, workerData.stuck * 1000);`;
  const worker = new Worker(code, { eval: true, workerData: { progress, stuck: STUCK } });
  worker.unref();
  return worker;
}

/** How a run ended. */
export interface Ended {
  error: Error | undefined;
  /** The last step that was begun. */
  last: number;
  frames: number;
}

/** One run, with these steps of it. `seen`: called with each frame; `done`: when it has not failed; `enter`: of a module with
 * coverage (fuzz-coverage.ts), with the number of each function that is entered. */
export function run(
  module: WebAssembly.Module,
  seed: number,
  steps: Iterable<number> = allSteps(),
  seen?: (frame: Buffer) => void,
  done?: (target: Target) => void,
  enter: (index: number) => void = () => {},
): Ended {
  let target: Target;
  const { hal, fake } = createMachine(() => target as unknown as WebAssembly.Exports);
  const text = (pointer: number): string => {
    const length = new DataView(target.memory.buffer).getUint32(pointer - 4, true);
    return Buffer.from(target.memory.buffer, pointer, length).toString("utf16le");
  };
  const env = {
    abort: (message: number, file: number, line: number) => {
      throw new Error(
        `${message === 0 ? "abort" : text(message)} (${file === 0 ? "?" : text(file)}, line ${line})`,
      );
    },
    seed: () => 0,
  };
  const fuzz = {
    frame: (address: number, length: number) =>
      seen?.(Buffer.from(target.memory.buffer.slice(address >>> 0, (address >>> 0) + length))),
    enter,
  };
  target = new WebAssembly.Instance(module, { hal, fake, env, fuzz } as unknown as WebAssembly.Imports)
    .exports as unknown as Target;
  let last = 0;
  let checked = 0;
  progress[0] = seed;
  progress[1] = 0;
  try {
    target._start?.();
    target.boot(seed);
    for (const number of steps) {
      last = number;
      progress[1] = number;
      target.step(number);
      if (number - checked < CHECKED) continue;
      checked = number;
      target.check();
    }
    last = STEPS;
    progress[1] = STEPS;
    target.finish();
    done?.(target);
    return { error: undefined, last, frames: target.received() };
  } catch (error) {
    return { error: error as Error, last, frames: target.received() };
  }
}

/** What of an error is the same when it is another one's frames that lead to it: the message and the function. */
function kindOf(error: Error): string {
  const [message = "", ...stack] = (error.stack ?? error.message).split("\n");
  return `${message} ${stack.find((line) => !line.includes("abort"))?.replace(/\(.*/, "") ?? ""}`;
}

/**
 * Fewer steps that fail in the same way: the shortest beginning of the run that does, then larger pieces of it are left out as long as that can be, then smaller ones (Zeller 1999:
 * delta debugging). What does not end with a step but with the end of the run is looked for in the same way.
 */
export function cutDown(module: WebAssembly.Module, seed: number, error: Error, last: number): number[] {
  let steps = [...allSteps()].slice(0, last + 1);
  const kind = kindOf(error);
  const end = performance.now() + CUTTING;
  const fails = (some: number[]): boolean => {
    const { error: other } = run(module, seed, some);
    return other !== undefined && kindOf(other) === kind;
  };
  for (let [works, broken] = [0, steps.length]; broken - works > 1;) {
    const middle = (works + broken) >> 1;
    if (fails(steps.slice(0, middle))) {
      broken = middle;
      steps = steps.slice(0, middle);
    } else works = middle;
  }
  for (let size = steps.length >> 1; size > 0; size >>= 1)
    // From the end: what comes last is what matters most.
    for (let at = steps.length - size; at > -size && performance.now() < end; at -= size) {
      const from = Math.max(at, 0);
      const fewer = [...steps.slice(0, from), ...steps.slice(at + size)];
      if (fewer.length > 0 && fails(fewer)) steps = fewer;
    }
  return steps;
}

/** `1,2,3,7` as `1-3,7`. */
export function rangesOf(steps: readonly number[]): string {
  const ranges: [number, number][] = [];
  for (const step of steps) {
    const range = ranges.at(-1);
    if (range !== undefined && range[1] === step - 1) range[1] = step;
    else ranges.push([step, step]);
  }
  return ranges.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(",");
}

export function stepsOf(ranges: string): number[] {
  return ranges.split(",").flatMap((range) => {
    const [from = 0, to = from] = range.split("-").map(Number);
    return Array.from({ length: to - from + 1 }, (_, index) => from + index);
  });
}
