/**
 * Workers: the threads of a process beside its main one, for handlers that have a stack of their own and may block (AEM 3.2.3: thread
 * executors). They share the memory of the process: only one of its threads runs at a time (kernel/scheduler/scheduler.ts).
 *
 * All of a process's workers are made with its first registration that asks for them: from then on nothing about them can fail.
 */
import { ENOMEM, EOPNOTSUPP, ERESTART } from "../errno";
import { image, IMAGE_SERVE } from "../hal";
import { NO_DEADLINE } from "../interrupts/deadline";
import { STACK_DISTANCE, STACK_TOP, WINDOW_BASE } from "../memory/layout";
import { translate } from "../memory/paging";
import { waitOn } from "../scheduler/block";
import { killThread } from "../scheduler/end";
import { yieldPoint } from "../scheduler/preempt";
import { currentThread } from "../scheduler/running";
import { createThread, Thread, threadOfIdle, threadOfMember } from "../scheduler/thread";
import { framesFor, mapInSteps, unmapInSteps } from "./create";
import { endProcess } from "./end";
import { closeAllHandles } from "./handles";
import {
  CHILD_CAPSULE,
  CHILD_STALE,
  CHILD_VAIN,
  initializeWorkerQueues,
  notifyThread,
  Process,
  PROCESS_NEW,
} from "./process";
import { ownShadowStackPointer, shadowStackTop } from "./shadow-stack";

/**
 * Makes the process's workers, if it has none yet. 0; -ENOMEM: none are made; -EOPNOTSUPP: its module or manifest has none.
 *
 * Others may run meanwhile, but nothing of this process: it has no worker with anything to do yet. If it is ended then, or the current process, whose child it
 * is, this does not come back; threads that are made by then are in its list, and stacks in its page tables.
 */
export function createWorkers(process: Process): i32 {
  if (process.workerCount != 0) return 0;
  const module = process.module;
  if (module.threads == 0) return -EOPNOTSUPP;
  process.lastThread = process.thread;
  initializeWorkerQueues(process);
  // A fork has given its child the stacks of its parent's workers.
  const there = translate(process.pageTables, stackTop(1) - module.threadStackBytes) != 0;
  if ((there || mapStacks(process)) && createThreads(process)) return 0;
  if (!there) unmapStacks(process);
  return -ENOMEM;
}

/** Of the native stack of worker `number`. */
// @ts-ignore: decorator
@inline
function stackTop(number: u32): u64 {
  return STACK_TOP - <u64>number * STACK_DISTANCE;
}

function mapStacks(process: Process): bool {
  const module = process.module;
  const bytes = module.threadStackBytes;
  const frames = framesFor(bytes);
  for (let number: u32 = 1; number <= module.threads; number++) {
    if (!mapInSteps(process.pageTables, stackTop(number) - bytes, frames)) return false;
    if (module.stackPointer == 0) continue;
    const shadow = WINDOW_BASE + <u64>shadowStackTop(module, number);
    if (!mapInSteps(process.pageTables, shadow - bytes, frames)) return false;
  }
  return true;
}

/** No thread has ever been on them, so nothing of them is in the TLB. */
function unmapStacks(process: Process): void {
  const module = process.module;
  const bytes = module.threadStackBytes;
  const frames = framesFor(bytes);
  for (let number: u32 = 1; number <= module.threads; number++) {
    unmapInSteps(process.pageTables, stackTop(number) - bytes, frames);
    if (module.stackPointer == 0) continue;
    const shadow = WINDOW_BASE + <u64>shadowStackTop(module, number);
    unmapInSteps(process.pageTables, shadow - bytes, frames);
  }
}

function createThreads(process: Process): bool {
  const module = process.module;
  if (module.stackPointer != 0 && !ownShadowStackPointer(process)) return false;
  for (let number: u32 = 1; number <= module.threads; number++) {
    const thread = createThread(process, image(IMAGE_SERVE), stackTop(number));
    if (thread === null) {
      killWorkers(process);
      return false;
    }
    thread.shadowStack = <u32>shadowStackTop(module, number);
    thread.worker = 1;
    thread.queue = changetype<usize>(process.work);
    process.workers.append(thread.member);
    process.idleWorkers.append(thread.idle);
    process.workerCount++;
    yieldPoint();
  }
  return true;
}

function killWorkers(process: Process): void {
  const workers = process.workers;
  while (!workers.isEmpty) {
    const worker = threadOfMember(workers.next);
    worker.member.remove();
    worker.idle.remove();
    killThread(worker);
    process.workerCount--;
    yieldPoint();
  }
}

/** An event of `level` was put into `process.work`. False: every worker has a handler; it waits for the first that is done. */
export function notifyWorker(process: Process, level: u32): bool {
  // A child that is not finished yet: startChild does it.
  if (process.state == PROCESS_NEW) return true;
  const idle = process.idleWorkers;
  if (idle.isEmpty) return false;
  const worker = threadOfIdle(idle.next);
  worker.idle.remove();
  notifyThread(worker, level);
  return true;
}

/**
 * From boot/runtime.c: a thread that has nothing but handlers to run. -ERESTART when there are some. A worker waits for events; a child that was made for one handler
 * ends after it.
 */
export function serve(): i32 {
  const thread = currentThread();
  const process = thread.process;
  if (changetype<usize>(thread) == changetype<usize>(process.thread)) {
    if (thread.canDispatch) return -ERESTART;
    if (!(process.childFlags & CHILD_CAPSULE)) endProcess(process, 0);
    return serveCapsule(thread, process);
  }
  thread.level = 0;
  while (!thread.canDispatch) {
    process.workersShort = 0;
    process.idleWorkers.append(thread.idle);
    waitOn(null, 0, NO_DEADLINE);
    thread.idle.remove();
  }
  return -ERESTART;
}

/** (parent: Process) => void: a capsule of it has nothing to do any more. */
let capsuleIdle: u32 = 0;

export function onCapsuleIdle(index: u32): void {
  capsuleIdle = index;
}

function serveCapsule(thread: Thread, process: Process): i32 {
  thread.level = 0;
  // Nobody who is at the other end has to wait for its next call. Events of its own still need them.
  if (process.eventCount == 0) closeAllHandles(process);
  process.childFlags |= CHILD_STALE;
  if (changetype<usize>(process.parent) == 0) endProcess(process, 0);
  // The last to rest is the first to work, but for one that could not take what it was given.
  if (process.childFlags & CHILD_VAIN) process.parent.capsules.append(process.capsule);
  else process.parent.capsules.prepend(process.capsule);
  call_indirect<void>(capsuleIdle, process.parent);
  while (!thread.canDispatch) waitOn(null, 0, NO_DEADLINE);
  // Still there when what it has to do is an event that it registered itself.
  process.capsule.remove();
  return -ERESTART;
}
