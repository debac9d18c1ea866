/**
 * Builds an image: reads the manifest, runs the kernel's and each application's half of the pipeline side by side, links.
 *
 * Intermediate files, below the build folder: kernel/, applications/NAME-HASH/, images/NAME-HASH/. Each step is skipped when
 * nothing that it reads has changed (steps.ts).
 */
import { createHash } from "node:crypto";
import { copyFile, mkdir, stat } from "node:fs/promises";
import { basename, dirname, extname, join, resolve } from "node:path";
import { type Application, bindCalls, compileApplication, translateApplication } from "./application.ts";
import { KERNEL_OPTIONS, gccStep } from "./commands.ts";
import { type ImageParameters, modulesSource, moduleSource } from "./generate.ts";
import { WASM_PAGE, compileKernel, translateKernel } from "./kernel.ts";
import { link } from "./link.ts";
import { withLock } from "./lock.ts";
import { type Manifest, loadManifest } from "./manifest.ts";
import { BUILD } from "./paths.ts";
import { checkCallNames } from "./policy.ts";
import { type StartedCommand, Steps } from "./steps.ts";
import { requireTool } from "./toolchain.ts";
import type { FunctionType } from "./wasm.ts";

export interface BuiltImage {
  /** The image for QEMU's -kernel: ELF32, multiboot 1. */
  image: string;
  /** The same as ELF64 with symbols, for gdb. */
  elf: string;
  manifest: Manifest;
  /** Memory that the image, and its applications before they grow, take at least, in bytes. */
  neededBytes: number;
  /** The commands that this build started, in order: none when nothing has changed. */
  started: readonly StartedCommand[];
}

export interface BuildOptions {
  /** Folder of the intermediate files; build/ of the checkout when absent. */
  folder?: string;
  /** Told of every command before it starts. */
  report?: (command: StartedCommand) => void;
  /** C beside the kernel that applications may call: for measurements (bench/quality.ts), and no part of a manifest, since nothing contains it. */
  natives?: Natives;
}

/** Sources in C, compiled with `options` behind those of all C; NAME of `calls`, which applications import as a system call, is their function w2c_aemos_NAME. */
export interface Natives {
  sources: readonly string[];
  options: readonly string[];
  calls: ReadonlyMap<string, FunctionType>;
}

type Built = Pick<BuiltImage, "image" | "elf" | "neededBytes">;

/** What a kernel that serves nobody uses, beside the image. */
const KERNEL_BYTES = 2 << 20;
/** A vmtable zone, where there is no memory for the one that the manifest asks for (kernel/memory/vmtable.ts). */
const LEAST_ZONE_KIB = 64;
const REQUIRED = ["gcc", "ld", "objcopy", "nm"] as const;
const REQUIRED_FOR_C = ["clang", "wasm-ld"] as const;
const NO_NATIVES: Natives = { sources: [], options: [], calls: new Map() };

/**
 * Builds the image of a manifest (.json), or of one application (folder with aemos.json, .ts, .c, .wasm).
 * `output` gets a copy of the image, and `output`.elf one of the ELF64. Rejects with a UserError that names the file at fault.
 */
export async function buildImage(
  manifestOrApp: string,
  output?: string,
  options: BuildOptions = {},
): Promise<BuiltImage> {
  const manifest = await loadManifest(manifestOrApp);
  const inC = manifest.applications.some(({ module }) => extname(module) === ".c");
  for (const tool of [...REQUIRED, ...(inC ? REQUIRED_FOR_C : [])]) await requireTool(tool);
  const folder = options.folder ?? BUILD;
  return withLock(folder, async () => {
    const steps = new Steps(options.report);
    const built = await buildSteps(steps, manifest, resolve(manifestOrApp), folder, options.natives);
    if (output === undefined) return { ...built, manifest, started: steps.started };
    const copies = { ...built, image: output, elf: `${output}.elf` };
    await mkdir(dirname(resolve(output)), { recursive: true });
    await copyFile(built.image, copies.image);
    await copyFile(built.elf, copies.elf);
    return { ...copies, manifest, started: steps.started };
  });
}

