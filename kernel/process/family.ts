/** Calls about other processes of one's own: fork, spawn, waitpid. Names and numbers as in POSIX and Linux. */
import { EAGAIN, ECHILD, EFAULT, EINVAL, ENOENT, EPERM } from "../errno";
import { kernelStackTop } from "../glue";
import { NO_DEADLINE } from "../interrupts/deadline";
import { userRange, writeUser } from "../memory/user";
import { waitOn } from "../scheduler/block";
import { wakeThread } from "../scheduler/wake";
import { POLLIN } from "../scheduler/wait";
import { createProcess } from "./create";
import { endProcess, release, WAKE_UNWAITED } from "./end";
import { forkError, forkProcess } from "./fork";
import { findModule } from "./module";
import {
  CHILD_CAPSULE,
  CHILD_NO_WAIT,
  countAlive,
  currentProcess,
  Process,
  PROCESS_ALIVE,
  processOfCapsule,
  processOfPid,
  PROCESS_ZOMBIE,
} from "./process";
import { notifyWorker } from "./workers";

/** fork: the child has copies of the parent's registered events; without it, it starts with none (3.6.4). */
export const FORK_EVENTS: u32 = 1;
/** fork, spawn: nobody will wait for the child; its status is forgotten. */
export const FORK_NO_WAIT: u32 = 2;
const WNOHANG: u32 = 1;

/** (parent: Process, child: Process) => i32: gives the child copies of the parent's events; 0 or a negative errno. */
let inheritEvents: u32 = 0;
let scratch: usize = 0;

/** Once at boot. `storage`: 4 bytes, 4-aligned. */
export function initializeFamily(storage: usize): void {
  scratch = storage;
}

export function onInheritEvents(index: u32): void {
  inheritEvents = index;
}

/** Starts a child that runs. */
export function startChild(child: Process, level: u32): void {
  child.state = PROCESS_ALIVE;
  child.thread.quiet = 0;
  countAlive(1);
  // Its workers, for what was activated before it was finished.
  const work = child.work;
  for (let waiting = child.waitingCount; waiting != 0 && !work.isEmpty; waiting--)
    if (!notifyWorker(child, <u32>work.top)) break;
  wakeThread(child.thread, level);
}

/**
 * From the glue: the child's pid; the child returns 0 from the same call. `flags`: FORK_*. -EINVAL, -EAGAIN, -ENOMEM; -EPERM inside a handler on a
 * worker, whose stack the child's main thread does not have.
 */
export function sys_fork(flags: u32): i32 {
  if (flags & ~(FORK_EVENTS | FORK_NO_WAIT)) return -EINVAL;
  const parent = currentProcess();
  if (kernelStackTop != parent.thread.stackTop) return -EPERM;
  if (parent.childCount >= parent.module.children) return -EAGAIN;
  // What SYSCALL pushed first: the application's stack pointer, with the return address of this call.
  const child = forkProcess(parent, 0, load<u64>(kernelStackTop - 8));
  if (child === null) return forkError;
  child.childFlags = flags & FORK_NO_WAIT ? CHILD_NO_WAIT : 0;
  // In a handler: the child's copy of its block goes when it returns from there.
  child.thread.block = parent.thread.block;
  if (flags & FORK_EVENTS) {
    const error = call_indirect<i32>(inheritEvents, parent, child);
    if (error < 0) {
      child.childFlags = CHILD_NO_WAIT;
      endProcess(child, 0);
      return error;
    }
  }
  startChild(child, child.priority);
  return child.pid;
}

/** Starts the module that is linked in under this name as a child. Its pid; -ENOENT there is no such module, or no name there; -EAGAIN, -ENOMEM, -EINVAL. */
export function sys_spawn(name: usize, length: u32, flags: u32): i32 {
  if (flags & ~FORK_NO_WAIT) return -EINVAL;
  const module = findModule(name, length);
  if (module === null) return -ENOENT;
  const parent = currentProcess();
  if (parent.childCount >= parent.module.children) return -EAGAIN;
  const pid = createProcess(module, parent);
  if (pid > 0 && flags & FORK_NO_WAIT) processOfPid(pid)!.childFlags = CHILD_NO_WAIT;
  return pid;
}

/**
 * Waits for a child (`pid` > 0: this one; -1: any) to end, and forgets it. Its pid; its exit status is written to `status` unless
 * that is 0. 0 with WNOHANG when none has ended. -ECHILD: there is no such child; -EINTR, -EFAULT, -EINVAL.
 */
export function sys_waitpid(pid: i32, status: usize, flags: u32): i32 {
  if (flags & ~WNOHANG || (pid < 1 && pid != -1)) return -EINVAL;
  if (status != 0 && !userRange(status, 4)) return -EFAULT;
  const process = currentProcess();
  let result: i32;
  do {
    const child = zombieOf(process, pid);
    if (child !== null) return reapZombie(child, status);
    if (!hasChild(process, pid)) return -ECHILD;
    if (flags & WNOHANG) return 0;
    result = waitOn(process.childWait, POLLIN | WAKE_UNWAITED, NO_DEADLINE);
  } while (result == 0);
  return result;
}

/** An ended child that was not waited for; -1: the first to end. */
export function zombieOf(process: Process, pid: i32): Process | null {
  const zombies = process.zombies;
  if (pid == -1) return zombies.isEmpty ? null : processOfCapsule(zombies.next);
  const child = processOfPid(pid);
  if (child === null || child.state != PROCESS_ZOMBIE) return null;
  return changetype<usize>(child.parent) == changetype<usize>(process) ? child : null;
}

/** Capsules do not count: they are the kernel's, and do not end by themselves. */
function hasChild(process: Process, pid: i32): bool {
  if (pid == -1) return process.childCount > process.capsuleCount;
  const child = processOfPid(pid);
  if (child === null || changetype<usize>(child.parent) != changetype<usize>(process)) return false;
  return !(child.childFlags & CHILD_CAPSULE);
}

function reapZombie(child: Process, status: usize): i32 {
  const pid = child.pid;
  store<i32>(scratch, child.status);
  if (status != 0 && writeUser(status, scratch, 4) < 0) return -EFAULT;
  release(child);
  return pid;
}
