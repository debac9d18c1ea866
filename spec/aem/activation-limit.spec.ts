/** limits.activations (aem/limits.ts): events beyond it are held outside of the queue, and come in when there is room. */
import {
  EVENT_PENDING,
  EVENT_STARVED,
  EVJOBLOOKUP,
  EVJOBPRIO,
  EVJOBSHTDN,
  EVJOBSTART,
  EVJOBSTOP,
  EVTBLINIT,
} from "../../aem/abi";
import { sys_evctl } from "../../aem/evctl";
import { sys_vmtable_free, sys_vmtable_keep } from "../../aem/vmtable";
import { upcallArgument3 } from "../../kernel/glue";
import { PRIORITY_LEVELS, PriorityQueue } from "../../kernel/priority-queue";
import { currentProcess } from "../../kernel/process/process";
import { sys_close } from "../../net/socket/calls";
import { chance, seedChance } from "../chance";
import { expectNone, onRead } from "./driver";
import { newStream, nextHandler, open, receive, recycle } from "./machine";
import { event, expectNoLimitLeft, isHeld, module, nextJid, occur, setUpPolicy } from "./policies";

/** Events in a queue at a level. */
function members(queue: PriorityQueue, level: u32): u32 {
  const first = queue.first(level);
  // The list's head is one of the ring.
  let count: u32 = 0;
  for (let link = first.next; changetype<usize>(link) != changetype<usize>(first); link = link.next) count++;
  assert((((queue.levels >> level) & 1) != 0) == (count != 0), "the map of levels");
  return count;
}

/** Events in the queues, not those that starve or are held. */
function pending(): u32 {
  const process = currentProcess();
  let count: u32 = 0;
  for (let level: u32 = 0; level < PRIORITY_LEVELS; level++) count += members(process.pending, level);
  // Without workers nothing else of it is set.
  expect<bool>(process.work.isEmpty).toBe(true);
  return count;
}

beforeAll(setUpPolicy);
afterEach(expectNoLimitLeft);

