/** sockasync_close (docs/aem-calls.md), and what happens when a socket goes away. */
import {
  EVENT_CLOSE,
  EVENT_ENDED,
  EVENT_READ,
  EVENT_REGISTERED,
  EVJOBLOOKUP,
  EVJOBSHTDN,
  EVJOBSTART,
  EVJOBSTOP,
  SHUTDOWN_DELIVER,
  SHUTDOWN_DROP,
} from "../../aem/abi";
import { sys_evctl } from "../../aem/evctl";
import { eventPool } from "../../aem/jids";
import { EBADF, ECONNABORTED, ECONNREFUSED, ECONNRESET, ENOTCONN, ESRCH } from "../../kernel/errno";
import { upcallArgument1, upcallArgument2, upcallArgument3, upcallArgument4 } from "../../kernel/glue";
import { currentProcess } from "../../kernel/process/process";
import { POLLHUP, POLLOUT, WAKE_GONE } from "../../kernel/scheduler/wait";
import { MILLISECOND } from "../../kernel/time/clock";
import { sys_close } from "../../net/socket/calls";
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
import { nextHandler, fail, finish, newProcess, newStream, open, receive, switchTo } from "./machine";
import { endNow } from "../reap";

/** The next handler is close's, and reports this. */
function expectClose(jid: i32, error: i32, what: string): void {
  expectHandler(EVENT_CLOSE, what);
  expect<i32>(<i32>upcallArgument1).toBe(jid, "jid");
  expect<i32>(<i32>upcallArgument3).toBe(error, "error");
}

beforeAll(() => {
  setUp();
});

afterEach(expectNothingLeft);

describe("sockasync_close", () => {
  it("reports an orderly end once", () => {
    const socket = newStream();
    const fd = open(socket);
    const jid = onClose(fd);
    receive(socket, 10);
    expectNone("data are no end");
    finish(socket);
    expectClose(jid, 0, "at once, with no read event");
    expect<i32>(<i32>upcallArgument2).toBe(fd);
    socket.wake(POLLHUP, 0);
    expectNone("once");
    expect<i32>(sys_evctl(jid, EVJOBLOOKUP, 0)).toBe(EVENT_REGISTERED | EVENT_ENDED);
  });

  it("reports what ended the connection, also when others were told first", () => {
    const socket = newStream();
    const jid = onClose(open(socket));
    fail(socket, ECONNRESET);
    socket.error = 0;
    socket.end = 0;
    expectClose(jid, -ECONNRESET, "kept by the event");
  });

  it("reports an end that was there before the registration", () => {
    const socket = newStream();
    fail(socket, ECONNREFUSED);
    expectClose(onClose(open(socket)), -ECONNREFUSED, "at registration");
  });

  it("says nothing of a socket that is not connected yet", () => {
    const socket = newStream();
    socket.end = -ENOTCONN;
    socket.bits = POLLOUT | POLLHUP;
    const jid = onClose(open(socket));
    expectNone("not connected");
    finish(socket);
    expectClose(jid, 0, "later");
  });

  it("comes after the data and the end that a read event delivers, whatever was registered first", () => {
    const socket = newStream();
    const fd = open(socket);
    const jid = onClose(fd);
    onRead(fd);
    receive(socket, 40000);
    finish(socket);
    expectRead(0, 16384, "data");
    expectRead(16384, 16384, "data");
    expectRead(32768, 7232, "data");
    expectHandler(EVENT_READ, "end");
    expect<u32>(upcallArgument4).toBe(0);
    expectClose(jid, 0, "and then");
    expectNone("once");
    readStatistics(jid);
    expect<u64>(statistics.handled).toBe(1);
  });

  it("waits for a read event that is stopped, and not for one that has ended", () => {
    const socket = newStream();
    const fd = open(socket);
    const jid = onClose(fd);
    const reader = onRead(fd);
    sys_evctl(reader, EVJOBSTOP, 0);
    receive(socket, 10);
    finish(socket);
    expectNone("stopped");
    sys_evctl(reader, EVJOBSHTDN, SHUTDOWN_DROP);
    expectClose(jid, 0, "nobody reads");
    expect<u32>(socket.went).toBe(0);
  });

  it("waits for each of two read events", () => {
    const socket = newStream();
    const fd = open(socket);
    const jid = onClose(fd);
    onRead(fd);
    const second = onRead(fd);
    sys_evctl(second, EVJOBSTOP, 0);
    finish(socket);
    expectHandler(EVENT_READ, "end for the first");
    expectNone("the second is stopped");
    sys_evctl(second, EVJOBSTART, 0);
    expectHandler(EVENT_READ, "end for the second");
    expectClose(jid, 0, "and then");
  });

  it("a shutdown that delivers first does not wait for a reader", () => {
    const socket = newStream();
    const fd = open(socket);
    onRead(fd);
    const jid = onClose(fd);
    fail(socket, ECONNRESET);
    sys_evctl(jid, EVJOBSHTDN, SHUTDOWN_DELIVER);
    expectHandler(EVENT_READ, "was first in the queue");
    expectClose(jid, -ECONNRESET, "delivered");
    expectNone("ended");
    expect<i32>(sys_evctl(jid, EVJOBLOOKUP, 0)).toBe(-ESRCH);
  });
});

