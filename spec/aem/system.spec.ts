/** The events of evsystem but for messages: signals, memory, overload, the link (docs/aem-calls.md); their registration, and getpidof. */
import {
  EVENT_LINK,
  EVENT_MEMORY,
  EVENT_OVERLOAD,
  EVENT_SIGNAL,
  EVENT_TIMER,
  EVENTS_PER_SOURCE,
  EVF_KEEPALIVE,
  EVF_ONESHOT,
  EVJOBLOOKUP,
  EVJOBSHTDN,
  EVJOBSTART,
  EVJOBSTOP,
} from "../../aem/abi";
import { sys_evctl } from "../../aem/evctl";
import { EDQUOT, EFAULT, EINVAL, ENODEV, ESRCH } from "../../kernel/errno";
import { upcallArgument1 } from "../../kernel/glue";
import { allocateFrames, freeFrameCount, freeFrames, totalFrameCount } from "../../kernel/memory/frames";
import { SIGKILL, SIGTERM, SIGUSR1, SIGUSR2, sys_kill, sys_sigtake } from "../../kernel/process/calls";
import { currentProcess } from "../../kernel/process/process";
import { initializeNames, NAME_STORAGE, sys_getpidof } from "../../kernel/process/names";
import { WAKE_SYSTEM } from "../../kernel/scheduler/wait";
import { NetworkDevice } from "../../net/device";
import { networkInterface } from "../../net/interface";
import { growMemory } from "../arena";
import {
  expectHandler,
  expectNone,
  expectNothingLeft,
  onTimer,
  readStatistics,
  setUp,
  statistics,
  timePasses,
  user,
} from "./driver";
import { expectArguments, register } from "./system";

const frames: usize[] = [];

/** Takes or frees frames until so many are free. */
function leave(count: u32): void {
  while (freeFrameCount() > count) frames.push(allocateFrames(0));
  while (freeFrameCount() < count) freeFrames(frames.pop(), 0);
}

beforeAll(() => {
  setUp();
});

afterEach(expectNothingLeft);

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
