/**
 * A process: an instance of a module in its own window, its main thread, its handles, its events, its signals.
 *
 * The network and AEM hang their parts here as plain links and addresses (the kernel does not know what an event is), and register
 * what has to be done when a process ends.
 */
import { setPageTables, image, IMAGE_PAGE_TABLES } from "../hal";
import { EAGAIN, ENOMEM } from "../errno";
import { Link } from "../list";
import { setDispatchPending } from "../glue";
import { allocateFrames, freeFrameCount, freeFrames, FRAME_SIZE } from "../memory/frames";
import { INSTANCE_BASE, STACK_TOP, TABLE_BASE, VMTABLE_BASE, WASM_PAGE, WINDOW_BASE } from "../memory/layout";
import { createAddressSpace, destroyAddressSpace, mapFresh, mapShared, unmapFresh } from "../memory/paging";
import { setUserLimits } from "../memory/user";
import { Vmtable, vmtableCreate, vmtableDestroy } from "../memory/vmtable";
import { currentThread, exitThread, killThread, wakeThread } from "../scheduler/scheduler";
import { createThread, Thread, THREAD_BLOCKED } from "../scheduler/thread";
import { closeAllHandles } from "./handles";
import { ModuleDescriptor, TABLE_ENTRY_SIZE } from "./module";
import { initializeUsage } from "./usage";

export const PROCESS_LIMIT: i32 = 64;
const EXIT_HOOK_LIMIT: u32 = 4;


@unmanaged
export class Process {
  /** 1 .. PROCESS_LIMIT. */
  pid: i32;
  module: ModuleDescriptor;
  thread: Thread;
  /** PML4. */
  pageTables: usize;
  /** Bytes of linear memory as far as it has grown. */
  memoryBytes: u64;
  vmtable: Vmtable;
  /** Bytes of the vmtable zone. */
  vmtableBytes: u64;
  /** kernel/process/handles.ts */
  handleDirectory: usize;
  handleCapacity: u32;
  handleFree: u32;
  handleCount: u32;
  /** Signals that have come and were not taken (bit n: signal n), and whether one came that has interrupted nothing yet. */
  signals: u32;
  interrupted: u32;
  /** The event whose handler runs; 0: none. AEM's, like all below. */
  handling: usize;
  private pendingNext: usize;
  private pendingPrev: usize;
  private eventsNext: usize;
  private eventsPrev: usize;
  eventCount: u32;
  /** Activated events that wait for vmtable memory or a handle. */
  private starvedNext: usize;
  private starvedPrev: usize;
  /** Events registered with EVF_KEEPALIVE; not 0 once the last of them has ended: enter_keepalive returns 0 then. */
  keepaliveEvents: u32;
  keepaliveEnded: u32;

  /** Activated events, in the order in which their handlers are to run. */
  @inline get pending(): Link {
    return changetype<Link>(changetype<usize>(this) + offsetof<Process>("pendingNext"));
  }

  /** All registered events. */
  @inline get events(): Link {
    return changetype<Link>(changetype<usize>(this) + offsetof<Process>("eventsNext"));
  }


  @inline get starved(): Link {
    return changetype<Link>(changetype<usize>(this) + offsetof<Process>("starvedNext"));
  }

  /** Whether a handler can run at the end of this system call: some event is pending and none is being handled. */
  @inline get canDispatch(): bool {
    return !this.pending.isEmpty && this.handling == 0;
  }

  /** Whether a signal has come that has not interrupted a call yet; says so once. */
  @inline takeInterruption(): bool {
    const interrupted = this.interrupted != 0;
    this.interrupted = 0;
    return interrupted;
  }
}

/** PROCESS_LIMIT slots: address of the process with pid index + 1, or 0. Behind them the exit hooks. */
let table: usize = 0;
let exitHooks: usize = 0;
let exitHookCount: u32 = 0;
let processCount: i32 = 0;
/** First status other than 0 that a process ended with. */
let firstStatus: i32 = 0;
/** (status: i32) => void: called when the last process has ended. */
let lastExit: u32 = 0;

/** Bytes that `initializeProcesses` needs, zeroed. */
export const PROCESS_STORAGE: usize = (<usize>PROCESS_LIMIT + EXIT_HOOK_LIMIT) * 4;

export function initializeProcesses(storage: usize, onLastExit: u32): void {
  table = storage;
  exitHooks = storage + ((<usize>PROCESS_LIMIT) << 2);
  lastExit = onLastExit;
}

/** Registers a function index (process: Process) => void, called when a process ends, while it still has its memory. */
export function onProcessExit(index: u32): void {
  if (exitHookCount == EXIT_HOOK_LIMIT) unreachable();
  store<u32>(exitHooks + (exitHookCount++ << 2), index);
}


@inline
export function currentProcess(): Process {
  return currentThread().process;
}

export function findProcess(pid: i32): Process | null {
  if (pid < 1 || pid > PROCESS_LIMIT) return null;
  return changetype<Process | null>(<usize>load<u32>(table + ((<usize>(pid - 1)) << 2)));
}

export function liveProcesses(): i32 {
  return processCount;
}

