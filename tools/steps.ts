/**
 * Incremental steps: each runs only when its command line, a tool's version or the content of a file it read has changed.
 *
 * What a step read is remembered in a stamp beside its outputs: its declared inputs and those it discovered (imports of a
 * source, included headers). Times of files play no part. Commands that were started are kept in a log, so that a test can
 * say which were not.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { dirname } from "node:path";
import { type Ended, runCompiler } from "./compilers.ts";
import { UserError, hasCode } from "./errors.ts";
import { ROOT } from "./paths.ts";
import { Slots } from "./slots.ts";

/** A command that a build started. */
export interface StartedCommand {
  /** Name of the program as the pipeline calls it: "asc", "clang", "wasm-ld", "wasm-opt", "wasm2c", "gcc", "ld", "objcopy", "nm". */
  tool: string;
  /** What it worked on, as in "kernel" or "application echo". */
  unit: string;
  arguments: readonly string[];
}

export interface Command {
  tool: string;
  /** Program and the arguments before `arguments`. */
  program: readonly string[];
  /** Whether it runs in a thread of compilers.ts. */
  warm?: boolean;
  /** Name and version: part of the key. */
  version: string;
  arguments: readonly string[];
}

export interface Step {
  unit: string;
  command: Command;
  /** Files that it reads, as far as they are known beforehand. */
  inputs: readonly string[];
  /** Files that it writes; the stamp stands beside the first. */
  outputs: readonly string[];
  /**
   * Called after it ran: further files that it read or looked for in vain, with the hash of what it read where the command
   * knows (the file may have been edited since).
   */
  discover?: () => Promise<ReadonlyMap<string, string | undefined>>;
  /** File for what the command writes on its standard output. */
  standardOutput?: string;
}

interface Stamp {
  key: string;
  inputs: Record<string, string>;
  outputs: Record<string, string>;
}

/** Stands for the content hash of a file that is not there. */
export const ABSENT = "absent";

export class Steps {
  /** Every command that was started, in order. */
  readonly started: StartedCommand[] = [];
  private readonly hashes = new Map<string, Promise<string>>();
  private readonly slots = new Slots(availableParallelism());

  /** `report` is told of every command before it starts. */
  constructor(private readonly report: (command: StartedCommand) => void = () => undefined) {}

  /** Runs the step unless nothing that it depends on has changed. */
  async run(step: Step): Promise<void> {
    const { command, unit } = step;
    const first = step.outputs[0];
    if (first === undefined) throw new Error(`a step of ${unit} has no output`);
    const stampPath = `${first}.stamp`;
    const key = hash(
      JSON.stringify([command.program, command.version, command.arguments, step.inputs, step.outputs]),
    );
    if (await this.current(stampPath, key)) return;
    await rm(stampPath, { force: true });
    await Promise.all(step.outputs.map((path) => mkdir(dirname(path), { recursive: true })));
    // Before it runs: what is edited meanwhile has another content at the next build.
    const declared = await this.hashAll(step.inputs);
    const output = await this.execute(unit, command);
    if (step.standardOutput !== undefined) await writeFile(step.standardOutput, output);
    for (const path of step.outputs) this.hashes.delete(path);
    const inputs = { ...(await this.discovered(step)), ...declared };
    const stamp: Stamp = { key, inputs, outputs: await this.hashAll(step.outputs) };
    for (const [path, value] of Object.entries(stamp.outputs)) {
      if (value === ABSENT) throw new Error(`${command.tool} (${unit}) ended well but wrote no ${path}`);
    }
    await writeFile(stampPath, JSON.stringify(stamp));
  }

  /** Runs a command as soon as a processor is free. Its standard output; a UserError with what it wrote when it fails. */
  execute(unit: string, command: Command): Promise<string> {
    return this.slots.use(async () => {
      const entry = { tool: command.tool, unit, arguments: command.arguments };
      this.started.push(entry);
      this.report(entry);
      const { status, output, errors } = await run(unit, command);
      if (status !== 0) {
        const how = typeof status === "number" ? `status ${status}` : status;
        throw new UserError(`${unit}: ${command.tool} failed (${how})\n${errors}${output}`.trimEnd());
      }
      // Warnings.
      if (errors !== "") process.stderr.write(`${unit}: ${command.tool}:\n${errors}`);
      return output;
    });
  }

  /** Writes a generated file; one whose content is the same is left alone. */
  async generate(path: string, content: string): Promise<void> {
    const old = await readFile(path, "utf8").catch(() => undefined);
    if (old === content) return;
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
    this.hashes.delete(path);
  }

  private async current(stampPath: string, key: string): Promise<boolean> {
    let stamp: Stamp;
    try {
      stamp = JSON.parse(await readFile(stampPath, "utf8")) as Stamp;
    } catch {
      return false;
    }
    if (stamp.key !== key) return false;
    const files = Object.entries({ ...stamp.inputs, ...stamp.outputs });
    const same = await Promise.all(files.map(async ([path, value]) => (await this.hashFile(path)) === value));
    return same.every(Boolean);
  }

  private hashFile(path: string): Promise<string> {
    let value = this.hashes.get(path);
    if (value === undefined) {
      value = readFile(path).then(hash, (error: unknown) => {
        if (["ENOENT", "ENOTDIR", "EISDIR"].some((code) => hasCode(error, code))) return ABSENT;
        throw error;
      });
      this.hashes.set(path, value);
    }
    return value;
  }

  private async discovered(step: Step): Promise<Record<string, string>> {
    const files = [...((await step.discover?.()) ?? [])];
    const entries = files.map(async ([path, known]) => [path, known ?? (await this.hashFile(path))] as const);
    return Object.fromEntries(await Promise.all(entries));
  }

  private async hashAll(paths: Iterable<string>): Promise<Record<string, string>> {
    const entries = [...paths].map(async (path) => [path, await this.hashFile(path)] as const);
    return Object.fromEntries(await Promise.all(entries));
  }
}

/** Content hash, as in the stamps. */
export function hash(data: string | Buffer): string {
  return createHash("sha256").update(data).digest("hex");
}

/** `status`: that of the program, or the signal that ended it. */
type Result = Omit<Ended, "status"> & { status: number | string };

function run(
  unit: string,
  { tool, program: [program, ...first], warm, arguments: rest }: Command,
): Promise<Result> {
  if (program === undefined) throw new Error(`${tool} has no program`);
  if (warm) return runCompiler({ tool, list: [program, ...first, ...rest] });
  return new Promise((resolve, reject) => {
    const child = spawn(program, [...first, ...rest], { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    let errors = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
    child.on("error", (error) =>
      reject(new UserError(`${unit}: ${tool} could not be started: ${error.message}`)),
    );
    child.on("close", (code, signal) => resolve({ status: signal ?? code ?? 1, output, errors }));
  });
}
