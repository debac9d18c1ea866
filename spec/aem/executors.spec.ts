/** Executors: handlers in clones, capsules and workers. Who runs what, what is counted, and that nothing is lost or given back twice. */
import {
  EVENT_HANDLING,
  EVENT_MESSAGE,
  EVENT_PENDING,
  EVENT_READ,
  EVENT_STARVED,
  EVENT_TIMER,
  EVF_CAPSULE,
  EVF_FORK,
  EVF_NOCLDWAIT,
  EVF_ONESHOT,
  EVF_PRIORITY_SHIFT,
  EVF_THREAD,
  EVJOBFLAGS,
  EVJOBLOOKUP,
  EVJOBSHTDN,
  EVJOBSTART,
  EVJOBSTOP,
  EVTBLINIT,
  SHUTDOWN_DELIVER,
  SHUTDOWN_DROP,
} from "../../aem/abi";
import { dispatchNext } from "../../aem/dispatch";
import { sys_evctl } from "../../aem/evctl";
import { sys_evpost } from "../../aem/evpost";
import { sys_evsystem } from "../../aem/evsystem";
import { inheritEvents } from "../../aem/inherit";
import { eventPool } from "../../aem/jids";
import { messagePool } from "../../aem/jobs/message";
import { SHORT_PLACE } from "../../aem/job";
import { retryStarved } from "../../aem/queue";
import { sys_vmtable_free } from "../../aem/vmtable";
import { ECHILD, EINVAL, ERESTART, ESRCH } from "../../kernel/errno";
import {
  exitWork,
  upcallArgument1,
  upcallArgument3,
  upcallArgument4,
  WORK_DISPATCH,
} from "../../kernel/glue";
import { setVector } from "../../kernel/interrupts/vectors";
import { allocateFrames, frameErrorCount, freeFrameCount, freeFrames } from "../../kernel/memory/frames";
import { vmtableAllocate, vmtableFree, vmtableHas } from "../../kernel/memory/vmtable";
import { endProcess } from "../../kernel/process/end";
import { sys_waitpid } from "../../kernel/process/family";
import { forkProcess } from "../../kernel/process/fork";
import { HANDLE_SOCKET, handleObject } from "../../kernel/process/handles";
import { currentProcess, processOfPid } from "../../kernel/process/process";
import { serve } from "../../kernel/process/workers";
import { currentThread } from "../../kernel/scheduler/running";
import { Thread, THREAD_BLOCKED, threadOfMember } from "../../kernel/scheduler/thread";
import { MILLISECOND } from "../../kernel/time/clock";
import { sys_close } from "../../net/socket/calls";
import { SOCKET_LISTENING } from "../../net/socket/socket";
import { sys_sockasync_read } from "../../aem/sockasync";
import { chance, seedChance } from "../chance";
import * as fake from "../fake";
import { endNow, reapAll } from "../reap";
import { become, beMain, begin, children, expectAllGone, finish, leave, main } from "./clones";
import {
  expectNone,
  onRead,
  onTimer,
  readStatistics,
  setUp,
  statistics,
  timePasses,
  user,
  wrongBytes,
  zone,
} from "./driver";
import {
  CAPSULES,
  CHILDREN,
  FakeSocket,
  HANDLER_CODE,
  handlerOf,
  newProcess,
  newStream,
  nextHandler,
  open,
  receive,
  serveAndLeave,
  switchTo,
  WORKERS,
} from "./machine";

function fd(socket: FakeSocket): i32 {
  return open(socket);
}

beforeAll(() => {
  setUp();
  beMain(currentProcess());
});

afterEach(expectAllGone);

