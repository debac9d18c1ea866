/**
 * The job of overload events. Source: how many activated events of the process wait for their handlers, or for memory. Activated when
 * there are `limit` of them; again only after there have been fewer than half as many. Handlers that tell of trouble run ahead of the others.
 */
import { EINVAL } from "../../kernel/errno";
import { setUpcallArguments } from "../../kernel/glue";
import { Process } from "../../kernel/process/process";
import { Waiter, WAKE_SYSTEM } from "../../kernel/scheduler/wait";
import { EVENT_OVERLOAD, EVENTS_PER_SOURCE, PRIORITY_URGENT } from "../abi";
import { activate } from "../activation";
import { Event } from "../event";
import { refuse } from "../evsystem";
import { defineSystemJob, DELIVERED } from "../job";

export function defineOverload(): void {
  defineSystemJob(
    EVENT_OVERLOAD,
    deliver.index,
    occurred.index,
    WAKE_SYSTEM,
    check.index,
    attach.index,
    detach.index,
    PRIORITY_URGENT,
  );
}

function check(process: Process, limit: u32): i32 {
  if (limit == 0 || limit == u32.MAX_VALUE) return -EINVAL;
  return process.overload.count(EVENTS_PER_SOURCE) < EVENTS_PER_SOURCE
    ? 0
    : refuse(process, EVENTS_PER_SOURCE);
}

function attach(event: Event, limit: u32): void {
  const process = event.process;
  const threshold = event.threshold;
  threshold.trigger = limit;
  threshold.release = max<u32>(limit >> 1, 1);
  process.overload.add(threshold, process.waitingCount);
}

function detach(event: Event): void {
  event.process.overload.update();
}

function occurred(waiter: Waiter, events: u32, detail: u32): void {
  activate(changetype<Event>(waiter));
}

function deliver(event: Event): i32 {
  setUpcallArguments(<u32>event.jid, event.process.waitingCount, event.threshold.trigger, 0, 0);
  return DELIVERED;
}
