/**
 * Executors (AEM 3.1.6, 3.2.3): who runs a handler.
 *
 *     function   the main thread of the process, between its system calls                             (no flag)
 *     thread     a worker: a stack of its own in the same memory, may block                           EVF_THREAD
 *     process    a copy-on-write clone of the process, made for this one call of the handler          EVF_FORK
 *     capsule    a clone that is kept, and serves one activation after the other                      EVF_CAPSULE
 *
 * A clone is made by the process's main thread when it dispatches, so never inside a computation. The event's data are fetched by the clone
 * itself, straight into its own memory (direct data copy, 3.4.2): its job's `deliver` runs there.
 */
import { EAGAIN, EINVAL, ENOMEM } from "../kernel/errno";
import { image, IMAGE_SERVE } from "../kernel/hal";
import { STACK_TOP } from "../kernel/memory/layout";
import { closeAllHandles, handlesPrepared, shareHandles } from "../kernel/process/handles";
import { startChild } from "../kernel/process/family";
import { forkError, forkProcess } from "../kernel/process/fork";
import {
  CHILD_CAPSULE,
  CHILD_HANDLER,
  CHILD_NO_WAIT,
  CHILD_STALE,
  notifyThread,
  Process,
  PROCESS_ALIVE,
  processOfCapsule,
} from "../kernel/process/process";
import { createWorkers } from "../kernel/process/workers";
import { Thread } from "../kernel/scheduler/thread";
import { EVF_CAPSULE, EVF_EXECUTORS, EVF_FORK, EVF_NOCLDWAIT, EVF_THREAD } from "./abi";
import { Event } from "./event";
import { handlerGone } from "./jids";

/** 0 when the executor that `flags` ask for is there, or can be had, for the process; else a negative errno. */
export function prepareExecutor(process: Process, flags: u32): i32 {
  const executor = flags & (EVF_FORK | EVF_CAPSULE | EVF_THREAD);
  if (executor & (executor - 1)) return -EINVAL;
  if (flags & EVF_NOCLDWAIT && executor != EVF_FORK) return -EINVAL;
  return executor == EVF_THREAD ? createWorkers(process) : 0;
}

/** Whether the event's handlers run in a clone. */
@inline
export function isCloned(event: Event): bool {
  return ((<u32>event.flags) & (EVF_FORK | EVF_CAPSULE)) != 0;
}


@inline
export function isFunction(event: Event): bool {
  return ((<u32>event.flags) & EVF_EXECUTORS) == 0;
}

/**
 * Lets a clone of the process, which is the current one, run the event's handler. 0, or why that cannot be now, the event being as before:
 * -EAGAIN as many children or capsules as there may be are busy, or there are too many processes; -ENOMEM. LAUNCH_GONE: the event is no more.
 */
export function launch(event: Event): i32 {
  const process = event.process;
  const capsule = ((<u32>event.flags) & EVF_CAPSULE) != 0;
  const level = <u32>event.priority;
  const idle = process.capsules;
  if (capsule && !idle.isEmpty) {
    const clone = processOfCapsule(idle.next);
    if (!handlesPrepared(clone)) return -ENOMEM;
    clone.capsule.remove();
    event.handlers++;
    clone.thread.assigned = changetype<usize>(event);
    clone.freedBefore = process.freed;
    notifyThread(clone.thread, level);
    return 0;
  }
  const module = process.module;
  if (process.childCount >= module.children) return -EAGAIN;
  if (capsule && process.capsuleCount >= module.capsules) return -EAGAIN;
  const clone = forkFor(process.thread, event);
  if (clone === null) return handlerGone(event) ? LAUNCH_GONE : forkError;
  if (capsule) {
    process.capsuleCount++;
    clone.childFlags = CHILD_HANDLER | CHILD_CAPSULE | CHILD_NO_WAIT;
  } else
    clone.childFlags = (<u32>event.flags) & EVF_NOCLDWAIT ? CHILD_HANDLER | CHILD_NO_WAIT : CHILD_HANDLER;
  clone.thread.assigned = changetype<usize>(event);
  clone.freedBefore = process.freed;
  startChild(clone, level);
  return 0;
}

/** A capsule begins with a call: it has the descriptors that its parent has now. Others may run meanwhile. */
export function renewHandles(capsule: Process): void {
  if (!(capsule.childFlags & CHILD_STALE)) return;
  capsule.childFlags &= ~CHILD_STALE;
  closeAllHandles(capsule);
  const parent = capsule.parent;
  // Cannot fail: the frame for it is there.
  if (changetype<usize>(parent) != 0 && parent.state == PROCESS_ALIVE) shareHandles(parent, capsule);
}

/**
 * A clone for the event, which has one handler more then, with or without a clone. Others may run meanwhile: the event may be ended, and if the process is, its main thread
 * has the event assigned, which is then let go of (delivery.ts, abandonHandler).
 */
function forkFor(thread: Thread, event: Event): Process | null {
  event.handlers++;
  thread.assigned = changetype<usize>(event);
  const clone = forkProcess(thread.process, image(IMAGE_SERVE), STACK_TOP);
  thread.assigned = 0;
  return clone;
}

/** `launch`: the event was ended while a clone was tried for. */
export const LAUNCH_GONE: i32 = 1;
