/**
 * The call evsystem: events that are no sockets (AEM 2.5: "callbacks for overload notifications or for whatever critical events").
 * One call for all kinds; what is particular to a kind is in its job (aem/jobs/), as with sockets.
 */
import { EDQUOT, EINVAL, ENOSPC } from "../kernel/errno";
import { Link } from "../kernel/list";
import { LIMIT_SOURCE_EVENTS, reportLimit } from "../kernel/process/limits";
import { currentProcess, Process } from "../kernel/process/process";
import { EVENT_TYPES, EVENTS_PER_SHARED_SOURCE, EVENTS_PER_SOURCE } from "./abi";
import { Event } from "./event";
import { jobOf } from "./job";
import { admitEvent, createEvent } from "./registry";

/**
 * Registers an event of type `kind` (EVENT_MESSAGE .. EVENT_ERROR); `argument` is the type's own (docs/aem-calls.md). Its jid, or a negative
 * errno: -EINVAL: no such kind, or an argument out of range; -EDQUOT, -ENOSPC: as many as there may be; and those of admitEvent.
 */
export function sys_evsystem(kind: u32, argument: u32, flags: u32, handler: u32): i32 {
  if (kind >= EVENT_TYPES) return -EINVAL;
  const job = jobOf(kind);
  if (job.attach == 0) return -EINVAL;
  const admitted = admitEvent(kind, flags, handler);
  if (admitted < 0) return <i32>admitted;
  const refused = call_indirect<i32>(job.check, currentProcess(), argument);
  if (refused != 0) return refused;
  const created = createEvent(kind, flags, admitted);
  if (created < 0) return <i32>created;
  const event = changetype<Event>(<usize>created);
  event.object = argument;
  event.waiter.prepare(job.occurred, job.mask);
  call_indirect<void>(job.attach, event, argument);
  return event.jid;
}

/** For the jobs' `check`: 0, or -EDQUOT when the list of a source that belongs to the process is full. Walks along it. */
export function checkOwnSource(process: Process, source: Link): i32 {
  return countMembers(source, EVENTS_PER_SOURCE) < EVENTS_PER_SOURCE ? 0 : refuse(process, EVENTS_PER_SOURCE);
}

/** The same for a source that all processes share: `total` events are there, `own` of them are this process's. */
export function checkSharedSource(process: Process, own: u32, total: u32): i32 {
  if (own >= EVENTS_PER_SOURCE) return refuse(process, EVENTS_PER_SOURCE);
  if (total < EVENTS_PER_SHARED_SOURCE) return 0;
  reportLimit(process, LIMIT_SOURCE_EVENTS, EVENTS_PER_SHARED_SOURCE);
  return -ENOSPC;
}

/** -EDQUOT, and whoever listens to limits hears of it. */
export function refuse(process: Process, limit: u32): i32 {
  reportLimit(process, LIMIT_SOURCE_EVENTS, limit);
  return -EDQUOT;
}

/** Members of a list, counted up to `most`. */
export function countMembers(head: Link, most: u32): u32 {
  let count: u32 = 0;
  let link = head.next;
  while (count < most && changetype<usize>(link) != changetype<usize>(head)) {
    count++;
    link = link.next;
  }
  return count;
}

/** Events of `process` in a list of events' waiters. */
export function countOwn(head: Link, process: Process): u32 {
  let count: u32 = 0;
  let link = head.next;
  while (changetype<usize>(link) != changetype<usize>(head)) {
    if (changetype<usize>(changetype<Event>(link).process) == changetype<usize>(process)) count++;
    link = link.next;
  }
  return count;
}
