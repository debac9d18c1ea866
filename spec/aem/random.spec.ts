/**
 * Random interleavings of everything that can happen to events, against a simple model: nothing is lost, nothing is delivered
 * that was shut down or stopped, order is kept, jids are never confused, and in the end every pool is whole.
 *
 * What happens between one nextHandler() and the next happens "inside the handler" that the first one called. What can happen is in random-moves.ts, what has to hold
 * when a handler is called in random-dispatch.ts.
 */
import {
  EVENT_ACCEPT,
  EVENT_CLOSE,
  EVENT_PENDING,
  EVENT_READ,
  EVENT_SK,
  EVJOBSTART,
  EVTBLINIT,
} from "../../aem/abi";
import { sys_evctl } from "../../aem/evctl";
import { currentProcess } from "../../kernel/process/process";
import { SOCK_DGRAM } from "../../net/socket/socket";
import { chance } from "../chance";
import { expectNothingLeft, setUp, timePasses } from "./driver";
import { NO_END, socketCount } from "./machine";
import { calls, dispatch } from "./random-dispatch";
import {
  beginRound,
  closeSocket,
  forget,
  jids,
  keepEvery,
  kept,
  known,
  sockets,
  stateOf,
} from "./random-model";
import { checkPast, control, freeKept, occur, openSocket, readAway, register } from "./random-moves";

/** Lets everything come to rest, and looks for what was lost. */
function settle(): void {
  for (let i = 0; i < jids.length; i++) {
    const event = known.get(jids[i]);
    if (!event.draining) sys_evctl(event.jid, EVJOBSTART, 0);
    event.stopped = false;
  }
  do freeKept(u32.MAX_VALUE);
  while (dispatch() || kept.length > 0);
  for (let i = 0; i < jids.length; i++) {
    const event = known.get(jids[i]);
    assert(!event.draining, "an event drains for ever");
    assert((stateOf(event) & EVENT_PENDING) == 0, "pending for ever");
    const opened = event.opened;
    if (opened === null) continue;
    const socket = opened.socket;
    if (event.type == EVENT_READ) {
      assert(
        socket.went == socket.came && (socket.type != SOCK_DGRAM || socket.waiting == 0),
        "data were lost",
      );
      assert(event.ended == (socket.end == NO_END ? 0 : 1), "the end was lost");
    } else if (event.type == EVENT_CLOSE)
      assert(event.ended == (socket.end == NO_END ? 0 : 1), "the close was lost");
    else if (event.type == EVENT_SK) assert(event.states.length == 0, "a transition was lost");
    else if (event.type == EVENT_ACCEPT) assert(socket.waiting == 0, "a connection was lost");
  }
}

function round(seed: u32, steps: i32): void {
  beginRound(seed);
  for (let step = 0; step < steps; step++) {
    const what = chance(100);
    if (what < 30) occur();
    else if (what < 60) dispatch();
    else if (what < 70) register();
    else if (what < 80) control();
    else if (what < 84) openSocket();
    else if (what < 86) readAway();
    else if (what < 88) checkPast();
    else if (what < 91) timePasses(chance(400_000));
    else if (what < 92 + keepEvery) freeKept(1 + chance(2));
    else if (what < 97 && sockets.length > 0) closeSocket(chance(sockets.length));
    else if (what == 99 && chance(50) == 0) settle();
    // After a settle the handlers that ran are not done with; nothing else may depend on it.
  }
  settle();
  while (sockets.length > 0) closeSocket(sockets.length - 1);
  sys_evctl(0, EVTBLINIT, 0);
  while (jids.length > 0) forget(known.get(jids[0]));
  dispatch();
}

beforeAll(() => {
  setUp();
});

describe("random interleavings", () => {
  it("lose nothing, and deliver nothing that has ended", () => {
    for (let seed: u32 = 1; seed <= 150; seed++) round(seed, 3000);
    expect<i32>(calls).toBeGreaterThan(50000);
    expect<u32>(currentProcess().vmtable.failures).toBeGreaterThan(1000, "memory was short at times");
    expect<i32>(socketCount).toBe(0, "sockets");
    expectNothingLeft();
  });
});
