/**
 * Page tables (Intel SDM 3A, 4.5: 4-level paging). layout.ts has the map they make.
 *
 * The boot code has mapped the first 4 GiB with 2 MiB global pages; `protectKernel` refines that once. An address space is
 * a PML4 whose slot 0 is the kernel's for all, and whose slot 1 is the process's window.
 */
import {
  image,
  IMAGE_PAGE_TABLES,
  IMAGE_READ_ONLY_END,
  IMAGE_START,
  IMAGE_DATA_START,
  invalidatePage,
} from "../hal";
import { unshareTable } from "./copy-on-write";
import { allocateFrames, freeFrames, FRAME_SIZE, isShared, releaseFrame } from "./frames";
import { WINDOW_GIB, WINDOW_SLOT } from "./layout";

export const PAGE_PRESENT: u64 = 1;
export const PAGE_WRITE: u64 = 2;
const PAGE_UNCACHED: u64 = 0x18;
const PAGE_LARGE: u64 = 0x80;
const PAGE_GLOBAL: u64 = 0x100;
/** Software: the frame belongs to the address space, and goes with it. */
const PAGE_OWNED: u64 = 0x200;
/** Software: write-protected only because it is shared; the first write makes a copy (copy-on-write.ts). */
export const PAGE_COPY: u64 = 0x400;
const PAGE_NO_EXECUTE: u64 = 1 << 63;
export const PAGE_ADDRESS: u64 = 0x000f_ffff_ffff_f000;
const LARGE_SIZE: usize = 0x200000;

/** Where device registers above 4 GiB are made to appear: the firmware hub's addresses, which nothing here uses. */
const DEVICE_ROOM: usize = 0xff00_0000;
const DEVICE_ROOM_END: usize = 0xff80_0000;
let nextDeviceRoom: usize = DEVICE_ROOM;

/** Address of the entry for `address` (< 4 GiB) in the kernel's page directories. */
function directoryEntry(address: usize): usize {
  const pointers = <usize>(load<u64>(image(IMAGE_PAGE_TABLES)) & PAGE_ADDRESS);
  const directory = <usize>(load<u64>(pointers + ((address >> 30) << 3)) & PAGE_ADDRESS);
  return directory + (((address >> 21) & 511) << 3);
}

/** Replaces the 2 MiB page of `address` by 512 small ones that say the same; returns their table, 0 when no frame is left. */
function splitLarge(address: usize): usize {
  const entry = directoryEntry(address);
  const old = load<u64>(entry);
  if (!(old & PAGE_LARGE)) return <usize>(old & PAGE_ADDRESS);
  const table = allocateFrames(0);
  if (table == 0) return 0;
  const flags = old & ~(PAGE_ADDRESS | PAGE_LARGE);
  for (let i: usize = 0; i < 512; i++)
    store<u64>(table + (i << 3), ((old & PAGE_ADDRESS) + i * FRAME_SIZE) | flags);
  store<u64>(entry, table | PAGE_PRESENT | PAGE_WRITE);
  return table;
}

/**
 * Page 0 is not mapped; the image's text and constants are read-only and the only executable pages; all the rest cannot be executed.
 * The kernel's static data becomes read-only, too. False when no frame is left for the tables.
 */
export function protectKernel(): bool {
  const start = image(IMAGE_START);
  const readOnlyEnd = image(IMAGE_READ_ONLY_END);
  const dataStart = image(IMAGE_DATA_START);
  for (let large: usize = 0; large < readOnlyEnd; large += LARGE_SIZE) {
    const table = splitLarge(large);
    if (table == 0) return false;
    for (let i: usize = 0; i < 512; i++) {
      const address = large + i * FRAME_SIZE;
      const entry = table + (i << 3);
      if (address == 0) store<u64>(entry, 0);
      else if (address >= start && address < readOnlyEnd) store<u64>(entry, load<u64>(entry) & ~PAGE_WRITE);
      else if (address >= dataStart && address < start)
        store<u64>(entry, (load<u64>(entry) & ~PAGE_WRITE) | PAGE_NO_EXECUTE);
      else store<u64>(entry, load<u64>(entry) | PAGE_NO_EXECUTE);
      invalidatePage(address);
    }
  }
  // Large pages: the no-execute bit alone changes, and stale translations only allow more, so no invalidation is owed.
  for (let large: usize = LARGE_SIZE; large != 0; large += LARGE_SIZE) {
    const entry = directoryEntry(large);
    if (load<u64>(entry) & PAGE_LARGE) store<u64>(entry, load<u64>(entry) | PAGE_NO_EXECUTE);
  }
  return true;
}

