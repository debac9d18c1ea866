/**
 * The job of sockasync_sk: the transitions of a TCP socket's state machine (RFC 9293, 3.3.2), each of them, in order, one for each
 * call of the handler. The event keeps the states that its handler has not seen yet, in 16 places of 4 bits, the oldest lowest. It begins
 * with what the present connection has gone through before the registration (an accepted one is ESTABLISHED already).
 *
 *      63   60                                11    8 7     4 3     0
 *     ├───────┼─ … ──────────────────────────┼───────┼───────┼───────┤
 *     │       │                              │  new  │  new  │  old  │     `count` places are in use: count - 1 transitions
 *     └───────┴─ … ──────────────────────────┴───────┴───────┴───────┘
 *
 * The longest life of a connection is 8 states. 15 transitions at once happen only to an application that connects one socket
 * again and again inside a single handler: then the newest states take each other's place (counted as coalesced), and the chain still has no gap.
 */
import { setUpcallArguments } from "../../kernel/glue";
import { Waiter, WAKE_GONE, WAKE_STATE } from "../../kernel/scheduler/wait";
import { EVENT_SK } from "../abi";
import { again, countActivations, makePending } from "../activation";
import { Event } from "../event";
import { extraOf } from "../extra";
import { defineJob, DELIVERED, EMPTY } from "../job";
import { sourceGone } from "../unregister";

const STATE_BITS: u64 = 4;
const PLACES: u32 = 16;

export function defineSk(): void {
  defineJob(EVENT_SK, deliver.index, occurred.index, WAKE_STATE, 0);
}

function occurred(waiter: Waiter, events: u32, detail: u32): void {
  const event = changetype<Event>(waiter);
  if (events & WAKE_GONE) {
    sourceGone(event, detail);
    return;
  }
  const old = (<u64>(detail >> 8)) & 15;
  const state = (<u64>detail) & 15;
  const count = event.count;
  if (count == 0) {
    if (event.extra != 0 && isMasked(event, <u32>state)) {
      countActivations(event, 1);
      extraOf(event).filtered++;
      return;
    }
    event.data = old | (state << STATE_BITS);
    event.count = 2;
  } else if (count < PLACES) {
    event.data |= state << ((<u64>count) << 2);
    event.count = count + 1;
  } else {
    const last = (<u64>(PLACES - 1)) << 2;
    event.data = (event.data & ~((<u64>15) << last)) | (state << last);
  }
  countActivations(event, 1);
  makePending(event);
}

/** At registration: the transitions that the socket has made already. `history`: net/socket/socket.ts. */
export function replayTransitions(event: Event, history: u32): void {
  let states: u64 = 0;
  let count: u32 = 0;
  for (; history != 0; history >>= 4) {
    states = (states << STATE_BITS) | (history & 15);
    count++;
  }
  if (count < 2) return;
  event.data = states;
  event.count = count;
  countActivations(event, count - 1);
  makePending(event);
}

/** Whether the filter wants no transition into the state. */
function isMasked(event: Event, state: u32): bool {
  const mask = extraOf(event).mask;
  return mask != 0 && ((mask >> state) & 1) == 0;
}

/** Takes transitions that the filter does not want from the front. They stand there because others were ahead of them. */
function skipMasked(event: Event): void {
  while (event.count >= 2 && isMasked(event, ((<u32>event.data) >> 4) & 15)) {
    event.data >>= STATE_BITS;
    event.count = event.count == 2 ? 0 : event.count - 1;
    extraOf(event).filtered++;
  }
}

function deliver(event: Event): i32 {
  if (event.extra != 0) skipMasked(event);
  const count = event.count;
  if (count < 2) return EMPTY;
  const old = (<u32>event.data) & 15;
  const state = ((<u32>event.data) >> 4) & 15;
  event.data >>= STATE_BITS;
  event.count = count == 2 ? 0 : count - 1;
  if (count > 2) again(event);
  setUpcallArguments(<u32>event.jid, <u32>event.fd, old, state, 0);
  return DELIVERED;
}
