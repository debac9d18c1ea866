/** sockasync_accept (docs/aem-calls.md): each connection once, with its peer, and what waits. */
import { EVENT_ACCEPT, EVENT_PENDING, EVENT_REGISTERED, EVENT_STARVED, EVJOBLOOKUP } from "../../aem/abi";
import { sys_evctl } from "../../aem/evctl";
import { sys_sockasync_accept } from "../../aem/sockasync";
import { upcallArgument1, upcallArgument2, upcallArgument3 } from "../../kernel/glue";
import { HANDLE_LIMIT, HANDLE_SOCKET, handleObject } from "../../kernel/process/handles";
import { currentProcess } from "../../kernel/process/process";
import { sys_close } from "../../net/socket/calls";
import * as fake from "../fake";
import { establish, FakeSocket, handlerOf, newListener, newStream, open, switchTo } from "./machine";
import {
  user,
  statistics,
  setUp,
  expectNothingLeft,
  expectHandler,
  expectNone,
  readStatistics,
} from "./driver";

beforeAll(() => {
  setUp();
});

afterEach(expectNothingLeft);

describe("sockasync_accept", () => {
  it("hands over one connection for each call, in a descriptor of its own", () => {
    const listener = newListener();
    const fd = open(listener);
    establish(listener);
    const jid = sys_sockasync_accept(fd, 0, 0, 0, handlerOf(EVENT_ACCEPT));
    establish(listener);
    establish(listener);
    for (let i: u32 = 0; i < 3; i++) {
      expectHandler(EVENT_ACCEPT, "a connection, also the one that was there before");
      expect<i32>(<i32>upcallArgument1).toBe(jid);
      expect<i32>(<i32>upcallArgument2).toBe(fd);
      const socket = changetype<FakeSocket>(
        handleObject(currentProcess(), <i32>upcallArgument3, HANDLE_SOCKET),
      );
      expect<u32>(socket.flow.remote.port).toBe(1000 + i);
    }
    expectNone("no more");
    readStatistics(jid);
    expect<u64>(statistics.handled).toBe(3);
  });

  it("fills in the peer's address as accept does", () => {
    const listener = newListener();
    const length = user + 32;
    store<u32>(length, 16);
    const jid = sys_sockasync_accept(open(listener), user, length, 0, handlerOf(EVENT_ACCEPT));
    establish(listener);
    expectHandler(EVENT_ACCEPT, "called");
    expect<u16>(load<u16>(user)).toBe(2, "AF_INET");
    expect<u16>(bswap<u16>(load<u16>(user, 2))).toBe(1000);
    expect<u32>(bswap<u32>(load<u32>(user, 4))).toBe(0x0a000002);
    expect<u32>(load<u32>(length)).toBe(16);
    // Less room: cut off, and the whole length told.
    store<u32>(length, 2);
    store<u16>(user, 0, 2);
    establish(listener);
    expectHandler(EVENT_ACCEPT, "called");
    expect<u16>(load<u16>(user, 2)).toBe(0, "beyond the room");
    expect<u32>(load<u32>(length)).toBe(16);
    // Memory that is no more: counted, and the connection comes all the same.
    fake.unmapUser(user, 16);
    establish(listener);
    expectHandler(EVENT_ACCEPT, "called");
    readStatistics(jid);
    expect<u64>(statistics.errors).toBe(1);
    switchTo(currentProcess());
  });

  it("leaves connections in their queue while there is no descriptor", () => {
    const process = currentProcess();
    const listener = newListener();
    const jid = sys_sockasync_accept(open(listener), 0, 0, 0, handlerOf(EVENT_ACCEPT));
    const socket = newStream();
    const last = open(socket);
    // The table as it is when it is full.
    const free = process.handleFree;
    const capacity = process.handleCapacity;
    process.handleFree = 0;
    process.handleCapacity = HANDLE_LIMIT;
    establish(listener);
    expectNone("no descriptor");
    expect<i32>(sys_evctl(jid, EVJOBLOOKUP, 0)).toBe(EVENT_REGISTERED | EVENT_PENDING | EVENT_STARVED);
    establish(listener);
    expectNone("and nothing spins");
    expect<u32>(listener.waiting).toBe(2);
    expect<i32>(sys_close(last)).toBe(0);
    expectHandler(EVENT_ACCEPT, "a descriptor was closed");
    expect<i32>(<i32>upcallArgument3).toBe(last);
    expectNone("only one");
    expect<u32>(listener.waiting).toBe(1);
    process.handleCapacity = capacity;
    process.handleFree = free;
  });
});
