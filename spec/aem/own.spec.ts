/** The application's own memory for received data (docs/aem-calls.md): buffers, and an allocator that the kernel calls. */
import {
  BUFFER_STRUCT_SIZE,
  BUFFER_WAIT,
  BUFFERS_PER_EVENT,
  EVENT_HANDLING,
  EVENT_OCCURRED,
  EVENT_PENDING,
  EVENT_READ,
  EVENT_REGISTERED,
  EVENT_STARVED,
  EVENT_STOPPED,
  EventBuffer,
  EventFilter,
  EVJOBALLOCATOR,
  EVJOBBUFFER,
  EVJOBCLEAN,
  EVJOBFILTER,
  EVJOBHISTOGRAM,
  EVJOBLOOKUP,
  EVJOBRETRY,
  EVJOBSHTDN,
  EVJOBSTART,
  EVJOBSTOP,
  FILTER_SIZE,
  READ_LIMIT,
  SHUTDOWN_DELIVER,
  SHUTDOWN_DROP,
} from "../../aem/abi";
import { sys_evctl } from "../../aem/evctl";
import { extraPool } from "../../aem/extra";
import { eventPool } from "../../aem/jids";
import { sys_vmtable_keep } from "../../aem/vmtable";
import { setConsoleSink } from "../../kernel/console";
import { EDQUOT, EFAULT, EINVAL, ESRCH } from "../../kernel/errno";
import { upcallArgument1, upcallArgument3, upcallArgument4, upcallArgument5 } from "../../kernel/glue";
import { out8 } from "../../kernel/hal";
import { VMTABLE_BASE } from "../../kernel/memory/layout";
import { currentProcess } from "../../kernel/process/process";
import * as fake from "../fake";
import { endNow } from "../reap";
import {
  expectHandler,
  expectNone,
  expectNothingLeft,
  expectRead,
  onRead,
  onState,
  readStatistics,
  setUp,
  statistics,
  user,
} from "./driver";
import {
  ALLOCATOR,
  ALLOCATOR_CODE,
  finish,
  HANDLER_CODE,
  handlerOf,
  newDatagram,
  newProcess,
  newStream,
  nextHandler,
  open,
  pattern,
  readElsewhere,
  receive,
  receiveDatagram,
  switchTo,
} from "./machine";

/** Places in the application's memory. */
let own: u32 = 0;

function give(jid: i32, address: u32, length: u32, flags: u32 = 0): i32 {
  const buffer = changetype<EventBuffer>(<usize>user);
  buffer.size = BUFFER_STRUCT_SIZE;
  buffer.address = address;
  buffer.length = length;
  buffer.flags = flags;
  return sys_evctl(jid, EVJOBBUFFER, user);
}
/** The read handler that was called has `length` bytes from `position` on at `address` of its own memory. */
function expectOwn(address: u32, position: u32, length: u32, what: string): void {
  expect<u32>(upcallArgument3).toBe(address, what);
  expect<u32>(upcallArgument4).toBe(length, what);
  let wrong = 0;
  for (let i: u32 = 0; i < length; i++) if (load<u8>(address + i) != pattern(position + i)) wrong++;
  expect<i32>(wrong).toBe(0, "bytes that differ");
}
function expectAllocator(bytes: u32, what: string): void {
  expect<u32>(<u32>nextHandler()).toBe(ALLOCATOR_CODE, what);
  expect<u32>(upcallArgument1).toBe(bytes, "bytes that it is asked for");
}
/** The allocator returns this; what is called then. */
function answer(address: u32): u32 {
  return <u32>nextHandler(address);
}
function consoleByte(byte: u32): void {
  out8(0x3f8, byte);
}

beforeAll(() => {
  setUp();
  setConsoleSink(consoleByte.index);
  own = user + 8192;
});

afterEach(() => {
  expectNothingLeft();
});

