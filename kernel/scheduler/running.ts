/**
 * The thread that has the processor, and the switch to another one. Whose turn it is, is decided in scheduler.ts.
 */
import {
  clearExitWork,
  quietCall,
  setExitWork,
  setKernelStackTop,
  setQuietCall,
  WORK_DISPATCH,
} from "../glue";
import { setPageTables, switchStack } from "../hal";
import { setUserLimits } from "../memory/user";
import { panic } from "../panic";
import { Process } from "../process/process";
import { switchShadowStack } from "../process/shadow-stack";
import { charge } from "./quantum";
import { destroyThread, STACK_CANARY, Thread } from "./thread";

/** 0 until the first switch. */
export let running: Thread = changetype<Thread>(0);
/** Ended; freed when another stack is in use. */
let dead: Thread | null = null;
/** Where the boot stack's pointer goes at the first switch; never switched back to. */
let bootStack: usize = 0;

/** Switches from one thread to another. */
export let switchCount: u64 = 0;

/** Once at boot. `storage`: 8 bytes, 8-aligned. */
export function initializeRunning(storage: usize): void {
  bootStack = storage;
}

export function currentThread(): Thread {
  return running;
}

export function switchTo(next: Thread): void {
  const previous = running;
  let save = bootStack;
  if (changetype<usize>(previous) != 0) {
    if (load<u64>(previous.stack) != STACK_CANARY) panic("kernel stack overflow");
    save = changetype<usize>(previous) + offsetof<Thread>("stackPointer");
    previous.quiet = quietCall;
  }
  switchCount++;
  running = next;
  enterProcess(next.process);
  setKernelStackTop(next.stackTop);
  setQuietCall(next.quiet);
  noteDispatchOf(next);
  switchStack(save, next.stackPointer);
  if (dead !== null) reap();
}

/** Makes `process` the one whose window is mapped and whose limits hold. */
function enterProcess(process: Process): void {
  setPageTables(process.pageTables);
  setUserLimits(process.memoryBytes, process.vmtableBytes);
  if (process.workerCount != 0) switchShadowStack(running);
}

/** The glue's flag says whether the current thread has handlers to run, or has to let another one of its process have the memory. */
export function noteDispatch(): void {
  noteDispatchOf(running);
}

// @ts-ignore: decorator
@inline
function noteDispatchOf(thread: Thread): void {
  // Main code lets its equals go first, a handler does not.
  const level = <i32>thread.level + i32(thread.handling != 0);
  if (thread.canDispatch || thread.process.waiting.top >= level) setExitWork(WORK_DISPATCH);
  else clearExitWork(WORK_DISPATCH);
}

// @ts-ignore: decorator
@inline
export function chargeRunning(): void {
  charge(running.process, running.priority);
}

/** Frees the thread that ended before this one came to run. (A new thread's first switch does not pass here: the next one will.) */
export function reap(): void {
  const thread = dead;
  if (thread === null || changetype<usize>(thread) == changetype<usize>(running)) return;
  dead = null;
  destroyThread(thread);
}

/** Frees the thread on whose stack the processor is, when another stack is in use. */
export function freeLater(thread: Thread): void {
  reap();
  dead = thread;
}
