/**
 * The end of threads.
 */
import { deferPolls } from "../interrupts/polls";
import { timerStop } from "../time/timers";
import { readyRemove } from "./ready";
import { chargeRunning, freeLater, running } from "./running";
import { schedule } from "./scheduler";
import { destroyThread, Thread, THREAD_DEAD, THREAD_WAITING } from "./thread";

/** Ends the current thread. Never returns. */
export function exitThread(): void {
  // Whoever comes next has not run for this long.
  chargeRunning();
  running.state = THREAD_DEAD;
  freeLater(running);
  // It may have been ended by a poll, to which nobody returns.
  deferPolls(0);
  schedule();
}

/** Takes a thread that is not running out of whatever it waits in, and frees it; later, when the processor idles on its stack. */
export function killThread(thread: Thread): void {
  stopThread(thread);
  if (changetype<usize>(thread) == changetype<usize>(running)) freeLater(thread);
  else destroyThread(thread);
}

/** A thread that is not running never does again: out of the run queue, of its process's queue, of what it waits on. It is still to be freed. */
export function stopThread(thread: Thread): void {
  if (!thread.isEmpty) {
    if (thread.state == THREAD_WAITING) thread.process.waiting.remove(thread, thread.priority);
    else readyRemove(thread, thread.priority);
  }
  thread.waiter.remove();
  timerStop(thread.timer);
  thread.state = THREAD_DEAD;
}
