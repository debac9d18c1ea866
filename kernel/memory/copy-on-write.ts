/**
 * Copy-on-write of windows: a fork copies nothing but the top of the page tables, and pays for what is written afterwards.
 *
 * The window's third-level entries of both sides refer to the same tables and are write-protected (a write-protected entry at any level
 * protects all below it, SDM 3A, 4.6). A write goes down the levels and makes a copy of what is shared on its way: a table is copied by
 * writing its entries down twice, write-protected, with one more user for what each refers to. So the cost of a fork is
 * that of the pages and tables that are touched after it, whatever the size of the memory.
 *
 *     PML4 ─► third level, each side's own ─► directory ─► table ─► page        frames.ts counts the users of the last three
 */
import { invalidatePage } from "../hal";
import {
  allocateFrames,
  freeFrames,
  FRAME_SIZE,
  isShared,
  releaseFrame,
  shareFrame,
  takeReservedFrame,
} from "./frames";
import { WINDOW_GIB, WINDOW_SLOT } from "./layout";
import { PAGE_ADDRESS, PAGE_COPY, PAGE_PRESENT, PAGE_WRITE } from "./paging";

const ENTRIES: usize = 512;

/** Frames that are kept back for the copies of the present process; who runs sets it. See kernel/process/fork.ts. */
export let promised: u32 = 0;

export function setPromised(frames: u32): void {
  promised = frames;
}

/** Pages and tables copied since boot. */
export let copyCount: u64 = 0;

function frameForCopy(): usize {
  if (promised != 0) {
    promised--;
    return takeReservedFrame();
  }
  return allocateFrames(0);
}

/**
 * Gives `child`, an address space with an empty window, all that `parent` has in its window. False without a frame, or when something has
 * too many users; the child's address space then holds what it was given so far, and goes as it is. The parent's translations that
 * allow writing are stale afterwards: the caller reloads its page tables if they are loaded.
 */
export function shareWindow(parent: usize, child: usize): bool {
  const slot = WINDOW_SLOT << 3;
  const value = load<u64>(parent + slot);
  if (!(value & PAGE_PRESENT)) return true;
  const pointers = <usize>(value & PAGE_ADDRESS);
  const copy = allocateFrames(0);
  if (copy == 0) return false;
  memory.fill(copy, 0, FRAME_SIZE);
  store<u64>(child + slot, copy | PAGE_PRESENT | PAGE_WRITE);
  return shareEntries(pointers, copy, WINDOW_GIB);
}

/** Both tables refer to the same from here on in their first entries, write-protected. `copy` is empty. */
function shareEntries(table: usize, copy: usize, entries: usize): bool {
  for (let i: usize = 0; i < entries; i++) {
    const entry = table + (i << 3);
    let value = load<u64>(entry);
    if (!(value & PAGE_PRESENT)) continue;
    if (!shareFrame(<usize>(value & PAGE_ADDRESS))) return false;
    if (value & PAGE_WRITE) {
      value = (value & ~PAGE_WRITE) | PAGE_COPY;
      store<u64>(entry, value);
    }
    store<u64>(copy + (i << 3), value);
  }
  return true;
}

/** The table that an upper-level entry with PAGE_COPY refers to becomes its own. False without a frame. */
export function unshareTable(entry: usize): bool {
  const value = load<u64>(entry);
  const table = <usize>(value & PAGE_ADDRESS);
  let own = table;
  if (isShared(table)) {
    own = frameForCopy();
    if (own == 0) return false;
    memory.fill(own, 0, FRAME_SIZE);
    if (!shareEntries(table, own, ENTRIES)) {
      abandonCopy(own);
      return false;
    }
    copyCount++;
    releaseFrame(table);
  }
  store<u64>(entry, (<u64>own) | (value & ~(PAGE_ADDRESS | PAGE_COPY)) | PAGE_WRITE);
  return true;
}

/** A copy that was not finished: what it refers to has others who do. */
function abandonCopy(copy: usize): void {
  for (let i: usize = 0; i < ENTRIES; i++) {
    const value = load<u64>(copy + (i << 3));
    if (value & PAGE_PRESENT) releaseFrame(<usize>(value & PAGE_ADDRESS));
  }
  freeFrames(copy, 0);
}

/** A page was written to. */
function unsharePage(entry: usize): bool {
  const value = load<u64>(entry);
  const page = <usize>(value & PAGE_ADDRESS);
  let own = page;
  if (isShared(page)) {
    own = frameForCopy();
    if (own == 0) return false;
    memory.copy(own, page, FRAME_SIZE);
    copyCount++;
    releaseFrame(page);
  }
  store<u64>(entry, (<u64>own) | (value & ~(PAGE_ADDRESS | PAGE_COPY)) | PAGE_WRITE);
  return true;
}

/** The address is mapped and was writable before a fork, and now is again. */
export const BREAK_DONE: i32 = 0;
/** It is not mapped: a fault of the application's. */
export const BREAK_NOT_MAPPED: i32 = 1;
/** There is no frame for the copy. */
export const BREAK_NO_FRAME: i32 = 2;

/** After a write fault at `address` in the window of the address space that is loaded: BREAK_*. */
export function breakCopy(pml4: usize, address: u64): i32 {
  let table = pml4;
  for (let shift: u64 = 39; shift >= 12; shift -= 9) {
    const entry = table + <usize>(((address >> shift) & 511) << 3);
    const value = load<u64>(entry);
    if (!(value & PAGE_PRESENT)) return BREAK_NOT_MAPPED;
    if (value & PAGE_COPY) {
      if (!(shift == 12 ? unsharePage(entry) : unshareTable(entry))) return BREAK_NO_FRAME;
    } else if (!(value & PAGE_WRITE)) return BREAK_NOT_MAPPED;
    table = <usize>(load<u64>(entry) & PAGE_ADDRESS);
  }
  // All levels of the translation are forgotten, whichever was wrong (SDM 3A, 4.10.4.1).
  invalidatePage(address);
  return BREAK_DONE;
}
