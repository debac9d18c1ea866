/** The call evctl (AEM 4.1): control of one event, or of all events of the process. Operations and errors: docs/aem-calls.md. */
import { EINVAL, ESRCH } from "../kernel/errno";
import { currentProcess, Process } from "../kernel/process/process";
import { yieldPoint } from "../kernel/scheduler/preempt";
import {
  EVENT_DRAINING,
  EVENT_HANDLING,
  EVENT_OCCURRED,
  EVENT_PENDING,
  EVENT_REGISTERED,
  EVENT_STARVED,
  EVENT_STOPPED,
  EVJOBALLOCATOR,
  EVJOBBUFFER,
  EVJOBCLEAN,
  EVJOBFILTER,
  EVJOBFLAGS,
  EVJOBHANDLER,
  EVJOBHISTOGRAM,
  EVJOBLOOKUP,
  EVJOBPRIO,
  EVJOBRETRY,
  EVJOBSHTDN,
  EVJOBSTART,
  EVJOBSTAT,
  EVJOBSTOP,
  EVJOBTIMEOUT,
  EVTBLINIT,
  SHUTDOWN_DELIVER,
  SHUTDOWN_DROP,
} from "./abi";
import { clean } from "./clean";
import {
  controlAllocator,
  controlBuffer,
  controlFilter,
  controlFlags,
  controlHandler,
  controlHistogram,
  controlPriority,
  controlStatistics,
  controlTimeout,
} from "./control";
import { makePending } from "./activation";
import { retry, withdraw } from "./queue";
import { Event } from "./event";
import { eventOfJid } from "./jids";
import { drain, endEvent, unregisterSome } from "./unregister";

/** 0 or a positive value; -ESRCH: the process has no such event; -EINVAL: no such operation or argument; others of the operation. */
export function sys_evctl(jid: i32, operation: u32, argument: u32): i32 {
  const process = currentProcess();
  if (operation == EVTBLINIT) return unregisterAll(process);
  if (operation == 0 || operation > EVJOBRETRY) return -EINVAL;
  const event = eventOfJid(process, jid);
  if (event === null) return -ESRCH;
  switch (operation) {
    case EVJOBPRIO:
      return controlPriority(event, argument);
    case EVJOBSHTDN:
      if (argument > SHUTDOWN_DELIVER) return -EINVAL;
      if (argument == SHUTDOWN_DROP) endEvent(event);
      else drain(event);
      return 0;
    case EVJOBSTART:
      start(event);
      return 0;
    case EVJOBSTOP:
      stop(event);
      return 0;
    case EVJOBSTAT:
      return controlStatistics(event, argument, stateOf(event));
    case EVJOBLOOKUP:
      return <i32>stateOf(event);
    case EVJOBFILTER:
      return controlFilter(event, argument);
    case EVJOBTIMEOUT:
      return controlTimeout(event, argument);
    case EVJOBHANDLER:
      return controlHandler(event, argument);
    case EVJOBFLAGS:
      return controlFlags(event, argument);
    case EVJOBCLEAN:
      return clean(event);
    case EVJOBHISTOGRAM:
      return controlHistogram(event, argument);
    case EVJOBBUFFER:
      return controlBuffer(event, argument);
    case EVJOBALLOCATOR:
      return controlAllocator(event, argument);
    case EVJOBRETRY:
      retry(event);
      return 0;
    default:
      return -EINVAL;
  }
}

/** Weight of the events that are ended between two moments at which interrupts and other threads have their turn. */
const END_BUDGET: i32 = 64;

/** How many there were. */
function unregisterAll(process: Process): i32 {
  let ended: u32 = 0;
  while (!process.events.isEmpty) {
    ended += unregisterSome(process, END_BUDGET);
    if (!process.events.isEmpty) yieldPoint();
  }
  return <i32>ended;
}

/** No handler is called until `start`. What occurs, or waits already, is one activation then; a draining event ignores it. */
function stop(event: Event): void {
  if (event.has(EVENT_STOPPED | EVENT_DRAINING)) return;
  if (withdraw(event)) {
    event.clear(EVENT_PENDING | EVENT_STARVED);
    event.mark(EVENT_OCCURRED);
  }
  event.mark(EVENT_STOPPED);
}

function start(event: Event): void {
  if (!event.has(EVENT_STOPPED)) return;
  const occurred = event.has(EVENT_OCCURRED);
  event.clear(EVENT_STOPPED | EVENT_OCCURRED);
  if (occurred) makePending(event);
}

/** Without the bits that only the kernel knows. */
function stateOf(event: Event): u32 {
  return EVENT_REGISTERED | ((<u32>event.state) & 0xff) | (event.handlers != 0 ? EVENT_HANDLING : 0);
}
