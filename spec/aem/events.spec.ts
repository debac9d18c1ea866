/** The types of events one by one (docs/aem-calls.md): each row of the table, and the errors of registration. */
import {
  EVENT_ACCEPT,
  EVENT_CLOSE,
  EVENT_HANDLING,
  EVENT_OCCURRED,
  EVENT_READ,
  EVENT_REGISTERED,
  EVENT_SK,
  EVENT_STOPPED,
  EVENT_TIMER,
  EVENTS_PER_SOCKET,
  EVF_CAPSULE,
  EVF_FORK,
  EVF_KEEPALIVE,
  EVF_NOCLDWAIT,
  EVF_PRIORITY_SHIFT,
  EVF_THREAD,
  EVJOBLOOKUP,
  EVJOBPRIO,
  EVJOBSHTDN,
  EVJOBSTART,
  EVJOBSTAT,
  EVJOBSTOP,
  EVTBLINIT,
  SHUTDOWN_DELIVER,
  SHUTDOWN_DROP,
  STATISTICS_SIZE,
} from "../../aem/abi";
import { EVENT_SIZE } from "../../aem/event";
import { eventPool } from "../../aem/jids";
import { sys_evctl } from "../../aem/evctl";
import { sys_evtimer } from "../../aem/evtimer";
import {
  sys_sockasync_accept,
  sys_sockasync_close,
  sys_sockasync_read,
  sys_sockasync_sk,
} from "../../aem/sockasync";
import { EBADF, EDQUOT, EFAULT, EINVAL, EOPNOTSUPP, ESRCH } from "../../kernel/errno";
import { setConsoleSink } from "../../kernel/console";
import { out8 } from "../../kernel/hal";
import { upcallArgument1 } from "../../kernel/glue";
import { sys_enter_keepalive } from "../../kernel/process/calls";
import { currentProcess } from "../../kernel/process/process";
import { MILLISECOND } from "../../kernel/time/clock";
import * as fake from "../fake";
import { endNow } from "../reap";
import {
  handlerOf,
  newDatagram,
  newListener,
  newProcess,
  newStream,
  open,
  receive,
  switchTo,
  WRONG_HANDLER,
} from "./machine";
import {
  user,
  statistics,
  setUp,
  expectNothingLeft,
  expectHandler,
  expectNone,
  readStatistics,
  expectData,
} from "./driver";

function consoleByte(byte: u32): void {
  out8(0x3f8, byte);
}

beforeAll(() => {
  setUp();
  setConsoleSink(consoleByte.index);
});

afterEach(expectNothingLeft);

