/** How an event goes: at once, when what it has been activated for is delivered, or with its socket or its process. */
import { Process } from "../kernel/process/process";
import { usageOf } from "../kernel/process/usage";
import { yieldPoint } from "../kernel/scheduler/preempt";
import { Waiter } from "../kernel/scheduler/wait";
import { timerStop } from "../kernel/time/timers";
import { rankSocket } from "../net/socket/rank";
import { Socket } from "../net/socket/socket";
import {
  EVENT_CLOSE,
  EVENT_DRAINING,
  EVENT_ENDED,
  EVENT_MEMORY,
  EVENT_MESSAGE,
  EVENT_OCCURRED,
  EVENT_OVERLOAD,
  EVENT_PENDING,
  EVENT_READ,
  EVENT_SK,
  EVENT_SOCK,
  EVENT_STOPPED,
  EVF_KEEPALIVE,
} from "./abi";
import { makePending } from "./activation";
import { withdraw } from "./queue";
import { Event, EVENT_ALLOCATING, EVENT_DEAD, eventOfOwned } from "./event";
import { isCloned } from "./executors";
import { dropExtra } from "./extra";
import { eventOfJid, forgetJid, releaseEvent } from "./jids";
import { jobOf } from "./job";
import { connectionLost, readerGone } from "./jobs/close";
import { dropMessages } from "./jobs/message";
import { gatherReaders, readerGoes, readersGo, readersGone } from "./jobs/shared";
import { keepaliveLost } from "./registry";

/** Whether a waiter in a socket's queue is an event; a blocked thread is the other kind. */
function isEvent(waiter: Waiter): bool {
  for (let type: u32 = 0; type <= EVENT_SOCK; type++)
    if (jobOf(type).occurred == waiter.callback) return true;
  return false;
}

/**
 * Ends an event: from here on its jid is unknown, and nothing of it is delivered any more. Its memory goes at once, or when its
 * handler, which runs now, has returned.
 */
export function unregister(event: Event): void {
  const state = <u32>event.state;
  if (state & EVENT_DEAD) return;
  detach(event);
  if (event.extra != 0) dropExtra(event);
  if (event.has(EVENT_PENDING)) withdraw(event);
  const process = event.process;
  event.owned.remove();
  process.eventCount--;
  usageOf(process).addEventOfType(event.type, -1);
  if ((<u32>event.flags) & EVF_KEEPALIVE) keepaliveLost(process);
  forgetJid(event);
  if (event.handlers != 0) event.mark(EVENT_DEAD);
  else releaseEvent(event);
}

/** The event hears nothing of its source any more. */
export function detach(event: Event): void {
  if (event.job.mask == 0) {
    timerStop(event);
    return;
  }
  event.waiter.remove();
  if (event.job.detach != 0) call_indirect<void>(event.job.detach, event);
  const object = event.object;
  event.object = 0;
  if (object == 0 || event.type > EVENT_SOCK) return;
  changetype<Socket>(object).events--;
  rankSocket(changetype<Socket>(object));
  if (event.job.type != EVENT_READ) return;
  if (!event.has(EVENT_ENDED)) readerGoes(changetype<Socket>(object));
  readerGone(changetype<Socket>(object));
}

/** Whether the event is in the lists of a gauge, where it has no mask. */
@inline
function isGauged(event: Event): bool {
  return event.type == EVENT_MEMORY || event.type == EVENT_OVERLOAD;
}

/** The activation that the event has is still delivered, and then it ends: at once when it has none. */
export function drain(event: Event): void {
  // A clone that was made for an activation may not have fetched it yet.
  const cloned = event.handlers != 0 && isCloned(event);
  if (!cloned && !event.has(EVENT_PENDING | EVENT_OCCURRED | EVENT_ALLOCATING)) {
    unregister(event);
    return;
  }
  if (event.job.mask == 0) timerStop(event);
  else if (isGauged(event)) detach(event);
  else event.waiter.deafen();
  // Stopped or not: what a clone that never gets to it gives back is delivered as well.
  const occurred = event.has(EVENT_OCCURRED);
  event.clear(EVENT_STOPPED | EVENT_OCCURRED);
  if (occurred) makePending(event);
  event.mark(EVENT_DRAINING);
}

