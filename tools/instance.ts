/**
 * What the C of wasm2c (wabt 1.0.39) does to make an instance, done by the build as far as it can be: the kernel's one instance is data of the image, its memory, table and
 * globals; of an application's, of which there is one in each process, the data become few pieces. The data of both are packed (lz4.ts).
 */
import { UserError } from "./errors.ts";
import { pack } from "./lz4.ts";

/** asconfig.json, boot/link.ld: where the kernel's static data begin. */
export const KERNEL_DATA = 0x100020;
/** The kernel's export that says where its static data end (kernel/main.ts). */
const DATA_END = "dataEnd";
/** Bytes between two pieces of data that are filled in to make one of both: a piece costs as much in code. */
const GAP = 64;

interface Piece {
  address: number;
  bytes: Buffer;
}

const LOAD = /^ {2}LOAD_DATA\(\w+(?:->|\.)w2c_\w+, (\d+)u, (data_segment_data_\w+), (\d+)\);\n/gm;
const DATA = /^static const u8 (data_segment_data_\w+)\[\] = \{\n([^}]*)\};\n/gm;

/** The active data segments of the one memory, in the order in which they are loaded. */
function segments(source: string): Piece[] {
  const arrays = new Map([...source.matchAll(DATA)].map(([, name = "", bytes = ""]) => [name, bytes]));
  return [...source.matchAll(LOAD)].map(([, address, name = "", length]) => {
    const bytes = Buffer.from((arrays.get(name) ?? "").replace(/0x|[\s,]/g, ""), "hex");
    if (bytes.length !== Number(length)) throw new Error(`${name} has ${bytes.length} bytes, not ${length}`);
    return { address: Number(address), bytes };
  });
}

/** One piece of those that follow one another with small gaps, in which nothing was loaded before. What is loaded over something else is a piece of its own. */
function joined(pieces: readonly Piece[]): Piece[] {
  const found: Piece[] = [];
  /** Behind all that was loaded so far. */
  let end = 0;
  for (const { address, bytes } of pieces) {
    const last = found.at(-1);
    const gap = address - end;
    const behind = last !== undefined && last.address + last.bytes.length === end;
    if (behind && gap >= 0 && gap <= GAP) last.bytes = Buffer.concat([last.bytes, Buffer.alloc(gap), bytes]);
    else found.push({ address, bytes });
    end = Math.max(end, address + bytes.length);
  }
  return found;
}

/** A constant array of a block that boot/unpack.c unpacks. */
function packedArray(name: string, bytes: Buffer): string {
  const block = pack(bytes);
  const lines: string[] = [];
  for (let i = 0; i < block.length; i += 32) lines.push(`  ${block.subarray(i, i + 32).join(",")},\n`);
  return `const u8 ${name}[] = {\n${lines.join("")}};\n`;
}

/**
 * The C of an application, with as few pieces of data as there can be, for a load of each is code, and without what sets globals to zero: memory and instance are fresh when it is
 * instantiated, so they are zero.
 */
