/** EVJOBALLOCATOR (docs/aem-calls.md): a function of the application's that the kernel calls for the memory that a handler's data are put into. */
import {
  EVENT_HANDLING,
  EVENT_READ,
  EVENT_REGISTERED,
  EventFilter,
  EVJOBALLOCATOR,
  EVJOBFILTER,
  EVJOBHISTOGRAM,
  EVJOBLOOKUP,
  FILTER_SIZE,
  READ_LIMIT,
} from "../../aem/abi";
import { sys_evctl } from "../../aem/evctl";
import { extraPool } from "../../aem/extra";
import { EINVAL } from "../../kernel/errno";
import { upcallArgument5 } from "../../kernel/glue";
import * as fake from "../fake";
import {
  expectHandler,
  expectNone,
  expectNothingLeft,
  expectRead,
  onRead,
  onState,
  readStatistics,
  statistics,
  user,
} from "./driver";
import {
  ALLOCATOR,
  HANDLER_CODE,
  handlerOf,
  newDatagram,
  newStream,
  open,
  receive,
  receiveDatagram,
} from "./machine";
import { answer, expectAllocator, expectOwn, give, own, setUpOwn } from "./own-memory";

beforeAll(setUpOwn);
afterEach(expectNothingLeft);

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
});
