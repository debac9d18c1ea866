/**
 * A process: an instance of a module in its own window, its threads, its handles, its events, its signals. And the table of all of them.
 *
 * The network and AEM hang their parts here as plain links and addresses (the kernel does not know what an event is). How a process comes to be and
 * ends is in create.ts, fork.ts and end.ts.
 */
import { EAGAIN, ENOMEM } from "../errno";
import { setExitWork, WORK_DISPATCH } from "../glue";
import { allocateFrames, freeFrames, FRAME_SIZE } from "../memory/frames";
import { Link } from "../list";
import { Vmtable } from "../memory/vmtable";
import { PRIORITY_QUEUE_SIZE, PriorityQueue } from "../priority-queue";
import { currentThread } from "../scheduler/running";
import { raiseThread, wakeBlocked } from "../scheduler/wake";
import { Gauge } from "../scheduler/gauge";
import { Thread, THREAD_BLOCKED } from "../scheduler/thread";
import { WaitQueue } from "../scheduler/wait";
import { Timer } from "../time/timers";
import { LIMIT_KINDS } from "./limits";
import { ModuleDescriptor } from "./module";

export const PROCESS_LIMIT: i32 = 255;
const MAP_WORDS: u32 = (<u32>PROCESS_LIMIT + 63) / 64;

/** Is being made, and has never run. */
export const PROCESS_NEW: u32 = 0;
export const PROCESS_ALIVE: u32 = 1;
/** Has ended; what it has goes back bit by bit (end.ts). */
export const PROCESS_DYING: u32 = 2;
/** All has gone back but its pid and status, which its parent has not asked for yet. */
export const PROCESS_ZOMBIE: u32 = 3;

/** Nobody will ask for its status. */
export const CHILD_NO_WAIT: u32 = 1;
/** Runs one handler of an event of its parent, and ends. */
export const CHILD_HANDLER: u32 = 2;
/** The same, but waits for the next one instead of ending. */
export const CHILD_CAPSULE: u32 = 4;
/** Could not be finished for want of memory, and never ran. */
export const CHILD_STILLBORN: u32 = 8;
/** A capsule that could not take what it was given, and has freed nothing since. */
export const CHILD_VAIN: u32 = 16;
/** A capsule whose descriptors, if it has any, are those of an earlier call. */
export const CHILD_STALE: u32 = 32;


@unmanaged
export class Process {
  /** 1 .. PROCESS_LIMIT. */
  pid: i32;
  /** No two processes since boot have the same. */
  serial: u64;
  /** PROCESS_*. */
  state: u32;
  module: ModuleDescriptor;
  /** Its main thread, as long as it is alive. */
  thread: Thread;
  /** PML4. */
  pageTables: usize;
  /** Bytes of linear memory as far as it has grown. */
  memoryBytes: u64;
  vmtable: Vmtable;
  /** Bytes of the vmtable zone. */
  vmtableBytes: u64;
  /** kernel/process/handles.ts */
  handleDirectory: usize;
  handleCapacity: u32;
  handleFree: u32;
  handleCount: u32;
  /** Capacity of the part of the table that is still to be closed: nothing of it is a handle any more. */
  handleClosing: u32;
  /** Signals that have come and were not taken (bit n: signal n), and whom the last one has not interrupted yet (INTERRUPT_*). */
  signals: u32;
  interrupted: u32;
  /** Level of its main code. */
  priority: u32;
  /** The thread that has the memory, and so is the only one of its threads that can run; 0: all of them are blocked. */
  active: Thread;
  /** The thread that ran last of them: the shadow stack's pointer is its. */
  lastThread: Thread;
  /** Processor time it has had, in TSC ticks. */
  cpuTicks: u64;
  /** Ticks it may have in each SHARE_PERIOD (0: as many as there are), ticks it has had, whether they are spent, and the period's timer. */
  share: u64;
  shareUsed: u64;
  shareTimerStorage0: u64;
  shareTimerStorage1: u64;
  shareTimerStorage2: u64;
  shareSpent: u32;
  /** Status it ended with. */
  status: i32;
  /** Who forked or spawned it; 0: nobody that is still there. */
  parent: Process;
  /** CHILD_* bits. */
  childFlags: u32;
  /** Times that it has freed some of what its events may starve for; and of a clone, what that was of its parent when it was launched. */
  freed: u32;
  freedBefore: u32;
  /** Children that are alive, and ended ones that nobody has waited for. */
  childCount: u32;
  private childrenNext: usize;
  private childrenPrev: usize;
  private siblingNext: usize;
  private siblingPrev: usize;
  private zombiesNext: usize;
  private zombiesPrev: usize;
  private childWaitNext: usize;
  private childWaitPrev: usize;
  /** Capsules of it that have nothing to do, and how many it has in all; for a capsule: its place in that list. */
  private capsulesNext: usize;
  private capsulesPrev: usize;
  private capsuleNext: usize;
  private capsulePrev: usize;
  capsuleCount: u32;
  /** Frames kept back for its copies of shared pages (kernel/memory/copy-on-write.ts). */
  promised: u32;
  /** Threads beside the main one (kernel/process/workers.ts): all of them, and those without a handler. */
  private workersNext: usize;
  private workersPrev: usize;
  private idleWorkersNext: usize;
  private idleWorkersPrev: usize;
  workerCount: u32;
  /** Not 0: an event has found no idle worker, and none has been idle since. */
  workersShort: u32;
  /** Not 0: an event of theirs waits for frames. */
  workersLackFrames: u32;
  private eventsNext: usize;
  private eventsPrev: usize;
  private inheritanceNext: usize;
  private inheritancePrev: usize;
  eventCount: u32;
  /** Events registered with EVF_KEEPALIVE; not 0 once the last of them has ended: enter_keepalive returns 0 then. */
  keepaliveEvents: u32;
  keepaliveEnded: u32;
  /** Activated events that wait: pending, starved and held; `overload` is its gauge. And of those the ones that are held. */
  waitingCount: u32;
  heldCount: u32;
  private overloadRise: u32;
  private overloadFall: u32;
  private overloadLists0: u64;
  private overloadLists1: u64;
  /** Who listens to signals (mask: 1 << signal), to limits (1 << LIMIT_*) and to shortages. */
  private signalNext: usize;
  private signalPrev: usize;
  private limitNext: usize;
  private limitPrev: usize;
  private errorNext: usize;
  private errorPrev: usize;
  /** Value of each limit that was reported: LIMIT_KINDS words. */
  private limitValues0: u64;
  private limitValues1: u64;
  private limitValues2: u64;
  private limitValues3: u64;
  private limitValues4: u64;
  private limitValues5: u64;
  private limitValues6: u64;
  private limitValues7: u64;
  /** A shortage that is no starved event's and has not been told: jid, errno (0: none), bytes. */
  reportAbout: i32;
  reportErrno: i32;
  reportBytes: u32;
  /** Bytes of the vmtable blocks of messages that wait. */
  messageBytes: u32;