describe("registration", () => {
  it("costs a small object and gives a positive jid", () => {
    // And a word of the jid table.
    expect<u32>(EVENT_SIZE + 4).toBeLessThan(100);
    const jid = sys_sockasync_read(open(newStream()), 0, handlerOf(EVENT_READ));
    expect<i32>(jid).toBeGreaterThan(0);
    expect<i32>(sys_evctl(jid, EVJOBLOOKUP, 0)).toBe(EVENT_REGISTERED);
  });

  it("refuses a handler of another type and says which one it wants", () => {
    const fd = open(newStream());
    fake.consoleClear();
    expect<i32>(sys_sockasync_read(fd, 0, WRONG_HANDLER)).toBe(-EINVAL, "a type that no handler has");
    expect<bool>(
      fake.consoleHas("expected (jid: i32, fd: i32, data: i32, length: i32, from: i32) => void"),
    ).toBe(true);
    expect<i32>(sys_sockasync_read(fd, 0, handlerOf(EVENT_CLOSE))).toBe(
      -EINVAL,
      "the handler of another event",
    );
    expect<i32>(sys_sockasync_read(fd, 0, 0)).toBe(-EINVAL, "a null entry");
    expect<i32>(sys_sockasync_read(fd, 0, 1 << 30)).toBe(-EINVAL, "an index beyond the table");
    expect<i32>(sys_evtimer(0, 0, 0, handlerOf(EVENT_READ))).toBe(-EINVAL, "evtimer");
    expect<bool>(fake.consoleHas("expected (jid: i32, overrun: i32) => void")).toBe(true);
  });

  it("accepts each executor, and refuses flags that are unknown or make no sense together", () => {
    const fd = open(newStream());
    const handler = handlerOf(EVENT_READ);
    const executors = [EVF_FORK, EVF_CAPSULE, EVF_FORK | EVF_NOCLDWAIT, EVF_THREAD];
    for (let i = 0; i < executors.length; i++) {
      const jid = sys_sockasync_read(fd, executors[i], handler);
      expect<i32>(jid).toBeGreaterThan(0);
      readStatistics(jid);
      expect<u32>(statistics.flags & 0xff).toBe(executors[i]);
    }
    expect<i32>(sys_sockasync_read(fd, EVF_NOCLDWAIT, handler)).toBe(-EINVAL);
    expect<i32>(sys_sockasync_read(fd, EVF_NOCLDWAIT | EVF_CAPSULE, handler)).toBe(-EINVAL);
    expect<i32>(sys_sockasync_read(fd, EVF_NOCLDWAIT | EVF_THREAD, handler)).toBe(-EINVAL);
    expect<i32>(sys_sockasync_read(fd, EVF_FORK | EVF_CAPSULE, handler)).toBe(-EINVAL);
    expect<i32>(sys_sockasync_read(fd, EVF_FORK | EVF_THREAD, handler)).toBe(-EINVAL);
    expect<i32>(sys_sockasync_read(fd, EVF_CAPSULE | EVF_THREAD, handler)).toBe(-EINVAL);
    expect<i32>(sys_sockasync_read(fd, 64, handler)).toBe(-EINVAL);
    expect<i32>(sys_sockasync_read(fd, 0x8000, handler)).toBe(-EINVAL);
    expect<i32>(sys_sockasync_read(fd, 0x80000000, handler)).toBe(-EINVAL);
    expect<i32>(sys_sockasync_read(fd, 65 << EVF_PRIORITY_SHIFT, handler)).toBe(-EINVAL, "priority 64");
  });

  it("keeps a priority, 32 unless it is given", () => {
    const fd = open(newStream());
    const handler = handlerOf(EVENT_READ);
    readStatistics(sys_sockasync_read(fd, 0, handler));
    expect<u32>(statistics.priority).toBe(32);
    const jid = sys_sockasync_read(fd, 64 << EVF_PRIORITY_SHIFT, handler);
    readStatistics(jid);
    expect<u32>(statistics.priority).toBe(63);
    expect<i32>(sys_evctl(jid, EVJOBPRIO, 0)).toBe(0);
    readStatistics(jid);
    expect<u32>(statistics.priority).toBe(0);
    expect<i32>(sys_evctl(jid, EVJOBPRIO, 64)).toBe(-EINVAL);
  });

  it("refuses what makes no sense on a socket", () => {
    const stream = open(newStream());
    const listener = open(newListener());
    const datagram = open(newDatagram());
    expect<i32>(sys_sockasync_accept(stream, 0, 0, 0, handlerOf(EVENT_ACCEPT))).toBe(-EINVAL);
    expect<i32>(sys_sockasync_read(listener, 0, handlerOf(EVENT_READ))).toBe(-EINVAL);
    expect<i32>(sys_sockasync_close(listener, 0, handlerOf(EVENT_CLOSE))).toBe(-EINVAL);
    expect<i32>(sys_sockasync_accept(datagram, 0, 0, 0, handlerOf(EVENT_ACCEPT))).toBe(-EOPNOTSUPP);
    expect<i32>(sys_sockasync_close(datagram, 0, handlerOf(EVENT_CLOSE))).toBe(-EOPNOTSUPP);
    expect<i32>(sys_sockasync_sk(datagram, 0, handlerOf(EVENT_SK))).toBe(-EOPNOTSUPP);
    expect<i32>(sys_sockasync_read(99, 0, handlerOf(EVENT_READ))).toBe(-EBADF);
    expect<i32>(sys_sockasync_read(-1, 0, handlerOf(EVENT_READ))).toBe(-EBADF);
    expect<i32>(sys_sockasync_accept(listener, 0xfffffff0, user, 0, handlerOf(EVENT_ACCEPT))).toBe(-EFAULT);
    expect<i32>(sys_sockasync_accept(listener, user, 0xfffffffe, 0, handlerOf(EVENT_ACCEPT))).toBe(-EFAULT);
  });

  it("has a limit for one socket", () => {
    const fd = open(newStream());
    for (let i: u32 = 0; i < EVENTS_PER_SOCKET; i++) {
      expect<i32>(sys_sockasync_read(fd, 0, handlerOf(EVENT_READ))).toBeGreaterThan(0);
    }
    expect<i32>(sys_sockasync_sk(fd, 0, handlerOf(EVENT_SK))).toBe(-EDQUOT);
  });

  it("has a limit for one process, and starts again below it", () => {
    let made = 0;
    while (sys_evtimer(1000 * MILLISECOND, 0, 0, handlerOf(EVENT_TIMER)) > 0) made++;
    expect<i32>(made).toBe(3000);
    expect<i32>(sys_evtimer(1, 0, 0, handlerOf(EVENT_TIMER))).toBe(-EDQUOT);
    expect<i32>(sys_evctl(0, EVTBLINIT, 0)).toBe(3000);
    expect<i32>(sys_evtimer(1, 0, 0, handlerOf(EVENT_TIMER))).toBeGreaterThan(0);
  });
});

