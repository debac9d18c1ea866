/** Physical memory for a spec: frames out of the spec's own linear memory. */
import {
  addFrames,
  allocateFrames,
  FRAME_SIZE,
  frameMetadataSize,
  freeFrameCount,
  freeFrames,
  initializeFrames,
} from "../kernel/memory/frames";

const ALIGNMENT: usize = 1 << 20;

let start: usize = 0;
let heapIsSetUp: bool = false;

/**
 * Gives the frame allocator `frames` frames of 4 KiB, starting on a multiple of 1 MiB. The first call of a spec file sets it up,
 * later ones do nothing: what a spec takes it has to give back, or else the arena has to be large enough for all.
 */
export function setUpArena(frames: u32): void {
  if (start != 0) return;
  const bytes = <usize>frames * FRAME_SIZE;
  start = growMemory(bytes, ALIGNMENT);
  const storage = growMemory(frameMetadataSize(start, start + bytes), 8);
  initializeFrames(storage, start, start + bytes);
  addFrames(start, start + bytes);
}

/** Address of the first frame of the arena. */
export function arenaStart(): usize {
  return start;
}

/** Frames that are taken, each with the address of the one before. */
let taken: usize = 0;

/** Takes frames one at a time until `left` are free. */
export function takeAllBut(left: u32): void {
  while (freeFrameCount() > left) {
    const frame = allocateFrames(0);
    store<usize>(frame, taken);
    taken = frame;
  }
}

/** Frees what takeAllBut has taken. */
export function giveBack(): void {
  while (taken != 0) {
    const frame = taken;
    taken = load<usize>(frame);
    freeFrames(frame, 0);
  }
}

/** Fresh zeroed linear memory that the managed runtime of the spec does not use: storage for static structs, fake devices. */
export function growMemory(bytes: usize, alignment: usize): usize {
  // The managed heap takes, at its first allocation, all memory that is there: let it do so now.
  if (!heapIsSetUp) heap.free(heap.alloc(16));
  heapIsSetUp = true;
  const base = (<usize>memory.size()) << 16;
  const aligned = (base + alignment - 1) & ~(alignment - 1);
  const pages = (aligned + bytes - base + 0xffff) >> 16;
  if (memory.grow(<i32>pages) < 0) abort("the arena does not fit");
  return aligned;
}