  /** Activated events whose handlers run on the main thread. */
  @inline get pending(): PriorityQueue {
    return changetype<PriorityQueue>(changetype<usize>(this) + PENDING_OFFSET);
  }

  /** Threads that can run, but wait for the memory. */
  @inline get waiting(): PriorityQueue {
    return changetype<PriorityQueue>(changetype<usize>(this) + WAITING_OFFSET);
  }


  @inline get shareTimer(): Timer {
    return changetype<Timer>(changetype<usize>(this) + offsetof<Process>("shareTimerStorage0"));
  }

  /** How far a fork has come in copying them: a member of `events` meanwhile, and else of no list. */
  @inline get inheritance(): Link {
    return changetype<Link>(changetype<usize>(this) + offsetof<Process>("inheritanceNext"));
  }

  /** All registered events. */
  @inline get events(): Link {
    return changetype<Link>(changetype<usize>(this) + offsetof<Process>("eventsNext"));
  }

  /** Activated events that wait for what is short, of kind `what` < SHORTAGE_KINDS, and of which the error handler has been told. */
  @inline starved(what: u32): PriorityQueue {
    return changetype<PriorityQueue>(
      changetype<usize>(this) + STARVED_OFFSET + <usize>what * 2 * PRIORITY_QUEUE_SIZE,
    );
  }

  /** Those that the error handler has still to hear of. */
  @inline unreported(what: u32): PriorityQueue {
    return changetype<PriorityQueue>(
      changetype<usize>(this) + STARVED_OFFSET + (<usize>what * 2 + 1) * PRIORITY_QUEUE_SIZE,
    );
  }

  /** Activated events for which the queue has no room (aem/limits.ts). */
  @inline get held(): PriorityQueue {
    return changetype<PriorityQueue>(changetype<usize>(this) + HELD_OFFSET);
  }


  @inline get overload(): Gauge {
    return changetype<Gauge>(changetype<usize>(this) + offsetof<Process>("overloadRise"));
  }


  @inline get signalWaiters(): WaitQueue {
    return changetype<WaitQueue>(changetype<usize>(this) + offsetof<Process>("signalNext"));
  }


  @inline get limitWaiters(): WaitQueue {
    return changetype<WaitQueue>(changetype<usize>(this) + offsetof<Process>("limitNext"));
  }


  @inline get errorWaiters(): WaitQueue {
    return changetype<WaitQueue>(changetype<usize>(this) + offsetof<Process>("errorNext"));
  }

