/** Capsules (EVF_CAPSULE): clones that are kept, with the descriptors that their process has. */
import { EVENT_READ, EVENT_STARVED, EVENT_TIMER, EVF_CAPSULE, EVJOBLOOKUP } from "../../aem/abi";
import { dispatchNext } from "../../aem/dispatch";
import { sys_evctl } from "../../aem/evctl";
import { ECHILD } from "../../kernel/errno";
import { upcallArgument1, upcallArgument4 } from "../../kernel/glue";
import { sys_waitpid } from "../../kernel/process/family";
import { HANDLE_SOCKET, handleObject } from "../../kernel/process/handles";
import { processOfPid } from "../../kernel/process/process";
import { THREAD_BLOCKED } from "../../kernel/scheduler/thread";
import { MILLISECOND } from "../../kernel/time/clock";
import { sys_close } from "../../net/socket/calls";
import { endNow } from "../reap";
import { become, begin, beMain, children, expectAllGone, finish, main, setUpClones } from "./clones";
import { expectNone, onRead, onTimer, readStatistics, statistics, timePasses, wrongBytes } from "./driver";
import { CAPSULES, newProcess, newStream, nextHandler, open, receive } from "./machine";

beforeAll(setUpClones);
afterEach(expectAllGone);

describe("3.2.3 a capsule", () => {
  it("serves one activation after the other", () => {
    const socket = newStream();
    const jid = onRead(open(socket), EVF_CAPSULE);
    let pid = 0;
    for (let i = 0; i < 5; i++) {
      receive(socket, 10);
      expectNone("in the capsule");
      const list = children();
      expect<i32>(list.length).toBe(1);
      if (i == 0) pid = list[0].pid;
      expect<i32>(list[0].pid).toBe(pid, "the same one");
      begin(list[0], EVENT_READ);
      expect<u32>(upcallArgument4).toBe(10);
      expect<i32>(wrongBytes(i * 10, 10)).toBe(0);
      finish();
      expect<u32>(list[0].thread.state).toBe(THREAD_BLOCKED);
      expect<bool>(main.capsules.isEmpty).toBe(false, "idle");
    }
    readStatistics(jid);
    expect<u64>(statistics.handled).toBe(5);
    expect<i32>(sys_waitpid(-1, 0, 1)).toBe(-ECHILD, "nobody waits for a capsule");
  });

  it("sees the descriptors that there are when it is used", () => {
    const socket = newStream();
    onRead(open(socket), EVF_CAPSULE);
    receive(socket, 10);
    expectNone("in the capsule");
    const capsule = children()[0];
    begin(capsule, EVENT_READ);
    finish();
    const late = newStream();
    const descriptor = open(late);
    expect<usize>(handleObject(capsule, descriptor, HANDLE_SOCKET)).not.toBe(changetype<usize>(late));
    receive(socket, 10);
    expectNone("in the capsule");
    begin(capsule, EVENT_READ);
    expect<usize>(handleObject(capsule, descriptor, HANDLE_SOCKET)).toBe(changetype<usize>(late));
    // It closes its own; the parent's stays open.
    expect<i32>(sys_close(descriptor)).toBe(0);
    finish();
    expect<u32>(late.closed).toBe(0);
    expect<i32>(sys_close(descriptor)).toBe(0);
    expect<u32>(late.closed).toBe(1);
  });

  it("lets go of all descriptors when it rests: what it opened is closed, and what the process closes then is nobody's", () => {
    const socket = newStream();
    onRead(open(socket), EVF_CAPSULE);
    for (let round = 0; round < 2; round++) {
      const parents = newStream();
      const descriptor = open(parents);
      receive(socket, 10);
      expectNone("in the capsule");
      const capsule = children()[0];
      begin(capsule, EVENT_READ);
      const own = newStream();
      const ownDescriptor = open(own);
      expect<i32>(ownDescriptor).toBeGreaterThan(descriptor);
      // As at the end of each of its calls.
      expect<u32>(<u32>dispatchNext()).toBe(0);
      expect<u32>(own.closed).toBe(0);
      finish();
      expect<u32>(own.closed).toBe(1, "at rest");
      expect<u32>(own.aborted).toBe(0, "in order");
      expect<u32>(capsule.handleCount).toBe(0);
      expect<u32>(parents.closed).toBe(0);
      expect<i32>(sys_close(descriptor)).toBe(0);
      expect<u32>(parents.closed).toBe(1, "no capsule that rests keeps it open");
    }
  });

  it("does not rest as long as it has events of its own: those need their descriptors", () => {
    const socket = newStream();
    onRead(open(socket), EVF_CAPSULE);
    receive(socket, 10);
    expectNone("in the capsule");
    const capsule = children()[0];
    begin(capsule, EVENT_READ);
    const own = newStream();
    const jid = onRead(open(own), 0);
    finish();
    expect<u32>(own.closed).toBe(0);
    expect<bool>(main.capsules.isEmpty).toBe(false, "it can be called");
    receive(own, 30);
    // As the thread does it when it is woken.
    capsule.capsule.remove();
    begin(capsule, EVENT_READ);
    expect<i32>(<i32>upcallArgument1).toBe(jid);
    finish();
    expect<u32>(own.closed).toBe(0);
    // The next call brings the parent's.
    receive(socket, 10);
    expectNone("in the capsule");
    begin(capsule, EVENT_READ);
    expect<u32>(own.closed).toBe(1);
    expect<u32>(capsule.eventCount).toBe(0);
    const last = newStream();
    onTimer(MILLISECOND, 0);
    open(last);
    finish();
    expect<u32>(last.closed).toBe(0);
    timePasses(2 * MILLISECOND);
    capsule.capsule.remove();
    begin(capsule, EVENT_TIMER);
    finish();
    expect<u32>(last.closed).toBe(1, "its last event has ended");
  });

  it("has a limit; the event waits for the first that is idle again", () => {
    const socket = newStream();
    const jid = onRead(open(socket), EVF_CAPSULE);
    for (let i: u32 = 0; i <= CAPSULES; i++) {
      receive(socket, 1);
      expectNone("launched");
    }
    const list = children();
    expect<i32>(list.length).toBe(CAPSULES);
    expect<bool>((sys_evctl(jid, EVJOBLOOKUP, 0) & EVENT_STARVED) != 0).toBe(true);
    for (let i = 0; i < list.length; i++) {
      become(list[i]);
      nextHandler();
    }
    // The last one is the current process.
    finish();
    receive(socket, 1);
    expectNone("launched");
    expect<bool>((sys_evctl(jid, EVJOBLOOKUP, 0) & EVENT_STARVED) == 0).toBe(true);
    expect<bool>(main.capsules.isEmpty).toBe(true);
    expect<i32>(children().length).toBe(CAPSULES);
  });

  it("that is killed makes room for another one, idle or not", () => {
    const socket = newStream();
    onRead(open(socket), EVF_CAPSULE);
    for (let idle = 0; idle < 2; idle++) {
      receive(socket, 1);
      expectNone("launched");
      const capsule = children()[0];
      begin(capsule, EVENT_READ);
      if (idle == 1) finish();
      else become(main);
      expect<u32>(main.capsuleCount).toBe(1);
      endNow(capsule, 3);
      expect<u32>(main.capsuleCount).toBe(0);
      expect<bool>(main.capsules.isEmpty).toBe(true);
    }
  });

  it("ends with its parent", () => {
    const parent = newProcess();
    const first = main;
    become(parent);
    beMain(parent);
    const socket = newStream();
    onRead(open(socket), EVF_CAPSULE);
    receive(socket, 10);
    expectNone("launched");
    const capsule = children()[0];
    const pid = capsule.pid;
    begin(capsule, EVENT_READ);
    finish();
    beMain(first);
    become(first);
    endNow(parent, 0);
    expect<bool>(processOfPid(pid) === null).toBe(true);
  });
});
