/**
 * Modules linked into the image: what the build says of each (boot/module.h), and how a handler is found in one.
 */
import {
  image,
  IMAGE_HANDLER_TYPES,
  IMAGE_MODULE_COUNT,
  IMAGE_MODULES,
  IMAGE_PARAMETERS,
  loadWindow,
} from "../hal";
import { TABLE_BASE } from "../memory/layout";
import { readUser } from "../memory/user";
import { Process } from "./process";

/** wasm_rt_funcref_t: type code pointer, code pointer, tail-call pointer, instance. */
export const TABLE_ENTRY_SIZE: u32 = 32;
/** Bytes of a type code. */
const TYPE_CODE_SIZE: u32 = 32;

/** Kinds of handlers: index of their type in the image's table (tools writes it in this order). Results: none; parameters: all i32. */
export const HANDLER_ACCEPT: u32 = 0; // (jid, fd, new fd)
export const HANDLER_READ: u32 = 1; // (jid, fd, data, length, from)
export const HANDLER_CLOSE: u32 = 2; // (jid, fd, error)
export const HANDLER_SK: u32 = 3; // (jid, fd, old state, new state)
export const HANDLER_SOCK: u32 = 4; // (jid, fd, events, error)
export const HANDLER_TIMER: u32 = 5; // (jid, overrun)
export const HANDLER_MESSAGE: u32 = 6; // (jid, from, data, length)
export const HANDLER_SIGNAL: u32 = 7; // (jid, signal, from)
export const HANDLER_CHILD: u32 = 8; // (jid, pid, status)
export const HANDLER_MEMORY: u32 = 9; // (jid, free KiB, total KiB)
export const HANDLER_OVERLOAD: u32 = 10; // (jid, waiting, limit)
export const HANDLER_LINK: u32 = 11; // (jid, up)
export const HANDLER_LIMIT: u32 = 12; // (jid, what, value)
export const HANDLER_ERROR: u32 = 13; // (jid, about, errno, bytes)
export const HANDLER_ALLOCATOR: u32 = 14; // (bytes), and the one that has a result: an address

/** Types of event for which the descriptor has a limit and a bit of `refusedTypes`. */
export const MODULE_EVENT_TYPES: u32 = 14;

/** struct module_descriptor: fields of 8 bytes, of which the low words count. A limit of 0 is none but the kernel's own. */
@unmanaged
export class ModuleDescriptor {
  /** Bytes of the name, and how many. */
  name: u32;
  private nameHigh: u32;
  nameLength: u32;
  private nameLengthHigh: u32;
  /** Code address: instantiates the module, calls its main, exits with what that returned. */
  start: u32;
  private startHigh: u32;
  instanceSize: u32;
  private instanceSizeHigh: u32;
  /** Pages of 64 KiB at start and at most. */
  memoryPages: u32;
  private memoryPagesHigh: u32;
  memoryMaxPages: u32;
  private memoryMaxPagesHigh: u32;
  tableEntries: u32;
  private tableEntriesHigh: u32;
  tableMax: u32;
  private tableMaxHigh: u32;
  /** The vmtable zone has 2^order frames, where the memory is large enough (vmtableOrder). */
  vmtableOrder: u32;
  private vmtableOrderHigh: u32;
  stackBytes: u32;
  private stackBytesHigh: u32;
  /** Of the main code: 0 .. 63. */
  priority: u32;
  private priorityHigh: u32;
  /** Most of the processor in each period: 1 .. 100. */
  cpuPercent: u32;
  private cpuPercentHigh: u32;
  /** Worker threads for EVF_THREAD, and the native stack of each. */
  threads: u32;
  private threadsHigh: u32;
  threadStackBytes: u32;
  private threadStackBytesHigh: u32;
  /** Offset in the instance of the shadow stack's pointer, a u32; 0: the module has no such stack. */
  stackPointer: u32;
  private stackPointerHigh: u32;
  /** Most forked children at once, and most of them that are kept for EVF_CAPSULE. */
  children: u32;
  private childrenHigh: u32;
  capsules: u32;
  private capsulesHigh: u32;
  /** 0: started at boot; 1: only when a call asks for it. */
  onDemand: u32;
  private onDemandHigh: u32;
  /** Most registered events, activated events in the queue, and handles. */
  eventLimit: u32;
  private eventLimitHigh: u32;
  activationLimit: u32;
  private activationLimitHigh: u32;
  descriptorLimit: u32;
  private descriptorLimitHigh: u32;
  /** Bit n: events of type n, and executor n (aem/limits.ts), are refused. */
  refusedTypes: u32;
  private refusedTypesHigh: u32;
  refusedExecutors: u32;
  private refusedExecutorsHigh: u32;
  /** Most registered events of each type: MODULE_EVENT_TYPES of them. */
  typeLimits: u64;
  private typeLimits1: u64;
  private typeLimits2: u64;
  private typeLimits3: u64;
  private typeLimits4: u64;
  private typeLimits5: u64;
  private typeLimits6: u64;
  private typeLimits7: u64;
  private typeLimits8: u64;
  private typeLimits9: u64;
  private typeLimits10: u64;
  private typeLimits11: u64;
  private typeLimits12: u64;
  private typeLimits13: u64;