  /** `what`: LIMIT_*. */
  limitValue(what: u32): u32 {
    return load<u32>(
      changetype<usize>(this) + ((<usize>(what % LIMIT_KINDS)) << 2),
      offsetof<Process>("limitValues0"),
    );
  }

  setLimitValue(what: u32, value: u32): void {
    store<u32>(
      changetype<usize>(this) + ((<usize>(what % LIMIT_KINDS)) << 2),
      value,
      offsetof<Process>("limitValues0"),
    );
  }

  /** All children, by `sibling`. */
  @inline get children(): Link {
    return changetype<Link>(changetype<usize>(this) + offsetof<Process>("childrenNext"));
  }


  @inline get sibling(): Link {
    return changetype<Link>(changetype<usize>(this) + offsetof<Process>("siblingNext"));
  }

  /** Children that have ended and were not waited for, the first to end first, by `capsule`. */
  @inline get zombies(): Link {
    return changetype<Link>(changetype<usize>(this) + offsetof<Process>("zombiesNext"));
  }

  /** Whoever waits for a child to end. */
  @inline get childWait(): WaitQueue {
    return changetype<WaitQueue>(changetype<usize>(this) + offsetof<Process>("childWaitNext"));
  }

  /** Idle capsules, by `capsule`. */
  @inline get capsules(): Link {
    return changetype<Link>(changetype<usize>(this) + offsetof<Process>("capsulesNext"));
  }


  @inline get capsule(): Link {
    return changetype<Link>(changetype<usize>(this) + offsetof<Process>("capsuleNext"));
  }


  @inline get workers(): Link {
    return changetype<Link>(changetype<usize>(this) + offsetof<Process>("workersNext"));
  }


  @inline get idleWorkers(): Link {
    return changetype<Link>(changetype<usize>(this) + offsetof<Process>("idleWorkersNext"));
  }

  /** Activated events whose handlers run on workers. */
  @inline get work(): PriorityQueue {
    return changetype<PriorityQueue>(changetype<usize>(this) + WORK_OFFSET);
  }
}

/** Kinds of shortage that events wait in (aem/job.ts). */
export const SHORTAGE_KINDS: u32 = 4;

/**
 * A process has two frames of its own; its queues stand behind its fields:
 *
 *     frames   ├ Process ┼ ProcessUsage ┼ TrapReport ┼ pending ┼ held ┼ SHORTAGE_KINDS × { starved ┼ unreported } ┼ waiting ┼ work ┤
 */
const PROCESS_ORDER: u32 = 1;
/** usage.ts. */
export const USAGE_OFFSET: usize = 720;
/** trap.ts. */
export const TRAP_OFFSET: usize = 880;
export const TRAP_SIZE: usize = 216;
const PENDING_OFFSET: usize = TRAP_OFFSET + TRAP_SIZE;
const HELD_OFFSET: usize = PENDING_OFFSET + PRIORITY_QUEUE_SIZE;
const STARVED_OFFSET: usize = HELD_OFFSET + PRIORITY_QUEUE_SIZE;
const WAITING_OFFSET: usize = STARVED_OFFSET + <usize>SHORTAGE_KINDS * 2 * PRIORITY_QUEUE_SIZE;
const WORK_OFFSET: usize = WAITING_OFFSET + PRIORITY_QUEUE_SIZE;
const END_OFFSET: usize = WORK_OFFSET + PRIORITY_QUEUE_SIZE;
/** From here on: the queues that only workers use. Without workers they are empty, and nothing else about them is set. */
const WORKERS_OFFSET: usize = WAITING_OFFSET - 2 * PRIORITY_QUEUE_SIZE;

/** PROCESS_LIMIT slots: address of the process with pid index + 1, or 0. Behind them a map of the free ones, bit n of it for pid n + 1. */
let table: usize = 0;
let freePids: usize = 0;
let aliveCount: i32 = 0;
let serials: u64 = 0;

const TABLE_SIZE: usize = (<usize>PROCESS_LIMIT * 4 + 7) & ~7;
/** Bytes that `initializeProcesses` needs, 8-aligned. */
export const PROCESS_STORAGE: usize = TABLE_SIZE + ((<usize>MAP_WORDS) << 3);

export function initializeProcesses(storage: usize): void {
  table = storage;
  memory.fill(table, 0, TABLE_SIZE);
  freePids = storage + TABLE_SIZE;
  if (offsetof<Process>() > USAGE_OFFSET || END_OFFSET > FRAME_SIZE << PROCESS_ORDER) unreachable();
  memory.fill(freePids, 0xff, (<usize>MAP_WORDS) << 3);
  // The last word's bits beyond the limit are none.
  store<u64>(freePids + ((MAP_WORDS - 1) << 3), u64.MAX_VALUE >>> (<u64>MAP_WORDS * 64 - PROCESS_LIMIT));
  aliveCount = 0;
}


