/** EVJOBBUFFER (docs/aem-calls.md): memory of the application's own that a handler's data are put into. */
import {
  BUFFER_WAIT,
  BUFFERS_PER_EVENT,
  EVENT_PENDING,
  EVENT_READ,
  EVENT_REGISTERED,
  EVENT_STARVED,
  EVJOBBUFFER,
  EVJOBCLEAN,
  EVJOBLOOKUP,
  READ_LIMIT,
} from "../../aem/abi";
import { sys_evctl } from "../../aem/evctl";
import { sys_vmtable_keep } from "../../aem/vmtable";
import { EDQUOT, EFAULT, EINVAL } from "../../kernel/errno";
import { upcallArgument3, upcallArgument4, upcallArgument5 } from "../../kernel/glue";
import { VMTABLE_BASE } from "../../kernel/memory/layout";
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
import { finish, newDatagram, newStream, open, receive, receiveDatagram } from "./machine";
import { expectOwn, give, own, setUpOwn } from "./own-memory";

beforeAll(setUpOwn);
afterEach(expectNothingLeft);

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
