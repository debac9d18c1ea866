/**
 * Floating point in an application, bit for bit: the rounding functions of boot/include/math.h (there is no libm) and the
 * wasm rules that gcc's options have to keep. A guest computes each case and compares it with what JavaScript says.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { buildImage } from "../../tools/build.ts";
import { startGuest } from "../../tools/qemu.ts";
import { assemble, sourceFolder, writeFiles } from "./support.ts";

const VALUES = [
  0,
  0.25,
  0.49999999999999994,
  0.5,
  0.75,
  1,
  1.5,
  2.5,
  3.5,
  1e-310,
  5e-324,
  2 ** 22 + 0.5,
  2 ** 23 - 0.5,
  2 ** 23,
  2 ** 31,
  2 ** 51 + 0.5,
  2 ** 52 - 0.5,
  2 ** 52,
  2 ** 52 + 1,
  2 ** 53,
  2 ** 63,
  1e300,
  Number.MAX_VALUE,
  Number.POSITIVE_INFINITY,
].flatMap((value) => [value, -value]);

/** Ties to even, as f64.nearest. */
function nearest(x: number): number {
  if (Math.abs(x) >= 2 ** 52) return x;
  const magnitude = Math.abs(x);
  const low = Math.floor(magnitude);
  const fraction = magnitude - low;
  const rounded = fraction > 0.5 || (fraction === 0.5 && low % 2 === 1) ? low + 1 : low;
  return x < 0 || Object.is(x, -0) ? -rounded : rounded;
}

const FUNCTIONS: Record<string, (x: number) => number> = {
  floor: Math.floor,
  ceil: Math.ceil,
  trunc: Math.trunc,
  nearest,
  sqrt: Math.sqrt,
  abs: Math.abs,
};

function bits64(x: number): string {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, x);
  return `0x${view.getBigUint64(0).toString(16)}`;
}

function bits32(x: number): string {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, x);
  return `0x${view.getUint32(0).toString(16)}`;
}

/** An application whose exit status is 1 + the index of the first function that is wrong, or 0. */
function application(): string {
  const defined = VALUES.filter((value) => !Number.isNaN(value));
  const parts = Object.entries(FUNCTIONS).map(([name, compute], i) => {
    // The bits of a NaN are not determined; sqrt of negatives is checked for being one.
    const of = (values: number[]): [number, number][] => values.map((x) => [x, compute(x)]);
    const wide = of(defined).map(
      ([x, y]) => `${bits64(x)}, ${Number.isNaN(y) ? "0xffffffffffffffff" : bits64(y)}`,
    );
    const narrow = of(defined.map(Math.fround)).map(
      ([x, y]) => `${bits32(x)}, ${Number.isNaN(y) ? "0xffffffff" : bits32(Math.fround(y))}`,
    );
    return `
const wide${i} = memory.data<u64>([${wide.join(", ")}]);
const narrow${i} = memory.data<u32>([${narrow.join(", ")}]);
function check${i}(): bool {
  for (let k: usize = 0; k < ${defined.length}; k++) {
    const y = ${name}<f64>(load<f64>(wide${i} + k * 16));
    const z = load<u64>(wide${i} + k * 16, 8);
    if (z == u64.MAX_VALUE ? y == y : reinterpret<u64>(y) != z) return false;
    const v = ${name}<f32>(load<f32>(narrow${i} + k * 8));
    const w = load<u32>(narrow${i} + k * 8, 4);
    if (w == u32.MAX_VALUE ? v == v : reinterpret<u32>(v) != w) return false;
  }
  return true;
}`;
  });
  const calls = parts.map((_, i) => `  if (!check${i}()) return ${i + 1};\n`);
  return `${parts.join("\n")}
const zeros = memory.data<f64>([0.0, -0.0, NaN, 1.0]);
const large = memory.data<u64>([0xffffffffffffffff, 0x8000000000000400, 0x8000000000000401]);
export function main(): i32 {
${calls.join("")}
  const zero = load<f64>(zeros), minus = load<f64>(zeros, 8), nan = load<f64>(zeros, 16), one = load<f64>(zeros, 24);
  // x - 0 is x, but x + 0 is not for -0: no folding.
  if (reinterpret<u64>(minus + zero) != 0 || reinterpret<u64>(minus - zero) != 0x8000000000000000) return 101;
  if (reinterpret<u64>(min<f64>(zero, minus)) != 0x8000000000000000 || reinterpret<u64>(max<f64>(minus, zero)) != 0) return 102;
  const smaller = min<f64>(one, nan), larger = max<f64>(nan, one);
  if (smaller == smaller || larger == larger) return 103;
  // Unsigned 64-bit integers round to nearest, ties to even.
  if (<f64>load<u64>(large) != 18446744073709551616.0) return 104;
  if (<f64>load<u64>(large, 8) != 9223372036854775808.0) return 105;
  if (<f64>load<u64>(large, 16) != 9223372036854777856.0) return 106;
  return 0;
}
`;
}

test("rounding, square roots and the sign of zero are as wasm says", async () => {
  const folder = sourceFolder("floats");
  writeFiles(folder, { "floats.ts": application() });
  const { image } = await buildImage(join(folder, "floats.ts"));
  // qemu64 is the least processor that aemos runs on: no SSE4.1.
  const guest = await startGuest({ image, cpu: "qemu64", netdev: "none" });
  const status = await guest.exited;
  const names = Object.keys(FUNCTIONS);
  assert.equal(status, 0, `${names[status - 1] ?? status} is wrong\n${guest.output}`);
});

test("arithmetic makes a signalling NaN quiet, even where it does nothing else", async () => {
  // A module in wasm, because asc itself takes x * 1 for x.
  const folder = sourceFolder("quiet");
  const operations = [
    "f64.mul (local.get 0) (f64.const 1)",
    "f64.div (local.get 0) (f64.const 1)",
    "f64.sub (local.get 0) (f64.const 0)",
  ];
  const functions = operations.map(
    (text, i) => `(func $f${i} (param f64) (result i64) (i64.reinterpret_f64 (${text})))`,
  );
  const checks = operations.map(
    (_, i) =>
      `(if (i64.ne (call $f${i} (f64.load (i32.const 8))) (i64.const 0x7ffc000000000000)) (then (return (i32.const ${i + 1}))))`,
  );
  assemble(
    join(folder, "quiet.wasm"),
    `(module (memory (export "memory") 1) (data (i32.const 8) "\\00\\00\\00\\00\\00\\00\\f4\\7f") ${functions.join("\n")}
       (func (export "main") (result i32) ${checks.join("\n")} (i32.const 0)))`,
  );
  const { image } = await buildImage(join(folder, "quiet.wasm"));
  const guest = await startGuest({ image, cpu: "qemu64", netdev: "none" });
  const status = await guest.exited;
  assert.equal(status, 0, `${operations[status - 1]} is wrong\n${guest.output}`);
});
