/** Processes, handles, scheduler, waiting, signals: the real ones, with stacks that are not switched (spec/hal.js). */
import {
  EAGAIN,
  EBUSY,
  EFAULT,
  EINTR,
  EINVAL,
  EMFILE,
  ENOMEM,
  ERESTART,
  ESRCH,
  ETIMEDOUT,
} from "../../kernel/errno";
import { clearExitWork, exitWork, kernelStackTop, WORK_DISPATCH } from "../../kernel/glue";
import { IMAGE_HANDLER_TYPES, image, IMAGE_PAGE_TABLES, pageTables, tsc } from "../../kernel/hal";
import { initializeApic, VECTOR_TIMER } from "../../kernel/interrupts/apic";
import { NO_DEADLINE } from "../../kernel/interrupts/deadline";
import { initializePolls, POLL_REAP, POLL_STORAGE, setPoll } from "../../kernel/interrupts/polls";
import { initializeVectors, setVector } from "../../kernel/interrupts/vectors";
import { Link } from "../../kernel/list";
import { allocateFrames, frameErrorCount, freeFrameCount, freeFrames } from "../../kernel/memory/frames";
import {
  INSTANCE_BASE,
  STACK_TOP,
  TABLE_BASE,
  VMTABLE_BASE,
  WASM_PAGE,
  WINDOW_BASE,
} from "../../kernel/memory/layout";
import { translate } from "../../kernel/memory/paging";
import { Pool } from "../../kernel/memory/pool";
import { setUserLimits, userRange } from "../../kernel/memory/user";
import { initializeVmtables, Vmtable } from "../../kernel/memory/vmtable";
import {
  initializeProcessCalls,
  SIGKILL,
  SIGTERM,
  SIGUSR1,
  SIGUSR2,
  sys_clock_gettime,
  sys_enter_keepalive,
  sys_exit,
  sys_getpid,
  sys_getrandom,
  sys_kill,
  sys_log,
  sys_nanosleep,
  sys_sigtake,
} from "../../kernel/process/calls";
import {
  closeAllHandles,
  freeHandleTable,
  HANDLE_LIMIT,
  HANDLE_STORAGE,
  handleInstall,
  handleObject,
  handleRemove,
  initializeHandles,
  onHandleAbandoned,
} from "../../kernel/process/handles";
import { createProcess, growMemory as growLinearMemory } from "../../kernel/process/create";
import { END_STORAGE, initializeEnd, onProcessExit, reapPoll } from "../../kernel/process/end";
import {
  HANDLER_ACCEPT,
  HANDLER_READ,
  HANDLER_TIMER,
  ModuleDescriptor,
  resolveHandler,
  TABLE_ENTRY_SIZE,
} from "../../kernel/process/module";
import {
  currentProcess,
  findProcess,
  initializeProcesses,
  liveProcesses,
  Process,
  notifyThread,
  PROCESS_LIMIT,
  PROCESS_STORAGE,
} from "../../kernel/process/process";
import { initializeRandom, RANDOM_SIZE, seedRandom } from "../../kernel/random";
import { waitOn } from "../../kernel/scheduler/block";
import { currentThread, switchCount } from "../../kernel/scheduler/running";
import { initializeScheduler, SCHEDULER_STORAGE, startScheduler } from "../../kernel/scheduler/scheduler";
import { wakeThread } from "../../kernel/scheduler/wake";
import { readyRemove } from "../../kernel/scheduler/ready";
import {
  initializeThreads,
  KERNEL_STACK_SIZE,
  THREAD_STORAGE,
  Thread,
  THREAD_BLOCKED,
  THREAD_RUNNABLE,
} from "../../kernel/scheduler/thread";
import { POLLIN, POLLOUT, WaitQueue, WAKE_GONE } from "../../kernel/scheduler/wait";
import { MILLISECOND, now } from "../../kernel/time/clock";
import { initializeTimers, nextTimer, runTimers, timerStart } from "../../kernel/time/timers";
import { growMemory, setUpArena } from "../arena";
import { endNow, reapAll } from "../reap";
import { chance, seedChance } from "../chance";
import * as fake from "../fake";

const TYPE_CODE: u32 = 32;
const NEVER: u64 = u64.MAX_VALUE;
/** A vector nobody has. */
const QUIET: u32 = 0x40;

