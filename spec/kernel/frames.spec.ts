/** Frames (kernel/memory/frames.ts): what is known of them, and what they are. Their blocks: buddy.spec.ts. */
import {
  addFrames,
  allocateFrameRun,
  allocateFrames,
  FRAME_SIZE,
  frameErrorCount,
  frameMetadataSize,
  freeFrameCount,
  freeFrameRun,
  freeFrames,
  initializeFrames,
  largestFrameOrder,
  totalFrameCount,
} from "../../kernel/memory/frames";
import { arenaStart, growMemory, setUpArena } from "../arena";

describe("frames", () => {
  // The first: it sets up others than the arena's, which come after it.
  it("knows 4 GiB with holes without a step per frame", () => {
    const end: usize = 0xfff0_0000;
    const storage = growMemory(frameMetadataSize(0x10_0000, end), 8);
    initializeFrames(storage, 0x10_0000, end);
    addFrames(0, 0x9_fc00); // below what was foreseen: ignored
    addFrames(0x10_0123, 0x7ff_f800); // only whole frames
    addFrames(0x800_0000, 0xc000_0000);
    addFrames(0xd000_0000, 0xffff_f000);
    expect<u32>(totalFrameCount()).toBe(0x7ff - 0x101 + (0xb8000 + 0x2ff00) + 0x7800 - 0x800 + 0x800);
    expect<i32>(largestFrameOrder()).toBe(18, "1 GiB");
    const block = allocateFrames(18);
    expect<usize>(block & 0x3fff_ffff).toBe(0);
    freeFrames(block + FRAME_SIZE, 18);
    freeFrames(block, 17);
    freeFrames(block + 1, 18);
    freeFrames(0, 0);
    expect<u32>(frameErrorCount()).toBe(4);
    freeFrames(block, 18);
    expect<u32>(freeFrameCount()).toBe(totalFrameCount());
    expect<u32>(frameErrorCount()).toBe(4);
  });

  it("gives frames that can be written, aligned to their size", () => {
    setUpArena(4096);
    expect<u32>(totalFrameCount()).toBe(4096);
    const start = arenaStart();
    for (let order: u32 = 0; order <= 8; order++) {
      const block = allocateFrames(order);
      expect<bool>(block >= start && block + (FRAME_SIZE << order) <= start + 4096 * FRAME_SIZE).toBe(true);
      expect<usize>(block & ((FRAME_SIZE << order) - 1)).toBe(0);
      memory.fill(block, 0xee, FRAME_SIZE << order);
      freeFrames(block, order);
    }
    const run = allocateFrameRun(5);
    expect<u32>(freeFrameCount()).toBe(4091);
    freeFrameRun(run, 5);
    expect<u32>(freeFrameCount()).toBe(4096);
    expect<u32>(frameErrorCount()).toBe(0);
  });
});
