/**
 * 3.5.2 for handlers in clones: what a clone could not take is told once and stays where it is, until what was short has come back. The end
 * of the very clone that could not take it is no reason to make another one.
 */
import {
  EVENT_ACCEPT,
  EVENT_CHILD,
  EVENT_ERROR,
  EVENT_MESSAGE,
  EVENT_PENDING,
  EVENT_READ,
  EVENT_STARVED,
  EVENT_TIMER,
  EVF_CAPSULE,
  EVF_FORK,
  EVF_NOCLDWAIT,
  EVF_THREAD,
  EVF_PRIORITY_SHIFT,
  EVJOBLOOKUP,
  EVJOBPRIO,
  EVJOBRETRY,
} from "../../aem/abi";
import { sys_evctl } from "../../aem/evctl";
import { sys_evpost } from "../../aem/evpost";
import { sys_evsystem } from "../../aem/evsystem";
import { sys_sockasync_accept } from "../../aem/sockasync";
import { sys_vmtable_free } from "../../aem/vmtable";
import { EAGAIN, ENOMEM } from "../../kernel/errno";
import { upcallArgument1, upcallArgument2, upcallArgument3, upcallArgument4 } from "../../kernel/glue";
import { allocateFrames, freeFrameCount, freeFrames } from "../../kernel/memory/frames";
import { vmtableAllocate, vmtableFree, VMTABLE_BLOCK } from "../../kernel/memory/vmtable";
import { createProcess } from "../../kernel/process/create";
import { endProcess } from "../../kernel/process/end";
import { startChild } from "../../kernel/process/family";
import { POLL_REAP, pollsLeft, takePoll } from "../../kernel/interrupts/polls";
import { forkProcess } from "../../kernel/process/fork";
import { allocateProcess, findProcess, freeProcess, Process } from "../../kernel/process/process";
import { NO_DEADLINE } from "../../kernel/interrupts/deadline";
import { waitOn } from "../../kernel/scheduler/block";
import { currentThread } from "../../kernel/scheduler/running";
import { raiseThread, wakeThread } from "../../kernel/scheduler/wake";
import { MILLISECOND } from "../../kernel/time/clock";
import { endNow, reapAll } from "../reap";
import { become, begin, children, expectAllGone, finish, leave, main, setUpClones } from "./clones";
import {
  expectHandler,
  expectNone,
  onRead,
  onTimer,
  readStatistics,
  statistics,
  timePasses,
  user,
} from "./driver";
import {
  establish,
  handlerOf,
  newListener,
  newProcess,
  newStream,
  nextHandler,
  open,
  receive,
  serveAndLeave,
  theModule,
} from "./machine";

beforeAll(setUpClones);
afterEach(expectAllGone);

/** Blocks that leave nothing of the zone. The last one is of the smallest size. */
function fill(process: Process): usize[] {
  const blocks: usize[] = [vmtableAllocate(process.vmtable, VMTABLE_BLOCK)];
  for (let size: u32 = 65536; size >= VMTABLE_BLOCK; size >>= 1)
    for (let block = vmtableAllocate(process.vmtable, size); block != 0;) {
      blocks.push(block);
      block = vmtableAllocate(process.vmtable, size);
    }
  return blocks;
}

function empty(process: Process, blocks: usize[]): void {
  for (let i = 0; i < blocks.length; i++) vmtableFree(process.vmtable, blocks[i]);
}

function expectStarved(jid: i32): void {
  const both = EVENT_PENDING | EVENT_STARVED;
  expect<u32>(sys_evctl(jid, EVJOBLOOKUP, 0) & both).toBe(both, "the activation waits");
}

function expectTold(jid: i32, errno: i32): void {
  expectHandler(EVENT_ERROR, "told");
  expect<i32>(<i32>upcallArgument2).toBe(jid);
  expect<i32>(<i32>upcallArgument3).toBe(-errno);
}

function idleCount(): i32 {
  let count = 0;
  const head = main.idleWorkers;
  for (let link = head.next; changetype<usize>(link) != changetype<usize>(head); link = link.next) count++;
  return count;
}

/**
 * The clone that was launched cannot take the data of event `jid`; it ends, or rests, and all that comes of it is done in the main process.
 * `told`: there is an error event, and it ranks higher than the rest of the clone.
 */
function cannotTake(clone: Process, jid: i32, told: bool): void {
  become(clone);
  expect<u32>(<u32>nextHandler()).toBe(0, "there is no room for the data");
  if (told) {
    expectTold(jid, ENOMEM);
    expectNone("once");
  }
  become(clone);
  leave();
}