/**
 * Makes a process of `module` and its main thread runnable. Its pid, -EAGAIN when there are PROCESS_LIMIT, -ENOMEM when
 * frames run out: nothing is left behind then.
 */
export function createProcess(module: ModuleDescriptor): i32 {
  let pid: i32 = 1;
  while (pid <= PROCESS_LIMIT && findProcess(pid) !== null) pid++;
  if (pid > PROCESS_LIMIT) return -EAGAIN;
  const address = allocateFrames(0);
  if (address == 0) return -ENOMEM;
  memory.fill(address, 0, FRAME_SIZE);
  const process = changetype<Process>(address);
  process.pid = pid;
  process.module = module;
  process.pending.initialize();
  process.events.initialize();
  process.starved.initialize();
  initializeUsage(process);
  if (!createWindow(process)) {
    destroyWindow(process);
    return -ENOMEM;
  }
  const thread = createThread(process, module.start);
  if (thread === null) {
    destroyWindow(process);
    return -ENOMEM;
  }
  process.thread = thread;
  store<u32>(table + ((<usize>(pid - 1)) << 2), <u32>address);
  processCount++;
  wakeThread(thread);
  return pid;
}

function framesFor(bytes: u64): u32 {
  return <u32>((bytes + FRAME_SIZE - 1) / FRAME_SIZE);
}

/** Everything is mapped now, nothing on demand: a handler never waits for a page. */
function createWindow(process: Process): bool {
  const module = process.module;
  const pml4 = createAddressSpace();
  if (pml4 == 0) return false;
  process.pageTables = pml4;
  process.memoryBytes = <u64>module.memoryPages * WASM_PAGE;
  if (!mapFresh(pml4, WINDOW_BASE, framesFor(process.memoryBytes))) return false;
  if (!mapFresh(pml4, INSTANCE_BASE, framesFor(module.instanceSize))) return false;
  if (!mapFresh(pml4, TABLE_BASE, framesFor(<u64>module.tableMax * TABLE_ENTRY_SIZE))) return false;
  if (!mapFresh(pml4, STACK_TOP - module.stackBytes, framesFor(module.stackBytes))) return false;
  const vmtable = vmtableCreate(module.vmtableOrder);
  if (vmtable === null) return false;
  process.vmtable = vmtable;
  process.vmtableBytes = (<u64>FRAME_SIZE) << module.vmtableOrder;
  return mapShared(pml4, WINDOW_BASE + VMTABLE_BASE, vmtable.base, framesFor(process.vmtableBytes));
}

function destroyWindow(process: Process): void {
  if (process.pageTables != 0) destroyAddressSpace(process.pageTables);
  if (changetype<usize>(process.vmtable) != 0) vmtableDestroy(process.vmtable);
  freeFrames(changetype<usize>(process), 0);
}

/** memory.grow: maps `pages` more wasm pages of the current process. The pages it had before, or -1. */
export function growMemory(pages: u32): i32 {
  const process = currentProcess();
  const old = process.memoryBytes / WASM_PAGE;
  const limit = <u64>process.module.memoryMaxPages;
  if (old + pages > limit || (old + pages) * WASM_PAGE > VMTABLE_BASE) return -1;
  const start = WINDOW_BASE + process.memoryBytes;
  const frames = framesFor(<u64>pages * WASM_PAGE);
  // What cannot end well is not begun: interrupts are off.
  if (frames > freeFrameCount()) return -1;
  if (!mapFresh(process.pageTables, start, frames)) {
    unmapFresh(process.pageTables, start, frames);
    return -1;
  }
  process.memoryBytes += <u64>pages * WASM_PAGE;
  setUserLimits(process.memoryBytes, process.vmtableBytes);
  return <i32>old;
}

/** An event of `process` was put into its pending queue: lets it be handled as soon as may be. */
export function processNotify(process: Process): void {
  if (process.handling != 0) return;
  const thread = process.thread;
  if (changetype<usize>(thread) == changetype<usize>(currentThread())) setDispatchPending(true);
  // In a quiet call it has no use for handlers: the next other call runs them.
  if (thread.state == THREAD_BLOCKED && thread.quiet == 0) wakeThread(thread);
}

/** Ends a process: all that it has goes back. Returns only when it is not the current one. */
export function endProcess(process: Process, status: i32): void {
  for (let i: u32 = 0; i < exitHookCount; i++) call_indirect<void>(load<u32>(exitHooks + (i << 2)), process);
  closeAllHandles(process);
  store<u32>(table + ((<usize>(process.pid - 1)) << 2), 0);
  processCount--;
  if (firstStatus == 0) firstStatus = status;
  const thread = process.thread;
  const current = changetype<usize>(thread) == changetype<usize>(currentThread());
  // Its page tables must not be loaded when they go; nor may they be looked at again: the kernel's own are as good.
  if (current) setPageTables(image(IMAGE_PAGE_TABLES));
  destroyWindow(process);
  if (processCount == 0) call_indirect<void>(lastExit, firstStatus);
  if (current) exitThread();
  else killThread(thread);
}
