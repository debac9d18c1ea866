/** sockasync_sk and sockasync_sock (docs/aem-calls.md): states in their order, and bits that come together. */
import { EVENT_SK, EVENT_SOCK, EVJOBLOOKUP, EVJOBSHTDN, EVJOBSTOP, SHUTDOWN_DELIVER } from "../../aem/abi";
import { sys_evctl } from "../../aem/evctl";
import { ECONNRESET, ESRCH } from "../../kernel/errno";
import { upcallArgument1, upcallArgument3, upcallArgument4 } from "../../kernel/glue";
import { POLLERR, POLLHUP, POLLIN, POLLOUT } from "../../kernel/scheduler/wait";
import {
  expectHandler,
  expectNone,
  expectNothingLeft,
  onSock,
  onState,
  readStatistics,
  setUp,
  statistics,
  transition,
} from "./driver";
import { fail, newStream, open, readElsewhere, receive } from "./machine";

function expectState(old: u32, state: u32): void {
  expectHandler(EVENT_SK, "a transition");
  expect<u32>(upcallArgument3).toBe(old, "old state");
  expect<u32>(upcallArgument4).toBe(state, "new state");
}

beforeAll(() => {
  setUp();
});

afterEach(expectNothingLeft);

describe("sockasync_sk", () => {
  it("reports every transition, in order, one for each call", () => {
    const socket = newStream();
    const jid = onState(open(socket));
    transition(socket, 7, 2);
    transition(socket, 2, 1);
    transition(socket, 1, 4);
    readStatistics(jid);
    expect<u32>(statistics.waiting).toBe(3);
    expectState(7, 2);
    expectState(2, 1);
    transition(socket, 4, 5);
    expectState(1, 4);
    expectState(4, 5);
    expectNone("no more");
    transition(socket, 5, 6);
    expectState(5, 6);
    expectNone("no more");
    readStatistics(jid);
    expect<u64>(statistics.activations).toBe(5);
    expect<u64>(statistics.handled).toBe(5);
  });

  it("keeps 15 transitions, then skips states but never breaks the chain", () => {
    const socket = newStream();
    const jid = onState(open(socket));
    for (let i: u32 = 0; i < 20; i++) transition(socket, 1 + (i % 11), 1 + ((i + 1) % 11));
    let state: u32 = 1;
    for (let i: u32 = 0; i < 15; i++) {
      expectHandler(EVENT_SK, "a transition");
      expect<u32>(upcallArgument3).toBe(state, "the chain");
      state = upcallArgument4;
    }
    expect<u32>(state).toBe(1 + (20 % 11), "the last state");
    expectNone("no more");
    readStatistics(jid);
    expect<u64>(statistics.activations).toBe(20);
    expect<u64>(statistics.coalesced).toBe(5);
  });

  it("keeps transitions while it is stopped, and delivers all of them at a shutdown", () => {
    const socket = newStream();
    const jid = onState(open(socket));
    transition(socket, 7, 2);
    sys_evctl(jid, EVJOBSTOP, 0);
    transition(socket, 2, 1);
    expectNone("stopped");
    sys_evctl(jid, EVJOBSHTDN, SHUTDOWN_DELIVER);
    transition(socket, 1, 8);
    expectState(7, 2);
    expectState(2, 1);
    expectNone("what came after the shutdown does not count");
    expect<i32>(sys_evctl(jid, EVJOBLOOKUP, 0)).toBe(-ESRCH);
  });
});

describe("sockasync_sock", () => {
  it("reports what holds at registration, and then edges", () => {
    const socket = newStream();
    socket.bits = POLLOUT;
    const jid = onSock(open(socket));
    expectHandler(EVENT_SOCK, "POLLOUT holds");
    expect<i32>(<i32>upcallArgument1).toBe(jid);
    expect<u32>(upcallArgument3).toBe(POLLOUT);
    expect<u32>(upcallArgument4).toBe(0);
    expectNone("not as long as it holds");
    receive(socket, 1);
    receive(socket, 1);
    expectHandler(EVENT_SOCK, "data");
    expect<u32>(upcallArgument3).toBe(POLLIN | POLLOUT, "all that holds now");
    expectNone("once");
    readStatistics(jid);
    expect<u64>(statistics.coalesced).toBe(1);
    fail(socket, ECONNRESET);
    expectHandler(EVENT_SOCK, "failure");
    expect<u32>(upcallArgument3).toBe(POLLIN | POLLOUT | POLLERR | POLLHUP);
    expect<i32>(<i32>upcallArgument4).toBe(-ECONNRESET);
    expect<i32>(socket.error).toBe(ECONNRESET, "SO_ERROR is still there to be asked for");
  });

  it("does not report bits that have gone", () => {
    const socket = newStream();
    socket.bits = POLLOUT;
    onSock(open(socket));
    expectHandler(EVENT_SOCK, "POLLOUT holds");
    receive(socket, 1);
    readElsewhere(socket, 1);
    expectNone("the data were taken");
  });
});