describe("EVJOBBUFFER", () => {
  it("refuses what cannot be", () => {
    const jid = onRead(open(newStream()));
    expect<i32>(give(onState(open(newStream())), own, 100)).toBe(-EINVAL, "no data");
    expect<i32>(give(jid, own, 0)).toBe(-EINVAL);
    expect<i32>(give(jid, 0, 100)).toBe(-EINVAL);
    expect<i32>(give(jid, own, 100, 2)).toBe(-EINVAL, "flag");
    expect<i32>(give(jid, 0xfffffff0, 100)).toBe(-EFAULT);
    expect<i32>(give(jid, <u32>VMTABLE_BASE, 100)).toBe(-EFAULT, "the vmtable is not its own");
    expect<i32>(give(jid, <u32>VMTABLE_BASE - 50, 100)).toBe(-EFAULT);
    expect<i32>(sys_evctl(jid, EVJOBBUFFER, 0xfffffff8)).toBe(-EFAULT);
    store<u32>(user, 8);
    expect<i32>(sys_evctl(jid, EVJOBBUFFER, user)).toBe(-EINVAL, "size");
    for (let i: u32 = 0; i < BUFFERS_PER_EVENT; i++) expect<i32>(give(jid, own + i, 1)).toBe(0);
    expect<i32>(give(jid, own, 1)).toBe(-EDQUOT);
  });

  it("of a stream: used once each, in order, then the vmtable again", () => {
    const socket = newStream();
    const jid = onRead(open(socket));
    give(jid, own, 1000);
    give(jid, own + 1000, 3000);
    receive(socket, 2500);
    expectHandler(EVENT_READ, "called");
    expectOwn(own, 0, 1000, "first buffer, over packets");
    expect<i32>(sys_vmtable_keep(own)).toBe(-EINVAL, "there is nothing to keep");
    expectHandler(EVENT_READ, "called");
    expectOwn(own + 1000, 1000, 1500, "second");
    expectNone("all taken");
    receive(socket, 10);
    expectRead(2500, 10, "the vmtable");
    give(jid, own, 40000);
    receive(socket, 40000);
    expectHandler(EVENT_READ, "called");
    expectOwn(own, 2510, READ_LIMIT, "one call has its limit");
    readStatistics(jid);
    expect<u64>(statistics.errors).toBe(0);
  });

  it("of a stream: the event waits for a buffer if it is told to", () => {
    const socket = newStream();
    const jid = onRead(open(socket));
    give(jid, own, 100, BUFFER_WAIT);
    receive(socket, 250);
    expectHandler(EVENT_READ, "called");
    expectOwn(own, 0, 100, "first");
    expectNone("waits");
    expect<i32>(sys_evctl(jid, EVJOBLOOKUP, 0)).toBe(EVENT_REGISTERED | EVENT_PENDING | EVENT_STARVED);
    give(jid, own, 100, BUFFER_WAIT);
    expectHandler(EVENT_READ, "a buffer came");
    expectOwn(own, 100, 100, "second");
    expectNone("waits");
    expect<i32>(give(jid, 0, 0, 0)).toBe(0);
    expectRead(200, 50, "waits no longer");
    // The end of the stream needs no memory.
    give(jid, 0, 0, BUFFER_WAIT);
    finish(socket);
    expectHandler(EVENT_READ, "end");
    expect<u32>(upcallArgument4).toBe(0);
  });

  it("of datagrams: with the sender in front; one that does not fit goes the usual way", () => {
    const socket = newDatagram();
    const jid = onRead(open(socket));
    give(jid, own, 116, BUFFER_WAIT);
    receiveDatagram(socket, 101);
    receiveDatagram(socket, 100);
    receiveDatagram(socket, 7);
    expectHandler(EVENT_READ, "too long for the buffer");
    expect<bool>(upcallArgument3 > <u32>VMTABLE_BASE).toBe(true);
    expect<u32>(upcallArgument4).toBe(101);
    expectHandler(EVENT_READ, "fits");
    expectOwn(own + 16, 1, 100, "data");
    expect<u32>(upcallArgument5).toBe(own);
    expect<u16>(load<u16>(own)).toBe(2);
    expect<u16>(bswap<u16>(load<u16>(own, 2))).toBe(2001);
    expect<u32>(bswap<u32>(load<u32>(own, 4))).toBe(0x0a000003);
    expectNone("no buffer left");
    readStatistics(jid);
    expect<u64>(statistics.errors).toBe(2, "the long one, and the one that waits");
    expect<i32>(sys_evctl(jid, EVJOBCLEAN, 0)).toBe(1);
  });

  it("memory that is no more is passed over", () => {
    const socket = newStream();
    const jid = onRead(open(socket));
    give(jid, own, 100);
    give(jid, own + 4096, 100);
    fake.unmapUser(own, 4096);
    receive(socket, 50);
    expectHandler(EVENT_READ, "called");
    expectOwn(own + 4096, 0, 50, "second buffer");
    readStatistics(jid);
    expect<u64>(statistics.errors).toBe(1);
    fake.clearUser();
  });
});

