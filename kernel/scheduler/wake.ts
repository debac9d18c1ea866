/**
 * Who can run: threads that are woken, and what rank they have. Of the threads of one process only the one that has the memory (`process.active`) can be in the run queue.
 */
import { setExitWork, WORK_RESCHEDULE } from "../glue";
import { Process } from "../process/process";
import { startQuantum } from "./quantum";
import { outranks, readyAppend, readyRemove } from "./ready";
import { noteDispatch, running } from "./running";
import { Thread, THREAD_BLOCKED, THREAD_PARKED, THREAD_RUNNABLE, THREAD_WAITING } from "./thread";

/** Makes a thread runnable, a new one or one that blocked, at `level` or at the level of what it does, whichever is higher. */
export function wakeThread(thread: Thread, level: u32): void {
  if (thread.state == THREAD_BLOCKED) wakeBlocked(thread, level);
}

/** The same for a thread of which it is known that it is blocked. */
export function wakeBlocked(thread: Thread, level: u32): void {
  thread.priority = max(level, thread.level);
  const process = thread.process;
  if (changetype<usize>(process.active) == 0) {
    process.active = thread;
    makeReady(thread, process);
  } else waitForMemory(thread, process);
}

/** Another thread has the memory of the process. */
function waitForMemory(thread: Thread, process: Process): void {
  thread.state = THREAD_WAITING;
  process.waiting.append(thread, thread.priority);
  if (changetype<usize>(process.active) == changetype<usize>(running)) noteDispatch();
  raiseThread(process.active, thread.priority);
}

/**
 * A thread that has its process's memory joins the run queue. The one on whose stack the scheduler waits need not: `schedule` sees that it can
 * go on.
 */
// @ts-ignore: decorator
@inline
function makeReady(thread: Thread, process: Process): void {
  if (process.shareSpent != 0) thread.state = THREAD_PARKED;
  else {
    thread.state = THREAD_RUNNABLE;
    if (changetype<usize>(thread) != changetype<usize>(running)) joinReady(thread);
  }
}

function joinReady(thread: Thread): void {
  readyAppend(thread, thread.priority);
  // While the processor idles there is nobody to preempt.
  if (changetype<usize>(running) != 0 && running.state == THREAD_RUNNABLE) noteReady(thread.priority);
}

// @ts-ignore: decorator
@inline
function noteReady(level: u32): void {
  if (outranks(level, running.priority)) setExitWork(WORK_RESCHEDULE);
  // Now, and not at the switch: where a timer has woken it, the hardware is programmed once for all that.
  startQuantum();
}

/** Work of `level` has been left to the polls: who runs lets it go first, unless it ranks higher; then it counts as one that waits for its turn. */
export function noteWork(level: u32): void {
  // At boot nobody runs yet; and who idles looks for work by itself.
  if (changetype<usize>(running) == 0 || running.state != THREAD_RUNNABLE) return;
  if (!outranks(running.priority, level)) setExitWork(WORK_RESCHEDULE);
  startQuantum();
}

/** Something of `level` waits for what this thread has, or for the thread itself: it does not rank lower until that is done. */
export function raiseThread(thread: Thread, level: u32): void {
  if (thread.priority >= level) return;
  const old = thread.priority;
  thread.priority = level;
  if (thread.isEmpty) return;
  if (thread.state == THREAD_WAITING) {
    const process = thread.process;
    process.waiting.remove(thread, old);
    process.waiting.append(thread, level);
    raiseThread(process.active, level);
    if (changetype<usize>(process.active) == changetype<usize>(running)) noteDispatch();
  } else if (thread.state == THREAD_RUNNABLE) {
    readyRemove(thread, old);
    readyAppend(thread, level);
    noteReady(level);
  }
}

/** The process's next period has begun (quantum.ts). */
export function resume(process: Process): void {
  const thread = process.active;
  if (changetype<usize>(thread) != 0 && thread.state == THREAD_PARKED) makeReady(thread, process);
}

/** The thread that has the memory lets go of it. */
export function handOver(process: Process): void {
  const top = process.waiting.top;
  if (top < 0) {
    process.active = changetype<Thread>(0);
    return;
  }
  const next = changetype<Thread>(process.waiting.first(top));
  process.waiting.remove(next, top);
  process.active = next;
  makeReady(next, process);
}
