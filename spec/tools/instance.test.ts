/** The kernel's instance in the image is the one that instantiating kernel.wasm makes; and the C that leads to it. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { withColdFunctions } from "../../tools/cold.ts";
import { KERNEL_DATA, withJoinedData, withKernelInstance } from "../../tools/instance.ts";
import { BUILD } from "../../tools/paths.ts";
import { DEFAULT_IMAGE, built } from "../boot/machine.ts";
import { unpacked } from "./unpack.ts";

const run = promisify(execFile);

/** `length` octets of the image at a symbol, which is in the segment of the constants. */
async function atSymbol(image: string, name: string, length: number): Promise<Buffer> {
  const elf = join(dirname(image), "image.elf");
  const { stdout } = await run("objdump", ["-t", "-h", "-w", elf]);
  const address = Number.parseInt(stdout.match(new RegExp(`^(\\w+) .* ${name}$`, "m"))?.[1] ?? "", 16);
  const [, start = "", offset = ""] = stdout.match(/ \.rodata +\w+ +(\w+) +\w+ +(\w+) /) ?? [];
  const at = address - Number.parseInt(start, 16) + Number.parseInt(offset, 16);
  return (await readFile(elf)).subarray(at, at + length);
}

test("the static data of the image are those of an instance", async () => {
  const image = await built(DEFAULT_IMAGE);
  const module = await WebAssembly.compile(await readFile(join(BUILD, "kernel", "kernel.wasm")));
  const hal = Object.fromEntries(
    WebAssembly.Module.imports(module).map(({ name }) => [
      name,
      (): never => {
        throw new Error(`hal.${name} was called before main`);
      },
    ]),
  );
  const { exports } = await WebAssembly.instantiate(module, { hal });
  const end = (exports["dataEnd"] as WebAssembly.Global).value as number;
  const memory = Buffer.from((exports["memory"] as WebAssembly.Memory).buffer);
  const length = end - KERNEL_DATA;
  assert.ok(length > 10_000);
  const size = (await atSymbol(image, "kernel_data_block_size", 4)).readUInt32LE();
  const block = await atSymbol(image, "kernel_data_block", size);
  assert.ok(unpacked([{ block, length }]).equals(memory.subarray(KERNEL_DATA, end)));
});

const KERNEL = `
static void w2c_kernel_a(w2c_kernel*);
static void wrap_w2c_kernel_b(w2c_kernel*);
static void w2c_kernel_c(w2c_kernel*);
static void w2c_kernel_kernel0x2Fconsole0x2Fd(w2c_kernel*);

static const u8 data_segment_data_w2c_kernel_d0[] = {
  0x41, 0x42, 
};

static void init_globals(w2c_kernel* instance) {
  kernel.w2c_zero = 0u;
  kernel.w2c_end = ${KERNEL_DATA + 6}u;
  kernel.w2c_late = 0ull;
}

static void init_memories(w2c_kernel* instance) {
  LOAD_DATA(kernel.w2c_memory, ${KERNEL_DATA + 3}u, data_segment_data_w2c_kernel_d0, 2);
}

static const wasm_elem_segment_expr_t elem_segment_exprs_w2c_kernel_0[] = {
  {RefFunc, w2c_kernel_t0, (wasm_rt_function_ptr_t)wrap_w2c_kernel_b, {NULL}, 0},
};

static void init_tables(w2c_kernel* instance) {
  wasm_rt_allocate_funcref_table(&kernel.w2c_0, 2, 2);
  funcref_table_init(&kernel.w2c_0, elem_segment_exprs_w2c_kernel_0, 1, 1u, 0, 1, instance);
}

/* export: 'dataEnd' */
u32* w2c_kernel_dataEnd(w2c_kernel* instance) {
  return &kernel.w2c_end;
}

/* export: 'main' */
void w2c_kernel_main(w2c_kernel* instance) {
  w2c_kernel_a(instance);
  w2c_kernel_c(instance);
}

void w2c_kernel_0x7Estart(w2c_kernel* instance) {
  FUNC_PROLOGUE;
  u64 var_j0;
  var_j0 = 7ull;
  kernel.w2c_late = var_j0;
  FUNC_EPILOGUE;
}

void w2c_kernel_a(w2c_kernel* instance) {
}

void wrap_w2c_kernel_b(w2c_kernel* instance) {
  w2c_kernel_c(instance);
}

void w2c_kernel_c(w2c_kernel* instance) {
}

void w2c_kernel_kernel0x2Fconsole0x2Fd(w2c_kernel* instance) {
}
`;

