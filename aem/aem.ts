/** AEM as the rest of the kernel starts it. */
import { onMemoryFreed, onProcessExit, onProcessGone, onThreadEnded } from "../kernel/process/end";
import { onHandleLimit } from "../kernel/process/handles";
import {
  CHILD_CAPSULE,
  CHILD_VAIN,
  findProcess,
  Process,
  PROCESS_LIMIT,
  processOfCapsule,
} from "../kernel/process/process";
import { onInheritEvents } from "../kernel/process/family";
import { onCapsuleIdle } from "../kernel/process/workers";
import { onDescriptorFree, onSharedClose } from "../net/socket/calls";
import { abandonHandler } from "./delivery";
import { retryOwn, retryStarved } from "./queue";
import { CONTROL_STORAGE, initializeControl } from "./control";
import { EXTRA_STORAGE, initializeExtras } from "./extra";
import { inheritEvents } from "./inherit";
import { EVENT_LIMIT, EVENT_STORAGE, initializeEvents } from "./jids";
import { initializeJobs, JOB_STORAGE, SHORT_FRAMES, SHORT_OWN, SHORT_PLACE } from "./job";
import { defineAccept } from "./jobs/accept";
import { defineChild } from "./jobs/child";
import { defineClose } from "./jobs/close";
import { defineError } from "./jobs/error";
import { defineLimit } from "./jobs/limit";
import { defineLink } from "./jobs/link";
import { defineMemory, MEMORY_STORAGE } from "./jobs/memory";
import { defineMessage, MESSAGE_STORAGE } from "./jobs/message";
import { defineOverload } from "./jobs/overload";
import { defineRead } from "./jobs/read";
import { defineSignal } from "./jobs/signal";
import { defineSk } from "./jobs/sk";
import { defineSock } from "./jobs/sock";
import { defineTimer } from "./jobs/timer";
import { setProcessLimit } from "./registry";
import { aemProcessExit, socketClosed } from "./unregister";
import { descriptorLimitMet } from "./limits";

/** Bytes that `initializeAem` needs. */
export const AEM_STORAGE: usize =
  ((EVENT_STORAGE + 7) & ~7) +
  ((JOB_STORAGE + 7) & ~7) +
  ((EXTRA_STORAGE + 7) & ~7) +
  ((CONTROL_STORAGE + 7) & ~7) +
  ((MEMORY_STORAGE + 7) & ~7) +
  MESSAGE_STORAGE;

/**
 * Once at boot, after the processes. `storage`: AEM_STORAGE bytes, 8-aligned. `limit`: most events in the system, EVENT_LIMIT if more;
 * `processLimit`: most events of one process; `messages`: most messages that wait in the system.
 */
export function initializeAem(storage: usize, limit: u32, processLimit: u32, messages: u32): void {
  limit = min(limit, EVENT_LIMIT);
  initializeEvents(storage, limit);
  const jobs = storage + ((EVENT_STORAGE + 7) & ~7);
  initializeJobs(jobs);
  const extras = jobs + ((JOB_STORAGE + 7) & ~7);
  initializeExtras(extras, limit);
  const control = extras + ((EXTRA_STORAGE + 7) & ~7);
  initializeControl(control);
  defineAccept();
  defineRead();
  defineClose();
  defineSk();
  defineSock();
  defineTimer();
  const memoryEvents = control + ((CONTROL_STORAGE + 7) & ~7);
  defineMemory(memoryEvents);
  defineMessage(memoryEvents + ((MEMORY_STORAGE + 7) & ~7), messages);
  defineSignal();
  defineChild();
  defineOverload();
  defineLink();
  defineLimit();
  defineError();
  setProcessLimit(processLimit);
  onDescriptorFree(retryOwn.index);
  onSharedClose(socketClosed.index);
  onProcessExit(aemProcessExit.index);
  onProcessGone(processGone.index);
  onThreadEnded(abandonHandler.index);
  onMemoryFreed(memoryFreed.index);
  onCapsuleIdle(capsuleIdle.index);
  onInheritEvents(inheritEvents.index);
  onHandleLimit(descriptorLimitMet.index);
}

/** Frames are free again, for whomever. */
function memoryFreed(): void {
  retryEverywhere(SHORT_FRAMES);
}

/** A process with these CHILD_* bits is gone: its place with its parent is free, and its number, which may have been the last. */
function processGone(parent: Process, flags: u32): void {
  retryEverywhere(SHORT_PLACE);
  if (flags & CHILD_CAPSULE && changetype<usize>(parent) != 0) capsuleIdle(parent);
}

function retryEverywhere(what: u32): void {
  for (let pid: i32 = 1; pid <= PROCESS_LIMIT; pid++) {
    const process = findProcess(pid);
    if (process !== null) retryStarved(process, what);
  }
}

/** A capsule of it rests, or a new one may be made. What did not fit into another one may fit into this. */
function capsuleIdle(parent: Process): void {
  retryStarved(parent, SHORT_PLACE);
  const idle = parent.capsules;
  if (idle.isEmpty || !(processOfCapsule(idle.next).childFlags & CHILD_VAIN)) retryStarved(parent, SHORT_OWN);
}
