/**
 * Random sequences of what evctl can do, with occurrences, time and handlers in between, against a simple model: after every step the
 * sum of the statistics holds, and handled, filtered and cleaned are what the model says; nothing is lost, and what is
 * delivered passes the filter, goes where it should, and to the right handler.
 *
 * What happens between one nextHandler() and the next happens "inside" what the first one called: a handler, or an allocator.
 *
 * What can happen is in control-moves.ts, what has to hold when something is called in control-dispatch.ts.
 */
import {
  BUFFER_STRUCT_SIZE,
  EVENT_ACCEPT,
  EVENT_SK,
  EVENT_SOCK,
  EventBuffer,
  EVJOBBUFFER,
  EVJOBRETRY,
  EVJOBSTART,
  EVJOBSTAT,
  STATISTICS_SIZE,
} from "../../aem/abi";
import { sys_evctl } from "../../aem/evctl";
import { MILLISECOND } from "../../kernel/time/clock";
import { TIMER_TICK } from "../../kernel/time/timers";
import { chance, seedChance } from "../chance";
import { allocations, calls, dispatch, leaveQueue, ownDeliveries, timeouts } from "./control-dispatch";
import { giveMemory, Slot, slots } from "./control-model";
import { control, end, occur, register } from "./control-moves";
import { expectNothingLeft, setUp, statistics, timePasses, user } from "./driver";
import { NO_END } from "./machine";

let filteredTotal: u64 = 0;
let cleanedTotal: u64 = 0;

/** After every step. */
function check(): void {
  for (let i = 0; i < slots.length; i++) {
    const slot = slots[i];
    statistics.size = STATISTICS_SIZE;
    assert(sys_evctl(slot.jid, EVJOBSTAT, <u32>changetype<usize>(statistics)) == 0, "stat");
    if (slot.type == EVENT_ACCEPT || slot.datagram) leaveQueue(slot, 0);
    if (slot.type == EVENT_SK) {
      // Those that were skipped without a call; a time-out may wait beside them.
      while (slot.filtered < statistics.filtered && slot.states.length > 0) {
        assert(!slot.wants(slot.states.shift() & 15), "a transition was lost");
        slot.filtered++;
      }
      const waiting = <i32>statistics.waiting - slot.states.length;
      assert(waiting == 0 || waiting == 1, "transitions that wait");
    } else assert(statistics.waiting <= 2, "waiting");
    // Bits that a younger filter took away at delivery are the kernel's to know.
    if (slot.type == EVENT_SOCK && statistics.filtered > slot.filtered) {
      assert(slot.mask != 0, "filtered without a filter");
      slot.filtered = statistics.filtered;
    }
    if (statistics.waiting == 0) checkIdle(slot);
    assert(statistics.handled == slot.handled, "handled");
    assert(statistics.filtered == slot.filtered, "filtered");
    assert(statistics.cleaned == slot.cleaned, "cleaned");
    assert(statistics.coalesced < 0x80000000, "coalesced less than nothing");
    assert(
      statistics.activations ==
        statistics.handled +
          statistics.coalesced +
          statistics.filtered +
          statistics.cleaned +
          statistics.waiting,
      "the sum",
    );
  }
}

/** Nothing waits for the handler: then there must be nothing that ought to. */
function checkIdle(slot: Slot): void {
  if (slot.type == EVENT_ACCEPT || slot.datagram) assert(slot.socket!.waiting == 0, "forgotten in the queue");
  if (!slot.stream) return;
  const socket = slot.socket!;
  assert(slot.taken == socket.came || slot.heldBack, "data that were forgotten");
  assert(slot.ended == (socket.end != NO_END), "an end that was forgotten");
}

/** Lets everything come to rest, and looks for what was lost. */
function settle(): void {
  for (let i = 0; i < slots.length; i++) {
    const slot = slots[i];
    sys_evctl(slot.jid, EVJOBSTART, 0);
    slot.stopped = false;
    if (slot.buffersOnly) {
      const b = changetype<EventBuffer>(<usize>user);
      b.size = BUFFER_STRUCT_SIZE;
      b.address = b.length = b.flags = 0;
      assert(sys_evctl(slot.jid, EVJOBBUFFER, user) == 0, "no longer to wait");
      slot.buffersOnly = false;
    }
    sys_evctl(slot.jid, EVJOBRETRY, 0);
  }
  while (dispatch(true)) check();
  check();
  for (let i = 0; i < slots.length; i++) {
    const slot = slots[i];
    if (slot.socket === null) continue;
    const socket = slot.socket!;
    assert(slot.states.length == 0, "transitions were lost");
    if (slot.type == EVENT_ACCEPT || slot.datagram) assert(socket.waiting == 0, "lost in the queue");
    else if (slot.stream) {
      assert(socket.went == socket.came || slot.heldBack, "data were lost");
      assert(slot.ended == (socket.end != NO_END), "the end was lost");
    }
  }
  // Everybody who has a time-out, and can still be called, is called for it, once.
  let due = 0;
  for (let i = 0; i < slots.length; i++) if (slots[i].timeout != 0 && !slots[i].ended) due++;
  const before = timeouts;
  timePasses(3 * MILLISECOND + 2 * TIMER_TICK);
  while (dispatch(true)) check();
  assert(timeouts - before == due, "time-outs that were lost");
}

function round(seed: u32, steps: i32): void {
  seedChance(seed);
  for (let step = 0; step < steps; step++) {
    const what = chance(100);
    if (what < 28) occur();
    else if (what < 58) dispatch();
    else if (what < 82) control();
    else if (what < 88) register();
    else if (what < 97) timePasses(<u64>chance(600_000));
    else if (what < 99) {
      if (slots.length > 4) end(chance(slots.length));
    } else if (chance(10) == 0) settle();
    check();
  }
  settle();
  for (let i = 0; i < slots.length; i++) {
    filteredTotal += slots[i].filtered;
    cleanedTotal += slots[i].cleaned;
  }
  while (slots.length > 0) end(slots.length - 1);
  dispatch();
}

beforeAll(() => {
  setUp();
  giveMemory();
});

describe("random control", () => {
  it("keeps the sum, and loses nothing that it was not told to", () => {
    for (let seed: u32 = 1; seed <= 24; seed++) round(seed, 2000);
    expect<i32>(calls).toBeGreaterThan(10000);
    expect<i32>(timeouts).toBeGreaterThan(500);
    expect<i32>(allocations).toBeGreaterThan(200);
    expect<i32>(ownDeliveries).toBeGreaterThan(400);
    expect<u64>(filteredTotal).toBeGreaterThan(1000);
    expect<u64>(cleanedTotal).toBeGreaterThan(300);
    expectNothingLeft();
  });
});
