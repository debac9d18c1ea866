/** AEM as the rest of the kernel starts it. */
import { onHandleLimit } from "../kernel/process/handles";
import { Process } from "../kernel/process/process";
import { onDescriptorFree } from "../net/socket/calls";
import { STATISTICS_SIZE } from "./abi";
import { retryStarved } from "./dispatch";
import { initializeEvctl } from "./evctl";
import { initializeEvents, EVENT_STORAGE } from "./jids";
import { initializeJobs, JOB_STORAGE } from "./job";
import { defineAccept } from "./jobs/accept";
import { defineClose } from "./jobs/close";
import { defineRead } from "./jobs/read";
import { defineSk } from "./jobs/sk";
import { defineSock } from "./jobs/sock";
import { defineTimer } from "./jobs/timer";
import { descriptorLimitMet } from "./limits";
import { setProcessLimit } from "./registry";

/** Bytes that `initializeAem` needs. */
export const AEM_STORAGE: usize = ((EVENT_STORAGE + 7) & ~7) + ((JOB_STORAGE + 7) & ~7) + STATISTICS_SIZE;

/**
 * Once at boot, after the frames; the caller registers `aemProcessExit` (registry.ts) with onProcessExit. `storage`: AEM_STORAGE bytes, 8-aligned. `limit`: most events in the system, up to EVENT_LIMIT;
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
  onDescriptorFree(descriptorFree.index);
  onHandleLimit(descriptorLimitMet.index);
}

function descriptorFree(process: Process): void {
  retryStarved(process);
}
