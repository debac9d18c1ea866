/**
 * Inheritance (AEM 3.6.4): a fork with FORK_EVENTS gives the child a copy of each event of its parent, on the same source, with the same handler, flags and
 * priority. What was activated in the parent is the parent's: the child hears of what occurs from then on. Filters, time-outs, own memory and statistics are
 * not copied; the copies have jids of their own.
 *
 * There may be a million of them: INHERIT_BUDGET at a time, between which interrupts and other threads have their turn.
 */
import { EDQUOT } from "../kernel/errno";
import { Link } from "../kernel/list";
import { LIMIT_SOURCE_EVENTS, reportLimit } from "../kernel/process/limits";
import { Process } from "../kernel/process/process";
import { createWorkers } from "../kernel/process/workers";
import { yieldPoint } from "../kernel/scheduler/preempt";
import { timerPending } from "../kernel/time/timers";
import { EVENT_ACCEPT, EVENT_SOCK, EVENT_TIMER, EVENTS_PER_SHARED_SOCKET, EVF_THREAD } from "./abi";
import { Event, eventOfOwned } from "./event";
import { startTimer } from "./jobs/timer";
import { copyEvent, listen } from "./registry";
import { weightOf } from "./unregister";

/** A new jid may take a random number, and with every 24th of them the generator makes new ones: 4,400 instructions. */
const INHERIT_BUDGET: i32 = 16;

/** Gives `child`, which does not run yet, the events of `parent`, which is the current process. 0, or why not all of them could be copied. */
export function inheritEvents(parent: Process, child: Process): i32 {
  // Stands in the list behind the last event that was copied: the one before it may go meanwhile.
  const marker = parent.inheritance;
  const events = parent.events;
  events.prepend(marker);
  let budget: i32 = INHERIT_BUDGET;
  let error: i32 = 0;
  while (changetype<usize>(marker.next) != changetype<usize>(events)) {
    const link = marker.next;
    if (wantsWorkers(eventOfOwned(link), child)) {
      error = createWorkers(child);
      if (error < 0) break;
      // Others have run meanwhile: the event may be gone.
      continue;
    }
    marker.remove();
    insertBehind(link, marker);
    error = inherit(eventOfOwned(link), child);
    if (error < 0) break;
    budget -= weightOf(eventOfOwned(link));
    if (budget <= 0) {
      budget = INHERIT_BUDGET;
      yieldPoint();
    }
  }
  marker.remove();
  return error;
}

function wantsWorkers(event: Event, child: Process): bool {
  return ((<u32>event.flags) & EVF_THREAD) != 0 && child.workerCount == 0;
}

function insertBehind(link: Link, marker: Link): void {
  // `prepend` to a member of a list puts behind that member.
  link.prepend(marker);
}

function inherit(event: Event, child: Process): i32 {
  const onSocket = <u32>event.type <= EVENT_SOCK && event.object != 0;
  if (onSocket && <u32>event.socket.events >= EVENTS_PER_SHARED_SOCKET) {
    reportLimit(event.process, LIMIT_SOURCE_EVENTS, EVENTS_PER_SHARED_SOCKET);
    return -EDQUOT;
  }
  const created = copyEvent(event, child);
  if (created < 0) return <i32>created;
  const copy = changetype<Event>(<usize>created);
  const type = <u32>event.type;
  copy.object = event.object;
  const job = event.job;
  if (type == EVENT_TIMER) {
    copy.data = event.data;
    copy.callback = job.occurred;
    if (timerPending(event)) startTimer(copy, event.expires);
    return 0;
  }
  copy.waiter.prepare(job.occurred, job.mask);
  if (type > EVENT_SOCK) {
    call_indirect<void>(job.attach, copy, <u32>event.object);
    return 0;
  }
  if (type == EVENT_ACCEPT) copy.data = event.data;
  if (onSocket) listen(copy, copy.job, event.socket);
  return 0;
}
