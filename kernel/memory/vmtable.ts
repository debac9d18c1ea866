/**
 * vmtable: the memory in which the kernel hands event data to a process (AEM 2.5, 3.3: memory managed on behalf of processes).
 *
 * A zone of 2^order frames that stand together, mapped eagerly at VMTABLE_BASE in the window of its process, and divided by a
 * buddy allocator into blocks of 64 bytes and up. The kernel writes through the identity map, the application reads and writes in
 * its window, so nothing is copied a second time:
 *
 *     kernel address   base + offset           0 ≤ offset < size
 *     user address     VMTABLE_BASE + offset
 *
 * All that is known of the blocks is outside of the zone. What an application passes is a number to be checked, by
 * `vmtableFromUser`: only the first byte of a block that is allocated is accepted.
 */
import { Buddy, buddyMetadataSize, NO_UNIT } from "./buddy";
import { allocateFrameRun, allocateFrames, freeFrameRun, freeFrames, FRAME_SIZE } from "./frames";
import { VMTABLE_BASE, VMTABLE_LIMIT } from "./layout";
import { Pool } from "./pool";

/** Smallest block in bytes; every block is this times a power of two. */
export const VMTABLE_BLOCK: u32 = 64;
const BLOCK_SHIFT: u32 = 6;
/** Freed blocks of a size that are kept for the next event of the same size. */
const KEEP: u32 = 4;


@unmanaged
export class Vmtable extends Buddy {
  /** Kernel address of the zone, and its bytes. */
  base: usize;
  size: usize;
  /** The zone is 2^order frames. */
  order: u32;
  /** Frames of the metadata. */
  private metadata: usize;
  /** Bytes of the blocks in use (each block counts whole), and the most there were. */
  bytesInUse: u32;
  peak: u32;
  /** Blocks in use. */
  blocks: u32;
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

/**
 * A zone of 2^order frames, zeroed: a process sees nothing of what was there before. Null when memory is short or the zone
 * would be larger than VMTABLE_LIMIT. Costs about 15 % on top for metadata.
 */
export function vmtableCreate(order: u32): Vmtable | null {
  if (order >= 20 || FRAME_SIZE << order > VMTABLE_LIMIT) return null;
  const address = pool.allocate();
  if (address == 0) return null;
  const size = FRAME_SIZE << order;
  const units = <u32>(size >>> BLOCK_SHIFT);
  const base = allocateFrames(order);
  const metadata = base != 0 ? allocateFrameRun(metadataFrames(units)) : 0;
  if (metadata == 0) {
    if (base != 0) freeFrames(base, order);
    pool.release(address);
    return null;
  }
  const v = changetype<Vmtable>(address);
  v.base = base;
  v.size = size;
  v.order = order;
  v.metadata = metadata;
  v.initialize(metadata, 0, units, KEEP);
  v.addRange(0, units);
  memory.fill(base, 0, size);
  return v;
}

/** Gives all frames back, whatever is still allocated. The zone must not be mapped any more. */
export function vmtableDestroy(v: Vmtable): void {
  freeFrameRun(v.metadata, metadataFrames(v.units));
  freeFrames(v.base, v.order);
  pool.release(changetype<usize>(v));
}

/** Kernel address of a block of at least `bytes` (at least 1), with whatever was in it; 0, counted in `failures`, when there is none. */
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
  return v.base + ((<usize>unit) << BLOCK_SHIFT);
}

/** Frees the block that starts at the kernel address. False, counted in `badFrees`, when none does. */
export function vmtableFree(v: Vmtable, address: usize): bool {
  const order = orderAt(v, address - v.base);
  if (order < 0) {
    v.badFrees++;
    return false;
  }
  v.free(<u32>((address - v.base) >>> BLOCK_SHIFT), order);
  v.blocks--;
  v.bytesInUse -= VMTABLE_BLOCK << order;
  return true;
}

/** Bytes of the block that starts at the kernel address; 0 when none does. */
export function vmtableBlockSize(v: Vmtable, address: usize): u32 {
  const order = orderAt(v, address - v.base);
  return order < 0 ? 0 : VMTABLE_BLOCK << order;
}

/** Where the process sees a kernel address of its zone. */
// @ts-ignore: decorator
@inline
export function vmtableUserAddress(v: Vmtable, address: usize): usize {
  return VMTABLE_BASE + (address - v.base);
}

/** Kernel address of the block that starts at a user address, which may be any number; 0 unless it is allocated. */
export function vmtableFromUser(v: Vmtable, userAddress: usize): usize {
  const offset = userAddress - VMTABLE_BASE;
  return orderAt(v, offset) < 0 ? 0 : v.base + offset;
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
