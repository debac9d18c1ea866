/** How a process comes to be from a module of the image; and how its memory grows. */
import { ENOMEM } from "../errno";
import { freeFrameCount, FRAME_SIZE, totalFrameCount } from "../memory/frames";
import { INSTANCE_BASE, STACK_TOP, TABLE_BASE, VMTABLE_BASE, WASM_PAGE, WINDOW_BASE } from "../memory/layout";
import { createAddressSpace, destroyAddressSpace, mapFresh, unmapFresh } from "../memory/paging";
import { setUserLimits } from "../memory/user";
import { vmtableClearSome, vmtableCreate, vmtableDestroy, vmtableOrder } from "../memory/vmtable";
import { setShare } from "../scheduler/quantum";
import { yieldPoint } from "../scheduler/preempt";
import { wakeThread } from "../scheduler/wake";
import { createThread } from "../scheduler/thread";
import { addTimerLevel } from "../time/timers";
import { ModuleDescriptor, TABLE_ENTRY_SIZE } from "./module";
import {
  allocateProcess,
  CHILD_STILLBORN,
  countAlive,
  currentProcess,
  freeProcess,
  Process,
  PROCESS_ALIVE,
  whyNoProcess,
} from "./process";

/**
 * Makes a process of `module` and its main thread runnable. `parent`: whose child it is; null: nobody's. Its pid, -EAGAIN when there
 * are PROCESS_LIMIT, -ENOMEM when frames run out: nothing is left behind then.
 */
export function createProcess(module: ModuleDescriptor, parent: Process | null = null): i32 {
  const process = allocateProcess();
  if (process === null) return whyNoProcess();
  // First of all: if the parent ends meanwhile, the child that was not finished goes with it.
  if (parent !== null) adopt(parent, process);
  process.module = module;
  process.priority = module.priority;
  setShare(process, module.cpuPercent);
  if (!addTimerLevel(process.priority) || !createWindow(process)) {
    discardProcess(process);
    return -ENOMEM;
  }
  const thread = createThread(process, module.start, STACK_TOP);
  if (thread === null) {
    discardProcess(process);
    return -ENOMEM;
  }
  process.thread = thread;
  thread.queue = changetype<usize>(process.pending);
  thread.level = process.priority;
  process.state = PROCESS_ALIVE;
  countAlive(1);
  wakeThread(thread, process.priority);
  return process.pid;
}

/** `child` is `parent`'s from now on. */
export function adopt(parent: Process, child: Process): void {
  child.parent = parent;
  parent.children.append(child.sibling);
  parent.childCount++;
}

/** It is nobody's again: nobody has ever heard of it, and nobody is told that it ends. */
export function disown(child: Process): void {
  child.childFlags = CHILD_STILLBORN;
  child.parent.childCount--;
  child.sibling.remove();
  child.parent = changetype<Process>(0);
}

export function framesFor(bytes: u64): u32 {
  return <u32>((bytes + FRAME_SIZE - 1) / FRAME_SIZE);
}

/** Everything is mapped now, nothing on demand: a handler never waits for a page. */
function createWindow(process: Process): bool {
  const module = process.module;
  const pml4 = createAddressSpace();
  if (pml4 == 0) return false;
  process.pageTables = pml4;
  process.memoryBytes = <u64>module.memoryPages * WASM_PAGE;
  if (!mapInSteps(pml4, WINDOW_BASE, framesFor(process.memoryBytes))) return false;
  if (!mapInSteps(pml4, INSTANCE_BASE, framesFor(module.instanceSize))) return false;
  if (!mapInSteps(pml4, TABLE_BASE, framesFor(<u64>module.tableMax * TABLE_ENTRY_SIZE))) return false;
  if (!mapInSteps(pml4, STACK_TOP - module.stackBytes, framesFor(module.stackBytes))) return false;
  const order = vmtableOrder(module.vmtableOrder, totalFrameCount());
  const vmtable = vmtableCreate(order);
  if (vmtable === null) return false;
  process.vmtable = vmtable;
  while (!vmtableClearSome(vmtable)) yieldPoint();
  process.vmtableBytes = (<u64>FRAME_SIZE) << order;
  return mapInSteps(pml4, WINDOW_BASE + VMTABLE_BASE, framesFor(process.vmtableBytes));
}

/** Frames that are cleared and mapped between two moments at which interrupts and other threads have their turn. */
const MAP_BUDGET: u32 = 8;

/**
 * As mapFresh, for ranges that may be large: others may run meanwhile, and at the end. If the process is ended then, this does not come back, and what was
 * mapped goes with the address space.
 */
export function mapInSteps(pml4: usize, address: u64, frames: u32): bool {
  while (frames != 0) {
    const step = min(frames, MAP_BUDGET);
    if (!mapFresh(pml4, address, step)) return false;
    address += <u64>step * FRAME_SIZE;
    frames -= step;
    yieldPoint();
  }
  return true;
}

/** As unmapFresh. */
export function unmapInSteps(pml4: usize, address: u64, frames: u32): void {
  while (frames != 0) {
    const step = min(frames, MAP_BUDGET);
    unmapFresh(pml4, address, step);
    address += <u64>step * FRAME_SIZE;
    frames -= step;
    yieldPoint();
  }
}

/** Undoes what has been made of a process that never ran. */
export function discardProcess(process: Process): void {
  const parent = process.parent;
  if (changetype<usize>(parent) != 0) {
    process.sibling.remove();
    parent.childCount--;
  }
  if (process.pageTables != 0) destroyAddressSpace(process.pageTables);
  if (changetype<usize>(process.vmtable) != 0) vmtableDestroy(process.vmtable);
  freeProcess(process);
}

/** memory.grow: maps `pages` more wasm pages of the current process. The pages it had before, or -1. */
export function growMemory(pages: u32): i32 {
  const process = currentProcess();
  const old = process.memoryBytes / WASM_PAGE;
  const limit = <u64>process.module.memoryMaxPages;
  if (old + pages > limit || (old + pages) * WASM_PAGE > VMTABLE_BASE) return -1;
  const start = WINDOW_BASE + process.memoryBytes;
  const frames = framesFor(<u64>pages * WASM_PAGE);
  // What cannot end well is not begun.
  if (frames > freeFrameCount()) return -1;
  if (!mapInSteps(process.pageTables, start, frames)) {
    unmapInSteps(process.pageTables, start, frames);
    return -1;
  }
  process.memoryBytes += <u64>pages * WASM_PAGE;
  setUserLimits(process.memoryBytes, process.vmtableBytes);
  return <i32>old;
}
