/** Data that are packed (tools/lz4.ts) come out of boot/unpack.c as they were: random ones of many kinds, and the lengths at which the format changes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { pack } from "../../tools/lz4.ts";
import { generator } from "../wire/link.ts";
import { unpacked } from "./unpack.ts";

/** Each a way to make the octet at `i`, of those before it. */
type Kind = (i: number, data: Buffer, random: (below: number) => number) => number;
const KINDS: readonly Kind[] = [
  () => 0,
  (_i, _data, random) => random(256),
  (_i, _data, random) => random(2),
  // UTF-16.
  (i, _data, random) => (i % 2 === 0 ? 0x61 + random(4) : 0),
  // What was there before, with a change now and then.
  (i, data, random) => (random(20) === 0 || i < 40 ? random(256) : (data[i - 32] ?? 0)),
];

function made(kind: Kind, length: number, random: (below: number) => number): Buffer {
  const data = Buffer.alloc(length);
  for (let i = 0; i < length; i++) data[i] = kind(i, data, random);
  return data;
}

/** Lengths of literals and matches at which a token's bits are full, or an octet of those behind it; a match's farthest place; what a call of JavaScript can take. */
const EDGES = [15, 19, 270, 274, 525, 529, 65_535, 65_550, 131_090, 300_000];

test("packed data are unpacked again, all of them and nothing behind them", () => {
  const seed = Number(process.env["AEMOS_SEED"] ?? Date.now() & 0xffff);
  const next = generator(seed);
  const random = (below: number): number => Math.floor(next() * below);
  const lengths = [...Array(60).keys(), ...EDGES.flatMap((edge) => [edge - 1, edge, edge + 1])];
  for (let i = 0; i < 400; i++) lengths.push(random(2000));
  const all = lengths.map((length) => made(KINDS[random(KINDS.length)] as Kind, length, random));
  for (const length of EDGES) all.push(made(KINDS[0] as Kind, length, random));
  const far = made(KINDS[1] as Kind, 65_535, random);
  for (const between of [0, 1, 2])
    all.push(Buffer.concat([far, made(KINDS[1] as Kind, between, random), far.subarray(0, 40)]));
  const result = unpacked(all.map((data) => ({ block: pack(data), length: data.length })));
  let at = 0;
  for (const [i, data] of all.entries()) {
    const part = result.subarray(at, at + data.length);
    at += data.length;
    assert.ok(part.equals(data), `AEMOS_SEED=${seed}: data ${i}, of ${data.length} octets`);
  }
  assert.equal(at, result.length);
});

test("strings and what comes again get smaller, and what is random hardly larger", () => {
  const text = Buffer.from("the processor has no APIC; the loader gave no memory map".repeat(4), "utf16le");
  assert.ok(pack(text).length < text.length / 3);
  const random = made(KINDS[1] as Kind, 10_000, (below) => Math.floor(Math.random() * below));
  assert.ok(pack(random).length < random.length + 50);
});
