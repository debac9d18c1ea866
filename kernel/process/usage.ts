/**
 * What a process has used, and what it was refused (AEM 3.5.3, 3.5.4): counters beside its `Process`, at the end of the same frame.
 *
 *     frame   ├ Process ┼ … ┼ ProcessUsage ┼ registered events: MODULE_EVENT_TYPES × u32 ┼ held: HELD_LEVELS × Link ┤
 *             0             USAGE_OFFSET                                                                         4096
 */
import { EPERM } from "../errno";
import { logBytes, logDecimal, logEnd, logStart, logText, LOG_WARNING } from "../console";
import { Link } from "../list";
import { MODULE_EVENT_TYPES } from "./module";
import { currentProcess, Process } from "./process";

const USAGE_OFFSET: usize = 3072;
/** System calls of which the kernel remembers that it has logged a refusal (tools/generate.ts holds that there are no more). */
const CALL_LIMIT: u32 = 256;
/** Priorities of events that are held back (aem/limits.ts). */
export const HELD_LEVELS: u32 = 64;


@unmanaged
export class ProcessUsage {
  /** Bit n: held events of priority n may be there. */
  heldMap: u64;
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
  /** Activated events: those in the queue, and those that wait outside of it for room. */
  pending: u32;
  held: u32;

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

  /** Held events of a priority. */
  @inline heldList(priority: u32): Link {
    return changetype<Link>(this.typeCount(MODULE_EVENT_TYPES) + ((<usize>priority) << 3));
  }
}


@inline
export function usageOf(process: Process): ProcessUsage {
  return changetype<ProcessUsage>(changetype<usize>(process) + USAGE_OFFSET);
}

/** For a process that is being made; its frame is zero. */
export function initializeUsage(process: Process): void {
  if (offsetof<Process>() > USAGE_OFFSET) unreachable();
  const usage = usageOf(process);
  for (let priority: u32 = 0; priority < HELD_LEVELS; priority++) usage.heldList(priority).initialize();
}

/** Nanoseconds of processor time that the process has had. Not measured yet: 0. */
export function processCpuTime(process: Process): u64 {
  return 0;
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
