/**
 * Takes physical memory into use at boot: the metadata of the frame allocator, then the ranges that the loader named.
 */
import { usableEnd, usableRanges, usableStart } from "../boot-info";
import { addFrames, frameMetadataSize, FRAME_SIZE, initializeFrames } from "./frames";

/** False when no range has room for the metadata. */
export function initializePhysicalMemory(): bool {
  let lowest: usize = usize.MAX_VALUE;
  let highest: usize = 0;
  let largest: u32 = 0;
  for (let i: u32 = 0; i < usableRanges(); i++) {
    if (usableStart(i) < lowest) lowest = usableStart(i);
    if (usableEnd(i) > highest) highest = usableEnd(i);
    if (usableEnd(i) - usableStart(i) > usableEnd(largest) - usableStart(largest)) largest = i;
  }
  // At the start of the largest range: next to the image, as a rule.
  const storage = usableStart(largest);
  const size = (frameMetadataSize(lowest, highest) + FRAME_SIZE - 1) & ~(FRAME_SIZE - 1);
  if (size >= usableEnd(largest) - storage) return false;
  initializeFrames(storage, lowest, highest);
  for (let i: u32 = 0; i < usableRanges(); i++) {
    addFrames(i == largest ? storage + size : usableStart(i), usableEnd(i));
  }
  return true;
}
