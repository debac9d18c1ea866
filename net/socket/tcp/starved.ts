/**
 * Connections whose application was refused room, or whose peer was not offered any, because packet buffers were scarce in the whole machine: no
 * acknowledgement of theirs will tell them when that is over, so a timer looks after them.
 */
import { ENOBUFS } from "../../../kernel/errno";
import { Link } from "../../../kernel/list";
import { POLLOUT } from "../../../kernel/scheduler/wait";
import { now } from "../../../kernel/time/clock";
import { Timer, timerPending, timerPrepare, timerStartAt } from "../../../kernel/time/timers";
import { receiveLevel } from "../../levels";
import { ACK_NOW, connectionOfLink, IS_STARVED, NO_SPACE, TcpConnection } from "./connection";
import { RESOURCE_RETRY } from "./parameters";
import { pend } from "./pending";
import { MAY_RECEIVE, stateIn } from "./state";
import { sendAck } from "./transmit";
import { buffersScarce, windowUpdateDue } from "./window";

/** How many have their turn at once: less than 15,000 instructions. */
const STEP: i32 = 8;

let list: Link = changetype<Link>(0);
let timer: Timer = changetype<Timer>(0);

/** `head`: room for a Link; `clock`: for a Timer; `callback`: index of `feedStarved`. */
export function initializeStarved(head: Link, clock: Timer, callback: u32): void {
  list = head;
  list.initialize();
  timer = clock;
  timerPrepare(timer, callback);
}

export function starve(c: TcpConnection): void {
  if (c.has(IS_STARVED)) return;
  c.status |= IS_STARVED;
  list.append(c.queueLink);
  if (!timerPending(timer)) timerStartAt(timer, now() + RESOURCE_RETRY, receiveLevel);
}

export function unstarve(c: TcpConnection): void {
  if (!c.has(IS_STARVED)) return;
  c.status &= ~IS_STARVED;
  c.queueLink.remove();
}

/** The peer is to hear of the room that there is, as soon as it may be offered. */
export function offerWindow(c: TcpConnection): void {
  if (buffersScarce(4)) return starve(c);
  // Without a route the peer's probe asks for it.
  if (sendAck(c) != -ENOBUFS) return;
  c.status |= ACK_NOW;
  pend(c);
}

/** Call-back of the timer. Each that is told takes what it can; who comes away empty queues again behind the others. */
export function feedStarved(_: Timer): void {
  for (let i = 0; i < STEP && !list.isEmpty && !buffersScarce(4); i++) {
    const c = connectionOfLink(list.next);
    unstarve(c);
    if (stateIn(c.state, MAY_RECEIVE) && windowUpdateDue(c)) offerWindow(c);
    // Who has as much in the queue as may be there hears when it is less (acknowledge.ts).
    if (!c.has(NO_SPACE) || c.sendBuffers >= c.sendLimit) continue;
    c.status &= ~NO_SPACE;
    c.wake(POLLOUT, 0);
  }
  if (!list.isEmpty) timerStartAt(timer, now() + RESOURCE_RETRY, receiveLevel);
}