let module: ModuleDescriptor = changetype<ModuleDescriptor>(0);
let typeCodes: usize = 0;
let queue: WaitQueue = changetype<WaitQueue>(0);
let link: Link = changetype<Link>(0);
let lastStatus: i32 = -1;
let lastExits: i32 = 0;
let exitHookRuns: i32 = 0;
let released: i32 = 0;
/** What the idle hook does, and how often it was asked. */
let step: u32 = 0;
let idles: i32 = 0;
let framesAtSwitch: u32 = 0;
let abandoned: i32 = 0;

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
function onSwitch(save: usize, stackPointer: u64): void {}
function onTimer(argument: usize): void {
  runTimers(now());
}
function pool(): Pool {
  return changetype<Pool>(growMemory(offsetof<Pool>(), 8));
}
/** Frames of a pool with an object for each process there may be. */
function poolFrames(bytes: u32): u32 {
  const each: u32 = 4096 / ((bytes + 7) & ~7);
  return (<u32>PROCESS_LIMIT + each - 1) / each;
}
const STEP_NOTHING: u32 = 0;
const STEP_WAKE: u32 = 1;
const STEP_SIGNAL: u32 = 2;
const STEP_EVENT: u32 = 3;
const STEP_GONE: u32 = 4;
const STEP_OTHER_BIT: u32 = 5;

