/**
 * Fork: a copy of the current process, whose memory, globals, tables and stack are its own from then on (copy-on-write.ts), with the same
 * handles. It has a main thread and no other one, and no events unless AEM gives it some.
 */
import { ENOMEM } from "../errno";
import { pageTables, setPageTables } from "../hal";
import { breakCopy, promised, setPromised, shareWindow } from "../memory/copy-on-write";
import { reserveFrames } from "../memory/frames";
import { createAddressSpace } from "../memory/paging";
import { vmtableClone, vmtableCloneSome, vmtableFree } from "../memory/vmtable";
import { setShare } from "../scheduler/quantum";
import { yieldPoint } from "../scheduler/preempt";
import { createThread, threadOfMember } from "../scheduler/thread";
import { adopt, disown } from "./create";
import { endProcess } from "./end";
import { shareHandles } from "./handles";
import { allocateProcess, Process, whyNoProcess } from "./process";
import { ownShadowStackPointer } from "./shadow-stack";

/**
 * Frames kept back for each side, so that writing to its first so many pages and tables cannot fail for want of memory. Beyond those a process
 * takes what is free, and ends when nothing is.
 */
const PROMISED: u32 = 32;
/** Errno of the last forkProcess that gave null. */
export let forkError: i32 = 0;

/**
 * A child of `parent`, which is the current process and between two instructions of its own; other threads may run before it is done. `entry`: code address at which its main thread begins on the
 * stack pointer `stack`; 0: it returns 0 from the call that `stack` belongs to. It does not run yet: the caller makes it alive. Null, and
 * forkError says why: -EAGAIN there are PROCESS_LIMIT, -ENOMEM.
 */
export function forkProcess(parent: Process, entry: usize, stack: u64): Process | null {
  const child = allocateProcess();
  if (child === null) {
    forkError = whyNoProcess();
    return null;
  }
  child.module = parent.module;
  child.priority = parent.priority;
  child.memoryBytes = parent.memoryBytes;
  child.vmtableBytes = parent.vmtableBytes;
  setShare(child, 100);
  child.share = parent.share;
  adopt(parent, child);
  if (!clone(parent, child, entry, stack)) {
    // It gives back what it has got so far, as one that ran. Its parent, told of its end, would try again at once, and so for ever.
    disown(child);
    endProcess(child, 0);
    forkError = -ENOMEM;
    return null;
  }
  forkError = 0;
  return child;
}

function clone(parent: Process, child: Process, entry: usize, stack: u64): bool {
  if (parent.promised < PROMISED) {
    if (!reserveFrames(PROMISED - parent.promised)) return false;
    parent.promised = PROMISED;
  }
  if (!reserveFrames(PROMISED)) return false;
  child.promised = PROMISED;
  const pml4 = createAddressSpace();
  if (pml4 == 0) return false;
  child.pageTables = pml4;
  const shared = shareWindow(parent.pageTables, pml4);
  // What the processor remembers of the parent's pages still allows writing.
  setPageTables(pageTables());
  if (!shared) return false;
  if (parent.workerCount != 0 && parent.module.stackPointer != 0 && !ownShadowStackPointer(parent))
    return false;
  // What is the child's is its own from here on. If the parent ends meanwhile, the child that was not finished goes with it.
  yieldPoint();
  const vmtable = vmtableClone(parent.vmtable);
  if (vmtable === null) return false;
  child.vmtable = vmtable;
  while (!vmtableCloneSome(vmtable, parent.vmtable)) yieldPoint();
  freeBlocksOfWorkers(parent, child);
  yieldPoint();
  if (!shareHandles(parent, child)) return false;
  const thread = createThread(child, entry, stack);
  if (thread === null) return false;
  child.thread = thread;
  thread.queue = changetype<usize>(child.pending);
  thread.level = child.priority;
  // Until it is started, events do not wake it.
  thread.quiet = 1;
  return true;
}

/** `child` has copies of all blocks of the vmtable, but not of the workers of `parent`: the data of their handlers are nobody's in the child. */
function freeBlocksOfWorkers(parent: Process, child: Process): void {
  const workers = parent.workers;
  let link = workers.next;
  while (changetype<usize>(link) != changetype<usize>(workers)) {
    const worker = threadOfMember(link);
    if (worker.block != 0) vmtableFree(child.vmtable, worker.block);
    link = link.next;
  }
}

/** After a write fault of `process`, whose page tables are loaded: BREAK_*. Its promised frames are used first. */
export function breakProcessCopy(process: Process, address: u64): i32 {
  setPromised(process.promised);
  const outcome = breakCopy(process.pageTables, address);
  process.promised = promised;
  setPromised(0);
  return outcome;
}
