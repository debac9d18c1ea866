/**
 * The table of function names for backtraces, as kernel/symbols.ts reads it. Names of one module have most of their letters in common, so they are written in pairs: a byte
 * from FIRST_PAIR on stands for two others, letters or pairs (byte pair encoding: P. Gage, 1994). Half of the bytes are left, and no memory is needed to read one.
 *
 *     u32 groups │ groups × { u32 address of the first function, u32 offset of the group from the table's start } by address │ 128 × pair: u8, u8 │ the groups
 *
 * A group: up to GROUP × { u16 distance to the function before, 0 for the first; its name, NUL-terminated }, u16 0.
 */
import type { NamedAddress } from "./generate.ts";

const FIRST_PAIR = 0x80;
const PAIRS = 128;
/** How often a pair is one of pairs, at most: names are written out by a recursion. */
const DEPTH = 8;
const GROUP = 32;
const LARGEST_DISTANCE = 0xffff;

/** The names with the pairs that occur most often in place of what they stand for, and those pairs. */
function encode(names: readonly string[]): { codes: number[][]; pairs: [number, number][] } {
  const codes = names.map((name) => [...Buffer.from(name, "ascii")]);
  const depths = new Array<number>(FIRST_PAIR).fill(0);
  const pairs: [number, number][] = [];
  while (pairs.length < PAIRS) {
    const counts = new Map<number, number>();
    for (const list of codes) {
      for (let i = 1; i < list.length; i++) {
        const pair = ((list[i - 1] as number) << 8) | (list[i] as number);
        counts.set(pair, (counts.get(pair) ?? 0) + 1);
      }
    }
    let [best, most] = [0, 1];
    for (const [pair, count] of counts) {
      const depth = Math.max(depths[pair >> 8] as number, depths[pair & 0xff] as number);
      if (depth < DEPTH && (count > most || (count === most && pair < best))) [best, most] = [pair, count];
    }
    if (most === 1) break;
    const [first, second] = [best >> 8, best & 0xff];
    const code = FIRST_PAIR + pairs.length;
    pairs.push([first, second]);
    depths.push(1 + Math.max(depths[first] as number, depths[second] as number));
    for (const list of codes) {
      let length = 0;
      for (let i = 0; i < list.length; i++) {
        const both = list[i] === first && list[i + 1] === second;
        list[length++] = both ? code : (list[i] as number);
        if (both) i++;
      }
      list.length = length;
    }
  }
  return { codes, pairs };
}

/** The table of these functions, which are sorted by address. */
export function namesTable(functions: readonly NamedAddress[]): Buffer {
  const { codes, pairs } = encode(functions.map(({ name }) => name));
  const groups: { address: number; bytes: number[] }[] = [];
  let count = 0;
  for (const [i, { address }] of functions.entries()) {
    let distance = address - (functions[i - 1]?.address ?? 0);
    if (count === 0 || count === GROUP || distance > LARGEST_DISTANCE) {
      groups.push({ address, bytes: [] });
      count = 0;
      distance = 0;
    }
    groups.at(-1)?.bytes.push(distance & 0xff, distance >> 8, ...(codes[i] as number[]), 0);
    count++;
  }
  const head = 4 + 8 * groups.length;
  const index = Buffer.alloc(head + 2 * PAIRS);
  index.writeUInt32LE(groups.length);
  for (const [i, pair] of pairs.entries()) index.set(pair, head + 2 * i);
  let offset = index.length;
  for (const [i, { address, bytes }] of groups.entries()) {
    bytes.push(0, 0);
    index.writeUInt32LE(address, 4 + 8 * i);
    index.writeUInt32LE(offset, 8 + 8 * i);
    offset += bytes.length;
  }
  return Buffer.concat([index, ...groups.map(({ bytes }) => Buffer.from(bytes))]);
}
