/**
 * What the specs of AEM run on: real processes (page tables, vmtable, handles, scheduler) of one small module, and sockets that a spec plays
 * the transport of.
 *
 * A handler's code address is HANDLER_CODE + its type. Nothing is executed there: a spec asks nextHandler() and looks at the arguments.
 */
import { AEM_STORAGE, initializeAem } from "../../aem/aem";
import { dispatchAfter, dispatchNext } from "../../aem/dispatch";
import { HANDLER_ALLOCATOR, PRIORITY_DEFAULT } from "../../aem/abi";
import { IMAGE_HANDLER_TYPES, IMAGE_PAGE_TABLES } from "../../kernel/hal";
import { initializeApic } from "../../kernel/interrupts/apic";
import { initializeAlarm, NO_DEADLINE } from "../../kernel/interrupts/deadline";
import {
  initializePolls,
  pollLevel,
  runPolls,
  POLL_OUTPUT,
  POLL_PACKETS,
  POLL_REAP,
  POLL_RECEIVE,
  POLL_STORAGE,
  setPoll,
} from "../../kernel/interrupts/polls";
import { initializeVectors } from "../../kernel/interrupts/vectors";
import { BREAK_DONE } from "../../kernel/memory/copy-on-write";
import { TABLE_BASE, VMTABLE_BASE, WINDOW_BASE } from "../../kernel/memory/layout";
import { translate } from "../../kernel/memory/paging";
import { Pool } from "../../kernel/memory/pool";
import { setUserLimits } from "../../kernel/memory/user";
import { initializeVmtables } from "../../kernel/memory/vmtable";
import { HANDLE_STORAGE, initializeHandles } from "../../kernel/process/handles";
import { createProcess } from "../../kernel/process/create";
import { END_STORAGE, initializeEnd, reapPoll } from "../../kernel/process/end";
import { initializeFamily } from "../../kernel/process/family";
import { breakProcessCopy } from "../../kernel/process/fork";
import { ModuleDescriptor, TABLE_ENTRY_SIZE } from "../../kernel/process/module";
import {
  currentProcess,
  findProcess,
  initializeProcesses,
  Process,
  PROCESS_LIMIT,
  PROCESS_STORAGE,
} from "../../kernel/process/process";
import { serve } from "../../kernel/process/workers";
import { initializeRandom, RANDOM_SIZE, seedRandom } from "../../kernel/random";
import { waitOn } from "../../kernel/scheduler/block";
import { currentThread } from "../../kernel/scheduler/running";
import { initializeScheduler, SCHEDULER_STORAGE, startScheduler } from "../../kernel/scheduler/scheduler";
import { wakeThread } from "../../kernel/scheduler/wake";
import { initializeThreads, THREAD_STORAGE } from "../../kernel/scheduler/thread";
import { initializeTimers } from "../../kernel/time/timers";
import { initializeInterface, networkFlush, NetworkInterface } from "../../net/interface";
import { loopbackPoll } from "../../net/loopback";
import { packetsPoll } from "../../net/packets";
import { initializeTcp } from "../../net/socket/tcp/tcp";
import { initializeNetwork } from "../../net/stack";
import { initializeSocketCalls, SOCKET_CALLS_STORAGE } from "../../net/socket/calls";
import { growMemory, setUpArena } from "../arena";
import * as fake from "../fake";
import { initializeFakeSockets } from "./fake-sockets";

export {
  aborts,
  establish,
  fail,
  FakeSocket,
  finish,
  newDatagram,
  newListener,
  newStream,
  NO_END,
  open,
  PACKET,
  pattern,
  readElsewhere,
  receive,
  receiveDatagram,
  recycle,
  socketCount,
} from "./fake-sockets";

