/** close, sk, sock and timers (docs/aem-calls.md), and what happens when a socket goes away. */
import {
  EVENT_ACCEPT,
  EVENT_CLOSE,
  EVENT_ENDED,
  EVENT_READ,
  EVENT_REGISTERED,
  EVENT_SK,
  EVENT_SOCK,
  EVENT_TIMER,
  EVF_ONESHOT,
  EVJOBLOOKUP,
  EVJOBSHTDN,
  EVJOBSTART,
  EVJOBSTOP,
  SHUTDOWN_DELIVER,
  SHUTDOWN_DROP,
} from "../../aem/abi";
import { sys_evctl } from "../../aem/evctl";
import { sys_evtimer } from "../../aem/evtimer";
import { eventPool } from "../../aem/jids";
import { EBADF, ECONNABORTED, ECONNREFUSED, ECONNRESET, EINVAL, ENOTCONN, ESRCH } from "../../kernel/errno";
import { upcallArgument1, upcallArgument2, upcallArgument3, upcallArgument4 } from "../../kernel/glue";
import { currentProcess } from "../../kernel/process/process";
import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP, WAKE_GONE } from "../../kernel/scheduler/wait";
import { MILLISECOND, now } from "../../kernel/time/clock";
import { TIMER_TICK } from "../../kernel/time/timers";
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
import {
  nextHandler,
  fail,
  finish,
  handlerOf,
  newProcess,
  newStream,
  open,
  receive,
  switchTo,
} from "./machine";
import { endNow } from "../reap";

/** The next handler is close's, and reports this. */
function expectClose(jid: i32, error: i32, what: string): void {
  expectHandler(EVENT_CLOSE, what);
  expect<i32>(<i32>upcallArgument1).toBe(jid, "jid");
  expect<i32>(<i32>upcallArgument3).toBe(error, "error");
}
function expectState(old: u32, state: u32): void {
  expectHandler(EVENT_SK, "a transition");
  expect<u32>(upcallArgument3).toBe(old, "old state");
  expect<u32>(upcallArgument4).toBe(state, "new state");
}
function expectTimer(jid: i32, overrun: u32, what: string): void {
  expectHandler(EVENT_TIMER, what);
  expect<i32>(<i32>upcallArgument1).toBe(jid, "jid");
  expect<u32>(upcallArgument2).toBe(overrun, "overrun");
}

beforeAll(() => {
  setUp();
});

afterEach(() => {
  expectNothingLeft();
});

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
    expect<u32>(socket.taken).toBe(0);
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
    socket.taken = 1;
    expectNone("the data were taken");
  });
});

describe("evtimer", () => {
  it("refuses negative times", () => {
    expect<i32>(sys_evtimer(-1, 0, 0, handlerOf(EVENT_TIMER))).toBe(-EINVAL);
    expect<i32>(sys_evtimer(0, -1, 0, handlerOf(EVENT_TIMER))).toBe(-EINVAL);
    expect<i32>(sys_evtimer(i64.MAX_VALUE, i64.MAX_VALUE, 0, handlerOf(EVENT_TIMER))).toBeGreaterThan(0);
  });

  it("calls once with period 0, never early, and ends", () => {
    const jid = onTimer(MILLISECOND, 0);
    timePasses(MILLISECOND - 1);
    expectNone("early");
    timePasses(TIMER_TICK);
    expectTimer(jid, 0, "due");
    expect<i32>(sys_evctl(jid, EVJOBLOOKUP, 0)).toBeGreaterThan(0);
    timePasses(10 * MILLISECOND);
    expectNone("once");
    expect<i32>(sys_evctl(jid, EVJOBLOOKUP, 0)).toBe(-ESRCH);
  });

  it("EVF_ONESHOT takes the period away", () => {
    const jid = onTimer(MILLISECOND, MILLISECOND, EVF_ONESHOT);
    timePasses(100 * MILLISECOND);
    expectTimer(jid, 0, "due");
    expectNone("once");
  });

  it("calls periodically without drift, however late each call is", () => {
    const start = now();
    const jid = onTimer(5 * MILLISECOND, 10 * MILLISECOND);
    let calls: u64 = 0;
    let wrong = 0;
    // 1000 periods in steps that have nothing to do with them: after each the number of expirations is known exactly.
    while (now() - start < 10_000 * MILLISECOND) {
      timePasses(3_777_777);
      const time = now() - start;
      const due = time < 5 * MILLISECOND ? 0 : (time - 5 * MILLISECOND) / (10 * MILLISECOND) + 1;
      while (<u32>nextHandler() != 0) calls += 1 + upcallArgument2;
      if (calls > due || due - calls > 1) wrong++;
      if (due - calls == 1 && (time - 5 * MILLISECOND) % (10 * MILLISECOND) > TIMER_TICK) wrong++;
    }
    expect<i32>(wrong).toBe(0);
    expect<u64>(calls).toBeGreaterThan(990);
    readStatistics(jid);
  });

  it("counts overruns while its handler does not run, when interrupts come late, and below a tick", () => {
    const jid = onTimer(MILLISECOND, MILLISECOND);
    for (let i = 0; i < 5; i++) timePasses(MILLISECOND);
    timePasses(TIMER_TICK);
    expectTimer(jid, 4, "five expirations");
    timePasses(7 * MILLISECOND);
    expectTimer(jid, 6, "one late interrupt for seven");
    // Expirations while the handler runs are the next call.
    timePasses(2 * MILLISECOND);
    expectTimer(jid, 1, "two more");
    expectNone("no more");
    readStatistics(jid);
    expect<u64>(statistics.activations).toBe(14);
    expect<u64>(statistics.coalesced).toBe(11);
    sys_evctl(jid, EVJOBSHTDN, SHUTDOWN_DROP);
    const fast = onTimer(0, 1000);
    timePasses(MILLISECOND);
    expectHandler(EVENT_TIMER, "a period below a tick");
    expect<i32>(<i32>upcallArgument1).toBe(fast);
    expect<bool>(upcallArgument2 > 900 && upcallArgument2 <= 1000).toBe(true, "overrun");
  });

  it("counts on while it is stopped", () => {
    const jid = onTimer(MILLISECOND, MILLISECOND);
    sys_evctl(jid, EVJOBSTOP, 0);
    for (let i = 0; i < 10; i++) timePasses(MILLISECOND);
    timePasses(TIMER_TICK);
    expectNone("stopped");
    sys_evctl(jid, EVJOBSTART, 0);
    expectTimer(jid, 9, "ten");
  });

  it("a shutdown that delivers first stops the clock", () => {
    const jid = onTimer(MILLISECOND, MILLISECOND);
    timePasses(2 * MILLISECOND);
    sys_evctl(jid, EVJOBSHTDN, SHUTDOWN_DELIVER);
    timePasses(20 * MILLISECOND);
    expectTimer(jid, 1, "what was due before");
    timePasses(20 * MILLISECOND);
    expectNone("ended");
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
