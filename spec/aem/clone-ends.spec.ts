/** Process executors: one-shot events, clones that are killed, and events and parents that end before them. */
import {
  EVENT_HANDLING,
  EVENT_PENDING,
  EVENT_READ,
  EVF_FORK,
  EVF_NOCLDWAIT,
  EVF_ONESHOT,
  EVJOBFLAGS,
  EVJOBLOOKUP,
  EVJOBSHTDN,
  EVJOBSTOP,
  SHUTDOWN_DELIVER,
  SHUTDOWN_DROP,
} from "../../aem/abi";
import { sys_evctl } from "../../aem/evctl";
import { eventPool } from "../../aem/jids";
import { ESRCH } from "../../kernel/errno";
import { upcallArgument4 } from "../../kernel/glue";
import { processOfPid } from "../../kernel/process/process";
import { timerPending } from "../../kernel/time/timers";
import * as fake from "../fake";
import { endNow } from "../reap";
import { become, begin, beMain, children, expectAllGone, finish, leave, main, setUpClones } from "./clones";
import { expectNone, onRead, readStatistics, statistics } from "./driver";
import { newProcess, newStream, nextHandler, open, readElsewhere, receive } from "./machine";

beforeAll(setUpClones);
afterEach(expectAllGone);

describe("3.2.3 a process executor", () => {
  it("has had the processor for as long as its handler ran, and who comes next has not", () => {
    const socket = newStream();
    onRead(open(socket), EVF_FORK);
    receive(socket, 10);
    expectNone("launched");
    const clone = children()[0];
    begin(clone, EVENT_READ);
    const before = clone.cpuTicks;
    const others = main.cpuTicks;
    fake.advance(1_000_000_000);
    finish();
    expect<u64>(clone.cpuTicks - before).toBe(1_000_000_000);
    expect<u64>(main.cpuTicks).toBe(others);
  });

  it("with a limited share leaves no period behind", () => {
    const socket = newStream();
    onRead(open(socket), EVF_FORK);
    receive(socket, 10);
    expectNone("launched");
    const clone = children()[0];
    clone.share = 1_000_000;
    begin(clone, EVENT_READ);
    fake.advance(1000);
    finish();
    expect<bool>(timerPending(clone.shareTimer)).toBe(false);
  });

  it("with EVF_ONESHOT runs once, whatever occurs before it has run", () => {
    const socket = newStream();
    const jid = onRead(open(socket), EVF_FORK | EVF_ONESHOT);
    for (let i = 0; i < 3; i++) {
      receive(socket, 10);
      expectNone("in a clone");
    }
    expect<i32>(children().length).toBe(1);
    begin(children()[0], EVENT_READ);
    receive(socket, 10);
    finish();
    expect<i32>(sys_evctl(jid, EVJOBLOOKUP, 0)).toBe(-ESRCH);
    expect<i32>(children().length).toBe(0);
    expect<u32>(socket.went).toBe(30);
  });

  it("with EVF_ONESHOT that is taken back while it runs goes on with what has occurred meanwhile", () => {
    const socket = newStream();
    const jid = onRead(open(socket), EVF_FORK | EVF_NOCLDWAIT | EVF_ONESHOT);
    receive(socket, 10);
    expectNone("launched");
    begin(children()[0], EVENT_READ);
    receive(socket, 20);
    become(main);
    expectNone("not a second one");
    expect<i32>(children().length).toBe(1);
    expect<i32>(sys_evctl(jid, EVJOBFLAGS, EVF_FORK | EVF_NOCLDWAIT)).toBe(0);
    expectNone("launched");
    const list = children();
    expect<i32>(list.length).toBe(2);
    begin(list[1], EVENT_READ);
    expect<u32>(upcallArgument4).toBe(20);
    become(main);
    become(list[0]);
    finish();
    become(list[1]);
    finish();
    expect<i32>(sys_evctl(jid, EVJOBLOOKUP, 0)).toBe(1, "it goes on");
  });

  it("with EVF_ONESHOT that finds nothing leaves its event as it was, and ends one that was to end", () => {
    for (let drains = 0; drains < 2; drains++) {
      const socket = newStream();
      const jid = onRead(open(socket), EVF_FORK | EVF_NOCLDWAIT | EVF_ONESHOT);
      receive(socket, 10);
      expectNone("launched");
      if (drains) sys_evctl(jid, EVJOBSHTDN, SHUTDOWN_DELIVER);
      // Something else has read them.
      readElsewhere(socket);
      become(children()[0]);
      finish();
      expect<i32>(sys_evctl(jid, EVJOBLOOKUP, 0)).toBe(drains ? -ESRCH : 1);
      if (drains) break;
      receive(socket, 30);
      expectNone("launched");
      begin(children()[0], EVENT_READ);
      finish();
      expect<i32>(sys_evctl(jid, EVJOBLOOKUP, 0)).toBe(-ESRCH);
    }
  });

  it("that is killed before its handler ran leaves the activation to another one", () => {
    for (let oneshot: u32 = 0; oneshot < 2; oneshot++) {
      const socket = newStream();
      const jid = onRead(open(socket), EVF_FORK | EVF_NOCLDWAIT | oneshot);
      receive(socket, 77);
      expectNone("launched");
      endNow(children()[0], 9);
      expect<bool>((sys_evctl(jid, EVJOBLOOKUP, 0) & EVENT_PENDING) != 0).toBe(true, "again");
      expectNone("launched again");
      begin(children()[0], EVENT_READ);
      expect<u32>(upcallArgument4).toBe(77);
      finish();
      expect<bool>(sys_evctl(jid, EVJOBLOOKUP, 0) == -ESRCH).toBe(oneshot != 0);
    }
  });

  it("that is killed before its handler ran leaves it to another one also when the event drains", () => {
    const socket = newStream();
    const jid = onRead(open(socket), EVF_FORK | EVF_NOCLDWAIT);
    receive(socket, 77);
    sys_evctl(jid, EVJOBSHTDN, SHUTDOWN_DELIVER);
    expectNone("launched");
    endNow(children()[0], 9);
    expectNone("launched again");
    begin(children()[0], EVENT_READ);
    expect<u32>(upcallArgument4).toBe(77);
    finish();
    expect<i32>(sys_evctl(jid, EVJOBLOOKUP, 0)).toBe(-ESRCH);
  });

  it("that is killed before its handler ran leaves it to another one also when the event was stopped, and drains then", () => {
    for (let occurred: u32 = 0; occurred < 2; occurred++) {
      const socket = newStream();
      const jid = onRead(open(socket), EVF_FORK | EVF_NOCLDWAIT);
      receive(socket, 77);
      expectNone("launched");
      sys_evctl(jid, EVJOBSTOP, 0);
      if (occurred != 0) receive(socket, 1);
      sys_evctl(jid, EVJOBSHTDN, SHUTDOWN_DELIVER);
      // Another one for what has occurred since; both find data, or one of them nothing.
      expectNone("launched");
      expect<i32>(children().length).toBe(1 + occurred);
      endNow(children()[0], 9);
      expectNone("launched again");
      while (children().length != 0) {
        const clone = children()[0];
        become(clone);
        if (nextHandler() != 0) finish();
        else leave();
      }
      expect<i32>(sys_evctl(jid, EVJOBLOOKUP, 0)).toBe(-ESRCH, "it has ended");
    }
  });

  it("that is killed inside its handler counts as one that returned", () => {
    const socket = newStream();
    const jid = onRead(open(socket), EVF_FORK | EVF_NOCLDWAIT);
    receive(socket, 77);
    expectNone("launched");
    const clone = children()[0];
    begin(clone, EVENT_READ);
    become(main);
    endNow(clone, 9);
    readStatistics(jid);
    expect<u64>(statistics.handled).toBe(1);
    expect<bool>((statistics.state & EVENT_HANDLING) == 0).toBe(true);
    expectNone("nothing is repeated");
  });

  it("of an event that is unregistered meanwhile frees it exactly once", () => {
    const inUse = eventPool().inUse;
    for (let when = 0; when < 3; when++) {
      const socket = newStream();
      const jid = onRead(open(socket), EVF_FORK | EVF_NOCLDWAIT);
      receive(socket, 10);
      expectNone("launched");
      const clone = children()[0];
      if (when > 0) begin(clone, EVENT_READ);
      if (when > 0) become(main);
      sys_evctl(jid, EVJOBSHTDN, SHUTDOWN_DROP);
      expect<i32>(sys_evctl(jid, EVJOBLOOKUP, 0)).toBe(-ESRCH);
      expect<u32>(eventPool().inUse).toBe(inUse + 1, "the clone has it still");
      if (when == 2) endNow(clone, 0);
      else {
        become(clone);
        expect<u32>(<u32>nextHandler()).toBe(0, "before the handler ran: it does not run any more");
        finish();
      }
      expect<u32>(eventPool().inUse).toBe(inUse);
    }
  });

  it("finishes a handler of a parent that has ended", () => {
    const parent = newProcess();
    const first = main;
    become(parent);
    beMain(parent);
    const socket = newStream();
    onRead(open(socket), EVF_FORK);
    receive(socket, 10);
    expectNone("launched");
    const clone = children()[0];
    begin(clone, EVENT_READ);
    beMain(first);
    become(first);
    endNow(parent, 0);
    expect<u32>(eventPool().inUse).toBe(1, "the clone's handler still runs");
    expect<usize>(changetype<usize>(clone.parent)).toBe(0);
    become(clone);
    const pid = clone.pid;
    finish();
    expect<u32>(eventPool().inUse).toBe(0);
    expect<bool>(processOfPid(pid) === null).toBe(true, "nobody waits for it");
  });
});