/** Code address of the handler of event type t is this + t; its index in the function table is t + 1. Index 0 is null. */
export const HANDLER_CODE: u32 = 0x0010_0000;
export const OTHER_CODE: u32 = 0x0020_0000;
/** Index of a function with a type that no handler has. */
export const WRONG_HANDLER: u32 = HANDLER_ALLOCATOR + 2;
/** The zone of each process: 2^VMTABLE_ORDER frames. */
export const VMTABLE_ORDER: u32 = 5;
const TYPE_CODE: u32 = 32;
/** All kinds of functions that can be registered, and one more. */
const KINDS: u32 = HANDLER_ALLOCATOR + 2;
/** More than any spec has. */
export const EVENTS: u32 = 4096;
export const EVENTS_OF_PROCESS: u32 = 3000;
export const MESSAGES: u32 = 500;
/** Of each process: its workers, its children, and of those its capsules. */
export const WORKERS: u32 = 4;
export const CHILDREN: u32 = 64;
export const CAPSULES: u32 = 4;

let module: ModuleDescriptor = changetype<ModuleDescriptor>(0);
let typeCodes: u32 = 0;

function noSwitch(save: usize, stackPointer: u64): void {}
function lastExit(status: i32): void {}

function pool(): Pool {
  return changetype<Pool>(growMemory(offsetof<Pool>(), 8));
}

/** Once in each spec file. The first process is the current one. `network`: with the real one, of which only loopback can be used. */
export function setUpMachine(network: bool = false): void {
  setUpArena(16384);
  fake.reset();
  fake.setImage(IMAGE_PAGE_TABLES, growMemory(4096, 4096));
  typeCodes = <u32>growMemory(TYPE_CODE * KINDS, 8);
  for (let type: u32 = 0; type < KINDS; type++)
    memory.fill(typeCodes + type * TYPE_CODE, <u8>(0x40 + type), TYPE_CODE);
  fake.setImage(IMAGE_HANDLER_TYPES, typeCodes);
  fake.onSwitch(noSwitch.index);
  fake.onWindow(window.index);
  // An APIC whose registers are plain memory.
  fake.setCpuid(1, 0, 3, 1 << 9);
  fake.setMsr(0x1b, growMemory(4096, 4096));
  assert(initializeApic() && initializeVectors(), "interrupts");
  initializePolls(growMemory(POLL_STORAGE, 8));
  setPoll(POLL_RECEIVE, comeIn.index);
  setPoll(POLL_PACKETS, packetsPoll.index);
  setPoll(POLL_OUTPUT, flush.index);
  setPoll(POLL_REAP, reapPoll.index);
  initializeRandom(growMemory(RANDOM_SIZE, 8));
  seedRandom(1);
  initializeTimers(growMemory(4096, 4096));
  initializeAlarm();
  initializeScheduler(growMemory(SCHEDULER_STORAGE, 8));
  initializeThreads(growMemory(THREAD_STORAGE, 8), 5 * PROCESS_LIMIT);
  initializeProcesses(growMemory(PROCESS_STORAGE, 8));
  initializeEnd(growMemory(END_STORAGE, 8), lastExit.index);
  initializeFamily(growMemory(4, 4));
  initializeHandles(growMemory(HANDLE_STORAGE, 8));
  initializeVmtables(pool(), PROCESS_LIMIT);
  if (network) assert(initializeNetwork(2000, 256, 64, 500) && initializeTcp(500, 1000), "network");
  else initializeInterface(growMemory(offsetof<NetworkInterface>(), 8), 0, 0, 0, 0);
  initializeSocketCalls(growMemory(SOCKET_CALLS_STORAGE, 8));
  initializeAem(growMemory(AEM_STORAGE, 8), EVENTS, EVENTS_OF_PROCESS, MESSAGES);
  initializeFakeSockets();
  module = changetype<ModuleDescriptor>(growMemory(offsetof<ModuleDescriptor>(), 8));
  module.memoryPages = 1;
  module.memoryMaxPages = 2;
  module.instanceSize = 4096;
  module.tableEntries = 64;
  module.tableMax = 64;
  module.vmtableOrder = VMTABLE_ORDER;
  module.stackBytes = 4096;
  module.priority = PRIORITY_DEFAULT;
  module.threads = WORKERS;
  module.threadStackBytes = 65536;
  module.children = CHILDREN;
  module.capsules = CAPSULES;
  newProcess();
  startScheduler(0);
  switchTo(currentProcess());
}

