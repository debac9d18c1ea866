/**
 * From an activation to the handler: the hot path.
 *
 *     source ── wake ──> job.occurred ── activate ──> process.pending ── dispatchNext ──> delivery ──> handler
 *     (interrupt, timer, or another process's call)   or process.work       (at the end of a system call of the thread; of a
 *                                                                            clone: in the clone, executors.ts)
 *
 * Activation is in activation.ts, delivery and the handler's return in delivery.ts. Handlers of a thread never nest: `thread.handling` is the one that runs.
 *
 * All of it is O(1), but for two lists that are as long as what has really been activated: events whose data something else
 * took are passed over one by one, and events that wait for memory are tried again when some is freed.
 */
import { EAGAIN } from "../kernel/errno";
import { clearExitWork, WORK_DISPATCH } from "../kernel/glue";
import { PriorityQueue } from "../kernel/priority-queue";
import { CHILD_VAIN } from "../kernel/process/process";
import { waitForHandlers } from "../kernel/scheduler/block";
import { goesOn, settle, settleAt, yieldPoint } from "../kernel/scheduler/preempt";
import { currentThread, noteDispatch } from "../kernel/scheduler/running";
import { Thread } from "../kernel/scheduler/thread";
import { EVENT_PENDING, EVENT_STARVED, EVF_ONESHOT } from "./abi";
import { codeFor, deliver, deliveredTo, finish } from "./delivery";
import { Event, EVENT_DEAD, EVENT_PARTICULAR, eventOfActivation } from "./event";
import { isFunction, launch, renewHandles } from "./executors";
import { DELIVERED, EMPTY, SHORT_FRAMES, SHORT_PLACE } from "./job";
import { handlerGone } from "./jids";
import { countTaken, retry, starve, takingTells } from "./queue";

/** Events without anything to deliver that are passed over between two moments at which interrupts and other threads have their turn. */
const EMPTY_BUDGET: u32 = 32;

/**
 * At the end of a system call: code address of the next handler of the current thread, its arguments set; 0 when the thread goes on with what it did.
 * Other threads run meanwhile if they rank higher. Called by the system-call glue with interrupts off, on the kernel stack.
 */
export function dispatchNext(): usize {
  const thread = currentThread();
  if ((thread.handling | thread.assigned | thread.worker) == 0) return nextHandler(thread);
  if (thread.handling == 0) return laterHandler(thread);
  // The end of a call that a handler made: no other handler runs over it.
  settle(thread.level, false);
  return 0;
}

/** The same when the handler that this gave has returned (an allocator: `result`), and its delivery ends. */
export function dispatchAfter(result: u32): usize {
  const thread = currentThread();
  const code = finish(thread, result);
  if (code != 0) return code;
  return thread.worker == 0 ? nextHandler(thread) : laterHandler(thread);
}

/**
 * The usual case, in a function of its own because it takes 83 instructions so, and 109 as a part of `laterHandler`: the first event is not EVENT_PARTICULAR, and nobody goes before it.
 * With no event, waits for one where the process has nothing else to do.
 */
function nextHandler(thread: Thread): usize {
  const queue = changetype<PriorityQueue>(thread.queue);
  do {
    const top = queue.top;
    if (top < 0) continue;
    const process = thread.process;
    const event = eventOfActivation(queue.first(<u32>top));
    if (event.has(EVENT_PARTICULAR) || takingTells(process) || !goesOn(thread, <u32>top)) break;
    settleAt(thread, <u32>top);
    queue.takeFirst(<u32>top);
    process.waitingCount--;
    event.clear(EVENT_PENDING | EVENT_STARVED);
    const outcome = call_indirect<i32>(event.plainDeliverer, event);
    if (outcome == DELIVERED) return deliveredTo(thread, event);
    // Nothing to be called: only an event with an extra has an allocator.
    codeFor(event, outcome);
    break;
  } while (thread.serving != 0 && waitForHandlers());
  return laterHandler(thread);
}

/** The same in all cases. */
function laterHandler(thread: Thread): usize {
  if (thread.assigned != 0) {
    const event = takeAssigned(thread);
    if (event !== null) return event.handler;
  }
  const process = thread.process;
  const queue = changetype<PriorityQueue>(thread.queue);
  let budget = EMPTY_BUDGET;
  while (true) {
    const top = queue.top;
    if (top < 0) {
      if (thread.serving != 0 && waitForHandlers()) continue;
      if (thread.worker == 0 && settle(process.priority, true) && !queue.isEmpty) continue;
      noteDispatch();
      return 0;
    }
    if (settle(<u32>top, false) && queue.top != top) continue;
    const event = eventOfActivation(queue.takeFirst(top));
    countTaken(process);
    event.clear(EVENT_PENDING | EVENT_STARVED);
    if (isFunction(event) || isForWorker(event, thread)) {
      const outcome = deliver(thread, event);
      if (outcome == DELIVERED) return event.handler;
      const code = codeFor(event, outcome);
      if (code != 0) return code;
    }
    if (--budget == 0) {
      budget = EMPTY_BUDGET;
      yieldPoint();
    }
  }
}

/** Of an event whose handlers do not run on the main thread: whether this thread, a worker, calls one now. Else it has been seen to. */
function isForWorker(event: Event, thread: Thread): bool {
  // The only call of a one-shot event is under way: nothing that occurs meanwhile may have a second one made.
  if (event.handlers != 0 && (<u32>event.flags) & EVF_ONESHOT) return false;
  if (thread.worker != 0) return true;
  const error = launch(event);
  if (error < 0) starve(event, -error, 0, error == -EAGAIN ? SHORT_PLACE : SHORT_FRAMES);
  return false;
}

/** In a clone: the event that it was made for, if there is (still) something to be delivered. */
function takeAssigned(thread: Thread): Event | null {
  const event = changetype<Event>(thread.assigned);
  settle(event.priority, false);
  renewHandles(thread.process);
  thread.assigned = 0;
  // The parent may have ended it, or may have ended itself, meanwhile.
  const outcome = event.has(EVENT_DEAD) ? EMPTY : deliver(thread, event);
  const gone = handlerGone(event);
  if (outcome == DELIVERED) return event;
  clearExitWork(WORK_DISPATCH);
  if (gone) return null;
  codeFor(event, outcome);
  if (outcome < EMPTY) {
    const clone = thread.process;
    clone.childFlags |= CHILD_VAIN;
    // What the process has freed since it made the clone has come too late for this one, and too early for an event that did not starve.
    if (event.process.freed != clone.freedBefore) retry(event);
  }
  return null;
}
