/**
 * Connections that have something to send since segments came: an acknowledgement, or data that one of the peer's has let out. They send when all segments that wait have
 * been dealt with, so that one acknowledgement goes for all of them (RFC 9293, 3.10.7.4: MUST-58, MUST-59), and some segments at a time (send.ts), each connection in its
 * turn, so that no section with interrupts off depends on how much it is.
 *
 * There is a list for each level of priority: it is work of the level of the connection (kernel/interrupts/polls.ts).
 */
import { Link } from "../../../kernel/list";
import {
  leavePoll,
  POLL_PACKETS,
  POLL_RECEIVE,
  POLL_SEND,
  pollsLeft,
  setPoll,
} from "../../../kernel/interrupts/polls";
import { connectionOfPending, TcpConnection } from "./connection";

const LEVELS: u32 = 64;
const LINK_SIZE: usize = offsetof<Link>();

/** Bytes of storage for initializePending. */
const PATIENCES: usize = <usize>LEVELS * LINK_SIZE;
export const PENDING_STORAGE: usize = PATIENCES + <usize>LEVELS;

/**
 * Rounds of frames or packets for whose end acknowledgements wait: about as many as a full receive queue takes. Where more come all the time, they do not wait for ever: then
 * all that are in the list have their turn, a step beside each round.
 */
const PATIENCE: u8 = 32;

/** A list for each level, then how many rounds more it waits, one byte each. */
let lists: usize = 0;

/** Once at boot, after initializePolls. `poll`: index of a poll's function, see setPoll. */
export function initializePending(storage: usize, poll: u32): void {
  lists = storage;
  for (let level: u32 = 0; level < LEVELS; level++) {
    listOf(level).initialize();
    setPatience(level, PATIENCE);
  }
  setPoll(POLL_SEND, poll);
}

// @ts-ignore: decorator
@inline
function listOf(level: u32): Link {
  return changetype<Link>(lists + <usize>level * LINK_SIZE);
}

// @ts-ignore: decorator
@inline
function setPatience(level: u32, rounds: u8): void {
  store<u8>(lists + <usize>level, rounds, PATIENCES);
}

/** `c` has something to send, or more. */
export function pend(c: TcpConnection): void {
  if (!c.pendingLink.isEmpty) return;
  listOf(c.level).append(c.pendingLink);
  leavePoll(POLL_SEND, c.level);
}

// @ts-ignore: decorator
@inline
export function isPending(c: TcpConnection): bool {
  return !c.pendingLink.isEmpty;
}

/** It is at its end, or has done so. */
// @ts-ignore: decorator
@inline
export function unpend(c: TcpConnection): void {
  c.pendingLink.remove();
}

/** Its level is another one. */
export function pendingRanked(c: TcpConnection): void {
  if (c.pendingLink.isEmpty) return;
  c.pendingLink.remove();
  pend(c);
}

/** The next one of a level, which is out of the list; null: there is none. */
export function takePending(level: u32): TcpConnection | null {
  const list = listOf(level);
  if (list.isEmpty) return null;
  const c = connectionOfPending(list.next);
  unpend(c);
  return c;
}

/** There is one of this level. If not, who comes next waits anew. */
export function anyPending(level: u32): bool {
  if (!listOf(level).isEmpty) return true;
  setPatience(level, PATIENCE);
  return false;
}

/** Whether those of a level have to wait for segments that have come and were not looked at yet. */
export function mustWait(level: u32): bool {
  if ((pollsLeft(POLL_RECEIVE) | pollsLeft(POLL_PACKETS)) >> level == 0) return false;
  const patience = load<u8>(lists + <usize>level, PATIENCES);
  if (patience == 0) return false;
  setPatience(level, patience - 1);
  return true;
}