describe("EVJOBALLOCATOR", () => {
  it("is checked like a handler", () => {
    const jid = onRead(open(newStream()));
    fake.consoleClear();
    expect<i32>(sys_evctl(jid, EVJOBALLOCATOR, handlerOf(EVENT_READ))).toBe(-EINVAL);
    expect<bool>(fake.consoleHas("expected (bytes: i32) => i32")).toBe(true);
    expect<i32>(sys_evctl(onState(open(newStream())), EVJOBALLOCATOR, ALLOCATOR)).toBe(-EINVAL);
    expect<i32>(sys_evctl(jid, EVJOBALLOCATOR, 0)).toBe(0);
    expect<u32>(extraPool().inUse).toBe(0);
  });

  it("is called for memory, and then the handler with the data in it", () => {
    const socket = newStream();
    const jid = onRead(open(socket));
    expect<i32>(sys_evctl(jid, EVJOBALLOCATOR, ALLOCATOR)).toBe(0);
    receive(socket, 2000);
    expectAllocator(2000, "asked");
    expect<i32>(sys_evctl(jid, EVJOBLOOKUP, 0)).toBe(EVENT_REGISTERED | EVENT_HANDLING);
    readStatistics(jid);
    expect<u32>(statistics.waiting).toBe(1, "it is on its way");
    expect<u32>(answer(own)).toBe(HANDLER_CODE + EVENT_READ);
    expectOwn(own, 0, 2000, "data");
    expectNone("returns");
    receive(socket, 40000);
    expectAllocator(READ_LIMIT, "the limit of one call");
    expect<u32>(answer(own)).toBe(HANDLER_CODE + EVENT_READ);
    expectOwn(own, 2000, READ_LIMIT, "data");
    expectAllocator(READ_LIMIT, "there is more");
    sys_evctl(jid, EVJOBALLOCATOR, 0);
    expect<u32>(answer(own)).toBe(HANDLER_CODE + EVENT_READ);
    expectOwn(own, 2000 + READ_LIMIT, READ_LIMIT, "what it found is used");
    expectRead(2000 + 2 * READ_LIMIT, 40000 - 2 * READ_LIMIT, "the vmtable");
    readStatistics(jid);
    expect<u64>(statistics.handled).toBe(4);
    expect<u64>(statistics.errors).toBe(0);
  });

  it("of datagrams: with room for the sender; buffers go first", () => {
    const socket = newDatagram();
    const jid = onRead(open(socket));
    sys_evctl(jid, EVJOBALLOCATOR, ALLOCATOR);
    give(jid, own + 4096, 64);
    receiveDatagram(socket, 20);
    receiveDatagram(socket, 30);
    expectHandler(EVENT_READ, "the buffer");
    expectOwn(own + 4096 + 16, 0, 20, "data");
    expectAllocator(46, "asked");
    expect<u32>(answer(own)).toBe(HANDLER_CODE + EVENT_READ);
    expectOwn(own + 16, 1, 30, "data");
    expect<u32>(upcallArgument5).toBe(own);
  });

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

  it("is asked for data that pass the filter; latencies count from the activation", () => {
    const socket = newDatagram();
    socket.spread = 1;
    const jid = onRead(open(socket));
    sys_evctl(jid, EVJOBALLOCATOR, ALLOCATOR);
    sys_evctl(jid, EVJOBHISTOGRAM, 1);
    const filter = changetype<EventFilter>(<usize>user);
    memory.fill(user, 0, FILTER_SIZE);
    filter.size = FILTER_SIZE;
    store<u64>(filter.address, bswap<u64>(0xffff_0a00_0004), 8);
    filter.prefix = 128;
    expect<i32>(sys_evctl(jid, EVJOBFILTER, user)).toBe(0);
    for (let i: u32 = 0; i < 3; i++) receiveDatagram(socket, 10 + i);
    fake.advance(1000);
    expectAllocator(27, "for the second");
    fake.advance(1000);
    expect<u32>(answer(own)).toBe(HANDLER_CODE + EVENT_READ);
    expectOwn(own + 16, 1, 11, "data");
    expectNone("no others");
    readStatistics(jid);
    expect<u64>(statistics.filtered).toBe(2);
    expect<u64>(statistics.latencyMin).toBe(2000);
    expect<u64>(statistics.latencyMax).toBe(2000);
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