/** A process more, with its function table filled in. It is not the current one. */
export function newProcess(): Process {
  const pid = createProcess(module);
  assert(pid > 0, "createProcess");
  const process = findProcess(pid)!;
  for (let type: u32 = 0; type < KINDS; type++) {
    const entry = translate(process.pageTables, TABLE_BASE + <u64>(type + 1) * TABLE_ENTRY_SIZE);
    store<u32>(entry, typeCodes + type * TYPE_CODE);
    store<u32>(entry, HANDLER_CODE + type, 8);
    const other = translate(process.pageTables, TABLE_BASE + <u64>otherHandlerOf(type) * TABLE_ENTRY_SIZE);
    store<u32>(other, typeCodes + type * TYPE_CODE);
    store<u32>(other, OTHER_CODE + type, 8);
  }
  return process;
}

/** Makes `process` current, which must not have activated events. The spec's own memory is its linear memory. */
export function switchTo(process: Process): void {
  if (changetype<usize>(currentProcess()) != changetype<usize>(process)) {
    wakeThread(process.thread, 0);
    waitOn(null, 0, NO_DEADLINE);
  }
  assert(changetype<usize>(currentProcess()) == changetype<usize>(process), "not switched");
  setUserLimits(VMTABLE_BASE, process.vmtableBytes);
  fake.clearUser();
}

/** As the processor and the exception handler do it: a write to what a fork has shared makes a copy first. */
function window(user: usize, write: u32): usize {
  const process = currentProcess();
  const address = WINDOW_BASE + <u64>user;
  if (write && breakProcessCopy(process, address) != BREAK_DONE) return 0;
  return translate(process.pageTables, address);
}

function noReturn(save: usize, stackPointer: u64): void {
  unreachable();
}

/** As boot/runtime.c does it in a thread that only has handlers to run, up to where it ends or waits and another thread gets the processor. */
export function serveAndLeave(): void {
  leaveBy(() => {
    serve();
  });
}

/** The current thread makes a call from which it does not come back: another one gets the processor. */
export function leaveBy(call: () => void): void {
  fake.onSwitch(noReturn.index);
  const stack = __stack_pointer;
  expect(call).toThrow("it does not return");
  // What the trap left behind of the specs' own stack.
  __stack_pointer = stack;
  fake.onSwitch(noSwitch.index);
  setUserLimits(VMTABLE_BASE, currentProcess().vmtableBytes);
}

/** The module of all processes. A spec that changes it changes it back. */
export function theModule(): ModuleDescriptor {
  return module;
}

/** As the glue does it: the handler, or the allocator, that the last call gave, if it gave one, has returned (the allocator: `result`). */
export function nextHandler(result: u32 = 0): usize {
  return currentThread().handling != 0 ? dispatchAfter(result) : dispatchNext();
}

/** Index in the function table of the handler of a type of event. */
export function handlerOf(type: u32): u32 {
  return type + 1;
}

/** Of another function of the same type; its code address is OTHER_CODE + type. */
export function otherHandlerOf(type: u32): u32 {
  return KINDS + 1 + type;
}

/** Of the application's allocators. */
export const ALLOCATOR: u32 = HANDLER_ALLOCATOR + 1;
export const ALLOCATOR_CODE: u32 = HANDLER_CODE + HANDLER_ALLOCATOR;

function comeIn(level: u32): bool {
  loopbackPoll();
  return false;
}

function flush(level: u32): bool {
  networkFlush();
  return false;
}

/** What calls have left is done, and packets go round until there are none. */
export function settle(): void {
  networkFlush();
  for (let round = 0; round < 1000 && pollLevel >= 0; round++) runPolls();
}