/** What an array of a source is packed of. */
function blockOf(source: string, name: string, length: number): Buffer {
  const list = source.match(new RegExp(` ${name}\\[\\] = \\{([^}]*)\\}`))?.[1] ?? "";
  return unpacked([{ block: Buffer.from(list.split(",").map(Number).slice(0, -1)), length }]);
}

test("globals, table and data become initialisers; what has to be computed is refused", () => {
  const text = withKernelInstance(KERNEL);
  assert.match(text, /#define KERNEL_TABLE_ENTRIES 2\n/);
  assert.match(text, /w2c_kernel kernel = \{\n {2}\.w2c_end = \d+u,\n {2}\.w2c_late = 7ull,\n\};/);
  assert.match(text, /\{\n {2}\[1\] = \{w2c_kernel_t0, \(wasm_rt_function_ptr_t\)wrap_w2c_kernel_b\},\n\};/);
  assert.match(text, /u8 kernel_data\[6\];/);
  assert.deepEqual([...blockOf(text, "kernel_data_block", 6)], [0, 0, 0, 65, 66, 0]);
  const computed = KERNEL.replace("var_j0 = 7ull;", "var_j0 = w2c_kernel_f(instance);");
  assert.throws(() => withKernelInstance(computed), /computes something before its main/);
  const beyond = KERNEL.replace(`${KERNEL_DATA + 3}u`, `${KERNEL_DATA + 5}u`);
  assert.throws(() => withKernelInstance(beyond), /outside of its memory/);
});

test("cold is what only main leads to, and the files that print", () => {
  const cold = [...withColdFunctions(KERNEL).matchAll(/^__attribute__\(\(cold\)\) static void (\w+)/gm)];
  assert.deepEqual(
    cold.map(([, name]) => name),
    ["w2c_kernel_a", "w2c_kernel_kernel0x2Fconsole0x2Fd"],
  );
});

test("a piece of data may be as large as it likes", () => {
  const large = Array.from({ length: 200_000 }, () => "0x07").join(", ");
  const text = withJoinedData(
    `static const u8 data_segment_data_w2c_app_d0[] = {\n  0x01, \n};\n` +
      `static const u8 data_segment_data_w2c_app_d1[] = {\n  ${large}, \n};\n` +
      `static void init_memories(w2c_app* instance) {\n` +
      `  LOAD_DATA(instance->w2c_memory, 100u, data_segment_data_w2c_app_d0, 1);\n` +
      `  LOAD_DATA(instance->w2c_memory, 101u, data_segment_data_w2c_app_d1, 200000);\n}\n`,
  );
  const data = blockOf(text, "packed_data_0", 200_001);
  assert.ok(data.equals(Buffer.concat([Buffer.of(1), Buffer.alloc(200_000, 7)])));
});

test("an application's data with small gaps are one piece, and what is far away or loaded over it is another", () => {
  const piece = (name: string, bytes: string): string =>
    `static const u8 data_segment_data_w2c_app_${name}[] = {\n  ${bytes}, \n};\n`;
  const load = (at: number, name: string, length: number): string =>
    `  LOAD_DATA(instance->w2c_memory, ${at}u, data_segment_data_w2c_app_${name}, ${length});\n`;
  const source =
    piece("d0", "0x01, 0x02") +
    piece("d1", "0x03") +
    piece("d2", "0x04") +
    `static void init_globals(w2c_app* instance) {\n  instance->w2c_a = 0u;\n  instance->w2c_b = 10u;\n}\n` +
    `static void init_memories(w2c_app* instance) {\n${load(100, "d0", 2)}${load(105, "d1", 1)}${load(9000, "d2", 1)}${load(101, "d2", 1)}${load(104, "d1", 1)}}\n` +
    `void f(w2c_app* instance) {\n  instance->w2c_a = 0u;\n}\n`;
  const text = withJoinedData(source);
  const loads = [...text.matchAll(/LOAD_PACKED\(instance->w2c_memory, (\d+)u, (\w+), (\d+)\);/g)];
  assert.deepEqual(
    loads.map(([, at, name, length]) => [at, name, length]),
    [
      ["100", "packed_data_0", "6"],
      ["9000", "packed_data_1", "1"],
      ["101", "packed_data_2", "1"],
      // Between the two is what was loaded first.
      ["104", "packed_data_3", "1"],
    ],
  );
  assert.deepEqual([...blockOf(text, "packed_data_0", 6)], [1, 2, 0, 0, 0, 3]);
  assert.match(text, /init_globals\(w2c_app\* instance\) \{\n {2}instance->w2c_b = 10u;\n\}/);
  assert.match(text, /void f\(w2c_app\* instance\) \{\n {2}instance->w2c_a = 0u;\n\}/);
});
