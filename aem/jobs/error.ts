/**
 * The job of error events (AEM 3.5.2): a delivery was put off because something is short, and the application is told what and how
 * much. It decides: free memory or a descriptor (the delivery is tried again at once), shut the event down, take the data itself, or wait.
 *
 * Source: the process's queues of starved events, `unreported`: each is one report, told once for each time that its delivery was
 * tried, so that reports need no memory. Where there are several error events, one of them gets a report. Reports about anything
 * else than a starved event (`reportError`) have one place: a newer one takes the place of one that was not told yet.
 */
import { EINVAL } from "../../kernel/errno";
import { setUpcallArguments } from "../../kernel/glue";
import { Process, SHORTAGE_KINDS } from "../../kernel/process/process";
import { Waiter, WAKE_SYSTEM } from "../../kernel/scheduler/wait";
import { EVENT_DRAINING, EVENT_ERROR, EVENT_STARVED, PRIORITY_URGENT } from "../abi";
import { activate, again, countActivations } from "../activation";
import { Event, eventOfActivation } from "../event";
import { checkOwnSource } from "../evsystem";
import { eventOfJid } from "../jids";
import { defineSystemJob, DELIVERED, EMPTY } from "../job";

export function defineError(): void {
  defineSystemJob(
    EVENT_ERROR,
    deliver.index,
    occurred.index,
    WAKE_SYSTEM,
    check.index,
    attach.index,
    0,
    PRIORITY_URGENT,
  );
}

/**
 * Something is short for `process`: `errno` (positive: ENOMEM, …), `bytes` wanted. `about`: jid of the event that has to wait for it, or 0.
 * An event that is starved is told of with these numbers; `dispatchNext` has reported it already.
 */
export function reportError(process: Process, about: i32, errno: i32, bytes: u32): void {
  const event = eventOfJid(process, about);
  if (event !== null && event.has(EVENT_STARVED)) {
    event.setLack(errno, bytes);
  } else {
    process.reportAbout = about;
    process.reportErrno = errno;
    process.reportBytes = bytes;
  }
  process.errorWaiters.wake(WAKE_SYSTEM, 0);
}


@inline
function hasReport(process: Process): bool {
  return kindToTell(process) >= 0 || process.reportErrno != 0;
}

/** The kind of shortage (SHORT_*) with the event of the highest priority that was not told of; -1: none. */
function kindToTell(process: Process): i32 {
  let kind = -1;
  let level = -1;
  for (let what: u32 = 0; what < SHORTAGE_KINDS; what++) {
    const top = process.unreported(what).top;
    if (top <= level) continue;
    level = top;
    kind = what;
  }
  return kind;
}

function check(process: Process, argument: u32): i32 {
  return argument == 0 ? checkOwnSource(process, process.errorWaiters) : -EINVAL;
}

function attach(event: Event, argument: u32): void {
  const process = event.process;
  process.errorWaiters.append(event.waiter);
  if (hasReport(process)) activate(event);
}

function occurred(waiter: Waiter, events: u32, detail: u32): void {
  activate(changetype<Event>(waiter));
}

function deliver(event: Event): i32 {
  const process = event.process;
  const what = kindToTell(process);
  if (what >= 0) {
    const unreported = process.unreported(what);
    const level = unreported.top;
    const link = unreported.first(level);
    unreported.remove(link, level);
    process.starved(what).append(link, level);
    const starved = eventOfActivation(link);
    setUpcallArguments(<u32>event.jid, <u32>starved.jid, <u32>-starved.lackErrno, starved.lackBytes, 0);
  } else if (process.reportErrno != 0) {
    setUpcallArguments(
      <u32>event.jid,
      <u32>process.reportAbout,
      <u32>-process.reportErrno,
      process.reportBytes,
      0,
    );
    process.reportErrno = 0;
  } else return EMPTY;
  if (hasReport(process) && !event.has(EVENT_DRAINING)) {
    countActivations(event, 1);
    again(event);
  }
  return DELIVERED;
}
