/**
 * Memory that is taken once at boot and never given back: storage for pools, heads of lists, tables. Zeroed, 16-aligned.
 */
import { allocateFrameRun, FRAME_SIZE } from "./frames";

let next: usize = 0;
let end: usize = 0;

/** `bytes` of it; 0 when frames are short. */
export function permanent(bytes: usize): usize {
  bytes = (max<usize>(bytes, 1) + 15) & ~15;
  if (next + bytes > end) {
    const frames = (bytes + FRAME_SIZE - 1) / FRAME_SIZE;
    const block = allocateFrameRun(<u32>frames);
    if (block == 0) return 0;
    memory.fill(block, 0, frames * FRAME_SIZE);
    // A large piece does not throw away what is left of the present frame.
    if (frames > 1) return block;
    next = block;
    end = block + FRAME_SIZE;
  }
  const address = next;
  next += bytes;
  return address;
}