@inline
export function currentProcess(): Process {
  return currentThread().process;
}

/** Zeroed, with its queues and lists empty, and the least free pid. Null: no frames are left, or no pid (`whyNoProcess`). */
export function allocateProcess(): Process | null {
  const pid = freePid();
  if (pid == 0) return null;
  const address = allocateFrames(PROCESS_ORDER);
  if (address == 0) return null;
  memory.fill(address, 0, PENDING_OFFSET);
  const process = changetype<Process>(address);
  process.pid = pid;
  process.serial = ++serials;
  for (let queue = PENDING_OFFSET; queue < WORKERS_OFFSET; queue += PRIORITY_QUEUE_SIZE)
    changetype<PriorityQueue>(address + queue).initialize();
  for (let queue = WORKERS_OFFSET; queue < END_OFFSET; queue += PRIORITY_QUEUE_SIZE)
    changetype<PriorityQueue>(address + queue).levels = 0;
  process.overload.initialize();
  process.signalWaiters.initialize();
  process.limitWaiters.initialize();
  process.errorWaiters.initialize();
  process.events.initialize();
  process.inheritance.initialize();
  process.children.initialize();
  process.sibling.initialize();
  process.zombies.initialize();
  process.childWait.initialize();
  process.capsules.initialize();
  process.capsule.initialize();
  process.workers.initialize();
  process.idleWorkers.initialize();
  setSlot(pid, <u32>address);
  return process;
}

/** It is to have workers. */
export function initializeWorkerQueues(process: Process): void {
  for (let queue = WORKERS_OFFSET; queue < END_OFFSET; queue += PRIORITY_QUEUE_SIZE)
    changetype<PriorityQueue>(changetype<usize>(process) + queue).initialize();
}

/** Its pid is free again. */
export function freeProcess(process: Process): void {
  setSlot(process.pid, 0);
  freeFrames(changetype<usize>(process), PROCESS_ORDER);
}

/** The errno for an `allocateProcess` that gave null. */
export function whyNoProcess(): i32 {
  return freePid() == 0 ? -EAGAIN : -ENOMEM;
}

function freePid(): i32 {
  for (let word: u32 = 0; word < MAP_WORDS; word++) {
    const map = load<u64>(freePids + (word << 3));
    if (map != 0) return <i32>((word << 6) + <u32>ctz(map) + 1);
  }
  return 0;
}

function setSlot(pid: i32, address: u32): void {
  const index = <u32>(pid - 1);
  const word = freePids + ((index >> 6) << 3);
  store<u64>(word, load<u64>(word) ^ ((<u64>1) << (index & 63)));
  store<u32>(table + ((<usize>index) << 2), address);
}

/** The process with this number, which may be any, whatever its state. */
export function processOfPid(pid: i32): Process | null {
  if (pid < 1 || pid > PROCESS_LIMIT) return null;
  return changetype<Process | null>(<usize>load<u32>(table + ((<usize>(pid - 1)) << 2)));
}

/** The process with this number, which is one of those that there are. */
// @ts-ignore: decorator
@inline
export function processNumbered(pid: u32): Process {
  return changetype<Process>(<usize>load<u32>(table + ((<usize>pid) << 2) - 4));
}

/** The one that is alive. */
export function findProcess(pid: i32): Process | null {
  const process = processOfPid(pid);
  return process !== null && process.state == PROCESS_ALIVE ? process : null;
}

export function liveProcesses(): i32 {
  return aliveCount;
}

export function countAlive(change: i32): void {
  aliveCount += change;
}

/** An event of `level` was put into the queue that `thread` serves: lets it be handled as soon as may be. */
// @ts-ignore: decorator
@inline
export function notifyThread(thread: Thread, level: u32): void {
  // Blocked inside a handler it waits for something else: no handler runs over another.
  // In a quiet call it has no use for handlers: the next other call runs them.
  if (thread.state == THREAD_BLOCKED) {
    if ((thread.handling | thread.quiet) == 0) wakeBlocked(thread, level);
    return;
  }
  if (changetype<usize>(thread) == changetype<usize>(currentThread()) && thread.handling == 0)
    setExitWork(WORK_DISPATCH);
  if (thread.priority < level) raiseThread(thread, level);
}

/** Links in lists of processes. */
@inline
export function processOfSibling(link: Link): Process {
  return changetype<Process>(changetype<usize>(link) - offsetof<Process>("siblingNext"));
}


@inline
export function processOfCapsule(link: Link): Process {
  return changetype<Process>(changetype<usize>(link) - offsetof<Process>("capsuleNext"));
}
