/** EVJOBFILTER (docs/aem-calls.md) of read events: datagrams of others, and streams of which too little has come. */
import {
  EVENT_READ,
  EVJOBFILTER,
  EVJOBLOOKUP,
  EVJOBSHTDN,
  READ_LIMIT,
  SHUTDOWN_DELIVER,
} from "../../aem/abi";
import { sys_evctl } from "../../aem/evctl";
import { ECONNRESET, ESRCH } from "../../kernel/errno";
import { upcallArgument1, upcallArgument4 } from "../../kernel/glue";
import { currentThread } from "../../kernel/scheduler/running";
import { setFilter } from "./control";
import {
  expectData,
  expectHandler,
  expectNone,
  expectNothingLeft,
  expectRead,
  onRead,
  readStatistics,
  setUp,
  statistics,
} from "./driver";
import { fail, finish, newDatagram, newStream, open, receive, receiveDatagram } from "./machine";

beforeAll(() => {
  setUp();
});

afterEach(expectNothingLeft);

describe("EVJOBFILTER", () => {
  it("datagrams of others are dropped, also very many, and others get their turn", () => {
    const socket = newDatagram();
    socket.spread = 1;
    const other = newStream();
    const jid = onRead(open(socket));
    onRead(open(other));
    // 10.0.0.3 .. 10.0.0.62; 10.0.0.60/30 lets three of them through.
    setFilter(jid, 0, 0x0a00003c, 30, 0);
    for (let i: u32 = 0; i < 60; i++) receiveDatagram(socket, i);
    receive(other, 10);
    expectRead(0, 10, "not kept waiting by what is dropped");
    for (let i: u32 = 57; i < 60; i++) {
      expectHandler(EVENT_READ, "a datagram");
      expect<i32>(<i32>upcallArgument1).toBe(jid);
      expectData(i, i, "its data");
    }
    expectNone("no more");
    readStatistics(jid);
    expect<u64>(statistics.filtered).toBe(57);
    expect<u64>(statistics.handled).toBe(3);
    expect<bool>(statistics.coalesced < 100).toBe(true);
  });

  it("a shutdown that delivers first looks behind what is filtered", () => {
    const socket = newDatagram();
    socket.spread = 1;
    const jid = onRead(open(socket));
    setFilter(jid, 0, 0x0a00003c, 30, 0);
    for (let i: u32 = 0; i < 60; i++) receiveDatagram(socket, 1);
    sys_evctl(jid, EVJOBSHTDN, SHUTDOWN_DELIVER);
    expectHandler(EVENT_READ, "the first that passes");
    expectNone("ended");
    expect<i32>(sys_evctl(jid, EVJOBLOOKUP, 0)).toBe(-ESRCH);
    expect<u32>(socket.waiting).toBe(2);
  });

  it("stream: waits for the least bytes, or the end", () => {
    const socket = newStream();
    const jid = onRead(open(socket));
    setFilter(jid, 0, 0, 0, 1000);
    receive(socket, 999);
    expect<bool>(currentThread().canDispatch).toBe(false, "not woken");
    receive(socket, 1);
    expectRead(0, 1000, "enough");
    receive(socket, 17000);
    expectRead(1000, READ_LIMIT, "a first piece");
    expectNone("the rest is too little");
    receive(socket, 400);
    expectRead(1000 + READ_LIMIT, 17400 - READ_LIMIT, "enough");
    receive(socket, 5);
    expectNone("too little");
    finish(socket);
    expectRead(18400, 5, "what is left");
    expectHandler(EVENT_READ, "the end");
    expect<u32>(upcallArgument4).toBe(0);
    readStatistics(jid);
    expect<u64>(statistics.filtered).toBe(0, "bytes that wait are not filtered");
  });

  it("stream: a window that is smaller than the least bytes does not stop both sides", () => {
    const socket = newStream();
    socket.buffer = 500;
    const jid = onRead(open(socket));
    setFilter(jid, 0, 0, 0, 1000);
    receive(socket, 100);
    expectRead(0, 100, "1000 can never be there");
    socket.buffer = 65536;
    setFilter(jid, 0, 0, 0, 60000);
    receive(socket, READ_LIMIT);
    expectRead(100, READ_LIMIT, "the limit of one call is the limit of the filter");
  });

  it("stream: less, or no filter, lets through what was held back", () => {
    const socket = newStream();
    const jid = onRead(open(socket));
    setFilter(jid, 0, 0, 0, 1000);
    receive(socket, 500);
    expectNone("held back");
    setFilter(jid, 0, 0, 0, 400);
    expectRead(0, 500, "less is asked for");
    receive(socket, 300);
    expectNone("held back");
    sys_evctl(jid, EVJOBFILTER, 0);
    expectRead(500, 300, "no filter");
    // An error ends the wait as well.
    setFilter(jid, 0, 0, 0, 1000);
    receive(socket, 10);
    fail(socket, ECONNRESET);
    expectRead(800, 10, "what is left");
    expectHandler(EVENT_READ, "the error");
    expect<i32>(<i32>upcallArgument4).toBe(-ECONNRESET);
  });
});
