/**
 * The job of link events. Source: the network interface, whose driver hears from the device (virtio-net: a configuration interrupt)
 * that the link has come up or gone down. The handler gets the state as it is then, and once right after the registration; changes
 * that come before it has run are one call, also when they cancel out: the link was interrupted.
 */
import { ENODEV } from "../../kernel/errno";
import { setUpcallArguments } from "../../kernel/glue";
import { Process } from "../../kernel/process/process";
import { Waiter, WAKE_SYSTEM } from "../../kernel/scheduler/wait";
import { hasDevice, linkIsUp, networkInterface } from "../../net/interface";
import { EVENT_LINK, EVENTS_PER_SHARED_SOURCE, PRIORITY_DEFAULT } from "../abi";
import { activate } from "../activation";
import { Event } from "../event";
import { checkSharedSource, countMembers, countOwn } from "../evsystem";
import { defineSystemJob, DELIVERED } from "../job";

export function defineLink(): void {
  defineSystemJob(
    EVENT_LINK,
    deliver.index,
    occurred.index,
    WAKE_SYSTEM,
    check.index,
    attach.index,
    0,
    PRIORITY_DEFAULT,
  );
}

function check(process: Process, argument: u32): i32 {
  if (!hasDevice()) return -ENODEV;
  const source = networkInterface().linkWaiters;
  return checkSharedSource(
    process,
    countOwn(source, process),
    countMembers(source, EVENTS_PER_SHARED_SOURCE),
  );
}

function attach(event: Event, argument: u32): void {
  networkInterface().linkWaiters.append(event.waiter);
  activate(event);
}

function occurred(waiter: Waiter, events: u32, detail: u32): void {
  activate(changetype<Event>(waiter));
}

function deliver(event: Event): i32 {
  setUpcallArguments(<u32>event.jid, <u32>linkIsUp(), 0, 0, 0);
  return DELIVERED;
}
