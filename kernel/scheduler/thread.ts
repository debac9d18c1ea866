/**
 * A thread: a kernel stack, and where it left off. Its registers are on that stack while it does not run.
 */
import { Link } from "../list";
import { Timer, TIMER_SIZE } from "../time/wheel";
import { Pool } from "../memory/pool";
import { allocateFrames, freeFrames, FRAME_SIZE } from "../memory/frames";
import { prepareStack } from "../hal";
import { Process } from "../process/process";
import { Waiter } from "./wait";
import { releaseWaitSet } from "./waitset";

/** In the run queue, or running. */
export const THREAD_RUNNABLE: u32 = 1;
/** Waits for `wake`. */
export const THREAD_BLOCKED: u32 = 2;
/** Will never run again; its stack is freed by whoever runs next. */
export const THREAD_DEAD: u32 = 3;

/** Kernel stack: 2^order frames. */
const STACK_ORDER: u32 = 2;
export const KERNEL_STACK_SIZE: usize = FRAME_SIZE << STACK_ORDER;
/** At the lowest word of a kernel stack; looked at in each switch, so that an overflow is found and not only felt. */
export const STACK_CANARY: u64 = 0x6165_6d6f_7353_7441;

/** First: link in the run queue. */
@unmanaged
export class Thread extends Link {
  state: u32;
  process: Process;
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
  private reserved: u32;
  private waiterStorage0: u64;
  private waiterStorage1: u64;
  private timerStorage0: u64;
  private timerStorage1: u64;
  private timerStorage2: u64;
  private timerStorage3: u64;
  private timerStorage4: u64;

  /** Its place in the wait queue it waits on. */
  @inline get waiter(): Waiter {
    return changetype<Waiter>(changetype<usize>(this) + offsetof<Thread>("waiterStorage0"));
  }

  /** Ends a wait with a time limit. */
  @inline get timer(): Timer {
    return changetype<Timer>(changetype<usize>(this) + offsetof<Thread>("timerStorage0"));
  }


  @inline get stackTop(): usize {
    return this.stack + KERNEL_STACK_SIZE;
  }
}


@inline
export function threadOfWaiter(waiter: Waiter): Thread {
  return changetype<Thread>(changetype<usize>(waiter) - offsetof<Thread>("waiterStorage0"));
}


@inline
export function threadOfTimer(timer: Timer): Thread {
  return changetype<Thread>(changetype<usize>(timer) - offsetof<Thread>("timerStorage0"));
}

let threads: Pool = changetype<Pool>(0);

/** Once at boot. `storage`: room for a Pool. */
export function initializeThreads(storage: Pool, limit: u32): void {
  if (TIMER_SIZE > 40) unreachable();
  threads = storage;
  threads.initialize(offsetof<Thread>(), limit);
}

/** A thread of `process` that begins at code address `entry` on the application stack; null at the limit or without frames. */
export function createThread(process: Process, entry: usize): Thread | null {
  const stack = allocateFrames(STACK_ORDER);
  if (stack == 0) return null;
  const address = threads.allocate();
  if (address == 0) {
    freeFrames(stack, STACK_ORDER);
    return null;
  }
  const thread = changetype<Thread>(address);
  thread.initialize();
  thread.process = process;
  thread.stack = stack;
  store<u64>(stack, STACK_CANARY);
  thread.stackPointer = prepareStack(thread.stackTop, entry);
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
