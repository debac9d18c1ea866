/** EVJOBALLOCATOR (docs/aem-calls.md): an allocator that finds nothing, or nonsense, or does to its event or its process what it likes. */
import {
  BUFFERS_PER_EVENT,
  EVENT_OCCURRED,
  EVENT_PENDING,
  EVENT_READ,
  EVENT_REGISTERED,
  EVENT_STARVED,
  EVENT_STOPPED,
  EVJOBALLOCATOR,
  EVJOBCLEAN,
  EVJOBLOOKUP,
  EVJOBRETRY,
  EVJOBSHTDN,
  EVJOBSTART,
  EVJOBSTOP,
  SHUTDOWN_DELIVER,
  SHUTDOWN_DROP,
} from "../../aem/abi";
import { sys_evctl } from "../../aem/evctl";
import { extraPool } from "../../aem/extra";
import { eventPool } from "../../aem/jids";
import { ESRCH } from "../../kernel/errno";
import { VMTABLE_BASE } from "../../kernel/memory/layout";
import { currentProcess } from "../../kernel/process/process";
import * as fake from "../fake";
import { endNow } from "../reap";
import { expectHandler, expectNone, expectNothingLeft, onRead, readStatistics, statistics } from "./driver";
import {
  ALLOCATOR,
  HANDLER_CODE,
  newProcess,
  newStream,
  open,
  readElsewhere,
  receive,
  switchTo,
} from "./machine";
import { answer, expectAllocator, expectOwn, give, own, setUpOwn } from "./own-memory";

beforeAll(setUpOwn);
afterEach(expectNothingLeft);

describe("EVJOBALLOCATOR", () => {
  it("that finds nothing, or nonsense, starves the event", () => {
    const socket = newStream();
    const other = newStream();
    const jid = onRead(open(socket));
    onRead(open(other));
    sys_evctl(jid, EVJOBALLOCATOR, ALLOCATOR);
    receive(socket, 10);
    receive(other, 10);
    expectAllocator(10, "asked");
    expect<u32>(answer(0)).toBe(HANDLER_CODE + EVENT_READ, "the next event");
    expectNone("waits");
    expect<i32>(sys_evctl(jid, EVJOBLOOKUP, 0)).toBe(EVENT_REGISTERED | EVENT_PENDING | EVENT_STARVED);
    receive(socket, 10);
    expectNone("and nothing spins");
    const wrong: u32[] = [<u32>VMTABLE_BASE, <u32>VMTABLE_BASE - 19, 0xffffffff];
    for (let i = 0; i < wrong.length; i++) {
      sys_evctl(jid, EVJOBRETRY, 0);
      expectAllocator(20, "tried again");
      expect<u32>(answer(wrong[i])).toBe(0);
    }
    // A range that is the application's and has no page: found out by the copy.
    sys_evctl(jid, EVJOBRETRY, 0);
    expectAllocator(20, "tried again");
    fake.unmapUser(own, 4096);
    expect<u32>(answer(own)).toBe(0, "not asked for ever");
    fake.clearUser();
    readStatistics(jid);
    expect<u64>(statistics.errors).toBe(6);
    sys_evctl(jid, EVJOBRETRY, 0);
    expectAllocator(20, "tried again");
    expect<u32>(answer(own)).toBe(HANDLER_CODE + EVENT_READ);
    expectOwn(own, 0, 20, "nothing was lost");
  });

  it("may do what it likes to the event", () => {
    const socket = newStream();
    const jid = onRead(open(socket));
    sys_evctl(jid, EVJOBALLOCATOR, ALLOCATOR);
    // More data.
    receive(socket, 10);
    expectAllocator(10, "asked");
    receive(socket, 10);
    expect<u32>(answer(own)).toBe(HANDLER_CODE + EVENT_READ);
    expectOwn(own, 0, 10, "as many as were asked for");
    expectAllocator(10, "the rest");
    // Data read away: the memory waits for others.
    readElsewhere(socket);
    expect<u32>(answer(own + 100)).toBe(0);
    receive(socket, 5);
    expectHandler(EVENT_READ, "not asked again");
    expectOwn(own + 100, 20, 5, "in what was found before");
    // Stopped.
    receive(socket, 10);
    expectAllocator(10, "asked");
    sys_evctl(jid, EVJOBSTOP, 0);
    expect<u32>(answer(own)).toBe(0);
    expect<i32>(sys_evctl(jid, EVJOBLOOKUP, 0)).toBe(EVENT_REGISTERED | EVENT_STOPPED | EVENT_OCCURRED);
    sys_evctl(jid, EVJOBSTART, 0);
    expectHandler(EVENT_READ, "started");
    expectOwn(own, 25, 10, "data");
    // Cleaned, with more activations and no memory.
    receive(socket, 10);
    expectAllocator(10, "asked");
    receive(socket, 10);
    expect<i32>(sys_evctl(jid, EVJOBCLEAN, 0)).toBe(1);
    readStatistics(jid);
    receive(socket, 10);
    expect<u32>(answer(0)).toBe(0);
    expect<i32>(sys_evctl(jid, EVJOBLOOKUP, 0)).toBe(EVENT_REGISTERED | EVENT_PENDING | EVENT_STARVED);
    readStatistics(jid);
    sys_evctl(jid, EVJOBRETRY, 0);
    // Buffers given meanwhile.
    expectAllocator(10, "asked");
    for (let i: u32 = 0; i < BUFFERS_PER_EVENT; i++) expect<i32>(give(jid, own + 1000 + i * 10, 10)).toBe(0);
    expect<u32>(answer(own)).toBe(HANDLER_CODE + EVENT_READ);
    expectOwn(own + 1000, 55, 10, "a buffer goes first");
    // Shut down with delivery.
    for (let i: u32 = 1; i < BUFFERS_PER_EVENT; i++) {
      receive(socket, 10);
      expectHandler(EVENT_READ, "a buffer");
    }
    receive(socket, 10);
    expectHandler(EVENT_READ, "what was found");
    receive(socket, 10);
    expectAllocator(10, "asked");
    sys_evctl(jid, EVJOBSHTDN, SHUTDOWN_DELIVER);
    expect<u32>(answer(own)).toBe(HANDLER_CODE + EVENT_READ);
    expectNone("ended");
    expect<i32>(sys_evctl(jid, EVJOBLOOKUP, 0)).toBe(-ESRCH);
    // Shut down at once.
    const second = onRead(open(newStream()));
    const third = newStream();
    const last = onRead(open(third));
    sys_evctl(second, EVJOBSHTDN, SHUTDOWN_DROP);
    sys_evctl(last, EVJOBALLOCATOR, ALLOCATOR);
    receive(third, 10);
    expectAllocator(10, "asked");
    sys_evctl(last, EVJOBSHTDN, SHUTDOWN_DROP);
    expect<u32>(answer(own)).toBe(0);
    expect<u32>(eventPool().inUse).toBe(0);
  });

  it("the process may end in it", () => {
    const mine = currentProcess();
    const other = newProcess();
    switchTo(other);
    const socket = newStream();
    const jid = onRead(open(socket));
    sys_evctl(jid, EVJOBALLOCATOR, ALLOCATOR);
    receive(socket, 10);
    expectAllocator(10, "asked");
    switchTo(mine);
    endNow(other, 0);
    expect<u32>(eventPool().inUse).toBe(0);
    expect<u32>(extraPool().inUse).toBe(0);
  });
});