describe("3.5.2 data that do not fit into a clone", () => {
  it("are told of once, and the clone's end has no other one made; memory that the process frees does", () => {
    const error = sys_evsystem(EVENT_ERROR, 0, 0, handlerOf(EVENT_ERROR));
    const socket = newStream();
    const jid = onRead(open(socket), EVF_FORK | EVF_NOCLDWAIT);
    const blocks = fill(main);
    receive(socket, 1000);
    expectNone("launched");
    cannotTake(children()[0], jid, true);
    expectNone("its end is no news");
    expect<i32>(children().length).toBe(0, "nothing spins");
    expectStarved(jid);
    readStatistics(error);
    expect<u64>(statistics.handled).toBe(1);
    // Another process ends: that gives nothing back that is short.
    endNow(newProcess(), 0);
    expectNone("nor is that");
    expect<i32>(children().length).toBe(0);
    expect<i32>(sys_vmtable_free(<u32>blocks.pop())).toBe(0);
    expectNone("launched again");
    begin(children()[0], EVENT_READ);
    expect<u32>(upcallArgument4).toBe(62, "what there is room for");
    become(main);
    empty(main, blocks);
    expectNone("for the rest, launched");
    const list = children();
    expect<i32>(list.length).toBe(2);
    become(list[0]);
    finish();
    begin(list[1], EVENT_READ);
    expect<u32>(upcallArgument4).toBe(1000 - 62);
    finish();
  });

  it("are tried again when the process has freed something since the clone was made", () => {
    const socket = newStream();
    const jid = onRead(open(socket), EVF_FORK | EVF_NOCLDWAIT);
    const blocks = fill(main);
    receive(socket, 10);
    expectNone("launched");
    const clone = children()[0];
    expect<i32>(sys_vmtable_free(<u32>blocks.pop())).toBe(0);
    cannotTake(clone, jid, false);
    expectNone("launched again");
    begin(children()[0], EVENT_READ);
    expect<u32>(upcallArgument4).toBe(10);
    finish();
    empty(main, blocks);
  });

  it("of an event that nobody is told of wait as well", () => {
    const socket = newStream();
    const jid = onRead(open(socket), EVF_FORK | EVF_NOCLDWAIT);
    const blocks = fill(main);
    receive(socket, 10);
    expectNone("launched");
    cannotTake(children()[0], jid, false);
    expectNone("not again");
    expect<i32>(children().length).toBe(0);
    expectStarved(jid);
    expect<i32>(sys_vmtable_free(<u32>blocks.pop())).toBe(0);
    empty(main, blocks);
    expectNone("launched");
    begin(children()[0], EVENT_READ);
    finish();
  });

  it("of the process itself are tried again when a clone has taken a message out of its memory", () => {
    const port = sys_evsystem(EVENT_MESSAGE, 5, EVF_FORK | EVF_NOCLDWAIT, handlerOf(EVENT_MESSAGE));
    expect<i32>(sys_evpost(0, port, user, 100)).toBe(0);
    const blocks = fill(main);
    const socket = newStream();
    const jid = onRead(open(socket));
    expectNone("launched");
    receive(socket, 10);
    expectNone("no room");
    expectStarved(jid);
    begin(children()[0], EVENT_MESSAGE);
    become(main);
    expectHandler(EVENT_READ, "has the message's memory");
    expectNone("one");
    become(children()[0]);
    finish();
    empty(main, blocks);
  });

  it("keep no place from those that wait for one", () => {
    const children0 = theModule().children;
    theModule().children = 1;
    const port = sys_evsystem(EVENT_MESSAGE, 5, EVF_FORK | EVF_NOCLDWAIT, handlerOf(EVENT_MESSAGE));
    const socket = newStream();
    const jid = onRead(open(socket), EVF_FORK | EVF_NOCLDWAIT);
    const blocks = fill(main);
    receive(socket, 10);
    expectNone("launched");
    // One without bytes needs a place only.
    expect<i32>(sys_evpost(0, port, user, 0)).toBe(0);
    expectNone("no place");
    expectStarved(port);
    cannotTake(children()[0], jid, false);
    expectNone("its place is another one's");
    expectStarved(jid);
    begin(children()[0], EVENT_MESSAGE);
    finish();
    expectNone("that has ended, too");
    expect<i32>(children().length).toBe(0);
    expectStarved(jid);
    theModule().children = children0;
    empty(main, blocks);
  });

  it("do not have a capsule try for ever; when it has been freed of something, or has gone, they are tried again", () => {
    const error = sys_evsystem(EVENT_ERROR, 0, 0, handlerOf(EVENT_ERROR));
    const port = sys_evsystem(EVENT_MESSAGE, 5, EVF_CAPSULE, handlerOf(EVENT_MESSAGE));
    const socket = newStream();
    const jid = onRead(open(socket), EVF_CAPSULE);
    receive(socket, 10);
    expectNone("launched");
    const capsule = children()[0];
    begin(capsule, EVENT_READ);
    // It keeps all that it has.
    const blocks = fill(capsule);
    finish();
    for (let times: u64 = 1; times <= 2; times++) {
      fill(capsule);
      receive(socket, 10);
      expectNone("launched");
      cannotTake(capsule, jid, true);
      expectNone("once");
      expect<usize>(capsule.thread.assigned).toBe(0, "nothing spins");
      expectStarved(jid);
      readStatistics(error);
      expect<u64>(statistics.handled).toBe(times);
      if (times == 2) break;
      // It serves others.
      expect<i32>(sys_evpost(0, port, user, 0)).toBe(0);
      expectNone("launched");
      begin(capsule, EVENT_MESSAGE);
      expect<i32>(sys_vmtable_free(<u32>blocks[blocks.length - 1])).toBe(0);
      finish();
      expectNone("tried again");
      begin(capsule, EVENT_READ);
      finish();
    }
    endNow(capsule, 0);
    expectNone("a new one has what the process has");
    begin(children()[0], EVENT_READ);
    expect<u32>(upcallArgument4).toBe(10);
    finish();
  });

  it("go to another capsule that rests and has not tried yet", () => {
    const socket = newStream();
    const other = newStream();
    const jid = onRead(open(socket), EVF_CAPSULE);
    onRead(open(other), EVF_CAPSULE);
    receive(socket, 10);
    receive(other, 10);
    expectNone("launched, both");
    const list = children();
    expect<i32>(list.length).toBe(2);
    for (let i = 0; i < 2; i++) {
      begin(list[i], EVENT_READ);
      finish();
    }
    fill(list[1]);
    receive(socket, 20);
    expectNone("launched");
    expect<bool>(list[1].thread.assigned != 0).toBe(true, "the last to rest is the first to work");
    cannotTake(list[1], jid, false);
    expectNone("launched again");
    begin(list[0], EVENT_READ);
    expect<u32>(upcallArgument4).toBe(20);
    finish();
    fill(list[0]);
    receive(socket, 30);
    expectNone("launched");
    cannotTake(list[0], jid, false);
    expectNone("launched again");
    cannotTake(list[1], jid, false);
    expectNone("all have tried");
    expect<bool>(list[0].thread.assigned == 0 && list[1].thread.assigned == 0).toBe(true);
    expectStarved(jid);
  });
});

