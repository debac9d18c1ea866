/** The call getpidof: how one process of an image finds another. */
import { EINVAL, ESRCH } from "../errno";
import { readUser } from "../memory/user";
import { findProcess, PROCESS_LIMIT } from "./process";

/** Longest name of a module. */
const NAME_LIMIT: u32 = 64;

/** Where a name is read to: static data are read-only. */
let scratch: usize = 0;

/** Bytes that `initializeNames` needs. */
export const NAME_STORAGE: usize = <usize>NAME_LIMIT;

/** Once at boot. `storage`: NAME_STORAGE bytes. */
export function initializeNames(storage: usize): void {
  scratch = storage;
}

/**
 * The lowest pid of a process whose module has this name (bytes of UTF-8, as in the image's manifest). -ESRCH: there is none;
 * -EINVAL: no length of a name; -EFAULT. Looks at all processes: a call for the start of an application.
 */
export function sys_getpidof(name: usize, length: u32): i32 {
  if (length == 0 || length > NAME_LIMIT) return -EINVAL;
  const error = readUser(scratch, name, length);
  if (error < 0) return error;
  for (let pid: i32 = 1; pid <= PROCESS_LIMIT; pid++) {
    const process = findProcess(pid);
    if (process === null) continue;
    const module = process.module;
    if (module.nameLength == length && memory.compare(module.name, scratch, length) == 0) return pid;
  }
  return -ESRCH;
}
