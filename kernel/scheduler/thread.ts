/**
 * A thread: a kernel stack, and where it left off. Its registers are on that stack while it does not run.
 */
import { Link } from "../list";
import { Timer, TIMER_SIZE } from "../time/timers";
import { Pool } from "../memory/pool";
import { allocateFrames, freeFrames, FRAME_SIZE } from "../memory/frames";
import { prepareStack } from "../hal";
import { PriorityQueue } from "../priority-queue";
import { Process } from "../process/process";
import { Waiter } from "./wait";
import { releaseWaitSet } from "./waitset";

/** In the run queue, or running. */
export const THREAD_RUNNABLE: u32 = 1;
/** Waits for `wakeThread`. A new thread does. */
export const THREAD_BLOCKED: u32 = 2;
/** Will never run again; its stack is freed by whoever runs next. */
export const THREAD_DEAD: u32 = 3;
/** Could run, but another thread has the memory of the process. */
export const THREAD_WAITING: u32 = 4;
/** Could run, but its process has used up its share of the processor. */
export const THREAD_PARKED: u32 = 5;

/** Kernel stack: 2^order frames. */
const STACK_ORDER: u32 = 2;
export const KERNEL_STACK_SIZE: usize = FRAME_SIZE << STACK_ORDER;
/** At its upper end: where FPU and SSE state go when the thread is preempted (fxsave). */
const FPU_AREA: usize = 512;
/** At the lowest word of a kernel stack; looked at in each switch, so that an overflow is found and not only felt. */
export const STACK_CANARY: u64 = 0x6165_6d6f_7353_7441;

/** First: link in the run queue, or in the queue of those that wait for the memory of the process. */
@unmanaged
export class Thread extends Link {
  state: u32;
  process: Process;
  /** Activated events whose handlers run on this thread: one of the process's queues. */
  queue: usize;
  /** The event whose handler runs on it; 0: none; HANDLING_FORKED. AEM's. */
  handling: usize;
  /** User address of the vmtable block that this handler has; 0: none, or the application has kept it. AEM's. */
  block: usize;
  /** Level of what it does: of its handler, or of the process's main code. */
  level: u32;
  /** Level that it is scheduled at: `level`, or that of what waits for it. */
  priority: u32;
  /** Lowest address of the kernel stack. */
  stack: usize;
  /** Stack pointer while it does not run. */
  stackPointer: u64;
  /** When a wait that was begun and restarted ends, in time of now(); 0 when none is under way. */
  deadline: u64;
  /** What woke it from a wait on a queue. */
  woken: u32;
  /** Not 0 while it is blocked in a quiet system call: `quietCall` of kernel/glue.ts, which is this thread's when it runs. */
  quiet: u32;
  /** kernel/scheduler/waitset.ts; 0: it waits on one queue at most. */
  waitSet: usize;
  /**
   * Not 0 while the main code of the process is in enter_keepalive and handlers run: when there are none left, the thread waits for the next one
   * where it asks for it (aem/dispatch.ts), and need not go back into that call.
   */
  serving: u32;
  private waiterStorage0: u64;
  private waiterStorage1: u64;
  private timerStorage0: u64;
  private timerStorage1: u64;
  private timerStorage2: u64;
  private timerStorage3: u64;
  private timerStorage4: u64;
  /** Storage of `member` and `idle`. */
  private memberNext: usize;
  private memberPrev: usize;
  private idleNext: usize;
  private idlePrev: usize;
  /** kernel/process/shadow-stack.ts: its pointer while it does not run. */
  shadowStack: u32;
  /** A handler that this thread runs first of all, without its event being in a queue: of a child that was made for it. AEM's. */
  assigned: usize;
  /** The first of the messages that it is about to post. AEM's. */
  posting: usize;
  /** Not 0: one of its process's workers (kernel/process/workers.ts). */
  worker: u32;

  /** Its place in the wait queue it waits on. */
  @inline get waiter(): Waiter {
    return changetype<Waiter>(changetype<usize>(this) + offsetof<Thread>("waiterStorage0"));
  }

  /** Its place in the list of its process's workers. */
  @inline get member(): Link {
    return changetype<Link>(changetype<usize>(this) + offsetof<Thread>("memberNext"));
  }

  /** Its place in the list of those that have nothing to do. */
  @inline get idle(): Link {
    return changetype<Link>(changetype<usize>(this) + offsetof<Thread>("idleNext"));
  }

