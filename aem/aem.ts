/** AEM as the rest of the kernel starts it. */
import { onChildEnded, onProcessExit, onThreadEnded } from "../kernel/process/end";
import { Process } from "../kernel/process/process";
import { onCapsuleIdle } from "../kernel/process/workers";
import { onDescriptorFree, onSharedClose } from "../net/socket/calls";
import { STATISTICS_SIZE } from "./abi";
import { abandonHandler, retryStarved } from "./dispatch";
import { initializeEvctl } from "./evctl";
import { initializeEvents, EVENT_STORAGE } from "./jids";
import { initializeJobs, JOB_STORAGE } from "./job";
import { defineAccept } from "./jobs/accept";
import { defineClose } from "./jobs/close";
import { defineRead } from "./jobs/read";
import { defineSk } from "./jobs/sk";
import { defineSock } from "./jobs/sock";
import { defineTimer } from "./jobs/timer";
import { aemProcessExit, setProcessLimit, socketClosed } from "./registry";

/** Bytes that `initializeAem` needs. */
export const AEM_STORAGE: usize = ((EVENT_STORAGE + 7) & ~7) + ((JOB_STORAGE + 7) & ~7) + STATISTICS_SIZE;

/**
 * Once at boot, after the processes. `storage`: AEM_STORAGE bytes, 8-aligned. `limit`: most events in the system, up to EVENT_LIMIT;
 * `processLimit`: most events of one process.
 */
export function initializeAem(storage: usize, limit: u32, processLimit: u32): void {
  initializeEvents(storage, limit);
  const jobs = storage + ((EVENT_STORAGE + 7) & ~7);
  initializeJobs(jobs);
  initializeEvctl(jobs + ((JOB_STORAGE + 7) & ~7));
  defineAccept();
  defineRead();
  defineClose();
  defineSk();
  defineSock();
  defineTimer();
  setProcessLimit(processLimit);
  onDescriptorFree(tryAgain.index);
  onSharedClose(socketClosed.index);
  onProcessExit(aemProcessExit.index);
  onThreadEnded(abandonHandler.index);
  onChildEnded(tryAgain.index);
  onCapsuleIdle(capsuleIdle.index);
}

/** A descriptor, or a child's place, is free. */
function tryAgain(process: Process): void {
  retryStarved(process);
}

function capsuleIdle(capsule: Process): void {
  retryStarved(capsule.parent);
}
