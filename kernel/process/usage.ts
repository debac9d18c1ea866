/**
 * What a process has used, and what it was refused (AEM 3.5.3, 3.5.4): counters beside its `Process`, in the same frame.
 */
import { EPERM } from "../errno";
import { logBytes, logDecimal, logEnd, logStart, logText, LOG_WARNING } from "../console";
import { MODULE_EVENT_TYPES } from "./module";
import { nanosecondsOf } from "../time/clock";
import { currentProcess, Process, USAGE_OFFSET } from "./process";

/** System calls of which the kernel remembers that it has logged a refusal (tools/generate.ts holds that there are no more). */
const CALL_LIMIT: u32 = 256;


@unmanaged
export class ProcessUsage {
  /** System calls, and registrations, that the policy has refused. */
  refusedCalls: u64;
  refusedEvents: u64;
  /** Registrations and descriptors that a limit has refused. */
  limitRefusals: u64;
  /** Activations that found the queue at its limit, since the start. */
  heldTotal: u64;
  /** Bit n: the refusal of system call n has been logged. */
  private logged0: u64;
  private logged1: u64;
  private logged2: u64;
  private logged3: u64;

  /** Whether this is the first refusal of the call. */
  firstRefusal(call: u32): bool {
    if (call >= CALL_LIMIT) return true;
    const word = changetype<usize>(this) + offsetof<ProcessUsage>("logged0") + ((call >>> 6) << 3);
    const bit = (<u64>1) << (call & 63);
    const before = load<u64>(word);
    store<u64>(word, before | bit);
    return (before & bit) == 0;
  }

  /** Address of the count of registered events of a type. */
  @inline private typeCount(type: u32): usize {
    return changetype<usize>(this) + offsetof<ProcessUsage>() + ((<usize>type) << 2);
  }

  /** Registered events of a type, below MODULE_EVENT_TYPES. */
  @inline eventsOfType(type: u32): u32 {
    return load<u32>(this.typeCount(type));
  }


  @inline addEventOfType(type: u32, change: i32): void {
    store<u32>(this.typeCount(type), load<u32>(this.typeCount(type)) + change);
  }
}


@inline
export function usageOf(process: Process): ProcessUsage {
  return changetype<ProcessUsage>(changetype<usize>(process) + USAGE_OFFSET);
}

/** Nanoseconds of processor time that the process has had. */
export function processCpuTime(process: Process): u64 {
  return nanosecondsOf(process.cpuTicks);
}

/**
 * What an application calls in place of a system call that its policy refuses (boot/syscall.h, REFUSED_CALL): `name`: `length` bytes.
 * Counted; logged once for each process and call. -EPERM, of either width.
 */
export function refused(call: u32, name: usize, length: u32): i64 {
  const process = currentProcess();
  const usage = usageOf(process);
  usage.refusedCalls++;
  if (usage.firstRefusal(call) && logStart(LOG_WARNING, "policy")) {
    logText("process ");
    logDecimal(process.pid);
    logText(" (");
    logBytes(process.module.name, process.module.nameLength);
    logText(") may not call ");
    logBytes(name, length);
    logEnd();
  }
  return -EPERM;
}
