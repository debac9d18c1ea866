/**
 * Loads, stores, fills and copies of an application, octet for octet: whatever gcc makes of the C of tools/translate.ts, any two of them may meet. Random sequences of them on a few octets run in Node's WebAssembly, whose results a guest has to have, too.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { buildImage } from "../../tools/build.ts";
import { startGuest } from "../../tools/qemu.ts";
import { assemble, sourceFolder } from "./support.ts";

const FUNCTIONS = 300;
const OPERATIONS = 24;
/** So many functions share an exit status, of which there are 127: the number of their group, from 1 on. */
const GROUP = 3;
/** All operations stay below this address, and their variable part stands there. */
const ROOM = 96;

let seed = 0x2545f491;
function random(below: number): number {
  seed ^= seed << 13;
  seed ^= seed >>> 17;
  seed ^= seed << 5;
  return (seed >>> 0) % below;
}

const pick = <T>(list: readonly T[]): T => list[random(list.length)] as T;

const LOADS: readonly [string, number][] = [
  ["i64.load", 8],
  ["i64.load8_u", 1],
  ["i64.load8_s", 1],
  ["i64.load16_u", 2],
  ["i64.load16_s", 2],
  ["i64.load32_u", 4],
  ["i64.load32_s", 4],
];
const STORES: readonly [string, number][] = [
  ["i64.store", 8],
  ["i64.store8", 1],
  ["i64.store16", 2],
  ["i64.store32", 4],
];

/** A wasm address with its offset, of which `length` octets are in the room: a constant, or from the parameter (16). */
function place(length: number): [offset: string, address: string] {
  const at = random(ROOM - length);
  if (random(2) === 0) return [`offset=${at}`, "(i32.const 0)"];
  if (random(2) === 0 || at < 16) return ["", `(i32.const ${at})`];
  return [`offset=${at - 16}`, "(local.get $variable)"];
}

/** The same as one value, for the bulk operations. */
function bulk(length: number): string {
  const at = random(ROOM - length);
  return random(2) === 0 ? `(i32.const ${at})` : `(i32.add (local.get $variable) (i32.const ${at - 16}))`;
}

function operation(): string {
  const mixed = (value: string): string =>
    `(local.set $sum (i64.add (i64.mul (local.get $sum) (i64.const 0x100000001b3)) ${value}))`;
  const kind = random(10);
  if (kind < 4) {
    const [name, length] = pick(LOADS);
    const [offset, address] = place(length);
    return mixed(`(${name} ${offset} ${address})`);
  }
  if (kind < 8) {
    const [name, length] = pick(STORES);
    const [offset, address] = place(length);
    const value = pick(["(local.get $sum)", `(i64.const ${random(1 << 30)})`]);
    return `(${name} ${offset} ${address} ${value})`;
  }
  const length = pick([1, 2, 4, 8, 16, 24, 33]);
  if (kind === 8)
    return `(memory.fill ${bulk(length)} (i32.wrap_i64 (local.get $sum)) (i32.const ${length}))`;
  return `(memory.copy ${bulk(length)} ${bulk(length)} (i32.const ${length}))`;
}

function functions(): string[] {
  return Array.from({ length: FUNCTIONS }, (_, i) => {
    const body = Array.from({ length: OPERATIONS }, operation);
    return `(func $f${i} (export "f${i}") (param $variable i32) (result i64) (local $sum i64)
      ${body.join("\n      ")}
      (local.get $sum))`;
  });
}

test("loads, stores, fills and copies meet as wasm says", async () => {
  const folder = sourceFolder("memory");
  const parts = functions();
  const text = (main: string): string => `(module
    (memory (export "memory") 1)
    (data (i32.const 1024) "\\10\\00\\00\\00")
    ${parts.join("\n    ")}
    ${main})`;
  const model = join(folder, "model.wasm");
  assemble(model, text(""));
  const { instance } = await WebAssembly.instantiate(readFileSync(model));
  const results = parts.map((_, i) => (instance.exports[`f${i}`] as (variable: number) => bigint)(16));
  assert.ok(new Set(results).size > FUNCTIONS / 2, "the functions do different things");

  const checks = results.map(
    (result, i) =>
      `(if (i64.ne (call $f${i} (i32.load (i32.const 1024))) (i64.const ${result})) (then (return (i32.const ${1 + Math.floor(i / GROUP)}))))`,
  );
  const module = join(folder, "memory.wasm");
  assemble(module, text(`(func (export "main") (result i32) ${checks.join("\n")} (i32.const 0))`));
  const { image } = await buildImage(module);
  const guest = await startGuest({ image, cpu: "qemu64", netdev: "none" });
  const status = await guest.exited;
  const group = parts.slice((status - 1) * GROUP, status * GROUP).join("\n");
  assert.equal(status, 0, `one of these has another result\n${group}\n${guest.output}`);
});
