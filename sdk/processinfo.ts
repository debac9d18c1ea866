/**
 * What `processinfo` writes of a process. New fields are added at the end only: a kernel that knows fewer writes fewer bytes, so
 * clear the struct first.
 */
@unmanaged
export class ProcessInformation {
  pid: i32;
  /** The process that made it; 0: none. */
  parent: i32;
  /** PROCESS_* */
  state: u32;
  /** Open ones. */
  descriptors: u32;
  /** Processor time in nanoseconds. */
  cpuTime: u64;
  /** Activated events: in the queue, and outside of it until there is room (limits.activations of the manifest). */
  pending: u64;
  held: u64;
  /** Registered events. */
  events: u64;
  /** Bytes of linear memory, and the most that it may grow to. */
  memoryBytes: u64;
  memoryLimit: u64;
  /** The vmtable: bytes of the blocks in use, the most there were, bytes of the zone, allocations that it refused. */
  vmtableUsed: u64;
  vmtablePeak: u64;
  vmtableSize: u64;
  vmtableFailures: u64;
  /** System calls and registrations that the policy refused; registrations and descriptors that a limit refused; activations that were held. */
  refusedCalls: u64;
  refusedEvents: u64;
  limitRefusals: u64;
  heldTotal: u64;
  /** 32 bytes, the rest zero: `name` is where they begin. */
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

  /** Address of the name: up to 31 bytes, then zeros. */
  @inline get name(): usize {
    return changetype<usize>(this) + offsetof<ProcessInformation>("name0");
  }

  /** Registered events of a type, EVENT_ACCEPT .. EVENT_ERROR. */
  @inline eventsOfType(type: u32): u32 {
    return load<u32>(changetype<usize>(this) + offsetof<ProcessInformation>("types0") + ((<usize>type) << 2));
  }
}

/** It is the caller; it can run and waits for its turn; it is blocked in a system call. */
export const PROCESS_RUNNING: u32 = 1;
export const PROCESS_RUNNABLE: u32 = 2;
export const PROCESS_BLOCKED: u32 = 3;

/** Process numbers are 1 to this. */
export const PROCESS_LIMIT: i32 = 255;
/** Bytes of the struct as it is known here. */
export const PROCESS_INFORMATION_SIZE: i32 = offsetof<ProcessInformation>();

/**
 * Writes up to `length` bytes of what process `pid` (0: this one) uses now. The bytes written; -ESRCH: there is no such process; -EFAULT,
 * -EINVAL.
 */
// @ts-ignore: decorator
@external("aemos", "processinfo") export declare function processinfo(
  pid: i32,
  buffer: usize,
  length: i32,
): i32;

/** Bytes of the caller's vmtable zone: `vmtableKiB` of its manifest, or less on a small machine. */
export function vmtableSize(): u64 {
  const own = changetype<ProcessInformation>(memory.data(offsetof<ProcessInformation>(), 8));
  own.vmtableSize = 0;
  processinfo(0, changetype<usize>(own), PROCESS_INFORMATION_SIZE);
  return own.vmtableSize;
}
