/**
 * vmtable: the memory in which the kernel hands event data to a process (AEM 2.5, 3.3: memory managed on behalf of processes).
 *
 * A zone of 2^order frames at VMTABLE_BASE in the window of its process, mapped eagerly, and divided by a buddy allocator into blocks
 * of 64 bytes and up. A block is known by its user address. The kernel writes to it in the window (kernel/memory/user.ts), while
 * the process's page tables are loaded, as it does to all of an application's memory: so what a fork has shared is copied
 * when it is written to, whoever writes.
 *
 * All that is known of the blocks is outside of the zone. What an application passes is a number to be checked, by
 * `vmtableHas`: only the first byte of a block that is allocated is accepted.
 */
import { Buddy, buddyMetadataSize, NO_UNIT } from "./buddy";
import { allocateFrameRun, freeFrameRun, FRAME_SIZE } from "./frames";
import { VMTABLE_BASE, VMTABLE_LIMIT } from "./layout";
import { Pool } from "./pool";

/** Smallest block in bytes; every block is this times a power of two. */
export const VMTABLE_BLOCK: u32 = 64;
const BLOCK_SHIFT: u32 = 6;
/** Units that one step clears, and blocks that one copies. */
const CLEAR_BUDGET: u32 = 32768;
const COPY_BUDGET: u32 = 64;
/** Freed blocks of a size that are kept for the next event of the same size. */
const KEEP: u32 = 4;


@unmanaged
export class Vmtable extends Buddy {
  /** Bytes of the zone. */
  size: usize;
  /** How far it has come to be a zone, or a clone of one: units. */
  cleared: u32;
  copied: u32;
  /** Frames of the metadata. */
  private metadata: usize;
  /** Bytes of the blocks in use (each block counts whole), and the most there were. */
  bytesInUse: u32;
  peak: u32;
  /** Blocks in use, and those of them that are lent. */
  blocks: u32;
  lent: u32;
  /** Allocations refused. */
  failures: u32;
  /** Frees refused: not the start of an allocated block. */
  badFrees: u32;
}

let pool: Pool = changetype<Pool>(0);

/** Once at boot. `storage`: room for a Pool; `limit`: most vmtables there may be (one per process). */
export function initializeVmtables(storage: Pool, limit: u32): void {
  pool = storage;
  pool.initialize(<u32>offsetof<Vmtable>(), limit);
}

/** A zone is an eighth of the memory at most, and 64 KiB in any case, where less was not asked for: so that an image fits in a small machine. */
const MEMORY_SHARE: u32 = 8;
const LEAST_ORDER: u32 = 4;

/** Order of the zone, in frames, for who asks for one of `order` on a machine with so many `frames` in all. */
export function vmtableOrder(order: u32, frames: u32): u32 {
  const most = frames / MEMORY_SHARE;
  while (order > LEAST_ORDER && (<u32>1) << order > most) order--;
  return order;
}

/**
 * For a zone of 2^order frames, which the caller maps; it is to be used when `vmtableClearSome` says so. Null when memory is short or the zone would be
 * larger than VMTABLE_LIMIT. The metadata take about 15 % of the zone's size.
 */
export function vmtableCreate(order: u32): Vmtable | null {
  return allocate(order);
}

/** One step towards a zone that is free as a whole. True: it was the last. */
export function vmtableClearSome(v: Vmtable): bool {
  v.cleared = v.clearSome(v.cleared, CLEAR_BUDGET);
  if (v.cleared < v.units) return false;
  v.addRange(0, v.units);
  return true;
}

/** For a clone of the zone; it is to be used when `vmtableCloneSome` says so. */
export function vmtableClone(original: Vmtable): Vmtable | null {
  return allocate(<u32>ctz(original.size / FRAME_SIZE));
}

/**
 * One step towards the same blocks in the clone as in the original, but for those that are lent. True: it was the last. The original's process does not
 * run meanwhile, but messages may come and go there.
 */
