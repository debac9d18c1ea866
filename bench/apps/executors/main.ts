/**
 * One handler for each executor but the process itself, called by a periodic timer while nothing else runs, one executor after the other. What is measured is
 * counted outside of the guest (bench/executors.ts).
 *
 *     row executors 3, when all have had their turn
 */
import {
  EVF_CAPSULE,
  EVF_FORK,
  EVF_NOCLDWAIT,
  EVF_THREAD,
  EVJOBSHTDN,
  enter_keepalive,
  evctl,
  onTimer,
} from "../../../sdk";
import { row } from "../../../spec/boot/apps/report";

const PERIOD: i64 = 10_000_000;
/** How long each has. */
const TURN: i64 = 700_000_000;

let turn: i32 = 0;
let current: i32 = 0;
// One for each, or the compiler takes the handlers for one.
let threadCalls: i32 = 0;
let childCalls: i32 = 0;
let capsuleCalls: i32 = 0;

function onThread(jid: i32, overrun: i32): void {
  threadCalls++;
}
function inChild(jid: i32, overrun: i32): void {
  childCalls++;
}
function inCapsule(jid: i32, overrun: i32): void {
  capsuleCalls++;
}

function next(jid: i32, overrun: i32): void {
  if (current != 0) evctl(current, EVJOBSHTDN, 0);
  turn++;
  if (turn == 1) current = onTimer(PERIOD, PERIOD, onThread, EVF_THREAD);
  else if (turn == 2) current = onTimer(PERIOD, PERIOD, inChild, EVF_FORK | EVF_NOCLDWAIT);
  else if (turn == 3) current = onTimer(PERIOD, PERIOD, inCapsule, EVF_CAPSULE);
  else {
    evctl(jid, EVJOBSHTDN, 0);
    row("executors", turn - 1);
  }
  if (current < 0) row("refused", turn, current);
}

export function main(): i32 {
  onTimer(TURN, TURN, next);
  return enter_keepalive();
}
