/**
 * processinfo: what a process uses, for whoever watches it (sdk/processinfo.ts has the same struct). New fields are added at the end
 * only, so that an application and a kernel of different age understand each other.
 */
import { EINVAL, ESRCH } from "../errno";
import { writeUser } from "../memory/user";
import { chargeRunning } from "../scheduler/running";
import { THREAD_BLOCKED } from "../scheduler/thread";
import { currentProcess, findProcess, Process } from "./process";
import { MODULE_EVENT_TYPES } from "./module";
import { processCpuTime, usageOf } from "./usage";

const STATE_RUNNING: u32 = 1;
const STATE_RUNNABLE: u32 = 2;
const STATE_BLOCKED: u32 = 3;
const NAME_SIZE: u32 = 32;


@unmanaged
class ProcessInformation {
  pid: i32;
  /** The process that made it; 0: none. */
  parent: i32;
  /** STATE_* */
  state: u32;
  descriptors: u32;
  cpuTime: u64;
  pending: u64;
  held: u64;
  events: u64;
  memoryBytes: u64;
  memoryLimit: u64;
  vmtableUsed: u64;
  vmtablePeak: u64;
  vmtableSize: u64;
  vmtableFailures: u64;
  refusedCalls: u64;
  refusedEvents: u64;
  limitRefusals: u64;
  heldTotal: u64;
  private name0: u64;
  private name1: u64;
  private name2: u64;
  private name3: u64;
  private types0: u64;
  private types1: u64;
  private types2: u64;
  private types3: u64;
  private types4: u64;
  private types5: u64;
  private types6: u64;
}

export const PROCESS_INFORMATION_SIZE: usize = offsetof<ProcessInformation>();
let information: ProcessInformation = changetype<ProcessInformation>(0);

/** Once at boot. `storage`: PROCESS_INFORMATION_SIZE bytes, 8-aligned. */
export function initializeProcessInformation(storage: usize): void {
  information = changetype<ProcessInformation>(storage);
}

/**
 * Writes up to `length` bytes of what process `pid` (0: the caller) uses now. The bytes written; -ESRCH: no such process, -EFAULT, -EINVAL for a
 * negative length.
 */
export function sys_processinfo(pid: i32, buffer: usize, length: i32): i32 {
  if (length < 0) return -EINVAL;
  const process = pid == 0 ? currentProcess() : findProcess(pid);
  if (process === null) return -ESRCH;
  // A process that computes alone has not been charged since it began.
  chargeRunning();
  compose(information, process);
  const bytes = min(<usize>length, PROCESS_INFORMATION_SIZE);
  const error = writeUser(buffer, changetype<usize>(information), bytes);
  return error < 0 ? error : <i32>bytes;
}

function stateOf(process: Process): u32 {
  if (changetype<usize>(process) == changetype<usize>(currentProcess())) return STATE_RUNNING;
  return process.thread.state == THREAD_BLOCKED ? STATE_BLOCKED : STATE_RUNNABLE;
}

function compose(i: ProcessInformation, process: Process): void {
  const usage = usageOf(process);
  const vmtable = process.vmtable;
  const module = process.module;
  i.pid = process.pid;
  i.parent = changetype<usize>(process.parent) == 0 ? 0 : process.parent.pid;
  i.state = stateOf(process);
  i.descriptors = process.handleCount;
  i.cpuTime = processCpuTime(process);
  i.pending = process.waitingCount - process.heldCount;
  i.held = process.heldCount;
  i.events = process.eventCount;
  i.memoryBytes = process.memoryBytes;
  i.memoryLimit = (<u64>module.memoryMaxPages) << 16;
  i.vmtableUsed = vmtable.bytesInUse;
  i.vmtablePeak = vmtable.peak;
  i.vmtableSize = process.vmtableBytes;
  i.vmtableFailures = vmtable.failures;
  i.refusedCalls = usage.refusedCalls;
  i.refusedEvents = usage.refusedEvents;
  i.limitRefusals = usage.limitRefusals;
  i.heldTotal = usage.heldTotal;
  const name = changetype<usize>(i) + offsetof<ProcessInformation>("name0");
  const bytes = min(module.nameLength, NAME_SIZE - 1);
  memory.fill(name, 0, NAME_SIZE);
  memory.copy(name, module.name, bytes);
  const types = changetype<usize>(i) + offsetof<ProcessInformation>("types0");
  for (let type: u32 = 0; type < MODULE_EVENT_TYPES; type++)
    store<u32>(types + (type << 2), usage.eventsOfType(type));
}