/**
 * For the callbacks of the jobs: the socket goes away (WAKE_GONE). The application has closed it: then its events end without a
 * word. Else the transport gave it up: a close event says so, if it has not spoken yet, and what an sk event has recorded is still delivered.
 */
export function sourceGone(event: Event, closed: u32): void {
  const type = event.job.type;
  if (type == EVENT_READ) readersGo(event.socket);
  if (closed != 0 || (type != EVENT_SK && type != EVENT_CLOSE)) {
    unregister(event);
    return;
  }
  if (type == EVENT_CLOSE) connectionLost(event);
  detach(event);
  drain(event);
}

/** The process has closed a socket that another process still has open: its own events on it end. */
export function socketClosed(socket: Socket, process: Process): void {
  const readers = socket.readers;
  gatherReaders(true);
  let link = socket.next;
  while (changetype<usize>(link) != changetype<usize>(socket)) {
    const waiter = changetype<Waiter>(link);
    link = link.next;
    if (!isEvent(waiter)) continue;
    const event = changetype<Event>(waiter);
    if (changetype<usize>(event.process) == changetype<usize>(process)) unregister(event);
  }
  gatherReaders(false);
  if (socket.readers != readers) readersGone(socket);
  // A thread of the process may have waited for it, and have been ended.
  rankSocket(socket);
}

/** Messages that are dropped at a time of an event that is to end. */
const MESSAGES_AT_ONCE: u32 = 4;
/** What counts for more than an event: the others on its socket, EVENTS_PER_SHARED_SOCKET at most, may have to be looked at; a message's block merged once for each order. */
const SOCKET_WEIGHT: i32 = 8;
const MESSAGE_WEIGHT: i32 = 8;

/** What a turn of an event counts for in the budget of whoever ends or copies many. */
export function weightOf(event: Event): i32 {
  const type = <u32>event.type;
  if (type == EVENT_MESSAGE) return 1 + <i32>min(event.count, MESSAGES_AT_ONCE) * MESSAGE_WEIGHT;
  return type <= EVENT_SOCK && event.object != 0 ? SOCKET_WEIGHT : 1;
}

/** Ahead of the end of an event: drops MESSAGES_AT_ONCE of what waits at it, and nobody posts more to its port. True: no messages are left, and it can be ended. */
function emptied(event: Event): bool {
  if (event.type != EVENT_MESSAGE || event.count == 0) return true;
  event.waiter.deafen();
  dropMessages(event, MESSAGES_AT_ONCE);
  return event.count == 0;
}

/** The end of an event in a call of its process: in steps where messages wait at it, between which others run. */
// @ts-ignore: decorator
@inline
export function endEvent(event: Event): void {
  if (event.type != EVENT_MESSAGE || event.count == 0 || emptiedInSteps(event)) unregister(event);
}

/** Drops all messages in steps, of an event that stays meanwhile: its handler counts still. */
// @ts-ignore: decorator
@inline
export function emptyInSteps(event: Event): void {
  while (!emptied(event)) yieldPoint();
}

/** False: it has ended meanwhile. */
function emptiedInSteps(event: Event): bool {
  const process = event.process;
  const jid = event.jid;
  while (!emptied(event)) {
    yieldPoint();
    if (eventOfJid(process, jid) === null) return false;
  }
  return true;
}

/** Ends events of the process, of a weight of about `budget` together; returns how many. */
export function unregisterSome(process: Process, budget: i32): u32 {
  const events = process.events;
  let count: u32 = 0;
  while (budget > 0 && !events.isEmpty) {
    const event = eventOfOwned(events.next);
    budget -= weightOf(event);
    if (!emptied(event)) continue;
    unregister(event);
    count++;
  }
  return count;
}

/** Weight of the events that one step of the end of a process unregisters. */
const EXIT_BUDGET: i32 = 32;

/** The process has ended: unregisters some of its events. True: there are none left. */
export function aemProcessExit(process: Process): bool {
  unregisterSome(process, EXIT_BUDGET);
  return process.events.isEmpty;
}
