/**
 * An application's memory as the kernel reaches it: checked ranges of the current process's window.
 *
 * A user address is an offset into the window. Valid are the linear memory as far as it has grown, the vmtable zone, and where workers have their
 * shadow stacks. The check is on the whole range before the first byte is touched; the copy itself still answers -EFAULT where a page is missing, as
 * between shadow stacks.
 */
import { copyFromUser, copyToUser, loadWindow } from "../hal";
import { EFAULT } from "../errno";
import { SHADOW_BASE, SHADOW_END, VMTABLE_BASE, WINDOW_BASE } from "./layout";

/** Of the current process, set at each switch: bytes of linear memory, and of the vmtable zone. */
let memoryBytes: u64 = 0;
let vmtableBytes: u64 = 0;

export function setUserLimits(memory: u64, vmtable: u64): void {
  memoryBytes = memory;
  vmtableBytes = vmtable;
}

/** Whether [address, address + length) lies wholly in one valid zone. An empty range is valid anywhere up to the end of one. */
export function userRange(address: usize, length: usize): bool {
  const end = <u64>address + length;
  if (end <= memoryBytes) return true;
  if (address >= SHADOW_BASE) return end <= SHADOW_END;
  return address >= VMTABLE_BASE && end <= <u64>VMTABLE_BASE + vmtableBytes;
}

/** Reads 8 bytes of the application's into the u64 at `destination`. 0 or -EFAULT. */
// @ts-ignore: decorator
@inline
export function readUserLong(destination: usize, user: usize): i32 {
  // All of the linear memory is mapped.
  if (<u64>user + 8 > memoryBytes) return readUser(destination, user, 8);
  store<u64>(destination, loadWindow(WINDOW_BASE + <u64>user));
  return 0;
}

/** Copies `length` bytes from the application. 0 or -EFAULT. */
@inline
export function readUser(destination: usize, user: usize, length: usize): i32 {
  return userRange(user, length) ? copyFromUser(destination, user, length) : -EFAULT;
}

/** Copies `length` bytes to the application. 0 or -EFAULT. */
@inline
export function writeUser(user: usize, source: usize, length: usize): i32 {
  return userRange(user, length) ? copyToUser(user, source, length) : -EFAULT;
}