describe("jids", () => {
  it("of events that have ended are unknown, also when the slot is used again", () => {
    const first = sys_evtimer(1, 0, 0, handlerOf(EVENT_TIMER));
    expect<i32>(sys_evctl(first, EVJOBSHTDN, SHUTDOWN_DROP)).toBe(0);
    let seen = 0;
    for (let i = 0; i < 20000; i++) {
      const jid = sys_evtimer(1, 0, 0, handlerOf(EVENT_TIMER));
      if (jid == first || jid <= 0) seen++;
      if (sys_evctl(first, EVJOBLOOKUP, 0) != -ESRCH) seen++;
      sys_evctl(jid, EVJOBSHTDN, SHUTDOWN_DROP);
    }
    expect<i32>(seen).toBe(0);
  });

  it("that never were are unknown", () => {
    expect<i32>(sys_evctl(0, EVJOBLOOKUP, 0)).toBe(-ESRCH);
    expect<i32>(sys_evctl(-5, EVJOBLOOKUP, 0)).toBe(-ESRCH);
    expect<i32>(sys_evctl(0x7fffffff, EVJOBLOOKUP, 0)).toBe(-ESRCH);
    expect<i32>(sys_evctl(1 << 22, EVJOBSHTDN, 0)).toBe(-ESRCH);
  });

  it("belong to one process", () => {
    const mine = currentProcess();
    const jid = sys_evtimer(1, 0, 0, handlerOf(EVENT_TIMER));
    const other = newProcess();
    switchTo(other);
    expect<i32>(sys_evctl(jid, EVJOBLOOKUP, 0)).toBe(-ESRCH);
    expect<i32>(sys_evctl(jid, EVJOBSHTDN, 0)).toBe(-ESRCH);
    expect<i32>(sys_evctl(0, EVTBLINIT, 0)).toBe(0, "clean touches its own only");
    const theirs = sys_evtimer(1, 0, 0, handlerOf(EVENT_TIMER));
    const fd = open(newStream());
    expect<i32>(sys_sockasync_read(fd, 0, handlerOf(EVENT_READ))).toBeGreaterThan(0);
    switchTo(mine);
    expect<i32>(sys_evctl(theirs, EVJOBSTOP, 0)).toBe(-ESRCH);
    expect<i32>(sys_evctl(jid, EVJOBLOOKUP, 0)).toBe(EVENT_REGISTERED);
    // The other one's events go with it, and only those.
    endNow(other, 0);
    expect<u32>(eventPool().inUse).toBe(1);
    expect<u32>(mine.eventCount).toBe(1);
  });
});

