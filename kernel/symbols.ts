/**
 * Names of functions in the image, for backtraces. The build links the table in (section .symbols); tools/names.ts has its format, and makes it.
 */
import { image, IMAGE_SYMBOLS, IMAGE_START, IMAGE_READ_ONLY_END } from "./hal";
import { consoleByte, logHexDigits, logText } from "./console";

const FIRST_PAIR: u32 = 0x80;

/** What `findSymbol` found: the function's address, and where its name stands. */
let start: u32 = 0;
let name: usize = 0;

/** The last function at or below `address`; false when there is none. */
function findSymbol(table: usize, address: u32): bool {
  let low: u32 = 0;
  let high = load<u32>(table);
  while (low < high) {
    const middle = (low + high) >> 1;
    if (load<u32>(table + 4 + ((<usize>middle) << 3)) <= address) low = middle + 1;
    else high = middle;
  }
  if (low == 0) return false;
  const group = table + 4 + ((<usize>(low - 1)) << 3);
  start = load<u32>(group);
  name = table + load<u32>(group, 4) + 2;
  let p = name;
  while (true) {
    while (load<u8>(p++) != 0) {}
    const distance = <u32>load<u16>(p);
    if (distance == 0 || address - start < distance) return true;
    start += distance;
    p += 2;
    name = p;
  }
}

/** First address of the function that `address` lies in; 0 when the image has no symbols. */
export function functionStart(address: u32): u32 {
  const table = image(IMAGE_SYMBOLS);
  return table != 0 && findSymbol(table, address) ? start : 0;
}

/** Prints `0x00142a10 net/ipv4/ipv4Input+0x1c`. `back`: 1 for a return address, which is of the function of the call before it, even where that was its last instruction. */
export function logSymbol(address: u64, back: u32 = 0): void {
  logText("0x");
  logHexDigits(address, 8);
  const table = image(IMAGE_SYMBOLS);
  if (table == 0 || !isText(address) || !findSymbol(table, <u32>address - back)) return;
  consoleByte(0x20);
  const pairs = table + 4 + ((<usize>load<u32>(table)) << 3);
  for (let p = name; load<u8>(p) != 0; p++) logCode(pairs, load<u8>(p));
  logText("+0x");
  logHexDigits(address - start, 3);
}

/** A letter, or the two codes that a pair stands for. */
function logCode(pairs: usize, code: u32): void {
  if (code < FIRST_PAIR) return consoleByte(code);
  const pair = pairs + ((code - FIRST_PAIR) << 1);
  logCode(pairs, load<u8>(pair));
  logCode(pairs, load<u8>(pair, 1));
}

/** Whether it can be an address of code of the image. */
export function isText(address: u64): bool {
  return address >= image(IMAGE_START) && address < image(IMAGE_READ_ONLY_END);
}
