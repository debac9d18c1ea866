/** evctl beyond ending, stopping and starting (docs/aem-calls.md): filters, time-outs, handler, flags, clean, latencies, retry. */
import {
  EVENT_ACCEPT,
  EVENT_CLOSE,
  EVENT_PENDING,
  EVENT_READ,
  EVENT_REGISTERED,
  EVENT_SK,
  EVENT_SOCK,
  EVENT_TIMER,
  EventFilter,
  EVF_FORK,
  EVF_KEEPALIVE,
  EVF_ONESHOT,
  EVF_PRIORITY_SHIFT,
  EVJOBCLEAN,
  EVJOBFILTER,
  EVJOBFLAGS,
  EVJOBHANDLER,
  EVJOBHISTOGRAM,
  EVJOBLOOKUP,
  EVJOBRETRY,
  EVJOBSHTDN,
  EVJOBSTART,
  EVJOBSTOP,
  EVJOBTIMEOUT,
  FILTER_SIZE,
  READ_LIMIT,
  SHUTDOWN_DELIVER,
  SHUTDOWN_DROP,
} from "../../aem/abi";
import { sys_evctl } from "../../aem/evctl";
import { extraPool } from "../../aem/extra";
import { sys_sockasync_accept } from "../../aem/sockasync";
import { ECONNRESET, EFAULT, EINVAL, ENOSPC, EOPNOTSUPP, ESRCH, ETIMEDOUT } from "../../kernel/errno";
import { upcallArgument1, upcallArgument3, upcallArgument4 } from "../../kernel/glue";
import { vmtableAllocate, vmtableFree } from "../../kernel/memory/vmtable";
import { sys_enter_keepalive } from "../../kernel/process/calls";
import { currentProcess } from "../../kernel/process/process";
import { currentThread } from "../../kernel/scheduler/running";
import { POLLERR, POLLHUP, POLLIN, POLLOUT } from "../../kernel/scheduler/wait";
import { MILLISECOND } from "../../kernel/time/clock";
import { TIMER_TICK } from "../../kernel/time/timers";
import * as fake from "../fake";
import {
  expectData,
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
  user,
  zone,
} from "./driver";
import {
  aborts,
  establish,
  fail,
  FakeSocket,
  finish,
  handlerOf,
  newDatagram,
  newListener,
  newStream,
  nextHandler,
  open,
  OTHER_CODE,
  otherHandlerOf,
  receive,
  receiveDatagram,
  WRONG_HANDLER,
} from "./machine";

function onAccept(listener: FakeSocket): i32 {
  return sys_sockasync_accept(open(listener), 0, 0, 0, handlerOf(EVENT_ACCEPT));
}
function setFilter(jid: i32, mask: u32, address: u32, prefix: u32, least: u32): i32 {
  const filter = changetype<EventFilter>(<usize>user);
  filter.size = FILTER_SIZE;
  filter.mask = mask;
  store<u64>(filter.address, 0);
  store<u64>(filter.address, address == 0 ? 0 : bswap<u64>(0xffff_0000_0000 | address), 8);
  filter.prefix = prefix == 0 ? 0 : prefix + 96;
  filter.least = least;
  return sys_evctl(jid, EVJOBFILTER, user);
}
function setFilter6(jid: i32, high: u64, low: u64, prefix: u32): i32 {
  const filter = changetype<EventFilter>(<usize>user);
  memory.fill(user, 0, FILTER_SIZE);
  filter.size = FILTER_SIZE;
  store<u64>(filter.address, bswap<u64>(high));
  store<u64>(filter.address, bswap<u64>(low), 8);
  filter.prefix = prefix;
  return sys_evctl(jid, EVJOBFILTER, user);
}
function setTimeout(jid: i32, nanoseconds: u64): i32 {
  store<u64>(user, nanoseconds);
  return sys_evctl(jid, EVJOBTIMEOUT, user);
}
function expectCounts(jid: i32, handled: u64, coalesced: u64, filtered: u64, cleaned: u64): void {
  readStatistics(jid);
  expect<u64>(statistics.handled).toBe(handled, "handled");
  expect<u64>(statistics.coalesced).toBe(coalesced, "coalesced");
  expect<u64>(statistics.filtered).toBe(filtered, "filtered");
  expect<u64>(statistics.cleaned).toBe(cleaned, "cleaned");
}
function bucket(index: u32): u32 {
  return load<u32>(changetype<usize>(statistics) + 104 + (index << 2));
}