describe("3.5.2 frames for a clone", () => {
  it("are enough for its delivery, too, when they are enough to make it", () => {
    const listener = newListener();
    const jid = sys_sockasync_accept(open(listener), 0, 0, EVF_FORK | EVF_NOCLDWAIT, handlerOf(EVENT_ACCEPT));
    const taken: usize[] = [];
    while (freeFrameCount() > 0) taken.push(allocateFrames(0));
    establish(listener);
    for (let i = 0; i < 200 && children().length == 0; i++) {
      expectNone("no clone yet");
      reapAll();
      if (children().length != 0) break;
      freeFrames(taken.pop(), 0);
      sys_evctl(jid, EVJOBRETRY, 0);
    }
    expect<i32>(children().length).toBe(1);
    expect<bool>(freeFrameCount() < 4).toBe(true, "no more than it took");
    while (freeFrameCount() > 0) taken.push(allocateFrames(0));
    // The connection's descriptor needs a copy of the table.
    begin(children()[0], EVENT_ACCEPT);
    while (taken.length > 0) freeFrames(taken.pop(), 0);
    finish();
  });
});

describe("3.2.1 the end of a process", () => {
  it("is done at the level of the event that starves for its place, whichever came first, and of who waits for it", () => {
    const children0 = theModule().children;
    theModule().children = 1;
    const socket = newStream();
    const jid = onRead(open(socket), EVF_FORK | EVF_NOCLDWAIT | (64 << EVF_PRIORITY_SHIFT));
    // Nothing below has the processor by itself.
    main.priority = 40;
    for (let starvesFirst = 0; starvesFirst < 2; starvesFirst++) {
      receive(socket, 10);
      expectNone("launched");
      const child = children()[0];
      begin(child, EVENT_READ);
      become(main);
      if (starvesFirst == 0) {
        endProcess(child, 0);
        expect<u64>(pollsLeft(POLL_REAP)).toBe((<u64>1) << 32, "nobody waits");
        expectNone("what the main code does goes first");
        expect<u64>(pollsLeft(POLL_REAP)).toBe((<u64>1) << 32);
        receive(socket, 10);
      } else {
        receive(socket, 10);
        expectNone("no place");
        expectStarved(jid);
        endProcess(child, 0);
        expect<u64>(pollsLeft(POLL_REAP)).toBe((<u64>1) << 63);
      }
      expectNone("launched");
      expect<i32>(children().length).toBe(1);
      begin(children()[0], EVENT_READ);
      finish();
      takePoll(POLL_REAP);
    }
    main.priority = 32;
    theModule().children = children0;
    const child = sys_evsystem(EVENT_CHILD, 0, 41 << EVF_PRIORITY_SHIFT, handlerOf(EVENT_CHILD));
    for (let level: u64 = 40; level <= 50; level += 10) {
      const process = findProcess(createProcess(theModule(), main))!;
      endProcess(process, 0);
      expect<u64>(pollsLeft(POLL_REAP)).toBe((<u64>1) << level);
      reapAll();
      takePoll(POLL_REAP);
      expectHandler(EVENT_CHILD, "told");
      expectNone("once");
      expect<i32>(sys_evctl(child, EVJOBPRIO, 50)).toBe(0);
    }
  });
});