describe("a socket that goes away", () => {
  it("close ends its events at once and silently", () => {
    const socket = newStream();
    const fd = open(socket);
    const jid = onRead(fd);
    onClose(fd);
    onState(fd);
    onSock(fd);
    const timer = onTimer(MILLISECOND, 0);
    receive(socket, 100);
    transition(socket, 1, 8);
    finish(socket);
    expect<i32>(sys_close(fd)).toBe(0);
    expect<u32>(socket.closed).toBe(1);
    expect<bool>(socket.isEmpty).toBe(true);
    expectNone("dropped");
    expect<i32>(sys_evctl(jid, EVJOBLOOKUP, 0)).toBe(-ESRCH);
    expect<i32>(sys_evctl(timer, EVJOBLOOKUP, 0)).toBe(EVENT_REGISTERED, "others stay");
    expect<i32>(sys_close(fd)).toBe(-EBADF);
  });

  it("close inside the handler of an event of the socket", () => {
    const socket = newStream();
    const fd = open(socket);
    onRead(fd);
    onClose(fd);
    receive(socket, 100);
    finish(socket);
    expectRead(0, 100, "called");
    expect<i32>(sys_close(fd)).toBe(0);
    expectNone("no end, no close");
    expect<u32>(eventPool().inUse).toBe(0);
  });

  it("a transport that gives up an open socket is reported by close and sk events", () => {
    const socket = newStream();
    const fd = open(socket);
    const reader = onRead(fd);
    const closer = onClose(fd);
    const watcher = onState(fd);
    const idle = onState(fd);
    sys_evctl(idle, EVJOBSTOP, 0);
    receive(socket, 100);
    sys_evctl(watcher, EVJOBSTOP, 0);
    transition(socket, 1, 7);
    sys_evctl(watcher, EVJOBSTART, 0);
    socket.wake(WAKE_GONE, 0);
    expect<bool>(socket.isEmpty).toBe(true);
    expect<i32>(sys_evctl(reader, EVJOBLOOKUP, 0)).toBe(-ESRCH);
    let closes = 0;
    let states = 0;
    let kept = 0;
    while (<u32>nextHandler() != 0) {
      if (<i32>upcallArgument1 == closer) {
        expect<i32>(<i32>upcallArgument3).toBe(-ECONNABORTED);
        closes++;
      } else if (<i32>upcallArgument1 == watcher) states++;
      else if (<i32>upcallArgument1 == idle) kept++;
    }
    expect<i32>(closes).toBe(1);
    expect<i32>(states).toBe(1);
    expect<i32>(kept).toBe(1, "also what a stopped event kept");
    expect<i32>(sys_evctl(closer, EVJOBLOOKUP, 0)).toBe(-ESRCH);
    expect<u32>(eventPool().inUse).toBe(0);
  });

  it("the end of the process ends its events, one that is being handled too", () => {
    const mine = currentProcess();
    const other = newProcess();
    switchTo(other);
    const socket = newStream();
    const fd = open(socket);
    onRead(fd);
    onClose(fd);
    onTimer(1, 1);
    receive(socket, 100);
    expectHandler(EVENT_READ, "called");
    receive(socket, 100);
    expect<bool>(other.thread.handling != 0).toBe(true);
    switchTo(mine);
    endNow(other, 0);
    expect<u32>(eventPool().inUse).toBe(0);
    expect<u32>(socket.aborted).toBe(1, "its sockets are reset");
    expect<bool>(socket.isEmpty).toBe(true);
    timePasses(MILLISECOND);
  });
});
