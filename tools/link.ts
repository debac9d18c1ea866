/**
 * Links an image: once for the addresses, once more with the names of all functions behind them, for backtraces. Then the
 * ELF64 gets the ELF32 shell that QEMU's multiboot loader takes.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { binutil, gccStep } from "./commands.ts";
import { type NamedAddress, symbolsSource } from "./generate.ts";
import { KERNEL_DATA } from "./instance.ts";
import { ROOT } from "./paths.ts";
import type { Steps } from "./steps.ts";
import { demangle } from "./translate.ts";

const UNIT = "image";

export interface Link {
  folder: string;
  objects: readonly string[];
  /** Prefixes of wasm2c's symbols and what stands for them in a backtrace. */
  prefixes: ReadonlyMap<string, string>;
}

/** Links `objects` into `folder`/image.elf and image.bin; paths of both. */
export async function link(
  steps: Steps,
  { folder, objects, prefixes }: Link,
): Promise<{ elf: string; image: string }> {
  const first = join(folder, "unnamed.elf");
  await ld(steps, objects, first);
  const before = await symbolsOf(steps, first);
  const functions = before
    .filter(({ code }) => code)
    .map(({ address, name }) => ({ address, name: demangle(name, prefixes) }));
  const source = join(folder, "symbols.S");
  await steps.generate(source, symbolsSource(oneForEachAddress(functions)));
  const object = join(folder, "symbols.o");
  await steps.run(await gccStep({ unit: UNIT, source, output: object, folders: [], options: [] }));

  const elf = join(folder, "image.elf");
  await ld(steps, [...objects, object], elf);
  const after = await symbolsOf(steps, elf);
  checkUnmoved(before, after);
  checkKernelData(after);
  const image = join(folder, "image.bin");
  const command = await binutil("objcopy", ["-O", "elf32-i386", "--strip-all", elf, image]);
  await steps.run({ unit: UNIT, command, inputs: [elf], outputs: [image] });
  return { elf, image };
}

async function ld(steps: Steps, objects: readonly string[], output: string): Promise<void> {
  const script = join(ROOT, "boot", "link.ld");
  const options = [
    "-m",
    "elf_x86_64",
    "-T",
    script,
    "-nostdlib",
    "--nmagic",
    "-static",
    "--gc-sections",
    "--build-id=none",
  ];
  const list = [
    ...options,
    "-z",
    "noexecstack",
    "-z",
    "max-page-size=4096",
    "--no-warn-rwx-segments",
    "-o",
    output,
  ];
  const command = await binutil("ld", [...list, ...objects]);
  await steps.run({ unit: UNIT, command, inputs: [script, ...objects], outputs: [output] });
}

interface LinkedSymbol extends NamedAddress {
  code: boolean;
}

/** All symbols of an ELF by address; read again only when it was linked again. */
async function symbolsOf(steps: Steps, elf: string): Promise<LinkedSymbol[]> {
  const list = `${elf}.symbols`;
  const command = await binutil("nm", ["-n", "--defined-only", elf]);
  await steps.run({ unit: UNIT, command, inputs: [elf], outputs: [list], standardOutput: list });
  const text = await readFile(list, "utf8");
  return [...text.matchAll(/^([0-9a-f]+) (\w) (\S+)$/gm)].map(([, address = "", kind = "", name = ""]) => ({
    address: Number.parseInt(address, 16),
    code: kind === "t" || kind === "T",
    name,
  }));
}

/** Labels inside functions share addresses with them; the longest name says most. */
function oneForEachAddress(symbols: readonly NamedAddress[]): NamedAddress[] {
  const best = new Map<number, NamedAddress>();
  for (const symbol of symbols) {
    const other = best.get(symbol.address);
    if (other === undefined || symbol.name.length > other.name.length) best.set(symbol.address, symbol);
  }
  return [...best.values()].sort((a, b) => a.address - b.address);
}

function checkUnmoved(before: readonly LinkedSymbol[], after: readonly LinkedSymbol[]): void {
  const places = new Map(after.map(({ name, address }) => [`${name} ${address}`, true]));
  const moved = before.filter(({ code, name, address }) => code && !places.has(`${name} ${address}`));
  if (moved.length === 0) return;
  const names = moved.slice(0, 5).map(({ name }) => name);
  throw new Error(
    `boot/link.ld: the table of names is not behind the functions: it moved ${names.join(", ")}`,
  );
}

/** asc has compiled the kernel for static data at one address; they stand in a section of their own. */
function checkKernelData(symbols: readonly LinkedSymbol[]): void {
  const address = symbols.find(({ name }) => name === "kernel_data")?.address;
  if (address === KERNEL_DATA) return;
  throw new Error(`boot/link.ld: the kernel's static data are at ${address}, not at ${KERNEL_DATA}`);
}