/**
 * Makes device registers reachable below 4 GiB; they usually are already. `length` in bytes. Returns the address to use, 0
 * when the room for high ones is used up.
 */
export function mapDevice(physical: u64, length: u32): usize {
  if (physical < 0x1_0000_0000 && physical + length <= 0x1_0000_0000) return <usize>physical;
  // A device says what it likes of itself: more than all room, or beyond what an entry can name.
  if (length > <u32>(DEVICE_ROOM_END - DEVICE_ROOM) || physical > PAGE_ADDRESS - length) return 0;
  const first = physical & ~(<u64>LARGE_SIZE - 1);
  const bytes = (<usize>(physical - first) + length + LARGE_SIZE - 1) & ~(LARGE_SIZE - 1);
  // Drivers ask register block by register block: a large page that is there already serves again.
  for (let there = DEVICE_ROOM; there < nextDeviceRoom && bytes == LARGE_SIZE; there += LARGE_SIZE) {
    if ((load<u64>(directoryEntry(there)) & PAGE_ADDRESS) == first) return there + <usize>(physical - first);
  }
  if (bytes > DEVICE_ROOM_END - nextDeviceRoom) return 0;
  const room = nextDeviceRoom;
  nextDeviceRoom += bytes;
  for (let offset: usize = 0; offset < bytes; offset += LARGE_SIZE) {
    const flags = PAGE_PRESENT | PAGE_WRITE | PAGE_UNCACHED | PAGE_LARGE | PAGE_GLOBAL | PAGE_NO_EXECUTE;
    store<u64>(directoryEntry(room + offset), (first + offset) | flags);
    invalidatePage(room + offset);
  }
  return room + <usize>(physical - first);
}

/** A new address space: the kernel's half and an empty window. Its PML4, or 0 when no frame is left. */
export function createAddressSpace(): usize {
  const pml4 = zeroedFrame();
  if (pml4 != 0) store<u64>(pml4, load<u64>(image(IMAGE_PAGE_TABLES)));
  return pml4;
}

function zeroedFrame(): usize {
  const frame = allocateFrames(0);
  if (frame != 0) memory.fill(frame, 0, FRAME_SIZE);
  return frame;
}

/**
 * Address of the last-level entry for the window address `address`; 0 when a table is missing and could not be (or must not be) made.
 * `make`: the entry is to be written, so tables that are shared are copied on the way.
 */
function pageEntry(pml4: usize, address: u64, make: bool): usize {
  let table = pml4;
  for (let shift: u64 = 39; shift > 12; shift -= 9) {
    const entry = table + <usize>(((address >> shift) & 511) << 3);
    const value = load<u64>(entry);
    if (value & PAGE_PRESENT) {
      if (make && (value & PAGE_COPY) != 0) {
        if (!unshareTable(entry)) return 0;
        // The processor may remember the table that was shared (SDM 3A, 4.10.4.1).
        invalidatePage(address);
      }
      table = <usize>(load<u64>(entry) & PAGE_ADDRESS);
      continue;
    }
    if (!make) return 0;
    table = zeroedFrame();
    if (table == 0) return 0;
    store<u64>(entry, table | PAGE_PRESENT | PAGE_WRITE);
  }
  return table + <usize>(((address >> 12) & 511) << 3);
}

/**
 * Maps `frames` fresh zeroed frames at `address` of a window. False when frames run out: what was mapped until then stays,
 * and goes with the address space.
 */
export function mapFresh(pml4: usize, address: u64, frames: u32): bool {
  for (let i: u32 = 0; i < frames; i++) {
    const entry = pageEntry(pml4, address, true);
    if (entry == 0) return false;
    const frame = zeroedFrame();
    if (frame == 0) return false;
    store<u64>(entry, frame | PAGE_PRESENT | PAGE_WRITE | PAGE_OWNED | PAGE_NO_EXECUTE);
    address += FRAME_SIZE;
  }
  return true;
}