/** Time goes to the next timer, or something happens; an end of the spec's patience. */
function onIdle(): u32 {
  assert(++idles < 10_000, "waits for ever");
  const what = step;
  step = STEP_NOTHING;
  if (what == STEP_NOTHING) {
    const next = nextTimer();
    assert(next != NEVER, "nothing will ever happen");
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
function activate(process: Process): void {
  deliver(process);
  process.pending.append(link, 32);
  notifyThread(process.thread, 32);
}

/** As the glue does it. */
function deliver(process: Process): void {
  link.remove();
  process.pending.tidy(32);
  clearExitWork(WORK_DISPATCH);
}

function setUp(): void {
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

function newProcess(): Process {
  const pid = createProcess(module);
  assert(pid > 0, "createProcess");
  return findProcess(pid)!;
}

/** Its main thread, in no queue, waits. */
function block(process: Process): void {
  process.thread.state = THREAD_BLOCKED;
  process.active = changetype<Thread>(0);
}

/** Gives the processor to `process` for good: the one that had it waits in the run queue. */
function switchTo(process: Process): void {
  if (changetype<usize>(currentProcess()) == changetype<usize>(process)) return;
  const before = currentThread();
  waitOn(null, 0, NO_DEADLINE);
  assert(changetype<usize>(currentProcess()) == changetype<usize>(process), "somebody else was chosen");
  assert(before.state == THREAD_BLOCKED, "state");
  wakeThread(before, 0);
  setUserLimits(0x1000_0000, 0);
}

function idle(): void {
  // A quantum that began while two could run ends now.
  fake.advance(2 * MILLISECOND);
  runTimers(now());
  idles = 0;
  step = STEP_NOTHING;
}

beforeAll(setUp);

describe("handles", () => {
  it("does what a model does, in random operations, and gives all frames back", () => {
    seedChance(1);
    const process = newProcess();
    const before = freeFrameCount();
    const model = new Map<i32, u32>();
    let wrong = 0;
    let highest = 0;
    for (let i = 0; i < 20_000; i++) {
      const what = chance(10);
      if (what < 5) {
        const object = chance(0x7fff_ffff) + 1;
        const handle = handleInstall(process, object, 1 + (object & 1));
        if (handle < 0 || model.has(handle)) wrong++;
        if (handle > highest) highest = handle;
        model.set(handle, object);
      } else {
        const handle = <i32>chance(2 * highest + 2) - <i32>chance(4);
        const known = model.has(handle);
        const object = known ? model.get(handle) : 0;
        const kind = 1 + (object & 1);
        if (handleObject(process, handle, kind) != object) wrong++;
        if (handleObject(process, handle, 3 - kind) != 0) wrong++;
        if (what < 9) {
          if (handleRemove(process, handle) != object) wrong++;
          model.delete(handle);
          // It is stale now.
          if (handleObject(process, handle, kind) != 0 || handleRemove(process, handle) != 0) wrong++;
        }
      }
      if (process.handleCount != <u32>model.size) wrong++;
    }
    expect<i32>(wrong).toBe(0);
    let ofKind1 = 0;
    const keys = model.keys();
    for (let i = 0; i < keys.length; i++) if ((model.get(keys[i]) & 1) == 0) ofKind1++;
    abandoned = 0;
    closeAllHandles(process);
    freeHandleTable(process);
    expect<i32>(abandoned).toBe(ofKind1, "each object of the kind is let go of once");
    expect<u32>(freeFrameCount()).toBe(before);
    expect<usize>(handleObject(process, 0, 1)).toBe(0);
    endNow(process, 0);
  });

  it("gives low numbers out first, and ends with -EMFILE", () => {
    const process = newProcess();
    let wrong = 0;
    for (let i: u32 = 0; i < HANDLE_LIMIT; i++) if (handleInstall(process, 8, 2) != <i32>i) wrong++;
    expect<i32>(wrong).toBe(0);
    expect<i32>(handleInstall(process, 8, 2)).toBe(-EMFILE);
    expect<usize>(handleObject(process, -1, 2)).toBe(0);
    expect<usize>(handleObject(process, i32.MIN_VALUE, 2)).toBe(0);
    expect<usize>(handleObject(process, i32.MAX_VALUE, 2)).toBe(0);
    expect<usize>(handleObject(process, <i32>HANDLE_LIMIT, 2)).toBe(0);
    expect<usize>(handleRemove(process, 77)).toBe(8);
    expect<i32>(handleInstall(process, 8, 2)).toBe(77);
    endNow(process, 0);
  });

  it("says -ENOMEM without frames, and works again with them", () => {
    const process = newProcess();
    const taken: usize[] = [];
    for (let frame = allocateFrames(0); frame != 0; frame = allocateFrames(0)) taken.push(frame);
    expect<i32>(handleInstall(process, 8, 1)).toBe(-ENOMEM);
    freeFrames(taken.pop(), 0);
    expect<i32>(handleInstall(process, 8, 1)).toBe(-ENOMEM, "the directory alone does not do");
    freeFrames(taken.pop(), 0);
    expect<i32>(handleInstall(process, 8, 1)).toBe(0);
    while (taken.length != 0) freeFrames(taken.pop(), 0);
    endNow(process, 0);
  });
});

describe("a process", () => {
  it("is made or leaves nothing behind, whatever the number of free frames", () => {
    const before = freeFrameCount();
    const started = liveProcesses();
    // First of all: what does it take?
    let process = newProcess();
    const needed = before - freeFrameCount();
    endNow(process, 0);
    expect<u32>(freeFrameCount()).toBe(before);
    const taken: usize[] = [];
    for (let frame = allocateFrames(0); frame != 0; frame = allocateFrames(0)) taken.push(frame);
    // Neighbours come free, so that blocks of several frames can be had.
    taken.sort((a, b) => <i32>(a > b) - <i32>(a < b));
    let failures: u32 = 0;
    let wrong = 0;
    for (let frames: u32 = 0; frames <= needed + 64; frames++) {
      if (freeFrameCount() != frames) wrong++;
      const pid = createProcess(module);
      if (pid == -ENOMEM) failures++;
      else if (pid < 0) wrong++;
      else {
        if (frames < needed) wrong++;
        endNow(findProcess(pid)!, 0);
      }
      if (freeFrameCount() != frames) wrong++;
      freeFrames(taken.pop(), 0);
    }
    expect<i32>(wrong).toBe(0);
    expect<u32>(failures).toBeGreaterThanOrEqual(needed);
    expect<u32>(failures).toBeLessThan(needed + 64, "in the end it was made");
    while (taken.length != 0) freeFrames(taken.pop(), 0);
    expect<u32>(freeFrameCount()).toBe(before);
    expect<u32>(frameErrorCount()).toBe(0);
    expect<i32>(liveProcesses()).toBe(started);
  });

  it("sees nothing of what was in its frames before", () => {
    const taken: usize[] = [];
    for (let frame = allocateFrames(0); frame != 0; frame = allocateFrames(0)) {
      memory.fill(frame, 0xee, 4096);
      taken.push(frame);
    }
    while (taken.length != 0) freeFrames(taken.pop(), 0);
    const process = newProcess();
    const starts: u64[] = [
      WINDOW_BASE,
      WINDOW_BASE + VMTABLE_BASE,
      INSTANCE_BASE,
      TABLE_BASE,
      STACK_TOP - module.stackBytes,
    ];
    const bytes: u64[] = [
      WASM_PAGE,
      process.vmtableBytes,
      module.instanceSize,
      module.tableMax * TABLE_ENTRY_SIZE,
      module.stackBytes,
    ];
    let other: u64 = 0;
    let missing = 0;
    for (let i = 0; i < starts.length; i++) {
      for (let offset: u64 = 0; offset < bytes[i]; offset += 8) {
        const address = translate(process.pageTables, starts[i] + offset);
        if (address == 0) missing++;
        else other |= load<u64>(address);
      }
    }
    expect<i32>(missing).toBe(0, "all is mapped from the start");
    expect<u64>(other).toBe(0);
    endNow(process, 0);
  });

  it("has the least free number; there are PROCESS_LIMIT", () => {
    const before = freeFrameCount();
    const small = module.vmtableOrder;
    module.vmtableOrder = 0;
    for (let pid = 2; pid <= PROCESS_LIMIT; pid++) assert(createProcess(module) == pid, "pid");
    expect<i32>(createProcess(module)).toBe(-EAGAIN);
    endNow(findProcess(17)!, 0);
    expect<bool>(findProcess(17) === null).toBe(true);
    expect<i32>(createProcess(module)).toBe(17);
    for (let pid = 2; pid <= PROCESS_LIMIT; pid++) endNow(findProcess(pid)!, 0);
    module.vmtableOrder = small;
    expect<i32>(liveProcesses()).toBe(1);
    expect<bool>(findProcess(0) === null).toBe(true);
    expect<bool>(findProcess(-1) === null).toBe(true);
    expect<bool>(findProcess(i32.MIN_VALUE) === null).toBe(true);
    expect<bool>(findProcess(PROCESS_LIMIT + 1) === null).toBe(true);
    // The pools of threads and vmtables have grown meanwhile, and keep what they have.
    const most = poolFrames(offsetof<Thread>()) + poolFrames(offsetof<Vmtable>());
    expect<u32>(before - freeFrameCount()).toBeLessThanOrEqual(most);
  });

  it("grows its linear memory up to its limit, zeroed, or not at all", () => {
    const process = currentProcess();
    expect<i32>(growLinearMemory(0)).toBe(1);
    expect<i32>(growLinearMemory(3)).toBe(-1, "one too many");
    expect<i32>(growLinearMemory(u32.MAX_VALUE)).toBe(-1);
    const taken: usize[] = [];
    for (let frame = allocateFrames(0); frame != 0; frame = allocateFrames(0)) taken.push(frame);
    for (let i = 0; i < 15; i++) {
      memory.fill(taken[taken.length - 1], 0xff, 4096);
      freeFrames(taken.pop(), 0);
    }
    expect<i32>(growLinearMemory(1)).toBe(-1, "fifteen frames are not sixteen");
    expect<u32>(freeFrameCount()).toBe(15);
    expect<u64>(process.memoryBytes).toBe(WASM_PAGE);
    expect<bool>(userRange(WASM_PAGE, 1)).toBe(false);
    while (taken.length != 0) freeFrames(taken.pop(), 0);
    expect<i32>(growLinearMemory(1)).toBe(1);
    expect<bool>(userRange(0, 2 * WASM_PAGE)).toBe(true);
    expect<bool>(userRange(0, 2 * WASM_PAGE + 1)).toBe(false);
    let bits: u8 = 0;
    for (let p: u64 = 0; p < WASM_PAGE; p++) {
      bits |= load<u8>(translate(process.pageTables, WINDOW_BASE + WASM_PAGE + p));
    }
    expect<u8>(bits).toBe(0);
    expect<i32>(growLinearMemory(1)).toBe(2);
    expect<i32>(growLinearMemory(1)).toBe(-1);
    setUserLimits(0x1000_0000, 0);
  });

  it("has handlers of the right type in its table, and no others", () => {
    const process = currentProcess();
    const entry = translate(process.pageTables, TABLE_BASE + 7 * <u64>TABLE_ENTRY_SIZE);
    store<u32>(entry, <u32>(typeCodes + HANDLER_READ * TYPE_CODE));
    store<u32>(entry, 0x151234, 8);
    expect<usize>(resolveHandler(process, 7, HANDLER_READ)).toBe(0x151234);
    expect<usize>(resolveHandler(process, 7, HANDLER_ACCEPT)).toBe(0);
    expect<usize>(resolveHandler(process, 7, HANDLER_TIMER)).toBe(0);
    expect<usize>(resolveHandler(process, 6, HANDLER_READ)).toBe(0, "a null entry");
    store<u32>(entry, 0);
    expect<usize>(resolveHandler(process, 7, HANDLER_READ)).toBe(0, "a function without a type");
    store<u32>(entry, <u32>(typeCodes + HANDLER_READ * TYPE_CODE));
    store<u32>(entry, 0, 8);
    expect<usize>(resolveHandler(process, 7, HANDLER_READ)).toBe(0, "a type without a function");
    expect<usize>(resolveHandler(process, 299, HANDLER_READ)).toBe(0, "the last entry");
    expect<usize>(resolveHandler(process, 300, HANDLER_READ)).toBe(0, "behind the table");
    expect<usize>(resolveHandler(process, 0x0800_0007, HANDLER_READ)).toBe(0, "32 × index is beyond 32 bits");
    expect<usize>(resolveHandler(process, u32.MAX_VALUE, HANDLER_READ)).toBe(0);
    // Equal codes of two addresses are the same type: the image's table is a copy.
    const copy = growMemory(TYPE_CODE, 8);
    memory.fill(copy, <u8>(0x40 + HANDLER_TIMER), TYPE_CODE);
    store<u32>(entry, <u32>copy);
    store<u32>(entry, 0x150000, 8);
    expect<usize>(resolveHandler(process, 7, HANDLER_TIMER)).toBe(0x150000);
    store<u8>(copy + TYPE_CODE - 1, 0);
    expect<usize>(resolveHandler(process, 7, HANDLER_TIMER)).toBe(0, "the last byte counts");
  });
});

describe("waitOn", () => {
  beforeEach(idle);
  afterEach(() => {
    assert(currentThread().waiter.isEmpty && queue.isEmpty, "still in the queue");
    assert(currentThread().timer.isEmpty && nextTimer() == NEVER, "still in the wheel");
    assert(currentThread().state == THREAD_RUNNABLE, "state");
    deliver(currentProcess());
    while (sys_sigtake() != 0) {}
    currentThread().takeInterruption();
  });

  it("is woken by what it listens to", () => {
    step = STEP_WAKE;
    expect<i32>(waitOn(queue, POLLIN, NO_DEADLINE)).toBe(0);
    step = STEP_WAKE;
    expect<i32>(waitOn(queue, POLLIN, now() + MILLISECOND)).toBe(0);
    expect<i32>(idles).toBe(2);
  });

  it("sleeps on through what it does not listen to", () => {
    step = STEP_OTHER_BIT;
    expect<i32>(waitOn(queue, POLLIN, NO_DEADLINE)).toBe(0);
    expect<i32>(idles).toBe(2);
  });

  it("ends at the deadline, not before it, and at once when that is past", () => {
    const deadline = now() + 3 * MILLISECOND;
    expect<i32>(waitOn(queue, POLLIN, deadline)).toBe(-ETIMEDOUT);
    expect<u64>(now()).toBeGreaterThanOrEqual(deadline);
    expect<u64>(now()).toBeLessThan(deadline + 70_000);
    idles = 0;
    expect<i32>(waitOn(queue, POLLIN, now())).toBe(-ETIMEDOUT);
    expect<i32>(waitOn(null, 0, 1)).toBe(-ETIMEDOUT);
    expect<i32>(idles).toBe(0);
  });

  it("ends with -EINTR for a signal that comes, and for one that came before, once", () => {
    step = STEP_SIGNAL;
    expect<i32>(waitOn(queue, POLLIN, NO_DEADLINE)).toBe(-EINTR);
    sys_kill(sys_getpid(), SIGUSR1);
    expect<i32>(waitOn(queue, POLLIN, NO_DEADLINE)).toBe(-EINTR);
    step = STEP_WAKE;
    expect<i32>(waitOn(queue, POLLIN, NO_DEADLINE)).toBe(0);
  });

  it("ends with -EINTR when the object goes away", () => {
    step = STEP_GONE;
    expect<i32>(waitOn(queue, POLLIN, NO_DEADLINE)).toBe(-EINTR);
  });

  it("lets handlers run: -ERESTART, with the flag for the glue", () => {
    step = STEP_EVENT;
    expect<i32>(waitOn(queue, POLLIN, NO_DEADLINE)).toBe(-ERESTART);
    expect<u32>(exitWork & WORK_DISPATCH).toBe(1);
    expect<i32>(waitOn(queue, POLLIN, NO_DEADLINE)).toBe(-ERESTART, "and never waits while there are some");
    expect<i32>(idles).toBe(1);
  });

  it("inside a handler waits on though others are pending", () => {
    const process = currentProcess();
    process.thread.handling = 1;
    activate(process);
    expect<u32>(exitWork & WORK_DISPATCH).toBe(0);
    expect<i32>(waitOn(queue, POLLIN, now() + MILLISECOND)).toBe(-ETIMEDOUT);
    process.thread.handling = 0;
  });

  it("tells a process that always has handlers to run of signals and of the end of its wait", () => {
    const process = currentProcess();
    activate(process);
    sys_kill(process.pid, SIGTERM);
    expect<i32>(waitOn(queue, POLLIN, 1)).toBe(-EINTR);
    expect<i32>(waitOn(queue, POLLIN, 1)).toBe(-ETIMEDOUT);
    expect<i32>(waitOn(queue, POLLIN, NO_DEADLINE)).toBe(-ERESTART);
    expect<u32>(exitWork & WORK_DISPATCH).toBe(1, "they run before the call returns");
  });

  it("switches to who can run, with window, limits, stack and flag of that process", () => {
    const first = currentProcess();
    const second = newProcess();
    const switches = switchCount;
    second.pending.append(link, 32);
    switchTo(second);
    expect<u64>(switchCount - switches).toBe(1);
    expect<usize>(pageTables()).toBe(second.pageTables);
    expect<usize>(kernelStackTop).toBe(second.thread.stackTop);
    expect<u32>(exitWork & WORK_DISPATCH).toBe(1, "what was activated while it did not run");
    setUserLimits(second.memoryBytes, second.vmtableBytes);
    deliver(second);
    switchTo(first);
    expect<usize>(pageTables()).toBe(first.pageTables);
    expect<u32>(exitWork & WORK_DISPATCH).toBe(0);
    endNow(second, 0);
    idle();
  });
});

describe("notifyThread", () => {
  it("sets the glue's flag for the current process only, and wakes a blocked one", () => {
    const first = currentProcess();
    const second = newProcess();
    switchTo(second);
    // `first` is in the run queue: nothing to do but to note it.
    activate(first);
    expect<u32>(exitWork & WORK_DISPATCH).toBe(0);
    deliver(first);
    activate(second);
    expect<u32>(exitWork & WORK_DISPATCH).toBe(1);
    deliver(second);
    switchTo(first);
    const thread = second.thread;
    readyRemove(thread, thread.priority);
    block(second);
    second.thread.handling = 8;
    activate(second);
    expect<u32>(thread.state).toBe(THREAD_BLOCKED, "its handler waits for something else");
    second.thread.handling = 0;
    activate(second);
    expect<u32>(thread.state).toBe(THREAD_RUNNABLE);
    deliver(second);
    endNow(second, 0);
  });
});

describe("nanosleep", () => {
  beforeEach(idle);

  it("sleeps for the time asked for", () => {
    const start = now();
    expect<i32>(sys_nanosleep(5_000_000)).toBe(0);
    expect<u64>(now() - start).toBeGreaterThanOrEqual(5_000_000);
    expect<u64>(now() - start).toBeLessThan(5_100_000);
    expect<i32>(sys_nanosleep(0)).toBe(0);
    expect<i32>(sys_nanosleep(-1)).toBe(-EINVAL);
    expect<i32>(sys_nanosleep(i64.MIN_VALUE)).toBe(-EINVAL);
  });

  it("is interrupted by a signal, and then begins anew", () => {
    step = STEP_SIGNAL;
    expect<i32>(sys_nanosleep(i64.MAX_VALUE)).toBe(-EINTR);
    expect<u64>(currentThread().deadline).toBe(0);
    expect<i32>(sys_sigtake()).toBe(SIGTERM);
    const start = now();
    expect<i32>(sys_nanosleep(1_000_000)).toBe(0);
    expect<u64>(now() - start).toBeLessThan(1_100_000);
  });

  it("keeps its end over handlers, who have sleeps of their own", () => {
    const process = currentProcess();
    const start = now();
    step = STEP_EVENT;
    expect<i32>(sys_nanosleep(10_000_000)).toBe(-ERESTART);
    deliver(process);
    process.thread.handling = 1;
    expect<i32>(sys_nanosleep(4_000_000)).toBe(0, "the handler's");
    expect<u64>(now() - start).toBeLessThan(4_200_000);
    process.thread.handling = 0;
    step = STEP_EVENT;
    expect<i32>(sys_nanosleep(10_000_000)).toBe(-ERESTART, "again");
    deliver(process);
    fake.advance(1_000_000);
    expect<i32>(sys_nanosleep(10_000_000)).toBe(0);
    expect<u64>(now() - start).toBeGreaterThanOrEqual(10_000_000);
    expect<u64>(now() - start).toBeLessThan(10_100_000);
    expect<u64>(currentThread().deadline).toBe(0);
  });

  it("ends although handlers are always pending", () => {
    step = STEP_EVENT;
    expect<i32>(sys_nanosleep(1_000_000)).toBe(-ERESTART);
    fake.advance(2_000_000);
    expect<i32>(sys_nanosleep(1_000_000)).toBe(0);
    expect<u32>(exitWork & WORK_DISPATCH).toBe(1);
    deliver(currentProcess());
  });
});

describe("signals", () => {
  beforeEach(idle);

  it("are taken lowest first, each once", () => {
    const pid = sys_getpid();
    expect<i32>(sys_kill(pid, SIGTERM)).toBe(0);
    expect<i32>(sys_kill(pid, SIGUSR2)).toBe(0);
    expect<i32>(sys_kill(pid, SIGUSR1)).toBe(0);
    expect<i32>(sys_kill(pid, SIGUSR1)).toBe(0);
    expect<i32>(sys_sigtake()).toBe(SIGUSR1);
    expect<i32>(sys_sigtake()).toBe(SIGUSR2);
    expect<i32>(sys_sigtake()).toBe(SIGTERM);
    expect<i32>(sys_sigtake()).toBe(0);
    currentThread().takeInterruption();
  });

  it("refuse what there is not", () => {
    const pid = sys_getpid();
    let wrong = 0;
    for (let signal = -40; signal < 80; signal++) {
      if (signal == 0 || signal == SIGKILL || signal == SIGUSR1 || signal == SIGUSR2 || signal == SIGTERM)
        continue;
      if (sys_kill(pid, signal) != -EINVAL) wrong++;
    }
    expect<i32>(wrong).toBe(0);
    expect<i32>(sys_kill(pid, i32.MIN_VALUE)).toBe(-EINVAL);
    expect<i32>(sys_kill(pid, 0)).toBe(0);
    expect<i32>(sys_kill(0, SIGTERM)).toBe(-ESRCH);
    expect<i32>(sys_kill(-1, SIGKILL)).toBe(-ESRCH);
    expect<i32>(sys_kill(i32.MAX_VALUE, SIGKILL)).toBe(-ESRCH);
    expect<i32>(sys_kill(63, 0)).toBe(-ESRCH);
    expect<i32>(sys_sigtake()).toBe(0);
  });

  it("SIGKILL ends a process in the run queue, one that is blocked, and one with a time limit: all goes back", () => {
    const before = freeFrameCount();
    for (let kind = 0; kind < 4; kind++) {
      const victim = newProcess();
      const first = currentProcess();
      if (kind != 0) {
        // The victim waits: the spec goes on with its predecessor while that is so.
        switchTo(victim);
        victim.thread.handling = kind == 3 ? 8 : 0;
        waitAs(victim, kind);
        assert(changetype<usize>(currentProcess()) == changetype<usize>(first), "back");
      }
      idle();
      exitHookRuns = 0;
      const pid = victim.pid;
      expect<i32>(sys_kill(pid, SIGKILL)).toBe(0);
      expect<i32>(sys_kill(pid, 0)).toBe(-ESRCH);
      expect<i32>(exitHookRuns).toBe(0, "what it has goes back in the polls");
      reapAll();
      expect<i32>(exitHookRuns).toBeGreaterThan(0);
      expect<bool>(queue.isEmpty).toBe(true);
      // The quantum that the work for the polls began.
      fake.advance(2 * MILLISECOND);
      runTimers(now());
      expect<u64>(nextTimer()).toBe(NEVER);
      expect<u32>(freeFrameCount()).toBe(before);
    }
    // Nobody is left in the run queue: the next wait is this process's own.
    const switches = switchCount;
    expect<i32>(sys_nanosleep(1_000_000)).toBe(0);
    expect<u64>(switchCount).toBe(switches);
    expect<u32>(frameErrorCount()).toBe(0);
  });

  it("a process that ends itself is off its page tables first, and its stack goes when another one is in use", () => {
    const before = freeFrameCount();
    const first = currentProcess();
    const second = newProcess();
    switchTo(second);
    lastExits = 0;
    fake.onSwitch(onLastSwitch.index);
    sys_exit(3);
    fake.onSwitch(onSwitch.index);
    expect<usize>(changetype<usize>(currentProcess())).toBe(changetype<usize>(first));
    expect<usize>(pageTables()).toBe(first.pageTables);
    expect<u32>(freeFrameCount() - framesAtSwitch).toBe(
      <u32>(KERNEL_STACK_SIZE / 4096),
      "its stack is there until it is left",
    );
    // The rest has gone back in the polls, on the stack of whoever runs next.
    reapAll();
    expect<i32>(lastExits).toBe(0);
    expect<u32>(freeFrameCount()).toBe(before);
    expect<u32>(frameErrorCount()).toBe(0);
    setUserLimits(0x1000_0000, 0);
  });
});

function onLastSwitch(save: usize, stackPointer: u64): void {
  framesAtSwitch = freeFrameCount();
}

/** The current process blocks; the processor goes to the other one. What waitOn does after that has not happened yet for real: it is put back. */
function waitAs(victim: Process, kind: i32): void {
  const thread = victim.thread;
  waitOn(kind == 1 ? queue : null, POLLIN, kind == 2 ? now() + 100 * MILLISECOND : NO_DEADLINE);
  block(victim);
  if (kind == 1) queue.append(thread.waiter);
  if (kind == 2) timerStart(thread.timer, now() + 100 * MILLISECOND);
}

describe("enter_keepalive", () => {
  beforeEach(idle);

  it("is refused in a handler", () => {
    currentProcess().thread.handling = 1;
    expect<i32>(sys_enter_keepalive()).toBe(-EBUSY);
    currentProcess().thread.handling = 0;
  });

  it("ends with a signal, restarts for handlers, and ends with 0 after the last event that keeps it", () => {
    const process = currentProcess();
    step = STEP_SIGNAL;
    expect<i32>(sys_enter_keepalive()).toBe(-EINTR);
    expect<i32>(sys_sigtake()).toBe(SIGTERM);
    step = STEP_EVENT;
    expect<i32>(sys_enter_keepalive()).toBe(-ERESTART);
    process.thread.handling = 8;
    process.keepaliveEnded = 1;
    process.thread.handling = 0;
    deliver(process);
    expect<i32>(sys_enter_keepalive()).toBe(0);
    expect<u32>(process.keepaliveEnded).toBe(0, "said once");
  });
});

describe("the other calls of a process", () => {
  it("check what they are given", () => {
    setUserLimits(0x1000, 0);
    expect<i64>(sys_clock_gettime(0)).toBe(-EINVAL);
    expect<i64>(sys_clock_gettime(-1)).toBe(-EINVAL);
    expect<i64>(sys_clock_gettime(1)).toBe(<i64>now());
    expect<i64>(sys_clock_gettime(4)).toBe(<i64>tsc());
    expect<i32>(sys_log(2, 0, 1)).toBe(-EINVAL);
    expect<i32>(sys_log(8, 0, 1)).toBe(-EINVAL);
    expect<i32>(sys_log(-1, 0, 1)).toBe(-EINVAL);
    expect<i32>(sys_log(7, 0xffff_fff0, 0x20)).toBe(-EFAULT);
    expect<i32>(sys_log(7, 0x1000, 1)).toBe(-EFAULT);
    expect<i32>(sys_log(7, 0xff0, 16)).toBe(16);
    expect<i32>(sys_getrandom(0, 16, 1)).toBe(-EINVAL);
    expect<i32>(sys_getrandom(0, 0x100001, 0)).toBe(-EINVAL);
    expect<i32>(sys_getrandom(0, usize.MAX_VALUE, 0)).toBe(-EINVAL);
    setUserLimits(0x1000_0000, 0);
    const buffer = growMemory(1024, 8);
    setUserLimits(<u64>buffer + 600, 0);
    expect<i32>(sys_getrandom(buffer, 1000, 0)).toBe(-EFAULT);
    let bits: u64 = 0;
    for (let i: usize = 0; i < 1024; i += 8) bits |= load<u64>(buffer + i);
    expect<u64>(bits).toBe(0, "nothing is written when not all can be");
    expect<i32>(sys_getrandom(buffer, 600, 0)).toBe(600);
    expect<i32>(sys_getrandom(buffer, 0, 0)).toBe(0);
    expect<u64>(load<u64>(buffer + 592)).not.toBe(0);
    expect<u64>(load<u64>(buffer + 600)).toBe(0);
    setUserLimits(0x1000_0000, 0);
  });
});

describe("the last process", () => {
  it("ends the machine with the first status that was not 0", () => {
    lastExits = 0;
    endNow(newProcess(), 0);
    expect<i32>(lastExits).toBe(0);
    idle();
    // The spec's machine goes on, and finds nobody to run.
    expect(() => {
      endNow(currentProcess(), 5);
    }).toThrow("it does not return");
    expect<i32>(lastExits).toBe(1);
    expect<i32>(lastStatus).toBe(64 + SIGKILL, "of the first that was killed above");
    expect<usize>(pageTables()).toBe(image(IMAGE_PAGE_TABLES));
    expect<i32>(liveProcesses()).toBe(0);
  });
});