async function buildSteps(
  steps: Steps,
  manifest: Manifest,
  source: string,
  folder: string,
  natives = NO_NATIVES,
): Promise<Built> {
  const kernelFolder = join(folder, "kernel");
  const applicationsFolder = join(folder, "applications");
  const kernelModule = compileKernel(steps, kernelFolder);
  const kernel = kernelModule.then((module) => translateKernel(steps, kernelFolder, module));
  const applications = manifest.applications.map(async (entry, index) => {
    const wasm = await compileApplication(steps, applicationsFolder, entry);
    const { calls } = await kernelModule;
    checkCallNames(`${manifest.file}: applications[${index}]`, entry.policy, calls.keys());
    const offered = new Map([...calls, ...natives.calls]);
    return translateApplication(steps, applicationsFolder, entry, wasm, offered);
  });
  const { objects } = await allOrFirstError([kernel, ...applications]).then(() => kernel);
  const modules = await Promise.all(applications);

  const digest = createHash("sha256").update(source).digest("hex").slice(0, 8);
  const imageFolder = join(folder, "images", `${manifest.name}-${digest}`);
  const glue = await compileGlue(steps, imageFolder, modules, manifest);
  const prefixes = new Map([
    ...modules.map((module) => [module.symbolPrefix, `${module.entry.name}:`] as const),
    ["w2c_kernel_", ""] as const,
  ]);
  const bound = await Promise.all(modules.map((module) => bindCalls(steps, imageFolder, module)));
  const all = [...objects, ...bound, ...glue, ...(await compileNatives(steps, imageFolder, natives))];
  const linked = await link(steps, { folder: imageFolder, objects: all, prefixes });
  const { size } = await stat(linked.image);
  return {
    ...linked,
    neededBytes: size + KERNEL_BYTES + modules.map(bytesAtStart).reduce((a, b) => a + b, 0),
  };
}

function bytesAtStart({ memoryPages, entry }: Application): number {
  return memoryPages * WASM_PAGE + (entry.stackKiB + Math.min(entry.vmtableKiB, LEAST_ZONE_KIB)) * 1024;
}

/** Waits for all, so that nothing still runs when the first error is reported. */
async function allOrFirstError(work: readonly Promise<unknown>[]): Promise<void> {
  const results = await Promise.allSettled(work);
  for (const result of results) if (result.status === "rejected") throw result.reason;
}

/** The descriptors of the applications and their list: what depends on the manifest. */
async function compileGlue(
  steps: Steps,
  folder: string,
  modules: readonly Application[],
  parameters: ImageParameters,
): Promise<string[]> {
  const list = join(folder, "modules.c");
  const names = modules.map((module) => module.entry.name);
  await steps.generate(list, modulesSource(names, parameters));
  const units = [{ unit: "image", source: list, folders: [] as string[] }];
  for (const module of modules) {
    const source = join(folder, `module_${module.entry.name}.c`);
    await steps.generate(source, moduleSource(module));
    units.push({ unit: `application ${module.entry.name}`, source, folders: [module.folder] });
  }
  return Promise.all(
    units.map(async ({ unit, source, folders }) => {
      const output = join(folder, `${basename(source)}.o`);
      // No floating-point code stands in them, but the headers that they include declare some.
      const options = source === list ? KERNEL_OPTIONS : [];
      await steps.run(await gccStep({ unit, source, output, folders, options }));
      return output;
    }),
  );
}

function compileNatives(steps: Steps, folder: string, { sources, options }: Natives): Promise<string[]> {
  return Promise.all(
    sources.map(async (source) => {
      const output = join(folder, `native_${basename(source)}.o`);
      await steps.run(await gccStep({ unit: "image", source, output, folders: [], options }));
      return output;
    }),
  );
}