  /** Ends a wait with a time limit. */
  @inline get timer(): Timer {
    return changetype<Timer>(changetype<usize>(this) + offsetof<Thread>("timerStorage0"));
  }


  @inline get stackTop(): usize {
    return this.stack + KERNEL_STACK_SIZE - FPU_AREA;
  }


  @inline get fpuArea(): usize {
    return this.stack + KERNEL_STACK_SIZE - FPU_AREA;
  }

  /** Whether a handler can run on it at the end of this system call: some event is pending and none is being handled. */
  @inline get canDispatch(): bool {
    return (!changetype<PriorityQueue>(this.queue).isEmpty || this.assigned != 0) && this.handling == 0;
  }

  /**
   * Whether a signal has come that this thread has not heard of yet; says so once. Main code and handlers on the main thread hear of it
   * separately: a handler's blocking call must not take it from enter_keepalive. Handlers on other threads do not hear of signals.
   */
  @inline takeInterruption(): bool {
    const process = this.process;
    if (process.interrupted == 0 || changetype<usize>(process.thread) != changetype<usize>(this))
      return false;
    const bit = this.handling == 0 ? INTERRUPT_MAIN : INTERRUPT_HANDLER;
    if (!(process.interrupted & bit)) return false;
    process.interrupted &= ~bit;
    return true;
  }
}

/** `handling` of the child of a fork in a handler: the handler runs on in it, but the event is its parent's. */
export const HANDLING_FORKED: usize = 1;

/** Bits of Process.interrupted. */
export const INTERRUPT_MAIN: u32 = 1;
export const INTERRUPT_HANDLER: u32 = 2;


@inline
export function threadOfWaiter(waiter: Waiter): Thread {
  return changetype<Thread>(changetype<usize>(waiter) - offsetof<Thread>("waiterStorage0"));
}


@inline
export function threadOfTimer(timer: Timer): Thread {
  return changetype<Thread>(changetype<usize>(timer) - offsetof<Thread>("timerStorage0"));
}


@inline
export function threadOfMember(link: Link): Thread {
  return changetype<Thread>(changetype<usize>(link) - offsetof<Thread>("memberNext"));
}


@inline
export function threadOfIdle(link: Link): Thread {
  return changetype<Thread>(changetype<usize>(link) - offsetof<Thread>("idleNext"));
}

let threads: Pool = changetype<Pool>(0);
let grave: Thread = changetype<Thread>(0);

/** The main thread of every process that has none any more: nothing wakes it. */
export function graveThread(): Thread {
  return grave;
}

/** Bytes that initializeThreads needs, 8-aligned. */
export const THREAD_STORAGE: usize = ((offsetof<Pool>() + 7) & ~7) + offsetof<Thread>();

/** Once at boot. */
export function initializeThreads(storage: usize, limit: u32): void {
  if (TIMER_SIZE > 40) unreachable();
  threads = changetype<Pool>(storage);
  threads.initialize(offsetof<Thread>(), limit);
  grave = changetype<Thread>(storage + ((offsetof<Pool>() + 7) & ~7));
  grave.initialize();
  grave.state = THREAD_DEAD;
  grave.priority = 63;
}

/**
 * A thread of `process`, blocked, that begins at code address `entry` on the application's stack pointer `stack`; `entry` 0: it returns 0 from the
 * call whose return address is there. Null at the limit or without frames.
 */
export function createThread(process: Process, entry: usize, stack: u64): Thread | null {
  const frames = allocateFrames(STACK_ORDER);
  if (frames == 0) return null;
  const address = threads.allocate();
  if (address == 0) {
    freeFrames(frames, STACK_ORDER);
    return null;
  }
  const thread = changetype<Thread>(address);
  thread.initialize();
  thread.state = THREAD_BLOCKED;
  thread.process = process;
  thread.stack = frames;
  store<u64>(frames, STACK_CANARY);
  thread.stackPointer = prepareStack(thread.stackTop, entry, stack);
  thread.member.initialize();
  thread.idle.initialize();
  thread.waiter.initialize();
  thread.timer.initialize();
  return thread;
}

/** Frees the thread and its kernel stack, which must not be the one in use. */
export function destroyThread(thread: Thread): void {
  releaseWaitSet(thread);
  freeFrames(thread.stack, STACK_ORDER);
  threads.release(changetype<usize>(thread));
}