export function vmtableCloneSome(v: Vmtable, original: Vmtable): bool {
  if (v.cleared < v.units) {
    v.cleared = v.clearSome(v.cleared, CLEAR_BUDGET);
    return false;
  }
  v.copied = v.copySome(original, v.copied, COPY_BUDGET);
  if (v.copied < v.units) return false;
  v.bytesInUse = <u32>v.size - v.freeUnits * VMTABLE_BLOCK;
  v.peak = v.bytesInUse;
  v.blocks = original.blocks - original.lent;
  return true;
}

function allocate(order: u32): Vmtable | null {
  if (order >= 20 || FRAME_SIZE << order > VMTABLE_LIMIT) return null;
  const address = pool.allocate();
  if (address == 0) return null;
  const size = FRAME_SIZE << order;
  const units = <u32>(size >>> BLOCK_SHIFT);
  const metadata = allocateFrameRun(metadataFrames(units));
  if (metadata == 0) {
    pool.release(address);
    return null;
  }
  const v = changetype<Vmtable>(address);
  v.size = size;
  v.metadata = metadata;
  v.initialize(metadata, 0, units, KEEP);
  return v;
}

/** Gives the metadata back, whatever is still allocated. */
export function vmtableDestroy(v: Vmtable): void {
  freeFrameRun(v.metadata, metadataFrames(v.units));
  pool.release(changetype<usize>(v));
}

/** User address of a block of at least `bytes` (at least 1), with whatever was in it; 0, counted in `failures`, when there is none. */
export function vmtableAllocate(v: Vmtable, bytes: usize): usize {
  const order: u32 = bytes > VMTABLE_BLOCK ? 32 - BLOCK_SHIFT - <u32>clz(<u32>bytes - 1) : 0;
  const unit = v.allocate(order);
  if (unit == NO_UNIT) {
    v.failures++;
    return 0;
  }
  v.blocks++;
  v.bytesInUse += VMTABLE_BLOCK << order;
  if (v.bytesInUse > v.peak) v.peak = v.bytesInUse;
  return VMTABLE_BASE + ((<usize>unit) << BLOCK_SHIFT);
}

/** Frees the block that starts at the user address, which may be any number. False, counted in `badFrees`, when none does. */
export function vmtableFree(v: Vmtable, address: usize): bool {
  const order = orderAt(v, address - VMTABLE_BASE);
  if (order < 0) {
    v.badFrees++;
    return false;
  }
  v.free(<u32>((address - VMTABLE_BASE) >>> BLOCK_SHIFT), order);
  v.blocks--;
  v.bytesInUse -= VMTABLE_BLOCK << order;
  return true;
}

/**
 * A block in use is not the application's yet (a message waits in it): a clone of the zone does not have it, and the application cannot name it. Nor
 * can anybody else before `vmtableClaim`. Its bytes.
 */
export function vmtableLend(v: Vmtable, address: usize): u32 {
  v.lent++;
  return VMTABLE_BLOCK << v.lend(<u32>((address - VMTABLE_BASE) >>> BLOCK_SHIFT));
}

/** Of a block that was lent: it is like any other from here on. Its bytes. */
export function vmtableClaim(v: Vmtable, address: usize): u32 {
  v.lent--;
  return VMTABLE_BLOCK << v.claim(<u32>((address - VMTABLE_BASE) >>> BLOCK_SHIFT));
}

/** Bytes of the block that starts at the user address; 0 when none does. */
export function vmtableBlockSize(v: Vmtable, address: usize): u32 {
  const order = orderAt(v, address - VMTABLE_BASE);
  return order < 0 ? 0 : VMTABLE_BLOCK << order;
}

/** Whether an allocated block starts at the user address, which may be any number. */
// @ts-ignore: decorator
@inline
export function vmtableHas(v: Vmtable, address: usize): bool {
  return orderAt(v, address - VMTABLE_BASE) >= 0;
}

/** Order of the allocated block at an offset that may be anything, or -1. */
// @ts-ignore: decorator
@inline
function orderAt(v: Vmtable, offset: usize): i32 {
  return (offset & (VMTABLE_BLOCK - 1)) == 0 ? v.orderOf(<u32>(offset >>> BLOCK_SHIFT)) : -1;
}

function metadataFrames(units: u32): u32 {
  return <u32>((buddyMetadataSize(units) + FRAME_SIZE - 1) / FRAME_SIZE);
}