describe("3.5.2 a place for a clone", () => {
  it("is looked for when a process ends, and with it the numbers of its children that nobody has waited for come back", () => {
    const other = findProcess(createProcess(theModule(), main))!;
    become(other);
    for (let n = 0; n < 20; n++) {
      const child = forkProcess(other, 0, 0)!;
      startChild(child, 32);
      endNow(child, 0);
    }
    become(main);
    const socket = newStream();
    const jid = onRead(open(socket), EVF_FORK | EVF_NOCLDWAIT);
    const others: Process[] = [];
    for (let one = allocateProcess(); one !== null; one = allocateProcess()) others.push(one!);
    receive(socket, 10);
    expectNone("no number");
    expectStarved(jid);
    // It stays, as a child that main has not waited for.
    endNow(other, 0);
    expectNone("launched");
    begin(children()[0], EVENT_READ);
    finish();
    while (others.length > 0) freeProcess(others.pop());
  });

  it("is not looked for when memory of the process is freed", () => {
    const error = sys_evsystem(EVENT_ERROR, 0, 0, handlerOf(EVENT_ERROR));
    const children0 = theModule().children;
    theModule().children = 1;
    const socket = newStream();
    const jid = onRead(open(socket), EVF_FORK);
    receive(socket, 10);
    expectNone("launched");
    begin(children()[0], EVENT_READ);
    become(main);
    receive(socket, 10);
    expectTold(jid, EAGAIN);
    expectNone("once");
    const block = vmtableAllocate(main.vmtable, 64);
    expect<i32>(sys_vmtable_free(<u32>block)).toBe(0);
    expectNone("not told anew");
    readStatistics(error);
    expect<u64>(statistics.handled).toBe(1);
    theModule().children = children0;
    become(children()[0]);
    finish();
  });
});

describe("3.5.2 data that do not fit for a worker", () => {
  it("are tried again on the workers, though the main thread is busy: with one that frees something, and with those that are idle", () => {
    const sockets = [newStream(), newStream()];
    for (let i = 0; i < 2; i++) onRead(open(sockets[i]), EVF_THREAD);
    const blocks = fill(main);
    for (let i = 0; i < 2; i++) receive(sockets[i], 10);
    for (let i = 0; i < 2; i++) {
      expectNone("the main code has none");
      expect<bool>(currentThread().worker != 0).toBe(true);
      expectNone("no room");
      serveAndLeave();
    }
    onTimer(MILLISECOND, 0);
    const timer = onTimer(MILLISECOND, 0, EVF_THREAD);
    timePasses(2 * MILLISECOND);
    expectHandler(EVENT_TIMER, "on the main thread, where it waits for others");
    expect<bool>(currentThread().worker == 0).toBe(true);
    waitOn(null, 0, NO_DEADLINE);
    expect<bool>(currentThread().worker != 0).toBe(true);
    expectHandler(EVENT_TIMER, "on a worker");
    expect<i32>(<i32>upcallArgument1).toBe(timer);
    const idle = idleCount();
    for (let i = 0; i < 2; i++) expect<i32>(sys_vmtable_free(<u32>blocks.pop())).toBe(0);
    expect<i32>(idleCount()).toBeLessThanOrEqual(idle - 2, "workers have been told");
    for (let i = 0; i < 2; i++) expectHandler(EVENT_READ, "on the worker that is done first");
    wakeThread(main.thread, 63);
    raiseThread(main.thread, 63);
    expectNone("nothing more");
    serveAndLeave();
    for (let i = 0; i < 2; i++) {
      // Those that come too late.
      if (currentThread().worker == 0) break;
      serveAndLeave();
    }
    expect<bool>(currentThread().worker == 0).toBe(true);
    expectNone("its handler has returned");
    empty(main, blocks);
  });
});
