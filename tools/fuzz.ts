/**
 * The fuzzer of the receive path: runs spec/net/fuzz/target.ts, the kernel's network code for Node, one seed after the other; each is a machine of its own, and a run that can be
 * repeated. A trap is a bug.
 *
 *     npm run fuzz                              until it is stopped, from a random seed on
 *     npm run fuzz -- --seed 7 --seconds 60
 *     npm run fuzz -- --seed 7 --runs 1         once more what has failed
 *
 * Of a run that traps the last frames are kept as build/fuzz/seed-N.pcap, with the trap beside it.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createMachine } from "../spec/hal.js";
import { runCompiler } from "./compilers.ts";
import { BUILD, isProgram, shown } from "./paths.ts";

const FOLDER = join(BUILD, "fuzz");
/** Frames of one run, and those that are kept of one that fails. */
const FRAMES = 50_000;
const KEPT = 500;
const SEEDS = 2 ** 31;

interface Target {
  memory: WebAssembly.Memory;
  _start?: () => void;
  boot: (seed: number) => void;
  step: (count: number) => void;
  finish: () => void;
  reached: (what: number) => bigint;
}

/** What `reached` counts. */
const REACHED = ["reassembled", "echoes", "datagrams", "accepted", "connected", "errors"] as const;

export interface FuzzResult {
  runs: number;
  frames: number;
  /** How far frames came, all runs together. */
  reached: Record<(typeof REACHED)[number], number>;
  failure?: { seed: number; message: string; file: string };
}

async function compileTarget(): Promise<WebAssembly.Module> {
  mkdirSync(FOLDER, { recursive: true });
  const wasm = join(FOLDER, "target.wasm");
  const list = [
    "spec/net/fuzz/target.ts",
    "-o",
    wasm,
    "-O2",
    "--debug",
    "--exportTable",
    "--exportStart",
    "_start",
  ];
  const options = ["--runtime", "incremental", "--disable", "threads"];
  const { status, errors } = await runCompiler({
    tool: "asc",
    list: [join(FOLDER, "dependencies"), ...list, ...options],
  });
  if (status !== 0) throw new Error(`spec/net/fuzz/target.ts does not compile\n${errors}`);
  return new WebAssembly.Module(readFileSync(wasm));
}

/** One run. The error that ended it, or undefined. `seen`: called with each frame. */
function run(
  module: WebAssembly.Module,
  seed: number,
  seen?: (frame: Buffer) => void,
  done?: (target: Target) => void,
): Error | undefined {
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
  };
  target = new WebAssembly.Instance(module, { hal, fake, env, fuzz } as unknown as WebAssembly.Imports)
    .exports as unknown as Target;
  try {
    target._start?.();
    target.boot(seed);
    target.step(FRAMES);
    target.finish();
    done?.(target);
    return undefined;
  } catch (error) {
    return error as Error;
  }
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

/** Runs the seed that failed once more, and keeps its last frames. */
function keep(
  module: WebAssembly.Module,
  seed: number,
  error: Error,
): { seed: number; message: string; file: string } {
  const frames: Buffer[] = [];
  run(module, seed, (frame) => {
    frames.push(frame);
    if (frames.length > 2 * KEPT) frames.splice(0, KEPT);
  });
  const file = join(FOLDER, `seed-${seed}.pcap`);
  writeFileSync(file, capture(frames.slice(-KEPT)));
  const message = error.stack ?? error.message;
  writeFileSync(join(FOLDER, `seed-${seed}.txt`), `${message}\n`);
  return { seed, message, file };
}

/** Runs seeds from `seed` on until one traps, `seconds` have passed or there were `runs`. `report` is called after each. */
export async function fuzz(
  seed: number,
  seconds: number,
  runs = Infinity,
  report: (result: FuzzResult, seed: number) => void = () => {},
): Promise<FuzzResult> {
  const module = await compileTarget();
  const end = performance.now() + seconds * 1000;
  const reached = Object.fromEntries(REACHED.map((name) => [name, 0])) as FuzzResult["reached"];
  const result: FuzzResult = { runs: 0, frames: 0, reached };
  for (; result.runs < runs && performance.now() < end; seed = (seed + 1) % SEEDS) {
    const error = run(module, seed, undefined, (target) => {
      REACHED.forEach((name, index) => {
        reached[name] += Number(target.reached(index));
      });
    });
    result.runs += 1;
    result.frames += FRAMES;
    if (error !== undefined) return { ...result, failure: keep(module, seed, error) };
    report(result, seed);
    // Lets a signal in.
    await new Promise(setImmediate);
  }
  return result;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { seed: { type: "string" }, seconds: { type: "string" }, runs: { type: "string" } },
  });
  const seed = Number(values.seed ?? Math.floor(Math.random() * SEEDS));
  console.log(`seed ${seed}`);
  const started = performance.now();
  const result = await fuzz(
    seed,
    Number(values.seconds ?? Infinity),
    Number(values.runs ?? Infinity),
    ({ runs, frames, reached }, now) => {
      if (runs % 20 !== 0) return;
      const rate = (frames / (performance.now() - started)).toFixed(0);
      console.log(`seed ${now}: ${frames} frames, ${rate} in a millisecond; ${JSON.stringify(reached)}`);
    },
  );
  console.log(`${result.runs} runs, ${result.frames} frames; ${JSON.stringify(result.reached)}`);
  if (result.failure === undefined) return;
  const { failure } = result;
  console.error(`seed ${failure.seed}: ${failure.message}\nthe last frames are in ${shown(failure.file)}`);
  process.exitCode = 1;
}

if (isProgram(import.meta.url)) await main();