/** Gives back the fresh frames from `address` on: after a mapFresh that failed half-way. Not while the range can be in the TLB. */
export function unmapFresh(pml4: usize, address: u64, frames: u32): void {
  for (let i: u32 = 0; i < frames; i++) {
    const entry = pageEntry(pml4, address, false);
    if (entry != 0) freePage(entry);
    address += FRAME_SIZE;
  }
}

function freePage(entry: usize): void {
  const value = load<u64>(entry);
  if ((value & PAGE_PRESENT) != 0 && (value & PAGE_OWNED) != 0) releaseFrame(<usize>(value & PAGE_ADDRESS));
  store<u64>(entry, 0);
}

/** Kernel address of a window address, or 0 when it is not mapped. */
export function translate(pml4: usize, address: u64): usize {
  return walk(pml4, address, PAGE_PRESENT);
}

/** The same where the application may write as it is; 0, too, where a fork shares it, at whatever level. */
export function translateWritable(pml4: usize, address: u64): usize {
  return walk(pml4, address, PAGE_WRITE);
}

/** `wanted`: a bit that no entry has which refers to nothing. */
// @ts-ignore: decorator
@inline
function walk(pml4: usize, address: u64, wanted: u64): usize {
  const pointers = entryOf(pml4, address, 39);
  if (!(pointers & wanted)) return 0;
  const directory = entryOf(<usize>(pointers & PAGE_ADDRESS), address, 30);
  if (!(directory & wanted)) return 0;
  const table = entryOf(<usize>(directory & PAGE_ADDRESS), address, 21);
  if (!(table & wanted)) return 0;
  const page = entryOf(<usize>(table & PAGE_ADDRESS), address, 12);
  return page & wanted ? <usize>(page & PAGE_ADDRESS) + <usize>(address & (FRAME_SIZE - 1)) : 0;
}

// @ts-ignore: decorator
@inline
function entryOf(table: usize, address: u64, shift: u64): u64 {
  return load<u64>(table + <usize>(((address >> shift) & 511) << 3));
}

/** Frees the window's frames, its tables and the PML4, as far as nobody else has them. It must not be loaded. */
export function destroyAddressSpace(pml4: usize): void {
  while (!destroySomeOfWindow(pml4)) {}
}

/**
 * The same, but RELEASE_BUDGET pages at most. True: all is gone, the PML4 too. What a table refers to is let go of only with
 * the table's last user.
 */
export function destroySomeOfWindow(pml4: usize): bool {
  const slot = pml4 + (WINDOW_SLOT << 3);
  const pointers = <usize>(load<u64>(slot) & PAGE_ADDRESS);
  if (pointers != 0) {
    for (let i: usize = 0; i < WINDOW_GIB; i++) {
      const entry = pointers + (i << 3);
      const value = load<u64>(entry);
      if (!(value & PAGE_PRESENT)) continue;
      if (releaseSomeOfDirectory(<usize>(value & PAGE_ADDRESS))) store<u64>(entry, 0);
      return false;
    }
    freeFrames(pointers, 0);
  }
  freeFrames(pml4, 0);
  return true;
}

function releaseSomeOfDirectory(directory: usize): bool {
  if (isShared(directory)) {
    releaseFrame(directory);
    return true;
  }
  for (let i: usize = 0; i < 512; i++) {
    const entry = directory + (i << 3);
    const value = load<u64>(entry);
    if (!(value & PAGE_PRESENT)) continue;
    if (releaseSomeOfTable(<usize>(value & PAGE_ADDRESS))) store<u64>(entry, 0);
    return false;
  }
  freeFrames(directory, 0);
  return true;
}

/** Pages that are given back in one step. */
const RELEASE_BUDGET: u32 = 16;

function releaseSomeOfTable(table: usize): bool {
  if (isShared(table)) {
    releaseFrame(table);
    return true;
  }
  let budget = RELEASE_BUDGET;
  for (let i: usize = 0; i < 512; i++) {
    const entry = table + (i << 3);
    if (load<u64>(entry) == 0) continue;
    if (budget-- == 0) return false;
    freePage(entry);
  }
  freeFrames(table, 0);
  return true;
}
