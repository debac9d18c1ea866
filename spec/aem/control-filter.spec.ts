/** EVJOBFILTER (docs/aem-calls.md): what a filter refuses, and what it lets through of states, bits, peers and connections. */
import { EVENT_ACCEPT, EVENT_READ, EVENT_SK, EVENT_SOCK, EVJOBFILTER, FILTER_SIZE } from "../../aem/abi";
import { sys_evctl } from "../../aem/evctl";
import { extraPool } from "../../aem/extra";
import { EFAULT, EINVAL } from "../../kernel/errno";
import { upcallArgument3, upcallArgument4 } from "../../kernel/glue";
import { currentThread } from "../../kernel/scheduler/running";
import { POLLERR, POLLHUP, POLLIN, POLLOUT } from "../../kernel/scheduler/wait";
import { expectCounts, onAccept, setFilter, setFilter6 } from "./control";
import {
  expectHandler,
  expectNone,
  expectNothingLeft,
  onClose,
  onRead,
  onSock,
  onState,
  onTimer,
  readStatistics,
  setUp,
  statistics,
  transition,
  user,
} from "./driver";
import {
  aborts,
  establish,
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
});
