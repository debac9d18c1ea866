/** EVJOBCLEAN (docs/aem-calls.md): what is dropped of each type, and what is not. */
import {
  EVENT_CLOSE,
  EVENT_READ,
  EVENT_REGISTERED,
  EVENT_SK,
  EVJOBCLEAN,
  EVJOBLOOKUP,
  EVJOBSHTDN,
  EVJOBSTART,
  EVJOBSTOP,
  SHUTDOWN_DELIVER,
} from "../../aem/abi";
import { sys_evctl } from "../../aem/evctl";
import { ESRCH } from "../../kernel/errno";
import { upcallArgument3, upcallArgument4 } from "../../kernel/glue";
import { POLLIN } from "../../kernel/scheduler/wait";
import { MILLISECOND } from "../../kernel/time/clock";
import { TIMER_TICK } from "../../kernel/time/timers";
import { expectCounts, onAccept, setTimeout } from "./control";
import {
  expectHandler,
  expectNone,
  expectNothingLeft,
  expectRead,
  onClose,
  onRead,
  onSock,
  onState,
  onTimer,
  readStatistics,
  setUp,
  statistics,
  timePasses,
  transition,
} from "./driver";
import {
  aborts,
  establish,
  finish,
  newDatagram,
  newListener,
  newStream,
  open,
  receive,
  receiveDatagram,
} from "./machine";

beforeAll(() => {
  setUp();
});

afterEach(expectNothingLeft);

describe("EVJOBCLEAN", () => {
  it("throws away a stream's data and goes on", () => {
    const socket = newStream();
    const jid = onRead(open(socket));
    receive(socket, 100);
    receive(socket, 100);
    expect<i32>(sys_evctl(jid, EVJOBCLEAN, 0)).toBe(1);
    expect<u32>(socket.went).toBe(200);
    expect<i32>(sys_evctl(jid, EVJOBLOOKUP, 0)).toBe(EVENT_REGISTERED);
    expectNone("nothing waits");
    expectCounts(jid, 0, 1, 0, 1);
    expect<i32>(sys_evctl(jid, EVJOBCLEAN, 0)).toBe(0);
    receive(socket, 50);
    expectRead(200, 50, "what comes later");
    receive(socket, 50);
    finish(socket);
    expect<i32>(sys_evctl(jid, EVJOBCLEAN, 0)).toBe(1);
    expectHandler(EVENT_READ, "the end is not thrown away");
    expect<u32>(upcallArgument4).toBe(0);
    expectNone("once");
  });

  it("datagrams, connections, transitions, expirations", () => {
    const datagrams = newDatagram();
    for (let i: u32 = 0; i < 5; i++) receiveDatagram(datagrams, 10);
    const reader = onRead(open(datagrams));
    receiveDatagram(datagrams, 10);
    expect<i32>(sys_evctl(reader, EVJOBCLEAN, 0)).toBe(6);
    expectCounts(reader, 0, 1, 0, 6);
    const listener = newListener();
    const acceptor = onAccept(listener);
    const before = aborts;
    establish(listener);
    establish(listener);
    expect<i32>(sys_evctl(acceptor, EVJOBCLEAN, 0)).toBe(2);
    expect<i32>(aborts - before).toBe(2);
    const socket = newStream();
    const watcher = onState(open(socket));
    transition(socket, 7, 2);
    transition(socket, 2, 1);
    expect<i32>(sys_evctl(watcher, EVJOBCLEAN, 0)).toBe(2);
    transition(socket, 1, 8);
    const timer = onTimer(MILLISECOND, MILLISECOND);
    timePasses(5 * MILLISECOND + TIMER_TICK);
    expect<i32>(sys_evctl(timer, EVJOBCLEAN, 0)).toBe(5);
    expectCounts(timer, 0, 0, 0, 5);
    const sock = onSock(open(socket));
    socket.wake(POLLIN, 0);
    expect<i32>(sys_evctl(sock, EVJOBCLEAN, 0)).toBe(1);
    expectHandler(EVENT_SK, "only what came later");
    expect<u32>(upcallArgument3).toBe(1);
    expectNone("nothing else");
  });

  it("of stopped, draining, ending and handling events", () => {
    const socket = newStream();
    const fd = open(socket);
    const jid = onRead(fd);
    sys_evctl(jid, EVJOBSTOP, 0);
    receive(socket, 10);
    expect<i32>(sys_evctl(jid, EVJOBCLEAN, 0)).toBe(1);
    sys_evctl(jid, EVJOBSTART, 0);
    expectNone("forgotten");
    receive(socket, 10);
    expectRead(10, 10, "called");
    receive(socket, 10);
    expect<i32>(sys_evctl(jid, EVJOBCLEAN, 0)).toBe(1, "inside its own handler");
    expectNone("forgotten");
    receive(socket, 10);
    sys_evctl(jid, EVJOBSHTDN, SHUTDOWN_DELIVER);
    expect<i32>(sys_evctl(jid, EVJOBCLEAN, 0)).toBe(1);
    expect<i32>(sys_evctl(jid, EVJOBLOOKUP, 0)).toBe(-ESRCH, "nothing is left to be delivered");
    const closer = onClose(fd);
    finish(socket);
    expect<i32>(sys_evctl(closer, EVJOBCLEAN, 0)).toBe(0);
    expectHandler(EVENT_CLOSE, "an end stays");
  });

  it("a time-out that waits is dropped, and begins again", () => {
    const jid = onState(open(newStream()));
    setTimeout(jid, MILLISECOND);
    timePasses(2 * MILLISECOND);
    readStatistics(jid);
    expect<u32>(statistics.waiting).toBe(1);
    expect<i32>(sys_evctl(jid, EVJOBCLEAN, 0)).toBe(1);
    expectNone("dropped");
    timePasses(2 * MILLISECOND);
    expectHandler(EVENT_SK, "again");
    expectCounts(jid, 1, 0, 0, 1);
  });
});