describe("evctl", () => {
  it("refuses operations that there are not", () => {
    const jid = sys_evtimer(1, 0, 0, handlerOf(EVENT_TIMER));
    expect<i32>(sys_evctl(jid, 0, 0)).toBe(-EINVAL);
    expect<i32>(sys_evctl(jid, 17, 0)).toBe(-EINVAL);
    expect<i32>(sys_evctl(jid, 0xffffffff, 0)).toBe(-EINVAL);
    expect<i32>(sys_evctl(jid, EVJOBSHTDN, 2)).toBe(-EINVAL);
    expect<i32>(sys_evctl(jid, EVJOBSTAT, 0xfffffffc)).toBe(-EFAULT);
  });

  it("stops and starts: what occurs meanwhile is delivered after the start", () => {
    const socket = newStream();
    const jid = sys_sockasync_read(open(socket), 0, handlerOf(EVENT_READ));
    expect<i32>(sys_evctl(jid, EVJOBSTOP, 0)).toBe(0);
    receive(socket, 100);
    receive(socket, 100);
    expectNone("while stopped");
    expect<i32>(sys_evctl(jid, EVJOBLOOKUP, 0)).toBe(EVENT_REGISTERED | EVENT_STOPPED | EVENT_OCCURRED);
    expect<i32>(sys_evctl(jid, EVJOBSTART, 0)).toBe(0);
    expectHandler(EVENT_READ, "after the start");
    expectData(0, 200, "all of it");
    expectNone("once");
    readStatistics(jid);
    expect<u64>(statistics.activations).toBe(2);
    expect<u64>(statistics.coalesced).toBe(1);
  });

  it("stops what is pending", () => {
    const socket = newStream();
    const jid = sys_sockasync_read(open(socket), 0, handlerOf(EVENT_READ));
    receive(socket, 100);
    sys_evctl(jid, EVJOBSTOP, 0);
    sys_evctl(jid, EVJOBSTOP, 0);
    expectNone("while stopped");
    expect<bool>(currentProcess().thread.canDispatch).toBe(false);
    sys_evctl(jid, EVJOBSTART, 0);
    sys_evctl(jid, EVJOBSTART, 0);
    expectHandler(EVENT_READ, "after the start");
    expectNone("once");
  });

  it("starting an event to which nothing has occurred calls nothing", () => {
    const jid = sys_sockasync_read(open(newStream()), 0, handlerOf(EVENT_READ));
    sys_evctl(jid, EVJOBSTOP, 0);
    sys_evctl(jid, EVJOBSTART, 0);
    expectNone("nothing");
  });

  it("shuts down and drops what waits", () => {
    const socket = newStream();
    const jid = sys_sockasync_read(open(socket), 0, handlerOf(EVENT_READ));
    receive(socket, 100);
    expect<i32>(sys_evctl(jid, EVJOBSHTDN, SHUTDOWN_DROP)).toBe(0);
    expectNone("dropped");
    expect<i32>(sys_evctl(jid, EVJOBSHTDN, SHUTDOWN_DROP)).toBe(-ESRCH);
    expect<bool>(socket.isEmpty).toBe(true);
    expect<u32>(socket.went).toBe(0, "the data are still there");
  });

  it("shuts down and delivers first what waits", () => {
    const socket = newStream();
    const jid = sys_sockasync_read(open(socket), 0, handlerOf(EVENT_READ));
    receive(socket, 100);
    expect<i32>(sys_evctl(jid, EVJOBSHTDN, SHUTDOWN_DELIVER)).toBe(0);
    expectHandler(EVENT_READ, "delivered");
    expect<u32>(<u32>upcallArgument1).toBe(<u32>jid);
    receive(socket, 100);
    expectNone("nothing later");
    expect<i32>(sys_evctl(jid, EVJOBLOOKUP, 0)).toBe(-ESRCH);
    expect<bool>(socket.isEmpty).toBe(true);
    // With nothing that waits it is gone at once.
    const second = sys_evtimer(1, 0, 0, handlerOf(EVENT_TIMER));
    sys_evctl(second, EVJOBSHTDN, SHUTDOWN_DELIVER);
    expect<i32>(sys_evctl(second, EVJOBLOOKUP, 0)).toBe(-ESRCH);
  });

  it("shuts down a stopped event and delivers what it kept", () => {
    const socket = newStream();
    const jid = sys_sockasync_read(open(socket), 0, handlerOf(EVENT_READ));
    sys_evctl(jid, EVJOBSTOP, 0);
    receive(socket, 100);
    sys_evctl(jid, EVJOBSHTDN, SHUTDOWN_DELIVER);
    expectHandler(EVENT_READ, "delivered");
    expectNone("nothing later");
    expect<i32>(sys_evctl(jid, EVJOBLOOKUP, 0)).toBe(-ESRCH);
  });

  it("shuts down an event inside its own handler", () => {
    const socket = newStream();
    const jid = sys_sockasync_read(open(socket), 0, handlerOf(EVENT_READ));
    receive(socket, 100);
    expectHandler(EVENT_READ, "called");
    expect<i32>(sys_evctl(jid, EVJOBLOOKUP, 0)).toBe(EVENT_REGISTERED | EVENT_HANDLING);
    receive(socket, 100);
    expect<i32>(sys_evctl(jid, EVJOBSHTDN, SHUTDOWN_DROP)).toBe(0);
    expect<i32>(sys_evctl(jid, EVJOBLOOKUP, 0)).toBe(-ESRCH);
    expect<u32>(currentProcess().vmtable.blocks).toBe(1, "the handler still has its data");
    expectNone("not again");
  });

  it("writes no more of the statistics than there is room for", () => {
    const jid = sys_evtimer(1, 0, 0, handlerOf(EVENT_TIMER));
    memory.fill(changetype<usize>(statistics), 0xff, STATISTICS_SIZE);
    statistics.size = 12;
    expect<i32>(sys_evctl(jid, EVJOBSTAT, <u32>changetype<usize>(statistics))).toBe(0);
    expect<u32>(statistics.size).toBe(12);
    expect<u32>(statistics.type).toBe(EVENT_TIMER);
    expect<u32>(statistics.flags).toBe(u32.MAX_VALUE, "beyond the room");
    statistics.size = 3;
    expect<i32>(sys_evctl(jid, EVJOBSTAT, <u32>changetype<usize>(statistics))).toBe(-EINVAL);
  });

  it("EVF_KEEPALIVE tells enter_keepalive of the last one's end", () => {
    const process = currentProcess();
    const first = sys_evtimer(1, 0, EVF_KEEPALIVE, handlerOf(EVENT_TIMER));
    const second = sys_evtimer(1, 0, EVF_KEEPALIVE, handlerOf(EVENT_TIMER));
    const third = sys_evtimer(1, 0, 0, handlerOf(EVENT_TIMER));
    expect<u32>(process.keepaliveEvents).toBe(2);
    sys_evctl(first, EVJOBSHTDN, SHUTDOWN_DROP);
    sys_evctl(third, EVJOBSHTDN, SHUTDOWN_DROP);
    expect<u32>(process.keepaliveEnded).toBe(0);
    sys_evctl(second, EVJOBSHTDN, SHUTDOWN_DROP);
    expect<i32>(sys_enter_keepalive()).toBe(0);
    expect<u32>(process.keepaliveEnded).toBe(0, "said once");
  });
});