describe("the limit of activated events", () => {
  it("holds further ones back until there is room, the highest priority first, and loses none", () => {
    module().activationLimit = 2;
    const a = event();
    const b = event();
    const low = event(3);
    const high = event(50);
    const high2 = event(50);
    const order: i32[] = [a, b, low, high, high2];
    for (let i = 0; i < 5; i++) occur(order[i]);
    expect<u32>(pending()).toBe(2);
    expect<u32>(currentProcess().heldCount).toBe(3);
    expect<bool>(!isHeld(a) && !isHeld(b) && isHeld(low) && isHeld(high)).toBe(true);
    expect<i32>(sys_evctl(low, EVJOBLOOKUP, 0) & EVENT_PENDING).toBe(EVENT_PENDING, "pending as any other");
    occur(high); // coalesces
    expect<i32>(nextJid()).toBe(a);
    expect<bool>(isHeld(high)).toBe(false);
    expect<bool>(isHeld(high2)).toBe(true);
    const rest: i32[] = [nextJid(), nextJid(), nextJid(), nextJid()];
    expect<bool>(rest.includes(b) && rest.includes(low) && rest.includes(high) && rest.includes(high2)).toBe(
      true,
    );
    expect<bool>(rest.indexOf(high) < rest.indexOf(high2) && rest.indexOf(high2) < rest.indexOf(low)).toBe(
      true,
    );
    expectNone("all have been");
  });

  it("a held event that ends, is stopped, or changes its priority", () => {
    module().activationLimit = 1;
    const first = event();
    const ends = event(10);
    const stops = event(20);
    const changes = event(5);
    const stays = event(7);
    const all: i32[] = [first, ends, stops, changes, stays];
    for (let i = 0; i < 5; i++) occur(all[i]);
    sys_evctl(ends, EVJOBSHTDN, 0);
    sys_evctl(stops, EVJOBSTOP, 0);
    expect<i32>(sys_evctl(changes, EVJOBPRIO, 9)).toBe(0);
    expect<u32>(currentProcess().heldCount).toBe(2);
    expect<i32>(nextJid()).toBe(first);
    expect<i32>(nextJid()).toBe(changes, "which is above the other one now");
    expect<i32>(nextJid()).toBe(stays);
    expectNone("the one that is stopped waits");
    sys_evctl(stops, EVJOBSTART, 0);
    expect<i32>(nextJid()).toBe(stops);
    expectNone("nothing more");
  });

  it("one that leaves the queue without being handled makes room as well", () => {
    module().activationLimit = 1;
    const first = event();
    const second = event();
    const third = event();
    occur(first);
    occur(second);
    occur(third);
    sys_evctl(first, EVJOBSHTDN, 0);
    expect<bool>(isHeld(second)).toBe(false);
    sys_evctl(second, EVJOBSTOP, 0);
    expect<bool>(isHeld(third)).toBe(false);
    expect<i32>(nextJid()).toBe(third);
    expectNone("the second is stopped");
  });

  it("one that starves keeps nobody out, and comes in again when there is memory", () => {
    module().activationLimit = 1;
    const socket = newStream();
    const fd = open(socket);
    const read = onRead(fd);
    const kept: u32[] = [];
    let starved = false;
    while (!starved) {
      receive(socket, 16384);
      if (nextHandler() == 0) starved = true;
      else {
        kept.push(upcallArgument3);
        expect<i32>(sys_vmtable_keep(upcallArgument3)).toBe(0);
      }
    }
    expect<i32>(sys_evctl(read, EVJOBLOOKUP, 0) & EVENT_STARVED).toBe(EVENT_STARVED);
    expect<u32>(pending()).toBe(0);
    const timer = event();
    const other = event();
    occur(timer);
    occur(other);
    expect<bool>(isHeld(timer)).toBe(false);
    expect<bool>(isHeld(other)).toBe(true);
    for (let i = 0; i < kept.length; i++) expect<i32>(sys_vmtable_free(kept[i])).toBe(0);
    expect<bool>(isHeld(read)).toBe(false, "it was let in before it starved");
    expect<u32>(pending()).toBe(2, "so it is there beside the one that came meanwhile");
    expect<bool>(isHeld(other)).toBe(true, "for which there is no room still");
    const rest: i32[] = [nextJid(), nextJid(), nextJid()];
    expect<bool>(rest.includes(timer) && rest.includes(other) && rest.includes(read)).toBe(true);
    sys_close(fd);
    recycle(socket);
  });

  it("in random order: every event that occurred is handled, the queue is never longer than the limit", () => {
    seedChance(11);
    for (let round = 0; round < 60; round++) {
      const limit: u32 = 1 + chance(6);
      module().activationLimit = limit;
      const jids: i32[] = [];
      const waits: bool[] = [];
      const stopped: bool[] = [];
      for (let i = 0; i < 24; i++) {
        jids.push(event(chance(64)));
        waits.push(false);
        stopped.push(false);
      }
      for (let step = 0; step < 400; step++) {
        const i = <i32>chance(<u32>jids.length);
        const what = chance(10);
        if (what < 5) {
          occur(jids[i]);
          waits[i] = true;
        } else if (what < 8) {
          const jid = nextJid();
          let any = false;
          for (let k = 0; k < jids.length; k++) if (waits[k] && !stopped[k]) any = true;
          assert((jid != 0) == any, "handled when something waits, and only then");
          if (jid != 0) {
            const index = jids.indexOf(jid);
            assert(waits[index] && !stopped[index], "the right one");
            waits[index] = false;
          }
        } else if (what == 8) {
          sys_evctl(jids[i], stopped[i] ? EVJOBSTART : EVJOBSTOP, 0);
          stopped[i] = !stopped[i];
        } else if (chance(4) == 0) {
          sys_evctl(jids[i], EVJOBSHTDN, 0);
          jids[i] = event(chance(64));
          waits[i] = false;
          stopped[i] = false;
        } else sys_evctl(jids[i], EVJOBPRIO, chance(64));
        assert(pending() <= limit, "longer than the limit");
        assert(currentProcess().heldCount == 0 || pending() == limit, "held though there is room");
      }
      sys_evctl(0, EVTBLINIT, 0);
      nextHandler();
    }
  });
});
