/** The one place where the kernel writes an application's bytes into the memory of another process (direct data copy, AEM 3.4.2). */
import { readUser } from "../kernel/memory/user";
import { Process } from "../kernel/process/process";

/**
 * Copies `length` bytes at `source` in the memory of the current process to `block`, a kernel address in the vmtable of `receiver`, which
 * need not be running: the kernel sees all frames. 0 or -EFAULT; then what is in the block is not defined.
 */
export function copyToProcess(receiver: Process, block: usize, source: usize, length: usize): i32 {
  return readUser(block, source, length);
}
