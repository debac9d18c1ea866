/** The call evctl (AEM 4.1): control of one event, or of all events of the process. Operations and errors: docs/aem-calls.md. */
import { EFAULT, EINVAL, EOPNOTSUPP, ESRCH } from "../kernel/errno";
import { readUser, writeUser } from "../kernel/memory/user";
import { currentProcess } from "../kernel/process/process";
import {
  EVENT_DRAINING,
  EVENT_OCCURRED,
  EVENT_PENDING,
  EVENT_REGISTERED,
  EVENT_STOPPED,
  EVJOBFILTER,
  EVJOBFLAGS,
  EVJOBHANDLER,
  EVJOBLOOKUP,
  EVJOBPRIO,
  EVJOBSHTDN,
  EVJOBSTART,
  EVJOBSTAT,
  EVJOBSTOP,
  EVJOBTIMEOUT,
  EventStatistics,
  EVF_PRIORITY_SHIFT,
  EVTBLINIT,
  PRIORITY_LEVELS,
  SHUTDOWN_DELIVER,
  SHUTDOWN_DROP,
  STATISTICS_SIZE,
} from "./abi";
import { makePending } from "./dispatch";
import { Event, EVENT_HELD } from "./event";
import { eventOfJid } from "./jids";
import { heldPriorityChanged, withdraw } from "./limits";
import { drain, unregister, unregisterSome } from "./registry";

/** Where statistics are composed: static data are read-only. */
let scratch: EventStatistics = changetype<EventStatistics>(0);

/** Once at boot. `storage`: STATISTICS_SIZE bytes, 8-aligned. */
export function initializeEvctl(storage: usize): void {
  scratch = changetype<EventStatistics>(storage);
}

/** 0 or a positive value; -ESRCH: the process has no such event; -EINVAL: no such operation or argument; -EOPNOTSUPP; -EFAULT. */
export function sys_evctl(jid: i32, operation: u32, argument: u32): i32 {
  const process = currentProcess();
  if (operation == EVTBLINIT) return <i32>unregisterSome(process, u32.MAX_VALUE);
  if (operation == 0 || operation > EVJOBFLAGS) return -EINVAL;
  const event = eventOfJid(process, jid);
  if (event === null) return -ESRCH;
  switch (operation) {
    case EVJOBPRIO:
      if (argument >= PRIORITY_LEVELS) return -EINVAL;
      event.priority = <u8>argument;
      if (event.has(EVENT_HELD)) heldPriorityChanged(event);
      return 0;
    case EVJOBSHTDN:
      if (argument > SHUTDOWN_DELIVER) return -EINVAL;
      if (argument == SHUTDOWN_DROP) unregister(event);
      else drain(event);
      return 0;
    case EVJOBSTART:
      start(event);
      return 0;
    case EVJOBSTOP:
      stop(event);
      return 0;
    case EVJOBSTAT:
      return writeStatistics(event, argument);
    case EVJOBLOOKUP:
      return <i32>stateOf(event);
    case EVJOBFILTER:
    case EVJOBTIMEOUT:
    case EVJOBHANDLER:
    case EVJOBFLAGS:
      return -EOPNOTSUPP;
    default:
      return -EINVAL;
  }
}

/** No handler is called until `start`. What occurs, or waits already, is one activation then; a draining event ignores it. */
function stop(event: Event): void {
  if (event.has(EVENT_STOPPED | EVENT_DRAINING)) return;
  if (event.has(EVENT_PENDING)) {
    withdraw(event);
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
  return EVENT_REGISTERED | ((<u32>event.state) & 0xff);
}

function writeStatistics(event: Event, user: usize): i32 {
  const s = scratch;
  if (readUser(changetype<usize>(s), user, 4) < 0) return -EFAULT;
  const size = min(s.size, STATISTICS_SIZE);
  if (size < 4) return -EINVAL;
  s.size = size;
  s.state = stateOf(event);
  s.type = event.job.type;
  s.flags = (<u32>event.flags) | ((<u32>event.priority + 1) << EVF_PRIORITY_SHIFT);
  s.priority = event.priority;
  s.fd = event.fd;
  s.waiting = event.waiting;
  s.reserved = 0;
  s.activations = event.activations;
  s.handled = event.handled;
  s.coalesced = event.activations - event.handled - event.waiting;
  s.errors = event.errors;
  return writeUser(user, changetype<usize>(s), size);
}
