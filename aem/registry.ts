/**
 * Registration: an event comes to be (how it goes is in unregister.ts). All that can fail fails here, so that nothing can fail later: the handler is
 * resolved and type-checked once, memory is taken, the place in the queue of activations is inside the event.
 */
import { EBADF, EDQUOT, EINVAL, ENOMEM, ENOSPC, EOPNOTSUPP } from "../kernel/errno";
import { logDecimal, logEnd, LOG_WARNING, logStart, logText } from "../kernel/console";
import { HANDLE_SOCKET, handleObject } from "../kernel/process/handles";
import {
  LIMIT_EVENTS,
  LIMIT_SOURCE_EVENTS,
  LIMIT_SYSTEM_EVENTS,
  reportLimit,
} from "../kernel/process/limits";
import { resolveHandler } from "../kernel/process/module";
import { currentProcess, notifyThread, Process } from "../kernel/process/process";
import { usageOf } from "../kernel/process/usage";
import { addTimerLevel } from "../kernel/time/timers";
import { rankSocket } from "../net/socket/rank";
import { SOCK_STREAM, Socket, SOCKET_LISTENING } from "../net/socket/socket";
import {
  EVENT_ACCEPT,
  EVENT_CLOSE,
  EVENT_ERROR,
  EVENT_LINK,
  EVENT_MESSAGE,
  EVENT_READ,
  EVENT_SK,
  EVENT_TIMER,
  EVENTS_PER_SOCKET,
  EVF_EXECUTORS,
  EVF_KEEPALIVE,
  EVF_KNOWN,
  EVF_PRIORITY_MASK,
  EVF_PRIORITY_SHIFT,
  HANDLER_ALLOCATOR,
  PRIORITY_LEVELS,
} from "./abi";
import { Event, EVENT_PARTICULAR } from "./event";
import { isFunction, prepareExecutor } from "./executors";
import { allocateEvent, eventPool } from "./jids";
import { EventJob, jobOf } from "./job";
import { readerComes } from "./jobs/shared";
import { checkEventLimits, countForbidden, isForbidden } from "./limits";

/** Most events of one process. */
let processLimit: u32 = 0;

export function setProcessLimit(events: u32): void {
  processLimit = events;
}

/**
 * Whether the current process may register such an event now: > 0 the handler's code address, for `createEvent`, else a negative errno. Others may run
 * meanwhile (threads are made), so this is the first thing to do: whatever else is looked at stays as it is until the event is there.
 */
export function admitEvent(type: u32, flags: u32, handler: u32): i64 {
  const process = currentProcess();
  if (isForbidden(process.module, type, flags)) return countForbidden(process);
  const refused = checkFlags(flags);
  if (refused != 0) return refused;
  if ((flags & EVF_EXECUTORS) == 0) return admitHandler(process, type, handler);
  const unavailable = prepareExecutor(process, flags);
  return unavailable != 0 ? unavailable : admitHandler(process, type, handler);
}

/** The same where the executor is there. */
function admitHandler(process: Process, type: u32, handler: u32): i64 {
  const code = resolveHandler(process, handler, type);
  if (code == 0) {
    logBadHandler(process, type, handler);
    return -EINVAL;
  }
  if (process.eventCount >= processLimit) {
    reportLimit(process, LIMIT_EVENTS, processLimit);
    return -EDQUOT;
  }
  const exceeded = checkEventLimits(process, type);
  return exceeded != 0 ? exceeded : <i64>code;
}

/** An event of the current process that listens to nothing yet: > 0 its address, else a negative errno. `admitted`: what admitEvent gave. */
// @ts-ignore: decorator
@inline
export function createEvent(type: u32, flags: u32, admitted: i64): i64 {
  if (admitted < 0) return admitted;
  const priority = (flags & EVF_PRIORITY_MASK) >> EVF_PRIORITY_SHIFT;
  const level = priority == 0 ? jobOf(type).priority : priority - 1;
  return makeEvent(currentProcess(), type, flags, level, <usize>admitted);
}

/**
 * A copy of an event for another process, whose executor is there, on the same descriptor, that listens to nothing yet: > 0 its address, else a
 * negative errno.
 */
export function copyEvent(original: Event, process: Process): i64 {
  const type = <u32>original.type;
  const flags = <u32>original.flags;
  const created = makeEvent(process, type, flags, original.priority, original.handler);
  if (created > 0) changetype<Event>(<usize>created).fd = original.fd;
  return created;
}

function makeEvent(process: Process, type: u32, flags: u32, priority: u32, code: usize): i64 {
  // Its own timer, its time-out, and what its handler waits for.
  if (!addTimerLevel(priority)) return -ENOMEM;
  const event = allocateEvent();
  if (event === null) {
    reportLimit(process, LIMIT_SYSTEM_EVENTS, eventPool().limit);
    return -ENOSPC;
  }
  event.initialize();
  event.activation.initialize();
  event.process = process;
  event.type = <u8>type;
  event.handler = code;
  event.fd = -1;
  event.flags = <u8>flags;
  event.priority = <u8>priority;
  if (!isFunction(event) || process.module.activationLimit != 0) event.mark(EVENT_PARTICULAR);
  process.events.append(event.owned);
  process.eventCount++;
  usageOf(process).addEventOfType(type, 1);
  if (flags & EVF_KEEPALIVE) keepaliveGained(process);
  return <i64>changetype<usize>(event);
}