describe("3.2.3 a process executor", () => {
  it("fetches the data into its own memory, runs the handler once, and ends with status 0", () => {
    const socket = newStream();
    const jid = onRead(fd(socket), EVF_FORK);
    const before = freeFrameCount();
    receive(socket, 5000);
    expectNone("not in the process itself");
    expect<u32>(socket.taken).toBe(0, "whoever runs the handler fetches the data");
    expect<bool>((sys_evctl(jid, EVJOBLOOKUP, 0) & EVENT_HANDLING) != 0).toBe(true);
    const list = children();
    expect<i32>(list.length).toBe(1);
    begin(list[0], EVENT_READ);
    expect<i32>(<i32>upcallArgument1).toBe(jid);
    expect<u32>(upcallArgument4).toBe(5000);
    expect<i32>(wrongBytes(0, 5000)).toBe(0, "in the clone's memory");
    expect<u32>(main.vmtable.blocks).toBe(0, "nothing of it is in the process");
    expect<u32>(list[0].vmtable.blocks).toBe(1);
    const pid = list[0].pid;
    finish();
    readStatistics(jid);
    expect<u64>(statistics.handled).toBe(1);
    expect<bool>((statistics.state & EVENT_HANDLING) == 0).toBe(true);
    store<i32>(user, -1);
    expect<i32>(sys_waitpid(-1, user, 1)).toBe(pid);
    expect<i32>(load<i32>(user)).toBe(0);
    expect<i32>(sys_waitpid(-1, 0, 1)).toBe(-ECHILD);
    // The parent's promise of frames stays.
    expect<u32>(before - freeFrameCount()).toBeLessThanOrEqual(32 + 4);
  });

  it("of an event that occurs while one runs gets another, side by side", () => {
    const socket = newStream();
    const jid = onRead(fd(socket), EVF_FORK | EVF_NOCLDWAIT);
    receive(socket, 100);
    expectNone("one");
    begin(children()[0], EVENT_READ);
    receive(socket, 50);
    become(main);
    expectNone("two");
    const list = children();
    expect<i32>(list.length).toBe(2);
    begin(list[1], EVENT_READ);
    expect<u32>(upcallArgument4).toBe(50);
    finish();
    expect<bool>((sys_evctl(jid, EVJOBLOOKUP, 0) & EVENT_HANDLING) != 0).toBe(true, "the first still runs");
    become(list[0]);
    finish();
    expect<bool>((sys_evctl(jid, EVJOBLOOKUP, 0) & EVENT_HANDLING) == 0).toBe(true);
    readStatistics(jid);
    expect<u64>(statistics.handled).toBe(2);
    expect<i32>(sys_waitpid(-1, 0, 1)).toBe(-ECHILD, "EVF_NOCLDWAIT");
  });

  it("with EVF_ONESHOT runs once, whatever occurs before it has run", () => {
    const socket = newStream();
    const jid = onRead(fd(socket), EVF_FORK | EVF_ONESHOT);
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
    expect<u32>(socket.taken).toBe(30);
  });

  it("with EVF_ONESHOT that is taken back while it runs goes on with what has occurred meanwhile", () => {
    const socket = newStream();
    const jid = onRead(fd(socket), EVF_FORK | EVF_NOCLDWAIT | EVF_ONESHOT);
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
      const jid = onRead(fd(socket), EVF_FORK | EVF_NOCLDWAIT | EVF_ONESHOT);
      receive(socket, 10);
      expectNone("launched");
      if (drains) sys_evctl(jid, EVJOBSHTDN, SHUTDOWN_DELIVER);
      // Something else has read them.
      socket.taken = socket.received;
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
      const jid = onRead(fd(socket), EVF_FORK | EVF_NOCLDWAIT | oneshot);
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
    const jid = onRead(fd(socket), EVF_FORK | EVF_NOCLDWAIT);
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
      const jid = onRead(fd(socket), EVF_FORK | EVF_NOCLDWAIT);
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
    const jid = onRead(fd(socket), EVF_FORK | EVF_NOCLDWAIT);
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
      const jid = onRead(fd(socket), EVF_FORK | EVF_NOCLDWAIT);
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
    onRead(fd(socket), EVF_FORK);
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

  it("has a limit; the event waits and is tried again when a child has ended and was waited for", () => {
    const socket = newStream();
    const jid = onRead(fd(socket), EVF_FORK);
    for (let i: u32 = 0; i < CHILDREN; i++) {
      receive(socket, 1);
      expectNone("launched");
    }
    receive(socket, 1);
    expectNone("one too many");
    expect<i32>(children().length).toBe(CHILDREN);
    expect<bool>((sys_evctl(jid, EVJOBLOOKUP, 0) & EVENT_STARVED) != 0).toBe(true);
    // All end: they are still children until somebody asks for their status.
    const list = children();
    for (let i = 0; i < list.length; i++) {
      become(list[i]);
      nextHandler();
      nextHandler();
      become(main);
      endNow(list[i], 0);
      expectNone("no place yet");
    }
    expect<bool>((sys_evctl(jid, EVJOBLOOKUP, 0) & EVENT_STARVED) != 0).toBe(true);
    expect<i32>(children().length).toBe(0);
    expect<i32>(sys_waitpid(-1, 0, 1)).toBeGreaterThan(0);
    expectNone("launched");
    expect<bool>((sys_evctl(jid, EVJOBLOOKUP, 0) & EVENT_STARVED) == 0).toBe(true, "there is a place now");
    expect<i32>(children().length).toBe(1);
  });

  it("that cannot be made for want of frames leaves no child, and the event waits", () => {
    const socket = newStream();
    const jid = onRead(fd(socket), EVF_FORK);
    const taken: usize[] = [];
    // From nothing up to what a clone needs: it fails at each step of being made.
    while (freeFrameCount() > 0) taken.push(allocateFrames(0));
    receive(socket, 10);
    let failures = 0;
    for (let i = 0; i < 200 && children().length == 0; i++) {
      expectNone("no clone yet");
      if (children().length == 0) {
        failures++;
        reapAll();
        expect<i32>(sys_waitpid(-1, 0, 1)).toBe(-ECHILD, "a child that never was");
        expect<u32>(main.childCount).toBe(0);
        freeFrames(taken.pop(), 0);
        // As if it had freed something.
        sys_close(open(newStream()));
      }
    }
    expect<i32>(failures).toBeGreaterThan(32);
    expect<i32>(children().length).toBe(1);
    while (taken.length > 0) freeFrames(taken.pop(), 0);
    begin(children()[0], EVENT_READ);
    finish();
    readStatistics(jid);
    expect<u64>(statistics.handled).toBe(1);
    expect<u64>(statistics.errors).toBeGreaterThanOrEqual(failures);
  });
});

describe("3.2.3 a capsule", () => {
  it("serves one activation after the other", () => {
    const socket = newStream();
    const jid = onRead(fd(socket), EVF_CAPSULE);
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
    onRead(fd(socket), EVF_CAPSULE);
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
    onRead(fd(socket), EVF_CAPSULE);
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
      expect<u32>(<u32>dispatchNext(false, 0)).toBe(0);
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
    onRead(fd(socket), EVF_CAPSULE);
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
    const jid = onRead(fd(socket), EVF_CAPSULE);
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
    onRead(fd(socket), EVF_CAPSULE);
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
    onRead(fd(socket), EVF_CAPSULE);
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

describe("3.4.2 messages", () => {
  it("go from the sender into the memory of a clone", () => {
    const jid = sys_evsystem(EVENT_MESSAGE, 5, EVF_FORK | EVF_NOCLDWAIT, handlerOf(EVENT_MESSAGE));
    expect<i32>(jid).toBeGreaterThan(0);
    for (let round: u32 = 0; round < 3; round++) {
      for (let i: u32 = 0; i < 9000; i++) store<u8>(user + 8192 + i, <u8>(i * 3 + round));
      expect<i32>(sys_evpost(main.pid, 5, user + 8192, 9000)).toBe(0);
      expect<u32>(main.vmtable.blocks).toBe(1, "waits in the receiver's memory");
      expectNone("launched");
      begin(children()[0], EVENT_MESSAGE);
      expect<u32>(upcallArgument4).toBe(9000);
      expect<u32>(main.vmtable.blocks).toBe(0, "and is in the clone's now");
      expect<u32>(main.messageBytes).toBe(0);
      let wrong = 0;
      for (let i: u32 = 0; i < 9000; i++)
        if (load<u8>(zone(upcallArgument3 + i)) != <u8>(i * 3 + round)) wrong++;
      expect<i32>(wrong).toBe(0);
      finish();
    }
  });
});

describe("3.2.3, 3.6.5 messages that wait", () => {
  it("are the parent's: a clone has none of their blocks, and its vmtable is whole", () => {
    const port = sys_evsystem(EVENT_MESSAGE, 5, 0, handlerOf(EVENT_MESSAGE));
    sys_evctl(port, EVJOBSTOP, 0);
    const kept = vmtableAllocate(main.vmtable, 100);
    for (let i: u32 = 0; i < 5; i++) {
      store<u8>(user, <u8>i);
      expect<i32>(sys_evpost(main.pid, 5, user, 1000 + 2000 * i)).toBe(0);
    }
    expect<u32>(main.vmtable.blocks).toBe(6);
    const executors: u32[] = [EVF_FORK, EVF_CAPSULE];
    for (let i = 0; i < 2; i++) {
      const socket = newStream();
      onRead(fd(socket), executors[i]);
      receive(socket, 10);
      expectNone("launched");
      const clone = children()[i];
      expect<u32>(clone.vmtable.blocks).toBe(1, "what the process has kept");
      expect<u32>(clone.vmtable.bytesInUse).toBe(128);
      expect<bool>(vmtableHas(clone.vmtable, kept)).toBe(true);
      const half = vmtableAllocate(clone.vmtable, 65536);
      expect<bool>(half != 0).toBe(true, "room");
      vmtableFree(clone.vmtable, half);
      begin(clone, EVENT_READ);
      become(main);
    }
    sys_evctl(port, EVJOBSTART, 0);
    for (let i: u32 = 0; i < 5; i++) {
      expect<u32>(<u32>nextHandler()).toBe(HANDLER_CODE + EVENT_MESSAGE);
      expect<u32>(upcallArgument4).toBe(1000 + 2000 * i);
      expect<u32>(load<u8>(zone(upcallArgument3))).toBe(i);
    }
    expectNone("all");
    expect<u32>(main.vmtable.blocks).toBe(1);
    expect<u32>(main.messageBytes).toBe(0);
    vmtableFree(main.vmtable, kept);
  });

  it("are nobody's to free: the application has not got them yet", () => {
    const port = sys_evsystem(EVENT_MESSAGE, 5, 0, handlerOf(EVENT_MESSAGE));
    // What is freed is the next that is had.
    const block = vmtableAllocate(main.vmtable, 64);
    vmtableFree(main.vmtable, block);
    expect<i32>(sys_evpost(0, port, user, 64)).toBe(0);
    expect<i32>(sys_vmtable_free(<u32>block)).toBe(-EINVAL);
    expect<u32>(main.vmtable.blocks).toBe(1);
    expect<u32>(<u32>nextHandler()).toBe(HANDLER_CODE + EVENT_MESSAGE);
    expect<u32>(upcallArgument3).toBe(<u32>block);
    expect<i32>(sys_vmtable_free(<u32>block)).toBe(0);
    expectNone("one");
  });
});

function isWorker(thread: Thread): bool {
  let link = main.workers.next;
  while (changetype<usize>(link) != changetype<usize>(main.workers)) {
    if (changetype<usize>(threadOfMember(link)) == changetype<usize>(thread)) return true;
    link = link.next;
  }
  return false;
}

const VECTOR: u32 = 0x60;
/** What happens while threads are made: this event ends, or this socket listens. */
let ending: i32 = 0;
let listening: FakeSocket | null = null;

function meanwhile(argument: usize): void {
  if (ending != 0) sys_evctl(ending, EVJOBSHTDN, SHUTDOWN_DROP);
  if (listening !== null) listening!.flags |= SOCKET_LISTENING;
}

describe("others run while threads are made", () => {
  beforeEach(() => {
    setVector(VECTOR, meanwhile.index, 0);
    ending = 0;
    listening = null;
  });

  it("what a registration needs of a socket is looked at afterwards", () => {
    switchTo(newProcess());
    const process = currentProcess();
    const socket = newStream();
    const fd = open(socket);
    listening = socket;
    fake.queueInterrupt(VECTOR);
    expect<i32>(sys_sockasync_read(fd, EVF_THREAD, handlerOf(EVENT_READ))).toBe(-EINVAL);
    expect<u32>(process.workerCount).toBe(WORKERS);
    expect<u32>(process.eventCount).toBe(0);
    become(main);
    endNow(process, 0);
  });

  it("an event that ends meanwhile is not inherited", () => {
    ending = onTimer(1000 * MILLISECOND, 0, EVF_THREAD);
    onTimer(1000 * MILLISECOND, 0, EVF_THREAD);
    onTimer(1000 * MILLISECOND, 0);
    const child = forkProcess(main, 0, 0)!;
    expect<u32>(child.workerCount).toBe(0);
    fake.queueInterrupt(VECTOR);
    expect<i32>(inheritEvents(main, child)).toBe(0);
    expect<i32>(sys_evctl(ending, EVJOBLOOKUP, 0)).toBe(-ESRCH);
    expect<u32>(child.workerCount).toBe(WORKERS);
    expect<u32>(child.eventCount).toBe(2);
    expect<u32>(main.eventCount).toBe(2);
    endNow(child, 0);
  });
});

describe("3.2.3 a thread executor", () => {
  it("runs beside the main code, between its calls", () => {
    const jid = onTimer(MILLISECOND, 0, EVF_THREAD);
    expect<u32>(main.workerCount).toBe(WORKERS);
    timePasses(2 * MILLISECOND);
    expect<bool>((exitWork & WORK_DISPATCH) != 0).toBe(true, "the main code's next call lets it run");
    // As the glue does it at the end of that call: the main thread gives the memory away. (No stack is switched in a spec.)
    expectNone("the main code has none");
    const worker = currentThread();
    expect<bool>(isWorker(worker)).toBe(true);
    expect<bool>(changetype<usize>(main.active) == changetype<usize>(worker)).toBe(true);
    expect<i32>(serve()).toBe(-ERESTART);
    expect<u32>(<u32>nextHandler()).toBe(HANDLER_CODE + EVENT_TIMER);
    expect<i32>(<i32>upcallArgument1).toBe(jid);
    expectNone("one");
    serveAndLeave();
    expect<usize>(changetype<usize>(currentThread())).toBe(changetype<usize>(main.thread));
    expect<bool>((exitWork & WORK_DISPATCH) == 0).toBe(true, "nobody waits any more");
  });

  it("lets a handler of the main thread finish first, unless it ranks higher", () => {
    const priorities: u32[] = [32, 50];
    for (let i = 0; i < priorities.length; i++) {
      const socket = newStream();
      onRead(fd(socket), 0);
      receive(socket, 10);
      expect<u32>(<u32>nextHandler()).toBe(HANDLER_CODE + EVENT_READ);
      onTimer(MILLISECOND, 0, EVF_THREAD | ((priorities[i] + 1) << EVF_PRIORITY_SHIFT));
      timePasses(2 * MILLISECOND);
      const higher = priorities[i] > 32;
      expect<bool>((exitWork & WORK_DISPATCH) != 0).toBe(higher);
      // At the end of a call of the handler.
      expect<u32>(<u32>dispatchNext(false, 0)).toBe(0);
      expect<bool>(isWorker(currentThread())).toBe(higher);
      if (!higher) expectNone("after the handler's return");
      expect<bool>(isWorker(currentThread())).toBe(true);
      expect<i32>(serve()).toBe(-ERESTART);
      expect<u32>(<u32>nextHandler()).toBe(HANDLER_CODE + EVENT_TIMER);
      expectNone("one");
      serveAndLeave();
      expect<usize>(changetype<usize>(currentThread())).toBe(changetype<usize>(main.thread));
      if (higher) expectNone("the main thread's handler has returned");
      sys_evctl(0, EVTBLINIT, 0);
    }
  });

  it("makes its event unknown to no one else: the process ends, and a timer that fires then touches nothing that is gone", () => {
    const victim = newProcess();
    const other = currentProcess();
    become(victim);
    onTimer(MILLISECOND, MILLISECOND, EVF_THREAD);
    become(other);
    endProcess(victim, 0);
    expect<bool>(victim.idleWorkers.isEmpty).toBe(true, "threads that are gone wait for work");
    // The threads' memory is another one's now.
    const heir = newProcess();
    const state = heir.thread.state;
    timePasses(2 * MILLISECOND);
    expect<u32>(heir.thread.state).toBe(state);
    reapAll();
    endNow(heir, 0);
  });
});

let launched = 0;
let killed = 0;
let starved = 0;

describe("3.5.1 executors in random interleavings", () => {
  it("lose no byte and no event, and give all back", () => {
    randomRuns();
    // The pools have what they need.
    const frames = freeFrameCount();
    randomRuns();
    expect<u32>(freeFrameCount()).toBe(frames);
    expect<i32>(launched).toBeGreaterThan(300);
    expect<i32>(killed).toBeGreaterThan(100);
    expect<i32>(starved).toBeGreaterThan(0);
  });
});

function randomRuns(): void {
  for (let seed: u32 = 1; seed <= 8; seed++) {
    seedChance(seed);
    const sockets: FakeSocket[] = [];
    const jids: i32[] = [];
    const descriptors: i32[] = [];
    const got: u32[] = [];
    for (let i = 0; i < 4; i++) {
      const socket = newStream();
      sockets.push(socket);
      descriptors.push(open(socket));
      const flags = i == 0 ? 0 : i == 1 ? EVF_FORK : i == 2 ? EVF_FORK | EVF_NOCLDWAIT : EVF_CAPSULE;
      jids.push(onRead(descriptors[i], flags));
      got.push(0);
    }
    for (let step = 0; step < 250; step++) {
      const what = chance(100);
      if (what < 40) receive(sockets[chance(4)], 1 + chance(3000));
      else if (what < 60) take(jids, got);
      else if (what < 85) {
        const list = children();
        if (list.length == 0) continue;
        const clone = list[chance(list.length)];
        if (clone.thread.assigned == 0 && clone.thread.handling == 0) continue;
        drainMain(jids, got);
        become(clone);
        take(jids, got);
        if (chance(2) == 0) take(jids, got);
        const done = clone.thread.handling == 0 && !clone.thread.canDispatch;
        become(main);
        // As `serve` does it: the end, or the capsules' list.
        if (done && (clone.childFlags & 4) == 0) endNow(clone, 0);
        else if (done) {
          main.capsules.append(clone.capsule);
          retryStarved(main, SHORT_PLACE);
        }
        launched++;
      } else if (what < 92) {
        const list = children();
        if (list.length == 0) continue;
        endNow(list[chance(list.length)], 9);
        killed++;
      } else if (what < 97) sys_waitpid(-1, 0, 1);
      else
        for (let i = 0; i < 4; i++) if ((sys_evctl(jids[i], EVJOBLOOKUP, 0) & EVENT_STARVED) != 0) starved++;
      for (let i = 0; i < 4; i++) readStatistics(jids[i]);
    }
    // All that came is fetched by somebody in the end.
    for (let round = 0; round < 400; round++) {
      drainMain(jids, got);
      const list = children();
      for (let i = 0; i < list.length; i++) {
        if (list[i].thread.assigned == 0 && list[i].thread.handling == 0) continue;
        drainMain(jids, got);
        become(list[i]);
        while (take(jids, got)) {}
        become(main);
        endNow(list[i], 0);
      }
      while (sys_waitpid(-1, 0, 1) > 0) {}
      let left: u32 = 0;
      for (let i = 0; i < 4; i++) left += sockets[i].received - sockets[i].taken;
      if (left == 0) break;
    }
    for (let i = 0; i < 4; i++) {
      assert(sockets[i].taken == sockets[i].received, "data that nobody fetched");
      assert(got[i] == sockets[i].received, "bytes that were fetched and not delivered");
      sys_evctl(jids[i], EVJOBSHTDN, SHUTDOWN_DROP);
    }
    drainMain(jids, got);
    const rest = children();
    for (let i = 0; i < rest.length; i++) endNow(rest[i], 0);
    while (sys_waitpid(-1, 0, 1) > 0) {}
    for (let i = 0; i < 4; i++) {
      assert(sys_close(descriptors[i]) == 0, "close");
      assert(sockets[i].closed == 1 && sockets[i].sharers == 0, "closed once");
    }
    assert(eventPool().inUse == 0, "events in the pool");
    assert(main.vmtable.blocks == 0, "blocks");
  }
}

/** One step of the glue in the current process; what a handler got is counted and checked. */
function take(jids: i32[], got: u32[]): bool {
  if (nextHandler() == 0) return false;
  const index = jids.indexOf(<i32>upcallArgument1);
  assert(index >= 0, "whose?");
  got[index] += upcallArgument4;
  return true;
}

/** Until the main process has nothing to do: only then can another one come to run. */
function drainMain(jids: i32[], got: u32[]): void {
  while (take(jids, got)) {}
}
