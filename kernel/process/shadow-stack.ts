/**
 * Shadow stacks: where compiled C keeps what has an address, in linear memory, with its pointer in a wasm global. Each thread of a process has
 * one of its own, so the global changes with the thread. (AssemblyScript without its incremental collector has none.)
 *
 * The global is in the module's instance. Its page is made the process's own before there is more than one thread, and again at each fork, so that a
 * switch writes it without asking for memory.
 */
import { BREAK_DONE } from "../memory/copy-on-write";
import { INSTANCE_BASE } from "../memory/layout";
import { translate } from "../memory/paging";
import { vmtableAllocate, vmtableFree } from "../memory/vmtable";
import { Thread, threadOfMember } from "../scheduler/thread";
import { breakProcessCopy } from "./fork";
import { Process } from "./process";

/** Gives a new worker a shadow stack of `bytes`, if its module has any. False without memory for it. */
export function createShadowStack(worker: Thread, bytes: u32): bool {
  const process = worker.process;
  if (process.module.stackPointer == 0) return true;
  if (!ownShadowStackPointer(process)) return false;
  const block = vmtableAllocate(process.vmtable, bytes);
  if (block == 0) return false;
  worker.shadowBlock = block;
  worker.shadowStack = <u32>block + bytes;
  return true;
}

export function freeShadowStack(worker: Thread): void {
  if (worker.shadowBlock != 0) vmtableFree(worker.process.vmtable, worker.shadowBlock);
}

/**
 * `child`, a fork, has copies of all blocks of the vmtable, but not of the workers of `parent`: what those have there, stacks and the data of
 * their handlers, is nobody's in the child.
 */
export function freeBlocksOfWorkers(parent: Process, child: Process): void {
  const workers = parent.workers;
  let link = workers.next;
  while (changetype<usize>(link) != changetype<usize>(workers)) {
    const worker = threadOfMember(link);
    if (worker.shadowBlock != 0) vmtableFree(child.vmtable, worker.shadowBlock);
    if (worker.block != 0) vmtableFree(child.vmtable, worker.block);
    link = link.next;
  }
}

/** Makes the page of the global the process's own. False without memory. */
export function ownShadowStackPointer(process: Process): bool {
  return breakProcessCopy(process, addressOf(process)) == BREAK_DONE;
}


@inline
function addressOf(process: Process): u64 {
  return INSTANCE_BASE + <u64>process.module.stackPointer;
}

/** `next`, whose process has workers, is going to run. */
export function switchShadowStack(next: Thread): void {
  const process = next.process;
  const last = process.lastThread;
  if (process.module.stackPointer == 0 || changetype<usize>(last) == changetype<usize>(next)) return;
  const global = translate(process.pageTables, addressOf(process));
  last.shadowStack = load<u32>(global);
  store<u32>(global, next.shadowStack);
  process.lastThread = next;
}
