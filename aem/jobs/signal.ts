/**
 * The job of signal events. Source: the signals sent to the process by kill. A signal that an event listens to goes to the handler, and
 * neither interrupts a call nor waits for sigtake. Signals that come before the handler has run are one call, as standard signals are
 * one bit (POSIX); how many there were is in the event's statistics. `from` is the last one's sender.
 */
import { EINVAL } from "../../kernel/errno";
import { setUpcallArguments } from "../../kernel/glue";
import { SIGTERM, SIGUSR1, SIGUSR2 } from "../../kernel/process/calls";
import { Process } from "../../kernel/process/process";
import { Waiter } from "../../kernel/scheduler/wait";
import { EVENT_SIGNAL, PRIORITY_DEFAULT } from "../abi";
import { activate } from "../activation";
import { Event } from "../event";
import { checkOwnSource } from "../evsystem";
import { defineSystemJob, DELIVERED } from "../job";

/** What any of its events may listen to: each listens to one of these bits. */
const ANY: u32 = (1 << SIGTERM) | (1 << SIGUSR1) | (1 << SIGUSR2);

export function defineSignal(): void {
  defineSystemJob(
    EVENT_SIGNAL,
    deliver.index,
    occurred.index,
    ANY,
    check.index,
    attach.index,
    0,
    PRIORITY_DEFAULT,
  );
}

function check(process: Process, signal: u32): i32 {
  if (signal > 31 || (ANY & (1 << signal)) == 0) return -EINVAL;
  return checkOwnSource(process, process.signalWaiters);
}

function attach(event: Event, signal: u32): void {
  const bit: u32 = 1 << signal;
  const process = event.process;
  event.data = (<u64>signal) << 32;
  event.waiter.mask = (event.waiter.mask & ~ANY) | bit;
  process.signalWaiters.append(event.waiter);
  if ((process.signals & bit) == 0) return;
  // One that waits for sigtake goes to the handler instead; who sent it is not known any more.
  process.signals &= ~bit;
  if (process.signals == 0) process.interrupted = 0;
  activate(event);
}

/** `detail`: the sender's pid. */
function occurred(waiter: Waiter, events: u32, detail: u32): void {
  const event = changetype<Event>(waiter);
  event.data = (event.data & 0xffff_ffff_0000_0000) | detail;
  activate(event);
}

function deliver(event: Event): i32 {
  setUpcallArguments(<u32>event.jid, <u32>(event.data >> 32), <u32>event.data, 0, 0);
  return DELIVERED;
}
