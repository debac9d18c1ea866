/** Limits and policy of a process (aem/limits.ts, kernel/process/usage.ts), and processinfo, which reports them. */
import {
  EVENT_PENDING,
  EVENT_READ,
  EVENT_SOCK,
  EVENT_STARVED,
  EVENT_TIMER,
  EVF_CAPSULE,
  EVF_FORK,
  EVF_PRIORITY_SHIFT,
  EVF_THREAD,
  EVJOBLOOKUP,
  EVJOBPRIO,
  EVJOBSHTDN,
  EVJOBSTART,
  EVJOBSTOP,
  EVTBLINIT,
} from "../../aem/abi";
import { activate } from "../../aem/activation";
import { sys_evctl } from "../../aem/evctl";
import { EVENT_HELD } from "../../aem/event";
import { eventOfJid } from "../../aem/jids";
import { sys_vmtable_free, sys_vmtable_keep } from "../../aem/vmtable";
import { setConsoleSink } from "../../kernel/console";
import { EDQUOT, EFAULT, EINVAL, EMFILE, EPERM, ESRCH } from "../../kernel/errno";
import { upcallArgument1, upcallArgument3 } from "../../kernel/glue";
import { PRIORITY_LEVELS, PriorityQueue } from "../../kernel/priority-queue";
import { handleAvailable } from "../../kernel/process/handles";
import { ModuleDescriptor, MODULE_EVENT_TYPES } from "../../kernel/process/module";
import {
  initializeProcessInformation,
  PROCESS_INFORMATION_SIZE,
  sys_processinfo,
} from "../../kernel/process/processinfo";
import { currentProcess, PROCESS_LIMIT } from "../../kernel/process/process";
import { refused, usageOf } from "../../kernel/process/usage";
import { initializeSerial, serialPut } from "../../drivers/serial";
import { sys_close } from "../../net/socket/calls";
import { growMemory } from "../arena";
import { chance, seedChance } from "../chance";
import * as fake from "../fake";
import { endNow } from "../reap";
import { expectNone, expectNothingLeft, onRead, onSock, onTimer, setUp, user } from "./driver";
import { FakeSocket, handlerOf, newProcess, newStream, nextHandler, open, receive, recycle } from "./machine";
import { sys_evtimer } from "../../aem/evtimer";

const FAR: u64 = 1_000_000_000_000;

function module(): ModuleDescriptor {
  return currentProcess().module;
}
function setTypeLimit(type: u32, limit: u32): void {
  store<u64>(changetype<usize>(module()) + offsetof<ModuleDescriptor>("typeLimits") + (type << 3), limit);
}
function noLimits(): void {
  const m = module();
  m.eventLimit = m.activationLimit = m.descriptorLimit = m.refusedTypes = m.refusedExecutors = 0;
  for (let type: u32 = 0; type < MODULE_EVENT_TYPES; type++) setTypeLimit(type, 0);
}
/** A timer event that is far away: the spec activates it. */
function event(priority: u32 = 32): i32 {
  const jid = onTimer(FAR, FAR, (priority + 1) << EVF_PRIORITY_SHIFT);
  assert(jid > 0, "registration");
  eventOfJid(currentProcess(), jid)!.count = 0;
  return jid;
}
/** As the job of timers does it. */
function occur(jid: i32): void {
  const e = eventOfJid(currentProcess(), jid)!;
  e.count++;
  activate(e);
}
function isHeld(jid: i32): bool {
  return eventOfJid(currentProcess(), jid)!.has(EVENT_HELD);
}
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
  for (let level: u32 = 0; level < PRIORITY_LEVELS; level++)
    count += members(process.pending, level) + members(process.work, level);
  return count;
}
function nextJid(): i32 {
  return nextHandler() == 0 ? 0 : <i32>upcallArgument1;
}

