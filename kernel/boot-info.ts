/**
 * What the loader hands over: memory map and command line (Multiboot Specification 0.6.96, 3.3).
 *
 * Both are copied into the kernel's static data first thing, because the loader may have put them anywhere, even where the
 * kernel's first tables will stand. (Static data becomes read-only later; it is still writable at this point.)
 */
import { image, IMAGE_BOOT_INFO, IMAGE_BOOT_MAGIC, IMAGE_DATA_START, IMAGE_END } from "./hal";
import { FRAME_SIZE } from "./memory/frames";

const LOADER_MAGIC: usize = 0x2badb002;
const FLAG_MEMORY: u32 = 1 << 0;
const FLAG_COMMAND_LINE: u32 = 1 << 2;
const FLAG_MEMORY_MAP: u32 = 1 << 6;
/** Offsets in the multiboot information structure. */
const INFO_FLAGS: usize = 0;
const INFO_MEMORY_UPPER: usize = 8;
const INFO_COMMAND_LINE: usize = 16;
const INFO_MAP_LENGTH: usize = 44;
const INFO_MAP_ADDRESS: usize = 48;
const MAP_AVAILABLE: u32 = 1;
/** Bytes of an entry behind its size. */
const MAP_ENTRY_SIZE: u32 = 20;

const COMMAND_LINE_LIMIT: u32 = 1024;
const RANGE_LIMIT: u32 = 32;
/** Below this the BIOS data area and the interrupt vectors of real mode; and page 0 stays unmapped. */
const FIRST_USABLE: u64 = 0x1000;
const LAST_USABLE: u64 = 0xfffff000;

const commandLine = memory.data(1024);
let commandLineLength: u32 = 0;
/** Pairs of u32: first byte and one past the last of a range of whole frames, outside the image. */
const ranges = memory.data(32 * 8, 8);
let rangeCount: u32 = 0;

/** Value of the option that `findOption` found last: bytes that are not trusted. */
export let optionAddress: usize = 0;
export let optionLength: u32 = 0;

/** Copies what is needed. False when the loader was not a multiboot one or said nothing of memory. */
export function readBootInfo(): bool {
  commandLineLength = 0;
  rangeCount = 0;
  if (image(IMAGE_BOOT_MAGIC) != LOADER_MAGIC) return false;
  const info = image(IMAGE_BOOT_INFO);
  const flags = load<u32>(info + INFO_FLAGS);
  if (flags & FLAG_COMMAND_LINE) {
    const source = <usize>load<u32>(info + INFO_COMMAND_LINE);
    while (commandLineLength < COMMAND_LINE_LIMIT - 1 && load<u8>(source + commandLineLength) != 0) {
      store<u8>(commandLine + commandLineLength, load<u8>(source + commandLineLength));
      commandLineLength++;
    }
  }
  if (flags & FLAG_MEMORY_MAP) {
    const map = <usize>load<u32>(info + INFO_MAP_ADDRESS);
    const length = load<u32>(info + INFO_MAP_LENGTH);
    // What any entry says is not usable, is not, whatever another one says of it.
    readMap(map, length, true);
    readMap(map, length, false);
  } else if (flags & FLAG_MEMORY) {
    include(0x100000, 0x100000 + ((<u64>load<u32>(info + INFO_MEMORY_UPPER)) << 10));
  }
  exclude(0, FIRST_USABLE);
  exclude(LAST_USABLE, u64.MAX_VALUE);
  exclude(image(IMAGE_DATA_START), image(IMAGE_END));
  return rangeCount != 0;
}

/** Takes in the usable ranges of the loader's map, or takes out the others. Each entry: u32 size of the rest, u64 base, u64 length, u32 type. */
function readMap(map: usize, length: u32, usable: bool): void {
  let at: u64 = 0;
  while (at + 4 + MAP_ENTRY_SIZE <= length) {
    const entry = map + <usize>at;
    const size = load<u32>(entry);
    if (size < MAP_ENTRY_SIZE) return;
    const base = load<u64>(entry + 4);
    const end = base + load<u64>(entry + 12);
    if ((load<u32>(entry + 20) == MAP_AVAILABLE) == usable) {
      if (usable) include(base, end < base ? u64.MAX_VALUE : end);
      else exclude(base, end < base ? u64.MAX_VALUE : end);
    }
    at += 4 + <u64>size;
  }
}

/** The whole frames of [start, end) below 4 GiB become usable. */
function include(start: u64, end: u64): void {
  start = (start + FRAME_SIZE - 1) & ~(<u64>FRAME_SIZE - 1);
  end = min(end, LAST_USABLE) & ~(<u64>FRAME_SIZE - 1);
  if (start >= end) return;
  // What is there already is not there twice.
  exclude(start, end);
  putRange(start, end);
}

/** No frame of which a byte lies in [start, end) is usable. */
function exclude(start: u64, end: u64): void {
  if (start >= end) return;
  start &= ~(<u64>FRAME_SIZE - 1);
  // Ranges are appended behind those that are looked at, and never in need of this again.
  for (let i = rangeCount; i != 0; i--) {
    const rangeStart = <u64>usableStart(i - 1);
    const rangeEnd = <u64>usableEnd(i - 1);
    if (rangeEnd <= start || rangeStart >= end) continue;
    rangeCount--;
    setRange(i - 1, usableStart(rangeCount), usableEnd(rangeCount));
    if (rangeStart < start) putRange(rangeStart, start);
    if (rangeEnd > end) putRange((end + FRAME_SIZE - 1) & ~(<u64>FRAME_SIZE - 1), rangeEnd);
  }
}

/** Beyond RANGE_LIMIT memory is not used. */
function putRange(start: u64, end: u64): void {
  if (start >= end || rangeCount == RANGE_LIMIT) return;
  setRange(rangeCount++, <usize>start, <usize>end);
}

function setRange(index: u32, start: usize, end: usize): void {
  store<u32>(ranges + (index << 3), <u32>start);
  store<u32>(ranges + (index << 3), <u32>end, 4);
}

export function usableRanges(): u32 {
  return rangeCount;
}

export function usableStart(index: u32): usize {
  return load<u32>(ranges + (index << 3));
}

export function usableEnd(index: u32): usize {
  return load<u32>(ranges + (index << 3), 4);
}

/** Looks for ` name=value` on the command line; the last one counts. Fills optionAddress and optionLength. */
export function findOption(name: string): bool {
  const length = <u32>name.length;
  let found = false;
  let at: u32 = 0;
  while (at < commandLineLength) {
    let end = at;
    while (end < commandLineLength && load<u8>(commandLine + end) != 0x20) end++;
    if (end - at > length && load<u8>(commandLine + at + length) == 0x3d && startsWith(at, name)) {
      optionAddress = commandLine + at + length + 1;
      optionLength = end - at - length - 1;
      found = true;
    }
    at = end + 1;
  }
  return found;
}

function startsWith(at: u32, name: string): bool {
  for (let i: u32 = 0; i < <u32>name.length; i++) {
    if (load<u8>(commandLine + at + i) != load<u16>(changetype<usize>(name) + (i << 1))) return false;
  }
  return true;
}

/** The value of the option found last as a decimal number; -1 when it is none or too long. */
export function optionNumber(): i32 {
  if (optionLength == 0 || optionLength > 9) return -1;
  let value: i32 = 0;
  for (let i: u32 = 0; i < optionLength; i++) {
    const digit = <i32>load<u8>(optionAddress + i) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}
