/** The events of evsystem but for messages: what each promises (docs/aem-calls.md). */
import {
  EVENT_ACCEPT,
  EVENT_ERROR,
  EVENT_LIMIT,
  EVENT_LINK,
  EVENT_MEMORY,
  EVENT_MESSAGE,
  EVENT_OVERLOAD,
  EVENT_READ,
  EVENT_SIGNAL,
  EVENT_STARVED,
  EVENT_TIMER,
  EVENTS_PER_SOCKET,
  EVENTS_PER_SOURCE,
  EVF_KEEPALIVE,
  EVF_ONESHOT,
  EVF_PRIORITY_SHIFT,
  EVJOBLOOKUP,
  EVJOBSHTDN,
  EVJOBSTART,
  EVJOBSTOP,
  PRIORITY_DEFAULT,
  PRIORITY_URGENT,
} from "../../aem/abi";
import { LACK_UNIT } from "../../aem/event";
import { sys_evctl } from "../../aem/evctl";
import { sys_evpost } from "../../aem/evpost";
import { sys_evsystem } from "../../aem/evsystem";
import { reportError } from "../../aem/jobs/error";
import { sys_sockasync_accept } from "../../aem/sockasync";
import { sys_vmtable_free, sys_vmtable_keep } from "../../aem/vmtable";
import { EAGAIN, EDQUOT, EFAULT, EINVAL, EMFILE, ENODEV, ENOMEM, ESRCH } from "../../kernel/errno";
import { upcallArgument1, upcallArgument2, upcallArgument3, upcallArgument4 } from "../../kernel/glue";
import { allocateFrames, freeFrameCount, freeFrames, totalFrameCount } from "../../kernel/memory/frames";
import { vmtableAllocate, vmtableFree } from "../../kernel/memory/vmtable";
import { SIGKILL, SIGTERM, SIGUSR1, SIGUSR2, sys_kill, sys_sigtake } from "../../kernel/process/calls";
import { HANDLE_LIMIT, HANDLE_SOCKET, handleInstall } from "../../kernel/process/handles";
import { LIMIT_DESCRIPTORS, LIMIT_SOURCE_EVENTS, reportLimit } from "../../kernel/process/limits";
import { currentProcess } from "../../kernel/process/process";
import { initializeNames, NAME_STORAGE, sys_getpidof } from "../../kernel/process/names";
import { WAKE_SYSTEM } from "../../kernel/scheduler/wait";
import { NetworkDevice } from "../../net/device";
import { networkInterface } from "../../net/interface";
import { sys_close } from "../../net/socket/calls";
import { growMemory } from "../arena";
import {
  expectHandler,
  expectNone,
  expectNothingLeft,
  onRead,
  onTimer,
  readStatistics,
  setUp,
  statistics,
  timePasses,
  user,
  starvedCount,
} from "./driver";
import { establish, handlerOf, newListener, newStream, open, receive } from "./machine";

function register(kind: u32, argument: u32, flags: u32 = 0): i32 {
  return sys_evsystem(kind, argument, flags, handlerOf(kind));
}

function expectArguments(jid: i32, second: u32, third: u32, what: string): void {
  expect<i32>(<i32>upcallArgument1).toBe(jid, what);
  expect<u32>(upcallArgument2).toBe(second, what);
  expect<u32>(upcallArgument3).toBe(third, what);
}

const frames: usize[] = [];

/** Takes or frees frames until so many are free. */
function leave(count: u32): void {
  while (freeFrameCount() > count) frames.push(allocateFrames(0));
  while (freeFrameCount() < count) freeFrames(frames.pop(), 0);
}

/** All of the vmtable, in blocks of the smallest size. */
function fill(): usize[] {
  const blocks: usize[] = [];
  const vmtable = currentProcess().vmtable;
  for (let block = vmtableAllocate(vmtable, 64); block != 0; block = vmtableAllocate(vmtable, 64))
    blocks.push(block);
  return blocks;
}

function free(blocks: usize[]): void {
  const vmtable = currentProcess().vmtable;
  while (blocks.length > 0) vmtableFree(vmtable, blocks.pop());
}

function freeOne(blocks: usize[]): void {
  sys_vmtable_free(<u32>blocks.pop());
}

beforeAll(() => {
  setUp();
});

afterEach(() => {
  expectNothingLeft();
});

