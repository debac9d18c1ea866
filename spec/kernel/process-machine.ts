/** For the specs of processes: a machine with one process, whose processor, when it idles, has something happen that wakes it. */
import { clearExitWork, WORK_DISPATCH } from "../../kernel/glue";
import { IMAGE_HANDLER_TYPES, IMAGE_PAGE_TABLES } from "../../kernel/hal";
import { initializeApic, VECTOR_TIMER } from "../../kernel/interrupts/apic";
import { initializeAlarm, NO_DEADLINE } from "../../kernel/interrupts/deadline";
import { initializePolls, POLL_REAP, POLL_STORAGE, setPoll } from "../../kernel/interrupts/polls";
import { initializeVectors, setVector } from "../../kernel/interrupts/vectors";
import { Link } from "../../kernel/list";
import { Pool } from "../../kernel/memory/pool";
import { setUserLimits } from "../../kernel/memory/user";
import { initializeVmtables } from "../../kernel/memory/vmtable";
import { initializeProcessCalls, SIGTERM, sys_kill } from "../../kernel/process/calls";
import { HANDLE_STORAGE, initializeHandles, onHandleAbandoned } from "../../kernel/process/handles";
import { createProcess } from "../../kernel/process/create";
import { END_STORAGE, initializeEnd, onProcessExit, reapPoll } from "../../kernel/process/end";
import { ModuleDescriptor } from "../../kernel/process/module";
import {
  currentProcess,
  findProcess,
  initializeProcesses,
  Process,
  notifyThread,
  PROCESS_LIMIT,
  PROCESS_STORAGE,
} from "../../kernel/process/process";
import { initializeRandom, RANDOM_SIZE, seedRandom } from "../../kernel/random";
import { waitOn } from "../../kernel/scheduler/block";
import { currentThread } from "../../kernel/scheduler/running";
import { initializeScheduler, SCHEDULER_STORAGE, startScheduler } from "../../kernel/scheduler/scheduler";
import { wakeThread } from "../../kernel/scheduler/wake";
import { initializeThreads, THREAD_STORAGE, Thread, THREAD_BLOCKED } from "../../kernel/scheduler/thread";
import { POLLIN, POLLOUT, WaitQueue, WAKE_GONE } from "../../kernel/scheduler/wait";
import { MILLISECOND, now } from "../../kernel/time/clock";
import { initializeTimers, nextTimer, runTimers } from "../../kernel/time/timers";
import { growMemory, setUpArena } from "../arena";
import * as fake from "../fake";

export const TYPE_CODE: u32 = 32;

/** A vector nobody has. */
const QUIET: u32 = 0x40;

export let module: ModuleDescriptor = changetype<ModuleDescriptor>(0);
export let typeCodes: usize = 0;
export let queue: WaitQueue = changetype<WaitQueue>(0);
export let link: Link = changetype<Link>(0);
export let lastStatus: i32 = -1;
export let lastExits: i32 = 0;
export let exitHookRuns: i32 = 0;

/** What the idle hook does, and how often it was asked. */
let step: u32 = 0;
export let idles: i32 = 0;

export let abandoned: i32 = 0;

function lastExit(status: i32): void {
  lastStatus = status;
  lastExits++;
}
function exitHook(process: Process): bool {
  exitHookRuns++;
  return true;
}
function release(object: usize, orderly: bool): void {
  abandoned++;
}
export function onSwitch(save: usize, stackPointer: u64): void {}
function onTimer(argument: usize): void {
  runTimers(now());
}
function pool(): Pool {
  return changetype<Pool>(growMemory(offsetof<Pool>(), 8));
}

const STEP_NOTHING: u32 = 0;
export const STEP_WAKE: u32 = 1;
export const STEP_SIGNAL: u32 = 2;
export const STEP_EVENT: u32 = 3;
export const STEP_GONE: u32 = 4;
export const STEP_OTHER_BIT: u32 = 5;

/** Time goes to the next timer, or something happens; an end of the spec's patience. */
function onIdle(): u32 {
  assert(++idles < 10_000, "waits for ever");
  const what = step;
  step = STEP_NOTHING;
  if (what == STEP_NOTHING) {
    const next = nextTimer();
    assert(next != NO_DEADLINE, "nothing will ever happen");
    const time = now();
    if (next > time) fake.advance(next - time);
    return VECTOR_TIMER;
  }
  fake.advance(1000);
  if (what == STEP_WAKE) queue.wake(POLLIN, 0);
  else if (what == STEP_SIGNAL) sys_kill(currentProcess().pid, SIGTERM);
  else if (what == STEP_EVENT) activate(currentProcess());
  else if (what == STEP_GONE) queue.wake(WAKE_GONE, 1);
  else if (what == STEP_OTHER_BIT) {
    queue.wake(POLLOUT, 0);
    step = STEP_WAKE;
  }
  return QUIET;
}

