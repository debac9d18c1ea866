/**
 * The functions of an image, by address and with the names that they have in the source: file and function, for the kernel, the applications, the build's glue and boot/
 * alike. What the compilers have inlined has no address: it is part of the function that it was inlined into.
 */
import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { BUILD } from "../tools/paths.ts";
import { demangle } from "../tools/translate.ts";

const execute = promisify(execFile);
const KERNEL = join(BUILD, "kernel");

export interface CodeSymbol {
  address: number;
  name: string;
}

async function nm(...list: string[]): Promise<string> {
  return (await execute("nm", list, { maxBuffer: 1 << 26 })).stdout;
}

/** The functions and labels of an ELF file, by address. */
export async function symbolsOf(elf: string): Promise<CodeSymbol[]> {
  return [...(await nm("-n", elf)).matchAll(/^([0-9a-f]+) [tT] (\S+)$/gm)].map(
    ([, address = "", name = ""]) => ({
      address: Number.parseInt(address, 16),
      name,
    }),
  );
}

/** The one symbol with this end of its name, whatever gcc has made of its parameters. */
export function symbol(symbols: readonly CodeSymbol[], end: string): number {
  const [found, another] = symbols.filter(({ name }) =>
    name.replace(/(\.(isra|constprop)\.\d+)+$/, "").endsWith(end),
  );
  if (found === undefined || another !== undefined) throw new Error(`not one symbol ends with ${end}`);
  return found.address;
}

/** Name of the function at an address. */
export function nameAt(functions: readonly CodeSymbol[], address: number): string {
  let [low, high] = [0, functions.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((functions[middle] as CodeSymbol).address <= address) low = middle + 1;
    else high = middle;
  }
  return functions[low - 1]?.name ?? "?";
}

/** `net/ipv4/ipv4Input` as `net/ipv4.ts ipv4Input`; type arguments have slashes of their own. */
function withFile(name: string): string {
  const end = name.search(/[<(]/);
  const slash = name.lastIndexOf("/", end < 0 ? undefined : end);
  return slash < 0 ? name : `${name.slice(0, slash)}.ts ${name.slice(slash + 1)}`;
}

/** An exported function of the kernel has lost its file's name; the C that it becomes calls it by the whole one. */
async function kernelExports(): Promise<Map<string, string>> {
  const source = await readFile(join(KERNEL, "kernel.c"), "utf8");
  const names = source.matchAll(/^\/\* export: '(\w+)' \*\/\n(?:.*\n)*?.*?\b(w2c_kernel_\w+)\(instance/gm);
  return new Map([...names].map(([, name = "", symbol = ""]) => [`w2c_kernel_${name}`, symbol]));
}

/** The files of boot/, and what of the glue the build makes for all images: by the objects that they become. */
async function bootFiles(): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for (const object of await readdir(KERNEL)) {
    if (!/\.[cS]\.o$/.test(object) || object === "kernel.c.o") continue;
    const source = object.slice(0, -2);
    const file = source === "syscalls.c" ? "boot/syscall.h" : `boot/${source}`;
    for (const [, name = ""] of (await nm(join(KERNEL, object))).matchAll(/ [tT] (\S+)$/gm))
      files.set(name, file);
  }
  return files;
}

/** Names of all functions of an image of the build folder, ascending by address, one for each address. */
export async function functionsOf(elf: string): Promise<CodeSymbol[]> {
  const symbols = await symbolsOf(elf);
  const [exports, boot] = [await kernelExports(), await bootFiles()];
  // Each application has its own function that makes its instance.
  const prefixes = new Map([["w2c_kernel_", ""]]);
  for (const { name } of symbols) {
    const application = /^wasm2c_(app__(\w+))_instantiate$/.exec(name);
    if (application)
      prefixes.set(`w2c_${application[1]}_`, `${demangle(`x${application[2]}`, new Map([["x", ""]]))}:`);
  }
  const readable = (name: string): string => {
    const plain = name.replace(/\..*$/, "");
    const file = boot.get(plain);
    if (file !== undefined) return `${file} ${plain.replace(/^w2c_aemos_/, "")}`;
    const shown = demangle(exports.get(plain) ?? plain, prefixes);
    if (shown !== plain) return withFile(shown);
    return `glue ${plain}`;
  };
  // Of several names for one place the shortest is the function's own: no wrapper of wasm2c's, no label.
  const best = new Map<number, string>();
  for (const { address, name } of symbols) {
    // Labels within copy_user and what waits (boot/memory.S).
    if (/^(copy_user_|wait_)/.test(name)) continue;
    const other = best.get(address);
    if (other === undefined || name.length < other.length) best.set(address, name);
  }
  return [...best].map(([address, name]) => ({ address, name: readable(name) }));
}
