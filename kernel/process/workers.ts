/**
 * Workers: the threads of a process beside its main one, for handlers that have a stack of their own and may block (AEM 3.2.3: thread
 * executors). They share the memory of the process: only one of its threads runs at a time (kernel/scheduler/scheduler.ts).
 *
 * All of a process's workers are made with its first registration that asks for them: from then on nothing about them can fail.
 */
import { ENOMEM, EOPNOTSUPP, ERESTART } from "../errno";
import { image, IMAGE_SERVE } from "../hal";
import { STACK_DISTANCE, STACK_TOP } from "../memory/layout";
import { mapFresh, translate, unmapFresh } from "../memory/paging";
import { currentThread, NO_DEADLINE, killThread, waitOn } from "../scheduler/scheduler";
import { createThread, Thread, threadOfIdle, threadOfMember } from "../scheduler/thread";
import { framesFor } from "./create";
import { endProcess } from "./end";
import { closeAllHandles } from "./handles";
import { CHILD_CAPSULE, CHILD_STALE, CHILD_VAIN, notifyThread, Process, PROCESS_NEW } from "./process";
import { createShadowStack, freeShadowStack } from "./shadow-stack";

/** Makes the process's workers, if it has none yet. 0; -ENOMEM: none are made; -EOPNOTSUPP: its module or manifest has none. */
export function createWorkers(process: Process): i32 {
  if (process.workerCount != 0) return 0;
  process.lastThread = process.thread;
  const workers = process.module.threads;
  if (workers == 0) return -EOPNOTSUPP;
  for (let k: u32 = 1; k <= workers; k++) {
    if (createWorker(process, STACK_TOP - <u64>k * STACK_DISTANCE)) continue;
    const workers = process.workers;
    while (!workers.isEmpty) {
      const worker = threadOfMember(workers.next);
      worker.member.remove();
      worker.idle.remove();
      freeShadowStack(worker);
      killThread(worker);
    }
    process.workerCount = 0;
    return -ENOMEM;
  }
  return 0;
}

function createWorker(process: Process, stackTop: u64): bool {
  const bytes = <u64>process.module.threadStackBytes;
  const start = stackTop - bytes;
  const frames = framesFor(bytes);
  // A fork has given its child those of the parent's workers.
  const there = translate(process.pageTables, start) != 0;
  if (!there && !mapFresh(process.pageTables, start, frames)) {
    unmapFresh(process.pageTables, start, frames);
    return false;
  }
  const thread = createThread(process, image(IMAGE_SERVE), stackTop);
  if (thread === null) {
    if (!there) unmapFresh(process.pageTables, start, frames);
    return false;
  }
  if (!createShadowStack(thread, process.module.threadStackBytes)) {
    killThread(thread);
    if (!there) unmapFresh(process.pageTables, start, frames);
    return false;
  }
  thread.queue = changetype<usize>(process.work);
  process.workers.append(thread.member);
  process.idleWorkers.append(thread.idle);
  process.workerCount++;
  return true;
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