beforeAll(() => {
  setUp();
  fake.setPort(0x3ff, 0xae); // the serial port answers
  initializeSerial();
  setConsoleSink(serialPut.index);
  initializeProcessInformation(growMemory(PROCESS_INFORMATION_SIZE, 8));
});
afterEach(() => {
  noLimits();
  expectNothingLeft();
  const process = currentProcess();
  const usage = usageOf(process);
  assert(process.waitingCount == 0 && process.heldCount == 0, "counts of activated events");
  assert(process.held.isEmpty, "held");
  for (let type: u32 = 0; type < MODULE_EVENT_TYPES; type++)
    assert(usage.eventsOfType(type) == 0, "counts of types");
});

describe("policy", () => {
  it("refuses types of event: -EPERM, counted, and the others are as they were", () => {
    module().refusedTypes = 1 << EVENT_TIMER;
    const before = usageOf(currentProcess()).refusedEvents;
    expect<i32>(onTimer(FAR, 0)).toBe(-EPERM);
    expect<i32>(onTimer(FAR, 0)).toBe(-EPERM);
    expect<u64>(usageOf(currentProcess()).refusedEvents).toBe(before + 2);
    const socket = newStream();
    const fd = open(socket);
    expect<i32>(onSock(fd)).toBeGreaterThan(0);
    module().refusedTypes = 1 << EVENT_SOCK;
    expect<i32>(onSock(fd)).toBe(-EPERM);
    expect<i32>(onTimer(FAR, 0)).toBeGreaterThan(0);
    sys_close(fd);
    recycle(socket);
  });

  it("refuses executors, the plain function among them", () => {
    const flags: u32[] = [0, EVF_THREAD, EVF_FORK, EVF_CAPSULE];
    for (let allowed = 0; allowed < 4; allowed++) {
      module().refusedExecutors = 15 & ~(1 << allowed);
      for (let executor = 0; executor < 4; executor++) {
        const result = sys_evtimer(FAR, 0, flags[executor], handlerOf(EVENT_TIMER));
        if (executor != allowed) expect<i32>(result).toBe(-EPERM);
        else expect<bool>(result != -EPERM).toBe(true);
      }
    }
  });

  it("answers a refused call with -EPERM in both widths, counts all and logs each call once", () => {
    const name = memory.data<u8>([0x65, 0x76, 0x78]);
    const usage = usageOf(currentProcess());
    const before = usage.refusedCalls;
    for (let call: u32 = 0; call < 256; call += 51) {
      fake.consoleClear();
      expect<i64>(refused(call, name, 3)).toBe(-EPERM);
      expect<bool>(fake.consoleHas("may not call evx")).toBe(true);
      fake.consoleClear();
      expect<i32>(<i32>refused(call, name, 3)).toBe(-EPERM);
      expect<bool>(fake.consoleHas("may not call")).toBe(false);
    }
    expect<u64>(usage.refusedCalls).toBe(before + 12);
    const other = newProcess();
    expect<u64>(usageOf(other).refusedCalls).toBe(0, "each process has its own");
    // It would run when a handler of a low priority begins.
    endNow(other, 0);
  });
});