export function withJoinedData(whole: string): string {
  const source = whole.replace(/^static void init_globals\([\s\S]*?^\}\n/m, (text) =>
    text.replace(/^ {2}instance->\w+ = 0u(?:ll)?;\n/gm, ""),
  );
  const pieces = joined(segments(source));
  if (pieces.length === 0) return source;
  const arrays = pieces.map(({ bytes }, i) => `static ${packedArray(`packed_data_${i}`, bytes)}`);
  const loads = pieces.map(
    ({ address, bytes }, i) =>
      `  LOAD_PACKED(instance->w2c_memory, ${address}u, packed_data_${i}, ${bytes.length});\n`,
  );
  let first = true;
  const loaded = source.replace(LOAD, () => {
    const text = first ? loads.join("") : "";
    first = false;
    return text;
  });
  return loaded.replace(/^static void init_memories\(/m, (head) => arrays.join("") + head);
}

/** Lines between braces of the one function with this head; none where there is no such function. */
function bodyOf(source: string, head: RegExp): string[] {
  const start = source.search(head);
  if (start < 0) return [];
  const end = source.indexOf("\n}\n", start);
  return source
    .slice(source.indexOf("{\n", start) + 2, end)
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
}

/** Initial values of the kernel's globals by their C names: constants, and what asc sets in a start function because it has not computed it. */
function globals(source: string): Map<string, string> {
  const values = new Map<string, string>();
  for (const line of bodyOf(source, /^static void init_globals\(w2c_kernel\* instance\) \{/m)) {
    const [, name, value] = line.match(/^kernel\.(\w+) = (\d+u(?:ll)?);$/) ?? [];
    if (name === undefined || value === undefined) throw new Error(`kernel.c: not understood: ${line}`);
    values.set(name, value);
  }
  const variables = new Map<string, string>();
  for (const line of bodyOf(source, /^void w2c_kernel_0x7Estart\(w2c_kernel\* instance\) \{/m)) {
    if (/^(?:FUNC_PROLOGUE|FUNC_EPILOGUE|[us](?:32|64) [\w, ]+);$/.test(line)) continue;
    const [, variable, constant] = line.match(/^(var_\w+) = (\d+u(?:ll)?);$/) ?? [];
    const [, name, from] = line.match(/^kernel\.(\w+) = (var_\w+);$/) ?? [];
    const value = from === undefined ? undefined : variables.get(from);
    if (variable !== undefined && constant !== undefined) variables.set(variable, constant);
    else if (name !== undefined && value !== undefined) values.set(name, value);
    else
      throw new UserError(
        `the kernel computes something before its main (${line}): a global begins with a constant`,
      );
  }
  return values;
}

/** Entries of the function table as initialisers, and how many there can be. */
function table(source: string): { entries: string[]; size: number } {
  const lines = bodyOf(source, /^static void init_tables\(w2c_kernel\* instance\) \{/m).join("\n");
  const size = lines.match(/^wasm_rt_allocate_funcref_table\(&kernel\.w2c_\d+, (\d+), \d+\);$/m)?.[1];
  if (size === undefined) throw new Error("kernel.c: no function table");
  const entries: string[] = [];
  for (const [, name, start] of lines.matchAll(
    /^funcref_table_init\(&kernel\.w2c_\d+, (\w+), \d+, (\d+)u, 0, \d+, instance\);$/gm,
  )) {
    const list = bodyOf(
      source,
      new RegExp(`^static const wasm_elem_segment_expr_t ${name}\\[\\] = \\{`, "m"),
    );
    for (const [i, line] of list.filter((text) => text.startsWith("{")).entries()) {
      const [, type, code] =
        line.match(/^\{RefFunc, (\w+), (\(wasm_rt_function_ptr_t\)\w+), \{NULL\}, 0\},$/) ?? [];
      if (type === undefined || code === undefined) throw new Error(`kernel.c: not understood: ${line}`);
      entries.push(`  [${Number(start) + i}] = {${type}, ${code}},\n`);
    }
  }
  return { entries, size: Number(size) };
}

/**
 * The C of the kernel, after the post-pass, with its instance as data: so nothing is left of an instantiation for the boot to do but to unpack the static data (boot/start.c), and the linker
 * drops its code. They go to `kernel_data`, for which boot/link.ld has room at KERNEL_DATA.
 */
export function withKernelInstance(source: string): string {
  const values = globals(source);
  const { entries, size } = table(source);
  const exported = source.match(
    new RegExp(
      `^u32\\* w2c_kernel_${DATA_END}\\(w2c_kernel\\* instance\\) \\{\\n\\s*return &kernel\\.(\\w+);`,
      "m",
    ),
  )?.[1];
  const end = Number.parseInt(values.get(exported ?? "") ?? "", 10);
  if (!(end > KERNEL_DATA)) throw new Error(`kernel.c: no exported global ${DATA_END}`);
  const memory = Buffer.alloc(end - KERNEL_DATA);
  for (const { address, bytes } of segments(source)) {
    if (address < KERNEL_DATA || address + bytes.length > end)
      throw new Error("kernel.c: data outside of its memory");
    bytes.copy(memory, address - KERNEL_DATA);
  }
  const fields = [...values]
    .filter(([, value]) => !/^0u/.test(value))
    .map(([name, value]) => `  .${name} = ${value},\n`);
  return `#define KERNEL_TABLE_ENTRIES ${size}
${source}
/* The instance (tools/instance.ts). */
w2c_kernel kernel = {
${fields.join("")}};
const struct kernel_table_entry kernel_table[KERNEL_TABLE_ENTRIES] = {
${entries.join("")}};
__attribute__((section(".bss.kerneldata"))) u8 kernel_data[${memory.length}];
${packedArray("kernel_data_block", memory)}const u32 kernel_data_block_size = sizeof kernel_data_block;
`;
}
