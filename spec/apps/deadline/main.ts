/** Two objects with time-outs (sdk/deadline.ts), for spec/apps/deadline.test.ts, which is the kernel. */
import { Deadline, DeadlineList, startDeadlines } from "../../../sdk";

const PERIOD: u32 = 3;

const list = changetype<DeadlineList>(memory.data(offsetof<DeadlineList>(), 8));
const first = changetype<Deadline>(memory.data(offsetof<Deadline>(), 8));
const second = changetype<Deadline>(memory.data(offsetof<Deadline>(), 8));
let fallen: i32 = 0;

export function main(): i32 {
  list.initialize(PERIOD, expired);
  return startDeadlines();
}

function member(which: i32): Deadline {
  return which == 0 ? first : second;
}

function expired(deadline: usize): void {
  fallen |= deadline == changetype<usize>(first) ? 1 : 2;
}

export function start(which: i32): void {
  list.start(member(which));
}

export function stop(which: i32): void {
  member(which).stop();
}

/** Bit 0: the first has fallen due; bit 1: the second. */
export function due(): i32 {
  return fallen;
}

/** As a child of `fork` without FORK_EVENTS does. */
export function startAgain(): i32 {
  return startDeadlines();
}