/** As AEM does it. */
export function activate(process: Process): void {
  deliver(process);
  process.pending.append(link, 32);
  notifyThread(process.thread, 32);
}

/** As the glue does it. */
export function deliver(process: Process): void {
  link.remove();
  process.pending.tidy(32);
  clearExitWork(WORK_DISPATCH);
}

export function setUp(): void {
  setUpArena(16384);
  fake.reset();
  fake.setImage(IMAGE_PAGE_TABLES, growMemory(4096, 4096));
  typeCodes = growMemory(TYPE_CODE * 7, 8);
  for (let type: u32 = 0; type < 7; type++)
    memory.fill(typeCodes + type * TYPE_CODE, <u8>(0x40 + type), TYPE_CODE);
  fake.setImage(IMAGE_HANDLER_TYPES, typeCodes);
  fake.setCpuid(1, 0, 3, 1 << 9);
  fake.setMsr(0x1b, growMemory(4096, 4096));
  assert(initializeApic() && initializeVectors(), "interrupts");
  initializePolls(growMemory(POLL_STORAGE, 8));
  setPoll(POLL_REAP, reapPoll.index);
  setVector(VECTOR_TIMER, onTimer.index, 0);
  fake.onSwitch(onSwitch.index);
  fake.onIdle(onIdle.index);
  initializeRandom(growMemory(RANDOM_SIZE, 8));
  seedRandom(1);
  initializeTimers(growMemory(4096, 4096));
  initializeAlarm();
  initializeScheduler(growMemory(SCHEDULER_STORAGE, 8));
  initializeThreads(growMemory(THREAD_STORAGE, 8), PROCESS_LIMIT);
  initializeProcesses(growMemory(PROCESS_STORAGE, 8));
  initializeEnd(growMemory(END_STORAGE, 8), lastExit.index);
  initializeHandles(growMemory(HANDLE_STORAGE, 8));
  initializeProcessCalls(growMemory(256, 8));
  initializeVmtables(pool(), PROCESS_LIMIT);
  onProcessExit(exitHook.index);
  onHandleAbandoned(1, release.index);
  queue = changetype<WaitQueue>(growMemory(offsetof<WaitQueue>(), 8));
  queue.initialize();
  link = changetype<Link>(growMemory(offsetof<Link>(), 8));
  link.initialize();
  module = changetype<ModuleDescriptor>(growMemory(offsetof<ModuleDescriptor>(), 8));
  module.start = 0x140000;
  module.memoryPages = 1;
  module.memoryMaxPages = 3;
  module.instanceSize = 5000;
  module.tableEntries = 8;
  module.tableMax = 300;
  module.vmtableOrder = 3;
  module.stackBytes = 8192;
  // The pools keep their frames: they take them now.
  assert(createProcess(module) == 1, "the first process");
  startScheduler(0);
  setUserLimits(0x1000_0000, 0);
}

export function newProcess(): Process {
  const pid = createProcess(module);
  assert(pid > 0, "createProcess");
  return findProcess(pid)!;
}

/** Its main thread, in no queue, waits. */
export function block(process: Process): void {
  process.thread.state = THREAD_BLOCKED;
  process.active = changetype<Thread>(0);
}

/** Gives the processor to `process` for good: the one that had it waits in the run queue. */
export function switchTo(process: Process): void {
  if (changetype<usize>(currentProcess()) == changetype<usize>(process)) return;
  const before = currentThread();
  waitOn(null, 0, NO_DEADLINE);
  assert(changetype<usize>(currentProcess()) == changetype<usize>(process), "somebody else was chosen");
  assert(before.state == THREAD_BLOCKED, "state");
  wakeThread(before, 0);
  setUserLimits(0x1000_0000, 0);
}

/** What happens when the processor idles next: STEP_*. */
export function onNextIdle(what: u32): void {
  step = what;
}

/** Nothing more of what was before happens. */
export function idle(): void {
  // A quantum that began while two could run ends now.
  fake.advance(2 * MILLISECOND);
  runTimers(now());
  idles = 0;
  step = STEP_NOTHING;
}