beforeAll(() => {
  setUp();
});

afterEach(() => {
  expectNothingLeft();
});

describe("EVJOBFILTER", () => {
  it("refuses what says nothing about the type, and what cannot be read", () => {
    const stream = onRead(open(newStream()));
    const datagram = onRead(open(newDatagram()));
    const state = onState(open(newStream()));
    const sock = onSock(open(newStream()));
    const close = onClose(open(newStream()));
    const accept = onAccept(newListener());
    const timer = onTimer(1, 0);
    expect<i32>(setFilter(stream, 0, 0x0a000000, 8, 0)).toBe(-EINVAL, "a stream has one peer");
    expect<i32>(setFilter(stream, 1, 0, 0, 0)).toBe(-EINVAL);
    expect<i32>(setFilter(datagram, 0, 0, 0, 10)).toBe(-EINVAL, "a datagram comes whole");
    expect<i32>(setFilter(accept, 0, 0, 33, 0)).toBe(-EINVAL, "prefix");
    expect<i32>(setFilter(accept, 0, 0x0a000000, 0, 0)).toBe(-EINVAL, "an address without a prefix");
    expect<i32>(setFilter(state, 1, 0, 0, 0)).toBe(-EINVAL, "no such state");
    expect<i32>(setFilter(state, 1 << 12, 0, 0, 0)).toBe(-EINVAL, "no such state");
    expect<i32>(setFilter(sock, 0x10000, 0, 0, 0)).toBe(-EINVAL, "no such bit");
    expect<i32>(setFilter(close, 2, 0, 0, 0)).toBe(-EINVAL);
    expect<i32>(setFilter(timer, 2, 0, 0, 0)).toBe(-EINVAL);
    expect<i32>(sys_evctl(timer, EVJOBFILTER, 0)).toBe(0, "there is none to take away");
    expect<i32>(sys_evctl(stream, EVJOBFILTER, 0xfffffff0)).toBe(-EFAULT);
    store<u32>(user, 3);
    expect<i32>(sys_evctl(stream, EVJOBFILTER, user)).toBe(-EINVAL);
    store<u32>(user, FILTER_SIZE + 4);
    expect<i32>(sys_evctl(stream, EVJOBFILTER, user)).toBe(-EINVAL, "fields that are not known");
    expect<u32>(extraPool().inUse).toBe(0, "a refusal costs nothing");
    // A short struct has no conditions behind its end.
    store<u32>(user, 8);
    store<u32>(user, 1 << 8, 4);
    store<u32>(user, 99, 8);
    expect<i32>(sys_evctl(state, EVJOBFILTER, user)).toBe(0);
  });

  it("sk: delivers transitions into the states asked for, with the state they really came from", () => {
    const socket = newStream();
    const jid = onState(open(socket));
    expect<i32>(setFilter(jid, (1 << 1) | (1 << 8), 0, 0, 0)).toBe(0);
    transition(socket, 7, 2);
    expect<bool>(currentThread().canDispatch).toBe(false, "the process is not even woken");
    transition(socket, 2, 1);
    transition(socket, 1, 4);
    transition(socket, 4, 8);
    transition(socket, 8, 9);
    expectHandler(EVENT_SK, "into ESTABLISHED");
    expect<u32>(upcallArgument3).toBe(2);
    expect<u32>(upcallArgument4).toBe(1);
    expectHandler(EVENT_SK, "into CLOSE_WAIT");
    expect<u32>(upcallArgument3).toBe(4);
    expect<u32>(upcallArgument4).toBe(8);
    expectNone("no others");
    expectCounts(jid, 2, 0, 3, 0);
    expect<i32>(sys_evctl(jid, EVJOBFILTER, 0)).toBe(0);
    transition(socket, 9, 7);
    expectHandler(EVENT_SK, "without a filter");
  });

  it("sk: what waits when the filter comes is measured by it", () => {
    const socket = newStream();
    const jid = onState(open(socket));
    transition(socket, 7, 2);
    transition(socket, 2, 1);
    setFilter(jid, 1 << 11, 0, 0, 0);
    expectNone("neither");
    expectCounts(jid, 0, 0, 2, 0);
  });

  it("sock: reports the bits asked for and no others", () => {
    const socket = newStream();
    const jid = onSock(open(socket));
    setFilter(jid, POLLIN | POLLERR, 0, 0, 0);
    socket.bits = POLLOUT;
    socket.wake(POLLOUT, 0);
    expect<bool>(currentThread().canDispatch).toBe(false, "not woken");
    receive(socket, 5);
    expectHandler(EVENT_SOCK, "data");
    expect<u32>(upcallArgument3).toBe(POLLIN, "of what holds, what was asked for");
    socket.wake(POLLIN | POLLOUT, 0);
    setFilter(jid, POLLHUP, 0, 0, 0);
    expectNone("the filter is younger");
    expectCounts(jid, 1, 0, 2, 0);
  });

  it("accept: resets connections from others", () => {
    const listener = newListener();
    listener.spread = 1 << 24;
    const jid = onAccept(listener);
    setFilter(jid, 0, 0x0b01_0203, 8, 0);
    const before = aborts;
    for (let i = 0; i < 3; i++) establish(listener);
    expectHandler(EVENT_ACCEPT, "11.0.0.2");
    expectNone("no others");
    expect<i32>(aborts - before).toBe(2);
    expect<u32>(listener.waiting).toBe(0);
    readStatistics(jid);
    expect<u64>(statistics.filtered).toBe(2);
    expect<u64>(statistics.handled).toBe(1);
  });

  it("peers of both versions: a prefix of one lets none of the other through", () => {
    // From 10.0.0.x, and from 2001:db8:0:1::a00:x.
    for (let version = 4; version <= 6; version += 2) {
      const socket = newDatagram();
      socket.spread = 1;
      if (version == 6) socket.high = 0x2001_0db8_0000_0001;
      const jid = onRead(open(socket));
      const high: u64[] = [
        0, 0, 0x2001_0db8_0000_0001, 0x2001_0db8_0000_0001, 0x2001_0db8_0000_0002, 0x2001_0db8_0000_0001,
      ];
      const low: u64[] = [0xffff_0000_0000, 0xffff_0a00_0000, 0, 0x0a00_0000, 0, 0xffff_ffff_ffff_ffff];
      const bits: u32[] = [96, 120, 64, 120, 63, 64];
      const passes: u32[] = [4, 4, 6, 6, 0, 6];
      for (let i = 0; i < bits.length; i++) {
        expect<i32>(setFilter6(jid, high[i], low[i], bits[i])).toBe(0);
        receiveDatagram(socket, 10 + i);
        // 2001:db8:0:2::/63 is 2001:db8:0:2 and :3.
        if (passes[i] == version) expectHandler(EVENT_READ, "passes");
        expectNone("no more");
      }
      expect<i32>(setFilter6(jid, 1, 0, 129)).toBe(-EINVAL, "prefix");
      expect<i32>(setFilter6(jid, 1, 0, 0)).toBe(-EINVAL, "an address without a prefix");
      expect<i32>(setFilter6(jid, 0, 0, 0)).toBe(0, "all");
      receiveDatagram(socket, 30);
      expectHandler(EVENT_READ, "all");
      readStatistics(jid);
      expect<u64>(statistics.filtered).toBe(version == 4 ? 4 : 3);
    }
  });

  it("accept: resets connections of the other version", () => {
    const listener = newListener();
    listener.spread = 1;
    const jid = onAccept(listener);
    setFilter6(jid, 0x2001_0db8_0000_0000, 0, 32);
    const before = aborts;
    establish(listener);
    expectNone("of IPv4");
    listener.high = 0x2001_0db8_ffff_0000;
    establish(listener);
    expectHandler(EVENT_ACCEPT, "2001:db8::/32");
    listener.high = 0x2001_0db9_0000_0000;
    establish(listener);
    expectNone("another net");
    expect<i32>(aborts - before).toBe(2);
  });

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

describe("EVJOBTIMEOUT", () => {
  it("calls the handler when it was not called for so long, and again", () => {
    const socket = newStream();
    const jid = onRead(open(socket));
    expect<i32>(setTimeout(jid, 10 * MILLISECOND)).toBe(0);
    timePasses(10 * MILLISECOND - 1);
    expectNone("early");
    timePasses(TIMER_TICK);
    for (let i = 0; i < 3; i++) {
      expectHandler(EVENT_READ, "time-out");
      expect<i32>(<i32>upcallArgument1).toBe(jid);
      expect<u32>(upcallArgument3).toBe(0);
      expect<i32>(<i32>upcallArgument4).toBe(-ETIMEDOUT);
      expectNone("once");
      timePasses(10 * MILLISECOND + TIMER_TICK);
    }
    expectHandler(EVENT_READ, "time-out");
    expectNone("returns");
    // A call for data starts it anew.
    timePasses(9 * MILLISECOND);
    receive(socket, 10);
    expectRead(0, 10, "data");
    expectNone("returns");
    timePasses(9 * MILLISECOND);
    expectNone("9 ms");
    timePasses(MILLISECOND + TIMER_TICK);
    expectHandler(EVENT_READ, "10 ms");
    expectCounts(jid, 6, 0, 0, 0);
    expect<i32>(setTimeout(jid, 0)).toBe(0);
    timePasses(100 * MILLISECOND);
    expectNone("off");
    setTimeout(jid, MILLISECOND);
    timePasses(2 * MILLISECOND);
    expect<i32>(sys_evctl(jid, EVJOBTIMEOUT, 0)).toBe(0);
    expectNone("it had run out, and is forgotten");
    expectCounts(jid, 6, 1, 0, 0);
  });

  it("a real activation goes first", () => {
    const socket = newStream();
    const jid = onRead(open(socket));
    setTimeout(jid, 10 * MILLISECOND);
    receive(socket, 10);
    timePasses(11 * MILLISECOND);
    expectRead(0, 10, "data were there when the time ran out");
    expectNone("no time-out");
    timePasses(11 * MILLISECOND);
    receive(socket, 10);
    expectRead(10, 10, "data came after it had run out, and before the call");
    expectNone("no time-out");
    expectCounts(jid, 2, 1, 0, 0);
  });

  it("each type is told in its own way", () => {
    const socket = newStream();
    socket.history = 0x72;
    const fd = open(socket);
    setTimeout(onClose(fd), MILLISECOND);
    setTimeout(onState(fd), MILLISECOND);
    const sock = onSock(fd);
    setTimeout(sock, MILLISECOND);
    setTimeout(onAccept(newListener()), MILLISECOND);
    // The history before the registration comes first.
    expectHandler(EVENT_SK, "7 to 2");
    expectNone("returns");
    timePasses(2 * MILLISECOND);
    let seen: u32 = 0;
    for (let code = <u32>nextHandler(); code != 0; code = <u32>nextHandler()) {
      const type = code & 0xff;
      seen |= 1 << type;
      if (type == EVENT_CLOSE || type == EVENT_ACCEPT) expect<i32>(<i32>upcallArgument3).toBe(-ETIMEDOUT);
      else if (type == EVENT_SK) {
        expect<u32>(upcallArgument3).toBe(2);
        expect<u32>(upcallArgument4).toBe(2);
      } else {
        expect<u32>(upcallArgument3).toBe(0);
        expect<i32>(<i32>upcallArgument4).toBe(-ETIMEDOUT);
      }
    }
    expect<u32>(seen).toBe((1 << EVENT_CLOSE) | (1 << EVENT_SK) | (1 << EVENT_SOCK) | (1 << EVENT_ACCEPT));
    sys_evctl(sock, EVJOBSHTDN, SHUTDOWN_DROP);
    finish(socket);
    expectHandler(EVENT_CLOSE, "a time-out is no end");
    expect<u32>(upcallArgument3).toBe(0);
    expectNone("returns");
    timePasses(2 * MILLISECOND);
    let closes = 0;
    for (let code = <u32>nextHandler(); code != 0; code = <u32>nextHandler())
      if ((code & 0xff) == EVENT_CLOSE) closes++;
    expect<i32>(closes).toBe(0, "nothing more can come of it");
  });

  it("does not run out for a stopped event; ends a one-shot event", () => {
    const jid = onRead(open(newStream()), EVF_ONESHOT);
    setTimeout(jid, MILLISECOND);
    sys_evctl(jid, EVJOBSTOP, 0);
    timePasses(5 * MILLISECOND);
    sys_evctl(jid, EVJOBSTART, 0);
    expectNone("stopped");
    timePasses(2 * MILLISECOND);
    expectHandler(EVENT_READ, "time-out");
    expectNone("one shot");
    expect<i32>(sys_evctl(jid, EVJOBLOOKUP, 0)).toBe(-ESRCH);
  });

  it("refuses timers and what cannot be", () => {
    const timer = onTimer(1, 0);
    expect<i32>(setTimeout(timer, MILLISECOND)).toBe(-EINVAL);
    const jid = onRead(open(newStream()));
    expect<i32>(setTimeout(jid, u64.MAX_VALUE)).toBe(-EINVAL);
    expect<i32>(sys_evctl(jid, EVJOBTIMEOUT, 0xfffffff8)).toBe(-EFAULT);
    expect<i32>(setTimeout(jid, i64.MAX_VALUE)).toBe(0);
    sys_evctl(jid, EVJOBSHTDN, SHUTDOWN_DROP);
    setTimeout(onRead(open(newStream())), MILLISECOND);
    sys_evctl(timer, EVJOBSHTDN, SHUTDOWN_DROP);
  });
});

describe("EVJOBHANDLER and EVJOBFLAGS", () => {
  it("another function of the same type is called next", () => {
    const socket = newStream();
    const jid = onRead(open(socket));
    receive(socket, 10);
    expect<i32>(sys_evctl(jid, EVJOBHANDLER, otherHandlerOf(EVENT_READ))).toBe(0);
    expect<u32>(<u32>nextHandler()).toBe(OTHER_CODE + EVENT_READ);
    fake.consoleClear();
    expect<i32>(sys_evctl(jid, EVJOBHANDLER, otherHandlerOf(EVENT_CLOSE))).toBe(-EINVAL);
    expect<i32>(sys_evctl(jid, EVJOBHANDLER, WRONG_HANDLER)).toBe(-EINVAL);
    expect<i32>(sys_evctl(jid, EVJOBHANDLER, 0)).toBe(-EINVAL);
    receive(socket, 10);
    expect<u32>(<u32>nextHandler()).toBe(OTHER_CODE + EVENT_READ, "a refusal changes nothing");
  });

  it("one-shot comes and goes", () => {
    const socket = newStream();
    const jid = onRead(open(socket), EVF_ONESHOT);
    expect<i32>(sys_evctl(jid, EVJOBFLAGS, 0)).toBe(0);
    receive(socket, 10);
    expectRead(0, 10, "called");
    expectNone("returns");
    expect<i32>(sys_evctl(jid, EVJOBFLAGS, EVF_ONESHOT)).toBe(0);
    receive(socket, 10);
    expectRead(10, 10, "called");
    expectNone("returns");
    expect<i32>(sys_evctl(jid, EVJOBLOOKUP, 0)).toBe(-ESRCH);
    const timer = onTimer(MILLISECOND, 0);
    expect<i32>(sys_evctl(timer, EVJOBFLAGS, 0)).toBe(0);
    timePasses(2 * MILLISECOND);
    expectHandler(EVENT_TIMER, "due");
    expectNone("returns");
    expect<i32>(sys_evctl(timer, EVJOBLOOKUP, 0)).toBe(-ESRCH, "a timer without a period is over");
  });

  it("keepalive is counted right", () => {
    const process = currentProcess();
    const first = onTimer(MILLISECOND, MILLISECOND);
    const second = onTimer(MILLISECOND, MILLISECOND, EVF_KEEPALIVE);
    sys_evctl(first, EVJOBFLAGS, EVF_KEEPALIVE);
    sys_evctl(first, EVJOBFLAGS, EVF_KEEPALIVE);
    expect<u32>(process.keepaliveEvents).toBe(2);
    sys_evctl(second, EVJOBSHTDN, SHUTDOWN_DROP);
    expect<u32>(process.keepaliveEnded).toBe(0);
    sys_evctl(first, EVJOBFLAGS, 0);
    expect<u32>(process.keepaliveEvents).toBe(0);
    expect<i32>(sys_enter_keepalive()).toBe(0, "the last one has gone");
    sys_evctl(first, EVJOBSHTDN, SHUTDOWN_DROP);
    expect<u32>(process.keepaliveEvents).toBe(0);
  });

  it("the priority stays unless it is given; executors cannot be changed", () => {
    const jid = onRead(open(newStream()), 41 << EVF_PRIORITY_SHIFT);
    expect<i32>(sys_evctl(jid, EVJOBFLAGS, EVF_KEEPALIVE)).toBe(0);
    readStatistics(jid);
    expect<u32>(statistics.priority).toBe(40);
    expect<u32>(statistics.flags).toBe(EVF_KEEPALIVE | (41 << EVF_PRIORITY_SHIFT));
    expect<i32>(sys_evctl(jid, EVJOBFLAGS, statistics.flags)).toBe(0, "as they were");
    expect<i32>(sys_evctl(jid, EVJOBFLAGS, 1 << EVF_PRIORITY_SHIFT)).toBe(0);
    readStatistics(jid);
    expect<u32>(statistics.priority).toBe(0);
    expect<i32>(sys_evctl(jid, EVJOBFLAGS, EVF_FORK)).toBe(-EOPNOTSUPP);
    expect<i32>(sys_evctl(jid, EVJOBFLAGS, 64)).toBe(-EINVAL);
    expect<i32>(sys_evctl(jid, EVJOBFLAGS, 65 << EVF_PRIORITY_SHIFT)).toBe(-EINVAL);
  });
});

describe("EVJOBCLEAN", () => {
  it("throws away a stream's data and goes on", () => {
    const socket = newStream();
    const jid = onRead(open(socket));
    receive(socket, 100);
    receive(socket, 100);
    expect<i32>(sys_evctl(jid, EVJOBCLEAN, 0)).toBe(1);
    expect<u32>(socket.taken).toBe(200);
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

describe("EVJOBHISTOGRAM", () => {
  it("counts latencies from activation to call", () => {
    const socket = newStream();
    const jid = onRead(open(socket));
    expect<i32>(sys_evctl(jid, EVJOBHISTOGRAM, 2)).toBe(-EINVAL);
    expect<i32>(sys_evctl(jid, EVJOBHISTOGRAM, 1)).toBe(0);
    const latencies: u64[] = [100, 511, 512, 1023, 1024, 1_000_000, 3_000_000_000, 60_000_000_000];
    let sum: u64 = 0;
    for (let i = 0; i < latencies.length; i++) {
      receive(socket, 10);
      fake.advance(latencies[i]);
      // Activations while it is pending change nothing.
      receive(socket, 10);
      expectHandler(EVENT_READ, "called");
      expectNone("returns");
      sum += latencies[i];
    }
    readStatistics(jid);
    expect<u64>(statistics.latencyMin).toBe(100);
    expect<u64>(statistics.latencyMax).toBe(60_000_000_000);
    expect<u64>(statistics.latencySum).toBe(sum);
    let count: u32 = 0;
    for (let i: u32 = 0; i < 24; i++) count += bucket(i);
    expect<u32>(count).toBe(8);
    expect<u32>(bucket(0)).toBe(2, "below 512 ns");
    expect<u32>(bucket(1)).toBe(2, "512 .. 1023 ns");
    expect<u32>(bucket(2)).toBe(1, "1024 .. 2047 ns");
    expect<u32>(bucket(11)).toBe(1, "2^19 .. 2^20 ns");
    expect<u32>(bucket(23)).toBe(2, "from 2^31 ns on");
    expect<i32>(sys_evctl(jid, EVJOBHISTOGRAM, 0)).toBe(0);
    receive(socket, 10);
    expectHandler(EVENT_READ, "not measured any more");
    readStatistics(jid);
    expect<u64>(statistics.latencySum).toBe(sum, "to be read until it begins anew");
    sys_evctl(jid, EVJOBHISTOGRAM, 1);
    readStatistics(jid);
    expect<u64>(statistics.latencySum).toBe(0);
    expect<u32>(bucket(23)).toBe(0);
  });

  it("each of several transitions has its own time", () => {
    const socket = newStream();
    const jid = onState(open(socket));
    sys_evctl(jid, EVJOBHISTOGRAM, 1);
    transition(socket, 7, 2);
    transition(socket, 2, 1);
    fake.advance(5000);
    expectHandler(EVENT_SK, "first");
    fake.advance(300);
    expectHandler(EVENT_SK, "second, which became pending when the first was called");
    readStatistics(jid);
    expect<u64>(statistics.latencyMax).toBe(5000);
    expect<u64>(statistics.latencyMin).toBe(300);
  });
});

describe("EVJOBRETRY, and the limit of extras", () => {
  it("a starved event tries again", () => {
    const vmtable = currentProcess().vmtable;
    let blocks: u32 = 0;
    for (
      let block = <u32>vmtableAllocate(vmtable, 64);
      block != 0;
      block = <u32>vmtableAllocate(vmtable, 64)
    ) {
      store<u32>(zone(block), blocks);
      blocks = block;
    }
    const socket = newStream();
    const jid = onRead(open(socket));
    expect<i32>(sys_evctl(jid, EVJOBRETRY, 0)).toBe(0, "nothing to do");
    receive(socket, 10);
    expectNone("no memory");
    expect<i32>(sys_evctl(jid, EVJOBRETRY, 0)).toBe(0);
    expect<bool>(currentThread().canDispatch).toBe(true);
    expectNone("still none");
    while (blocks != 0) {
      const next = load<u32>(zone(blocks));
      vmtableFree(vmtable, blocks);
      blocks = next;
    }
    expectNone("nobody said so");
    sys_evctl(jid, EVJOBRETRY, 0);
    expect<i32>(sys_evctl(jid, EVJOBLOOKUP, 0)).toBe(EVENT_REGISTERED | EVENT_PENDING);
    expectRead(0, 10, "tried again");
    readStatistics(jid);
    expect<u64>(statistics.errors).toBe(2);
  });

  it("there are fewer extras than events, and the limit is said", () => {
    let made: u32 = 0;
    let jid = onTimer(1000 * MILLISECOND, 0);
    while (sys_evctl(jid, EVJOBHISTOGRAM, 1) == 0) {
      made++;
      jid = onTimer(1000 * MILLISECOND, 0);
    }
    expect<u32>(made).toBe(extraPool().limit);
    expect<u32>(extraPool().objectSize).toBe(352, "as docs/aem-calls.md says");
    expect<i32>(sys_evctl(jid, EVJOBHISTOGRAM, 1)).toBe(-ENOSPC);
    expect<i32>(sys_evctl(jid, EVJOBCLEAN, 0)).toBe(-ENOSPC);
    const reader = onRead(open(newStream()));
    expect<i32>(setTimeout(reader, 1)).toBe(-ENOSPC);
    expect<i32>(setTimeout(reader, 0)).toBe(0);
    expect<i32>(setFilter(reader, 0, 0, 0, 1)).toBe(-ENOSPC);
  });
});