describe("3.1.1 signal events", () => {
  it("take the signal: no call is interrupted, nothing waits for sigtake", () => {
    const process = currentProcess();
    const jid = register(EVENT_SIGNAL, SIGUSR1);
    expect<i32>(sys_kill(process.pid, SIGUSR1)).toBe(0);
    expect<i32>(sys_sigtake()).toBe(0);
    expect<bool>(process.thread.takeInterruption()).toBe(false);
    expectHandler(EVENT_SIGNAL, "the handler has it");
    expectArguments(jid, SIGUSR1, process.pid, "signal and sender");
    expectNone("once");
    expect<i32>(sys_kill(process.pid, SIGUSR2)).toBe(0);
    expectNone("another signal");
    expect<i32>(sys_sigtake()).toBe(SIGUSR2);
    process.thread.takeInterruption();
  });

  it("coalesce, with a count", () => {
    const jid = register(EVENT_SIGNAL, SIGTERM);
    for (let i = 0; i < 5; i++) sys_kill(currentProcess().pid, SIGTERM);
    expectHandler(EVENT_SIGNAL, "five are one call");
    expectNone("no more");
    readStatistics(jid);
    expect<u64>(statistics.activations).toBe(5);
    expect<u64>(statistics.coalesced).toBe(4);
  });

  it("take over one that waits for sigtake; stopped, they hold it", () => {
    const process = currentProcess();
    sys_kill(process.pid, SIGUSR2);
    const jid = register(EVENT_SIGNAL, SIGUSR2);
    expectHandler(EVENT_SIGNAL, "the one that waited");
    expectArguments(jid, SIGUSR2, 0, "sender not known");
    expect<i32>(sys_sigtake()).toBe(0);
    expect<bool>(process.thread.takeInterruption()).toBe(false);
    sys_evctl(jid, EVJOBSTOP, 0);
    sys_kill(process.pid, SIGUSR2);
    expectNone("stopped");
    expect<i32>(sys_sigtake()).toBe(0);
    sys_evctl(jid, EVJOBSTART, 0);
    expectHandler(EVENT_SIGNAL, "started");
    sys_evctl(jid, EVJOBSHTDN, 0);
    sys_kill(process.pid, SIGUSR2);
    expect<i32>(sys_sigtake()).toBe(SIGUSR2, "without the event as before");
    process.thread.takeInterruption();
  });

  it("are of three signals, and so many", () => {
    expect<i32>(register(EVENT_SIGNAL, SIGKILL)).toBe(-EINVAL);
    expect<i32>(register(EVENT_SIGNAL, 0)).toBe(-EINVAL);
    expect<i32>(register(EVENT_SIGNAL, 32 + SIGTERM)).toBe(-EINVAL);
    for (let i: u32 = 0; i < EVENTS_PER_SOURCE; i++)
      expect<bool>(register(EVENT_SIGNAL, SIGTERM) > 0).toBe(true);
    expect<i32>(register(EVENT_SIGNAL, SIGUSR1)).toBe(-EDQUOT);
  });
});

describe("3.1.1 memory events", () => {
  it("come below the threshold, once, and again after an eighth more than it was free", () => {
    const start = freeFrameCount();
    const threshold: u32 = 1600;
    const jid = register(EVENT_MEMORY, threshold * 4);
    const lower = register(EVENT_MEMORY, 400 * 4);
    leave(threshold);
    expectNone("exactly the threshold");
    leave(threshold - 1);
    expectHandler(EVENT_MEMORY, "below");
    expectArguments(jid, (threshold - 1) * 4, totalFrameCount() * 4, "KiB");
    leave(threshold + 200);
    leave(threshold - 100);
    expectNone("not far enough above");
    leave(threshold + 201);
    leave(threshold - 100);
    expectHandler(EVENT_MEMORY, "again");
    expect<i32>(<i32>upcallArgument1).toBe(jid);
    leave(300);
    expectHandler(EVENT_MEMORY, "the lower one");
    expect<i32>(<i32>upcallArgument1).toBe(lower);
    expectNone("each once");
    leave(start - 1);
  });

  it("come at once when memory is short already; argument and number have limits", () => {
    const start = freeFrameCount();
    leave(100);
    const jid = register(EVENT_MEMORY, 4000);
    expectHandler(EVENT_MEMORY, "at registration");
    expect<i32>(<i32>upcallArgument1).toBe(jid);
    leave(start);
    expect<i32>(register(EVENT_MEMORY, 3)).toBe(-EINVAL, "less than a frame");
    expect<i32>(register(EVENT_MEMORY, totalFrameCount() * 4)).toBe(-EINVAL, "all there is");
    expect<i32>(register(EVENT_MEMORY, u32.MAX_VALUE)).toBe(-EINVAL);
    for (let i: u32 = 1; i < EVENTS_PER_SOURCE; i++)
      expect<bool>(register(EVENT_MEMORY, 4000 + i * 4) > 0).toBe(true);
    expect<i32>(register(EVENT_MEMORY, 4000)).toBe(-EDQUOT);
    sys_evctl(jid, EVJOBSHTDN, 0);
    expect<bool>(register(EVENT_MEMORY, 4000) > 0).toBe(true, "one went");
  });
});