/** Registers an event of `type` on socket `fd`: its jid, or a negative errno. `data`: the type's own. */
export function registerOnSocket(type: u32, fd: i32, flags: u32, handler: u32, data: u64): i32 {
  const object = handleObject(currentProcess(), fd, HANDLE_SOCKET);
  if (object == 0) return -EBADF;
  const socket = changetype<Socket>(object);
  const admitted = admitEvent(type, flags, handler);
  if (admitted < 0) return <i32>admitted;
  const refused = checkSocket(type, socket);
  if (refused != 0) return refused;
  const created = createEvent(type, flags, admitted);
  if (created < 0) return <i32>created;
  const event = changetype<Event>(<usize>created);
  event.fd = fd;
  event.object = object;
  event.data = data;
  const job = jobOf(type);
  listen(event, job, socket);
  // What came before the registration is reported too, as if the socket told it now.
  const held = job.initial != 0 ? call_indirect<u32>(socket.protocol.poll, socket) & job.initial : 0;
  if (held != 0) call_indirect<void>(job.occurred, event.waiter, held, 0);
  return event.jid;
}

/** The event listens to the socket from now on; so many do that there is room for it. */
// @ts-ignore: decorator
@inline
export function listen(event: Event, job: EventJob, socket: Socket): void {
  event.waiter.prepare(job.occurred, job.mask, event.priority);
  if (job.type == EVENT_READ) readerComes(event, socket);
  socket.events++;
  socket.join(event.waiter);
  rankSocket(socket);
}

/** An event that listens to a socket has another priority. */
export function listenAnew(event: Event, socket: Socket): void {
  event.waiter.level = event.priority;
  event.waiter.remove();
  socket.join(event.waiter);
  rankSocket(socket);
}

/** 0, or the errno for flags that are unknown. */
export function checkFlags(flags: u32): i32 {
  if (flags & ~EVF_KNOWN) return -EINVAL;
  return (flags & EVF_PRIORITY_MASK) >> EVF_PRIORITY_SHIFT > PRIORITY_LEVELS ? -EINVAL : 0;
}

/** 0, or the errno why such an event makes no sense on that socket. */
function checkSocket(type: u32, socket: Socket): i32 {
  const listening = (socket.flags & SOCKET_LISTENING) != 0;
  if (socket.type != SOCK_STREAM) {
    if (type == EVENT_ACCEPT || type == EVENT_CLOSE || type == EVENT_SK) return -EOPNOTSUPP;
  } else if (type == EVENT_ACCEPT) {
    if (!listening) return -EINVAL;
  } else if (type == EVENT_READ || type == EVENT_CLOSE) {
    if (listening) return -EINVAL;
  }
  if (<u32>socket.events < EVENTS_PER_SOCKET) return 0;
  reportLimit(currentProcess(), LIMIT_SOURCE_EVENTS, EVENTS_PER_SOCKET);
  return -EDQUOT;
}

/** An event with EVF_KEEPALIVE comes, or goes. */
export function keepaliveGained(process: Process): void {
  process.keepaliveEvents++;
  process.keepaliveEnded = 0;
}

export function keepaliveLost(process: Process): void {
  if (--process.keepaliveEvents != 0) return;
  process.keepaliveEnded = 1;
  notifyThread(process.thread, process.priority);
}

// ---- The log line for a handler that does not fit ----

export function logBadHandler(process: Process, type: u32, handler: u32): void {
  if (!logStart(LOG_WARNING, "aem")) return;
  logText("process ");
  logDecimal(process.pid);
  logText(": table entry ");
  logDecimal(handler);
  logText(" is no handler of this kind; expected ");
  if (type == EVENT_ACCEPT) logText("(jid: i32, fd: i32, newfd: i32) => void");
  else if (type == EVENT_READ) logText("(jid: i32, fd: i32, data: i32, length: i32, from: i32) => void");
  else if (type == EVENT_CLOSE) logText("(jid: i32, fd: i32, error: i32) => void");
  else if (type == EVENT_SK) logText("(jid: i32, fd: i32, oldState: i32, newState: i32) => void");
  else if (type == HANDLER_ALLOCATOR) logText("(bytes: i32) => i32");
  else if (type == EVENT_TIMER) logText("(jid: i32, overrun: i32) => void");
  else if (type == EVENT_MESSAGE) logText("(jid: i32, from: i32, data: i32, length: i32) => void");
  else if (type == EVENT_LINK) logText("(jid: i32, up: i32) => void");
  else if (type == EVENT_ERROR) logText("(jid: i32, about: i32, errno: i32, bytes: i32) => void");
  else if (type > EVENT_TIMER) logText("three parameters, all i32, and no result");
  else logText("(jid: i32, fd: i32, events: i32, error: i32) => void");
  logEnd();
}
