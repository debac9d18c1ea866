/**
 * Physical memory in frames of 4 KiB (kernel/memory/buddy.ts on frame numbers).
 *
 * A frame that several address spaces map copy-on-write has a count of those beyond the first (Linux: page->_refcount); so have page tables
 * that are shared. A reservation keeps frames back for who has been promised them.
 *
 * A block of 2^order frames is aligned to its size. Its contents are whatever was in it: who hands frames to an application
 * clears them first. An address is physical, and a kernel pointer at the same time.
 */
import { Buddy, buddyMetadataSize, NO_UNIT } from "./buddy";

export const FRAME_SIZE: usize = 4096;
const FRAME_SHIFT: u32 = 12;

let frames: Buddy = changetype<Buddy>(0);
let errors: u32 = 0;
/** Of frame 0, if it had one: u16 for each frame, sharers beyond the first. */
let shares: usize = 0;
/** Frames that only takeReserved() gives. */
let reserved: u32 = 0;
/** The watermarks, and who hears of them: see `setFrameMarks`. */
let lowMark: u32 = 0;
let highMark: u32 = u32.MAX_VALUE;
let markHook: u32 = 0;

/** Bytes of metadata for memory from `start` up to `end`, multiples of FRAME_SIZE: 11 a frame and less than 1 KiB. */
export function frameMetadataSize(start: usize, end: usize): usize {
  const units = <u32>((end - start) >>> FRAME_SHIFT);
  return structSize() + buddySize(units) + ((<usize>units) << 1);
}

// @ts-ignore: decorator
@inline
function buddySize(units: u32): usize {
  return (buddyMetadataSize(units) + 7) & ~7;
}

/** Once at boot: the frames there may be are in [start, end). `storage`: frameMetadataSize(start, end) bytes, 8-aligned. */
export function initializeFrames(storage: usize, start: usize, end: usize): void {
  frames = changetype<Buddy>(storage);
  errors = 0;
  setFrameMarks(0, u32.MAX_VALUE);
  const first = <u32>(start >>> FRAME_SHIFT);
  const units = <u32>(end >>> FRAME_SHIFT) - first;
  frames.initialize(storage + structSize(), first, units, 0);
  frames.clearSome(first, units);
  const counts = storage + structSize() + buddySize(units);
  memory.fill(counts, 0, (<usize>units) << 1);
  shares = counts - ((<usize>first) << 1);
  reserved = 0;
}

/**
 * Makes the whole frames in [start, end) usable, as far as initializeFrames foresaw them. Ranges do not overlap. Frame 0 is never given:
 * its address means "none". Costs one step per largest aligned block, not per frame.
 */
export function addFrames(start: usize, end: usize): void {
  let first = <u32>(start >>> FRAME_SHIFT) + u32((start & (FRAME_SIZE - 1)) != 0);
  let last = <u32>(end >>> FRAME_SHIFT);
  if (first < frames.first) first = frames.first;
  if (first == 0) first = 1;
  if (last > frames.first + frames.units) last = frames.first + frames.units;
  if (first < last) frames.addRange(first, last);
}

/** Whom to tell when a watermark is passed: () => void. It runs inside of an allocation or a release, so it must do neither. */
export function onFrameMark(index: u32): void {
  markHook = index;
}

/**
 * The next watermarks: the hook is called after an allocation that leaves fewer than `low` frames free, and after a release that
 * leaves more than `high`. (0, u32.MAX_VALUE): never.
 */
export function setFrameMarks(low: u32, high: u32): void {
  lowMark = low;
  highMark = high;
}

// @ts-ignore: decorator
@inline
function checkLow(): void {
  if (frames.freeUnits - reserved < lowMark) call_indirect<void>(markHook);
}

// @ts-ignore: decorator
@inline
function checkHigh(): void {
  if (frames.freeUnits - reserved > highMark) call_indirect<void>(markHook);
}

/** Address of 2^order frames, aligned to their size; 0 when there are none that are not reserved. */
export function allocateFrames(order: u32): usize {
  if (frames.freeUnits < reserved + ((<u32>1) << order)) return 0;
  const frame = frames.allocate(order);
  checkLow();
  return frame == NO_UNIT ? 0 : (<usize>frame) << FRAME_SHIFT;
}

/** Gives back what allocateFrames(order) gave. A wrong address or order changes nothing and is counted in frameErrorCount. */
export function freeFrames(address: usize, order: u32): void {
  if ((address & (FRAME_SIZE - 1)) != 0 || !frames.free(<u32>(address >>> FRAME_SHIFT), order)) errors++;
  checkHigh();
}

/** Address of `count` > 0 frames that stand together; 0 when there are none. Wastes nothing where `count` is no power of two. */
export function allocateFrameRun(count: u32): usize {
  if (frames.freeUnits < reserved + count) return 0;
  const frame = frames.allocateUnits(count);
  checkLow();
  return frame == NO_UNIT ? 0 : (<usize>frame) << FRAME_SHIFT;
}

/** Gives back what allocateFrameRun(count) gave. */
export function freeFrameRun(address: usize, count: u32): void {
  if ((address & (FRAME_SIZE - 1)) != 0 || !frames.freeUnitsAt(<u32>(address >>> FRAME_SHIFT), count))
    errors++;
  checkHigh();
}

// ---- Sharing ----

/** One more address space (or page table) refers to the frame. False: it has as many sharers as can be counted. */
export function shareFrame(address: usize): bool {
  const count = shares + ((address >>> FRAME_SHIFT) << 1);
  const sharers = <u32>load<u16>(count);
  if (sharers == 0xffff) return false;
  store<u16>(count, <u16>(sharers + 1));
  return true;
}

/** Whether more than one refers to it. */
@inline
export function isShared(address: usize): bool {
  return load<u16>(shares + ((address >>> FRAME_SHIFT) << 1)) != 0;
}

/** One refers to the frame no more; with the last one it is free. True: it is. */
export function releaseFrame(address: usize): bool {
  const count = shares + ((address >>> FRAME_SHIFT) << 1);
  const sharers = <u32>load<u16>(count);
  if (sharers == 0) {
    freeFrames(address, 0);
    return true;
  }
  store<u16>(count, <u16>(sharers - 1));
  return false;
}

// ---- Reservations ----

/** Keeps `count` frames back for takeReservedFrame. False: so many are not free. */
export function reserveFrames(count: u32): bool {
  if (frames.freeUnits < reserved + count) return false;
  reserved += count;
  checkLow();
  return true;
}

/** Gives up `count` of the frames that were reserved. */
export function unreserveFrames(count: u32): void {
  reserved -= count;
  checkHigh();
}

/** One of the frames reserved, which is reserved no more; 0 should never be. */
export function takeReservedFrame(): usize {
  reserved--;
  return allocateFrames(0);
}

/** Frames that are free now and not reserved. */
export function freeFrameCount(): u32 {
  return frames.freeUnits - reserved;
}

/** Frames that addFrames gave. */
export function totalFrameCount(): u32 {
  return frames.totalUnits;
}

/** Order of the largest block that allocateFrames could give now; -1 when memory is full. */
export function largestFrameOrder(): i32 {
  return frames.largestFree();
}

/** Frees that were refused: each is a fault of the kernel. */
export function frameErrorCount(): u32 {
  return errors;
}

// @ts-ignore: decorator
@inline
function structSize(): usize {
  return (offsetof<Buddy>() + 7) & ~7;
}