describe("3.1.1 overload events", () => {
  it("come ahead of what waits, once, and again after half of it has gone", () => {
    const jid = register(EVENT_OVERLOAD, 10);
    const timers: i32[] = [];
    for (let i = 0; i < 12; i++) timers.push(onTimer(1000, 1_000_000_000));
    timePasses(2_000_000);
    expectHandler(EVENT_OVERLOAD, "first");
    expectArguments(jid, 12, 10, "waiting, limit");
    for (let i = 0; i < 12; i++) {
      expectHandler(EVENT_TIMER, "then what waited, in order");
      expect<i32>(<i32>upcallArgument1).toBe(timers[i]);
    }
    expectNone("all");
    timePasses(1_000_000_000);
    expectHandler(EVENT_OVERLOAD, "again");
    for (let i = 0; i < 6; i++) expectHandler(EVENT_TIMER, "some");
    timePasses(1_000_000_000);
    for (let i = 0; i < 12; i++) expectHandler(EVENT_TIMER, "it had not fallen below half");
    expectNone("all");
  });

  it("do not count what was stopped or ended", () => {
    const process = currentProcess();
    const first = onTimer(1000, 0);
    const second = onTimer(1000, 0);
    timePasses(2_000_000);
    expect<u32>(process.waitingCount).toBe(2);
    sys_evctl(first, EVJOBSTOP, 0);
    expect<u32>(process.waitingCount).toBe(1);
    sys_evctl(second, EVJOBSHTDN, 0);
    expect<u32>(process.waitingCount).toBe(0);
    sys_evctl(first, EVJOBSTART, 0);
    expect<i32>(register(EVENT_OVERLOAD, 0)).toBe(-EINVAL);
    register(EVENT_OVERLOAD, 1);
    expectHandler(EVENT_OVERLOAD, "reached at registration");
    expectHandler(EVENT_TIMER, "it");
  });
});

describe("3.1.1 link events", () => {
  it("need a device; tell the state at first, and each change", () => {
    expect<i32>(register(EVENT_LINK, 0)).toBe(-ENODEV);
    const device = changetype<NetworkDevice>(growMemory(offsetof<NetworkDevice>(), 8));
    networkInterface().device = device;
    device.linkUp = 1;
    const jid = register(EVENT_LINK, 0);
    expectHandler(EVENT_LINK, "the state");
    expectArguments(jid, 1, 0, "up");
    device.linkUp = 0;
    networkInterface().linkWaiters.wake(WAKE_SYSTEM, 0);
    expectHandler(EVENT_LINK, "a change");
    expectArguments(jid, 0, 0, "down");
    device.linkUp = 1;
    networkInterface().linkWaiters.wake(WAKE_SYSTEM, 1);
    device.linkUp = 0;
    networkInterface().linkWaiters.wake(WAKE_SYSTEM, 0);
    expectHandler(EVENT_LINK, "two changes");
    expectArguments(jid, 0, 0, "as it is now");
    expectNone("one call for both");
    networkInterface().device = changetype<NetworkDevice>(0);
  });
});

