/**
 * Names of functions in the image, for backtraces. The build links the table in (section .symbols):
 *
 *     u32 count │ count × { u32 address, u32 offset of the name from the table's start } by address │ names, NUL-terminated
 */
import { image, IMAGE_SYMBOLS, IMAGE_START, IMAGE_READ_ONLY_END } from "./hal";
import { consoleByte, logHexDigits, logText } from "./console";

/** Index of the last symbol at or below `address`; -1 when there is none. */
function findSymbol(table: usize, address: u32): i32 {
  let low: i32 = 0;
  let high = <i32>load<u32>(table);
  while (low < high) {
    const middle = (low + high) >> 1;
    if (load<u32>(table + 4 + ((<usize>middle) << 3)) <= address) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** First address of the function that `address` lies in; 0 when the image has no symbols. */
export function functionStart(address: u32): u32 {
  const table = image(IMAGE_SYMBOLS);
  if (table == 0) return 0;
  const index = findSymbol(table, address);
  return index < 0 ? 0 : load<u32>(table + 4 + ((<usize>index) << 3));
}

/** Prints `0x00142a10 net/ipv4/ipv4Input+0x1c`. */
export function logSymbol(address: u64): void {
  logText("0x");
  logHexDigits(address, 8);
  const table = image(IMAGE_SYMBOLS);
  if (table == 0 || !isText(address)) return;
  const index = findSymbol(table, <u32>address);
  if (index < 0) return;
  const entry = table + 4 + ((<usize>index) << 3);
  consoleByte(0x20);
  for (let p = table + load<u32>(entry, 4); load<u8>(p) != 0; p++) consoleByte(load<u8>(p));
  logText("+0x");
  logHexDigits(address - load<u32>(entry), 3);
}

/** Whether it can be an address of code of the image. */
export function isText(address: u64): bool {
  return address >= image(IMAGE_START) && address < image(IMAGE_READ_ONLY_END);
}
