/** The table of names for backtraces: what is written can be read, and is smaller than the names. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { NamedAddress } from "../../tools/generate.ts";
import { namesTable } from "../../tools/names.ts";

const PAIRS = 128;

/** All functions of a table, read as kernel/symbols.ts reads it. */
function read(table: Buffer): NamedAddress[] {
  const groups = table.readUInt32LE(0);
  const pairs = 4 + 8 * groups;
  const letters = (code: number): string =>
    code < 0x80
      ? String.fromCharCode(code)
      : letters(table[pairs + 2 * (code - 0x80)] as number) +
        letters(table[pairs + 2 * (code - 0x80) + 1] as number);
  const found: NamedAddress[] = [];
  for (let group = 0; group < groups; group++) {
    let address = table.readUInt32LE(4 + 8 * group);
    let at = table.readUInt32LE(8 + 8 * group);
    assert.ok(at >= pairs + 2 * PAIRS);
    for (let first = true; first || table.readUInt16LE(at) !== 0; first = false) {
      address += table.readUInt16LE(at);
      at += 2;
      let name = "";
      for (; table[at] !== 0; at++) name += letters(table[at] as number);
      at++;
      found.push({ address, name });
    }
  }
  return found;
}

test("all names are found again, whatever the distances", () => {
  const functions: NamedAddress[] = [];
  let address = 0x100000;
  for (let i = 0; i < 700; i++) {
    const folder = ["net/socket/tcp", "kernel/process", "http:apps/http"][i % 3];
    functions.push({ address, name: `${folder}/function${i * 7919}#of${i % 13}` });
    address += i % 50 === 49 ? 70_000 : 1 + ((i * 31) % 4000);
  }
  const table = namesTable(functions);
  assert.deepEqual(read(table), functions);
  const plain = functions.reduce((sum, { name }) => sum + name.length + 1, 0);
  assert.ok(table.length < plain / 2, `${table.length} bytes for ${plain} of names`);
});

test("one function, and names without a pair that occurs twice", () => {
  for (const names of [["a"], ["ab", "cd", "ef"]]) {
    const functions = names.map((name, i) => ({ address: 16 + i, name }));
    assert.deepEqual(read(namesTable(functions)), functions);
  }
});

test("no functions: a table without groups", () => {
  assert.equal(namesTable([]).readUInt32LE(0), 0);
});