describe("3.5.4 limit events", () => {
  it("tell of a call that was refused: which limit, and its value", () => {
    const jid = register(EVENT_LIMIT, 0);
    const socket = newStream();
    const fd = open(socket);
    for (let i: u32 = 0; i < EVENTS_PER_SOCKET; i++) expect<bool>(onRead(fd) > 0).toBe(true);
    expectNone("not yet");
    expect<i32>(onRead(fd)).toBe(-EDQUOT);
    expect<i32>(onRead(fd)).toBe(-EDQUOT);
    expectHandler(EVENT_LIMIT, "told");
    expectArguments(jid, LIMIT_SOURCE_EVENTS, EVENTS_PER_SOCKET, "which");
    expectNone("once for both");
    sys_close(fd);
    expect<i32>(register(EVENT_LIMIT, 1)).toBe(-EINVAL);
  });

  it("tell of descriptors, and of each limit by itself", () => {
    const jid = register(EVENT_LIMIT, 0);
    const process = currentProcess();
    const capacity = process.handleCapacity;
    const free = process.handleFree;
    // As if all descriptors were taken.
    process.handleCapacity = HANDLE_LIMIT;
    process.handleFree = 0;
    expect<i32>(handleInstall(process, 8, HANDLE_SOCKET)).toBe(-EMFILE);
    process.handleCapacity = capacity;
    process.handleFree = free;
    reportLimit(process, 9, 77);
    expectHandler(EVENT_LIMIT, "one");
    expectArguments(jid, LIMIT_DESCRIPTORS, HANDLE_LIMIT, "descriptors");
    expectHandler(EVENT_LIMIT, "and the other");
    expectArguments(jid, 9, 77, "someone else's limit");
    expectNone("no more");
  });

  it("have the highest priority unless another is given", () => {
    const kinds: u32[] = [EVENT_LIMIT, EVENT_ERROR, EVENT_OVERLOAD];
    for (let i = 0; i < kinds.length; i++) {
      readStatistics(register(kinds[i], kinds[i] == EVENT_OVERLOAD ? 5 : 0));
      expect<u32>(statistics.priority).toBe(PRIORITY_URGENT);
    }
    readStatistics(register(EVENT_LIMIT, 0, 8 << EVF_PRIORITY_SHIFT));
    expect<u32>(statistics.priority).toBe(7);
    readStatistics(register(EVENT_SIGNAL, SIGTERM));
    expect<u32>(statistics.priority).toBe(PRIORITY_DEFAULT);
  });
});

