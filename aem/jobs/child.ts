/**
 * The job of child events. Source: the children of the process that have ended (kernel/process/end.ts). One of them for each call of the handler, first
 * ended first told, and with that it is waited for: `waitpid` beside an event gets whichever the event has not told yet.
 */
import { ECHILD } from "../../kernel/errno";
import { setUpcallArguments } from "../../kernel/glue";
import { release } from "../../kernel/process/end";
import { zombieOf } from "../../kernel/process/family";
import { Process, processOfPid } from "../../kernel/process/process";
import { POLLIN, Waiter } from "../../kernel/scheduler/wait";
import { EVENT_CHILD, PRIORITY_DEFAULT } from "../abi";
import { activate, again, countActivations } from "../activation";
import { Event } from "../event";
import { checkOwnSource } from "../evsystem";
import { defineSystemJob, DELIVERED, EMPTY } from "../job";

export function defineChild(): void {
  defineSystemJob(
    EVENT_CHILD,
    deliver.index,
    occurred.index,
    POLLIN,
    check.index,
    attach.index,
    0,
    PRIORITY_DEFAULT,
  );
}

/** `pid`: the child that is of interest; 0: each. */
function check(process: Process, pid: u32): i32 {
  if (pid != 0) {
    const child = processOfPid(<i32>pid);
    if (child === null || changetype<usize>(child.parent) != changetype<usize>(process)) return -ECHILD;
  }
  return checkOwnSource(process, process.childWait);
}

function attach(event: Event, pid: u32): void {
  const process = event.process;
  event.waiter.level = event.priority;
  process.childWait.join(event.waiter);
  if (next(event) !== null) activate(event);
}

/** `detail`: the child's pid. */
function occurred(waiter: Waiter, events: u32, detail: u32): void {
  const event = changetype<Event>(waiter);
  if (event.object == 0 || event.object == detail) activate(event);
}

/** The next child that the event has to tell of. */
function next(event: Event): Process | null {
  return zombieOf(event.process, event.object == 0 ? -1 : <i32>event.object);
}

function deliver(event: Event): i32 {
  const child = next(event);
  if (child === null) return EMPTY;
  setUpcallArguments(<u32>event.jid, <u32>child.pid, <u32>child.status, 0, 0);
  release(child);
  if (event.object == 0 && next(event) !== null) {
    countActivations(event, 1);
    again(event);
  }
  return DELIVERED;
}
