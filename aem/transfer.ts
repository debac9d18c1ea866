/**
 * Direct data copy (AEM 3.4.2): the kernel sees all frames, so it moves bytes between the memory of the current process and that of
 * another one, which need not be running, without a buffer and without switching to it. Page by page: what stands together in a window does not in
 * memory, and a page that a fork has shared is copied before it is written to.
 */
import { copyFromUser, copyToUser } from "../kernel/hal";
import { EFAULT, ENOMEM } from "../kernel/errno";
import { FRAME_SIZE } from "../kernel/memory/frames";
import { WINDOW_BASE } from "../kernel/memory/layout";
import { translate, translateWritable } from "../kernel/memory/paging";
import { BREAK_DONE } from "../kernel/memory/copy-on-write";
import { breakProcessCopy } from "../kernel/process/fork";
import { Process } from "../kernel/process/process";

/**
 * Copies `length` bytes at `source` in the memory of the current process, a range that is valid (userRange), to `destination` in that of `receiver`, a
 * vmtable block. 0; -EFAULT; -ENOMEM: a shared page could not be copied. Then what is in the block is not defined.
 */
export function copyToProcess(receiver: Process, destination: usize, source: usize, length: usize): i32 {
  while (length != 0) {
    const bytes = min(length, FRAME_SIZE - (destination & (FRAME_SIZE - 1)));
    const page = writablePage(receiver, WINDOW_BASE + <u64>destination);
    if (page == 0) return -ENOMEM;
    const error = copyFromUser(page, source, bytes);
    if (error < 0) return error;
    destination += bytes;
    source += bytes;
    length -= bytes;
  }
  return 0;
}

/** The same, and shorter where all of it goes to one page, which no fork shares. */
export function copyFewToProcess(receiver: Process, destination: usize, source: usize, length: usize): i32 {
  if ((destination & (FRAME_SIZE - 1)) + length <= FRAME_SIZE) {
    const page = translateWritable(receiver.pageTables, WINDOW_BASE + <u64>destination);
    if (page != 0) return copyFromUser(page, source, length);
  }
  return copyToProcess(receiver, destination, source, length);
}

/** Kernel address of an address in the window of `process` that may be written to, which is a copy of its own from here on; 0: there is no frame for that. */
// @ts-ignore: decorator
@inline
function writablePage(process: Process, address: u64): usize {
  const there = translateWritable(process.pageTables, address);
  return there != 0 ? there : copiedPage(process, address);
}

function copiedPage(process: Process, address: u64): usize {
  return breakProcessCopy(process, address) == BREAK_DONE ? translate(process.pageTables, address) : 0;
}

/** The other way: from `source` in the memory of `sender`, a vmtable block, to the vmtable block `destination` of the current process. 0 or -EFAULT. */
export function copyFromProcess(sender: Process, source: usize, destination: usize, length: usize): i32 {
  while (length != 0) {
    const bytes = min(length, FRAME_SIZE - (source & (FRAME_SIZE - 1)));
    const from = translate(sender.pageTables, WINDOW_BASE + <u64>source);
    const error = from == 0 ? -EFAULT : copyToUser(destination, from, bytes);
    if (error < 0) return error;
    destination += bytes;
    source += bytes;
    length -= bytes;
  }
  return 0;
}