describe("limits of registration", () => {
  it("events: -EDQUOT, counted, until one has ended", () => {
    module().eventLimit = 3;
    const usage = usageOf(currentProcess());
    const before = usage.limitRefusals;
    const first = event();
    event();
    event();
    expect<i32>(onTimer(FAR, 0)).toBe(-EDQUOT);
    expect<u64>(usage.limitRefusals).toBe(before + 1);
    expect<i32>(sys_evctl(first, EVJOBSHTDN, 0)).toBe(0);
    event();
    expect<i32>(onTimer(FAR, 0)).toBe(-EDQUOT);
  });

  it("events of a type: the others are not touched by it", () => {
    setTypeLimit(EVENT_TIMER, 2);
    const first = event();
    event();
    expect<i32>(onTimer(FAR, 0)).toBe(-EDQUOT);
    const socket = newStream();
    const fd = open(socket);
    for (let i = 0; i < 3; i++) expect<i32>(onSock(fd)).toBeGreaterThan(0);
    expect<u32>(usageOf(currentProcess()).eventsOfType(EVENT_SOCK)).toBe(3);
    sys_close(fd);
    recycle(socket);
    expect<u32>(usageOf(currentProcess()).eventsOfType(EVENT_SOCK)).toBe(0);
    sys_evctl(first, EVJOBSHTDN, 0);
    event();
  });

  it("descriptors: -EMFILE until one is closed", () => {
    module().descriptorLimit = 2;
    const sockets: FakeSocket[] = [newStream(), newStream(), newStream()];
    const first = open(sockets[0]);
    const second = open(sockets[1]);
    expect<bool>(handleAvailable(currentProcess())).toBe(false);
    expect<i32>(open(sockets[2])).toBe(-EMFILE);
    sys_close(first);
    const third = open(sockets[2]);
    expect<i32>(third).toBeGreaterThanOrEqual(0);
    sys_close(second);
    sys_close(third);
    for (let i = 0; i < 3; i++) recycle(sockets[i]);
  });
});

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

describe("processinfo", () => {
  it("reports what the process has", () => {
    const socket = newStream();
    const fd = open(socket);
    onRead(fd);
    onSock(fd);
    const timer = event();
    occur(timer);
    expect<i32>(sys_processinfo(0, user, 1000)).toBe(<i32>PROCESS_INFORMATION_SIZE);
    const process = currentProcess();
    expect<i32>(load<i32>(user)).toBe(process.pid);
    expect<u32>(load<u32>(user, 8)).toBe(1, "running");
    expect<u32>(load<u32>(user, 12)).toBe(1, "descriptors");
    expect<u64>(load<u64>(user, 24)).toBe(1, "pending");
    expect<u64>(load<u64>(user, 40)).toBe(3, "events");
    expect<u64>(load<u64>(user, 48)).toBe(65536, "memory");
    expect<u64>(load<u64>(user, 56)).toBe(131072, "its limit");
    expect<u64>(load<u64>(user, 80)).toBe(process.vmtableBytes);
    const types = user + <u32>PROCESS_INFORMATION_SIZE - 4 * MODULE_EVENT_TYPES;
    expect<u32>(load<u32>(types + 4 * EVENT_READ)).toBe(1);
    expect<u32>(load<u32>(types + 4 * EVENT_SOCK)).toBe(1);
    expect<u32>(load<u32>(types + 4 * EVENT_TIMER)).toBe(1);
    nextHandler();
    nextHandler();
    sys_close(fd);
    recycle(socket);
  });

  it("writes no more than there is room for, of whichever process", () => {
    const other = newProcess();
    memory.fill(user, 0xee, 64);
    expect<i32>(sys_processinfo(other.pid, user, 12)).toBe(12);
    expect<i32>(load<i32>(user)).toBe(other.pid);
    expect<u32>(load<u32>(user, 8)).toBe(2, "runnable");
    expect<u32>(load<u32>(user, 12)).toBe(0xeeeeeeee);
    expect<i32>(sys_processinfo(0, user, 0)).toBe(0);
    expect<i32>(sys_processinfo(0, user, -1)).toBe(-EINVAL);
    expect<i32>(sys_processinfo(0, 0xffff_fff0, 64)).toBe(-EFAULT);
    expect<i32>(sys_processinfo(PROCESS_LIMIT, user, 64)).toBe(-ESRCH);
    expect<i32>(sys_processinfo(-1, user, 64)).toBe(-ESRCH);
    expect<i32>(sys_processinfo(PROCESS_LIMIT + 1, user, 64)).toBe(-ESRCH);
    const pid = other.pid;
    endNow(other, 0);
    expect<i32>(sys_processinfo(pid, user, 64)).toBe(-ESRCH, "it has ended");
  });
});