  @inline typeLimit(type: u32): u32 {
    return load<u32>(
      changetype<usize>(this) + ((<usize>type) << 3),
      offsetof<ModuleDescriptor>("typeLimits"),
    );
  }
}

/** Share of the processor, in percent, of the default priority level and below under load of higher ones. */
export function reservePercent(): u32 {
  return load<u32>(image(IMAGE_PARAMETERS));
}

/** CONGESTION_* of net/socket/tcp/congestion.ts. */
export function congestionControl(): u32 {
  return load<u32>(image(IMAGE_PARAMETERS), 8);
}

export function moduleCount(): u32 {
  return <u32>image(IMAGE_MODULE_COUNT);
}

export function moduleDescriptor(index: u32): ModuleDescriptor {
  return changetype<ModuleDescriptor>(<usize>load<u32>(image(IMAGE_MODULES) + (index << 3)));
}

/** The module whose name stands at a user address, `length` bytes of it; null: there is none. */
export function findModule(name: usize, length: u32): ModuleDescriptor | null {
  if (length == 0 || length > NAME_LIMIT || readUser(scratch, name, length) < 0) return null;
  for (let i: u32 = 0; i < moduleCount(); i++) {
    const module = moduleDescriptor(i);
    if (module.nameLength == length && memory.compare(module.name, scratch, length) == 0) return module;
  }
  return null;
}

/** Longest name of a module (tools/image.schema.json). */
export const NAME_LIMIT: u32 = 32;
let scratch: usize = 0;

/** Once at boot. `storage`: NAME_LIMIT bytes. */
export function initializeModules(storage: usize): void {
  scratch = storage;
}

/**
 * Code address of the function at `index` of the current process's table, all of which is mapped, if its type is that of `kind` (HANDLER_*); else 0.
 * Looked up once, at registration: dispatch only jumps.
 */
// @ts-ignore: decorator
@inline
export function resolveHandler(process: Process, index: u32, kind: u32): usize {
  if (index >= process.module.tableMax) return 0;
  const entry = TABLE_BASE + <u64>index * TABLE_ENTRY_SIZE;
  const typeCode = <usize>loadWindow(entry);
  const code = <usize>loadWindow(entry + 8);
  if (code == 0 || typeCode == 0) return 0;
  return isType(typeCode, image(IMAGE_HANDLER_TYPES) + kind * TYPE_CODE_SIZE) ? code : 0;
}

// @ts-ignore: decorator
@inline
function isType(code: usize, other: usize): bool {
  return (
    ((load<u64>(code) ^ load<u64>(other)) |
      (load<u64>(code, 8) ^ load<u64>(other, 8)) |
      (load<u64>(code, 16) ^ load<u64>(other, 16)) |
      (load<u64>(code, 24) ^ load<u64>(other, 24))) ==
    0
  );
}
