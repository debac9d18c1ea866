/**
 * The job of limit events (AEM 3.5.4). Source: `reportLimit`, which whoever refuses a call of the process for a limit calls. One
 * call of the handler for each limit that was hit; the same limit hit again before the handler has run is the same call.
 */
import { EINVAL } from "../../kernel/errno";
import { setUpcallArguments } from "../../kernel/glue";
import { LIMIT_KINDS } from "../../kernel/process/limits";
import { Process } from "../../kernel/process/process";
import { Waiter } from "../../kernel/scheduler/wait";
import { EVENT_DRAINING, EVENT_LIMIT, PRIORITY_URGENT } from "../abi";
import { activate, again, countActivations } from "../activation";
import { Event } from "../event";
import { checkOwnSource } from "../evsystem";
import { defineSystemJob, DELIVERED, EMPTY } from "../job";

const ALL: u32 = (1 << LIMIT_KINDS) - 1;

export function defineLimit(): void {
  defineSystemJob(
    EVENT_LIMIT,
    deliver.index,
    occurred.index,
    ALL,
    check.index,
    attach.index,
    0,
    PRIORITY_URGENT,
  );
}

function check(process: Process, argument: u32): i32 {
  return argument == 0 ? checkOwnSource(process, process.limitWaiters) : -EINVAL;
}

function attach(event: Event, argument: u32): void {
  event.process.limitWaiters.append(event.waiter);
}

function occurred(waiter: Waiter, events: u32, detail: u32): void {
  const event = changetype<Event>(waiter);
  event.count |= events;
  activate(event);
}

function deliver(event: Event): i32 {
  const hit = event.count;
  if (hit == 0) return EMPTY;
  const what: u32 = ctz(hit);
  const rest = hit & (hit - 1);
  event.count = rest;
  if (rest != 0) {
    if (!event.has(EVENT_DRAINING)) countActivations(event, 1);
    again(event);
  }
  setUpcallArguments(<u32>event.jid, what, event.process.limitValue(what), 0, 0);
  return DELIVERED;
}