describe("3.5.2 error events", () => {
  it("tell which event waits, for what and how much; when memory is freed it is tried again", () => {
    const error = register(EVENT_ERROR, 0);
    const socket = newStream();
    const fd = open(socket);
    const jid = onRead(fd);
    const blocks = fill();
    receive(socket, 1024);
    expectHandler(EVENT_ERROR, "told");
    expectArguments(error, jid, <u32>-ENOMEM, "about, errno");
    expect<u32>(upcallArgument4).toBe(1024, "bytes");
    expectNone("told once");
    expect<bool>((sys_evctl(jid, EVJOBLOOKUP, 0) & EVENT_STARVED) != 0).toBe(true, "still waits");
    expect<u32>(currentProcess().waitingCount).toBe(1);
    freeOne(blocks);
    expectHandler(EVENT_READ, "tried again");
    expect<u32>(upcallArgument4).toBe(64);
    expectHandler(EVENT_READ, "and the rest, in pieces");
    const second = upcallArgument4;
    free(blocks);
    expectHandler(EVENT_READ, "and the rest");
    expect<u32>(upcallArgument4).toBe(1024 - 64 - second);
    sys_close(fd);
  });

  it("tell of each starved event by itself, in order, without memory, and of a second failure again", () => {
    const sockets = 20;
    const blocks = fill();
    const fds: i32[] = [];
    const jids: i32[] = [];
    for (let i = 0; i < sockets; i++) {
      const socket = newStream();
      fds.push(open(socket));
      jids.push(onRead(fds[i]));
      receive(socket, 100 + 30 * i);
    }
    expectNone("all starve");
    // Those that starve already are told to whoever registers now.
    const error = register(EVENT_ERROR, 0);
    for (let i = 0; i < sockets; i++) {
      expectHandler(EVENT_ERROR, "each");
      expectArguments(error, jids[i], <u32>-ENOMEM, "about");
      expect<u32>(upcallArgument4).toBe((100 + 30 * i + LACK_UNIT - 1) & ~(LACK_UNIT - 1));
    }
    expectNone("each once");
    freeOne(blocks);
    let read = 0;
    for (let i = 0; i < sockets; i++) sys_evctl(jids[i], EVJOBLOOKUP, 0);
    expectHandler(EVENT_READ, "one finds a block");
    sys_vmtable_keep(upcallArgument3);
    const kept = upcallArgument3;
    for (let i = 0; i < sockets; i++) {
      expectHandler(EVENT_ERROR, "the others are told of again, and it as well: it has more");
      read++;
    }
    expectNone("all");
    expect<i32>(read).toBe(sockets);
    readStatistics(error);
    sys_vmtable_free(kept);
    free(blocks);
    for (let i = 0; i < sockets; i++) sys_close(fds[i]);
    expect<i32>(starvedCount(currentProcess())).toBe(0, "starved events left");
  });

  it("tell of descriptors", () => {
    const error = register(EVENT_ERROR, 0);
    const process = currentProcess();
    const listener = newListener();
    const fd = open(listener);
    const jid = sys_sockasync_accept(fd, 0, 0, 0, handlerOf(EVENT_ACCEPT));
    const capacity = process.handleCapacity;
    const free = process.handleFree;
    process.handleCapacity = HANDLE_LIMIT;
    process.handleFree = 0;
    establish(listener);
    expectHandler(EVENT_ERROR, "told");
    expectArguments(error, jid, <u32>-EMFILE, "descriptors");
    expect<u32>(upcallArgument4).toBe(0);
    process.handleCapacity = capacity;
    process.handleFree = free;
    sys_close(fd);
  });

  it("tell of what others report: of a starved event anew, else in one place", () => {
    const process = currentProcess();
    const error = register(EVENT_ERROR, 0);
    reportError(process, 0, EAGAIN, 1);
    reportError(process, 5, ENOMEM, 123456);
    expectHandler(EVENT_ERROR, "the newest");
    expectArguments(error, 5, <u32>-ENOMEM, "about");
    expect<u32>(upcallArgument4).toBe(123456);
    expectNone("once");
    const blocks = fill();
    const socket = newStream();
    const fd = open(socket);
    const jid = onRead(fd);
    receive(socket, 10);
    expectHandler(EVENT_ERROR, "starved");
    reportError(process, jid, EAGAIN, 20_000_000);
    freeOne(blocks);
    expectHandler(EVENT_READ, "delivered after all");
    free(blocks);
    sys_close(fd);
  });

  it("a message's block that goes back is tried at once", () => {
    const process = currentProcess();
    register(EVENT_ERROR, 0);
    const port = register(EVENT_MESSAGE, 3);
    expect<i32>(sys_evpost(0, port, user, 64)).toBe(0);
    const blocks = fill();
    const socket = newStream();
    const fd = open(socket);
    const jid = onRead(fd);
    receive(socket, 10);
    expect<u32>(process.waitingCount).toBe(2);
    // The read event goes first.
    sys_evctl(port, EVJOBSTOP, 0);
    expectHandler(EVENT_ERROR, "starved");
    expect<i32>(<i32>upcallArgument2).toBe(jid);
    sys_evctl(port, EVJOBSTART, 0);
    expectHandler(EVENT_MESSAGE, "the message");
    expectHandler(EVENT_READ, "its block is the read event's");
    free(blocks);
    sys_close(fd);
  });
});

describe("registration", () => {
  it("one-shot and keep-alive hold for these events, and a refused one changes nothing", () => {
    const process = currentProcess();
    const jid = register(EVENT_SIGNAL, SIGUSR1, EVF_ONESHOT | EVF_KEEPALIVE);
    expect<u32>(process.keepaliveEvents).toBe(1);
    expect<i32>(register(EVENT_SIGNAL, 5, EVF_KEEPALIVE)).toBe(-EINVAL);
    expect<u32>(process.keepaliveEvents).toBe(1);
    sys_kill(process.pid, SIGUSR1);
    expectHandler(EVENT_SIGNAL, "once");
    expectNone("and no more");
    expect<u32>(process.keepaliveEnded).toBe(1);
    process.keepaliveEnded = 0;
    expect<i32>(sys_evctl(jid, EVJOBLOOKUP, 0)).toBe(-ESRCH);
  });
});

describe("getpidof", () => {
  it("finds a process by the name of its module", () => {
    initializeNames(growMemory(NAME_STORAGE, 8));
    const process = currentProcess();
    const name = growMemory(8, 8);
    store<u64>(name, 0x0064_6e65_6972_6666);
    process.module.name = <u32>name;
    process.module.nameLength = 7;
    memory.copy(user, name, 7);
    expect<i32>(sys_getpidof(user, 7)).toBe(process.pid);
    expect<i32>(sys_getpidof(user, 6)).toBe(-ESRCH, "a part of it");
    expect<i32>(sys_getpidof(user, 0)).toBe(-EINVAL);
    expect<i32>(sys_getpidof(user, 65)).toBe(-EINVAL);
    expect<i32>(sys_getpidof(0xff00_0000, 7)).toBe(-EFAULT);
  });
});
