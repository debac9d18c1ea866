/** Process executors (EVF_FORK): who fetches the data, how many clones there are, and what waits when there can be no more. */
import {
  EVENT_HANDLING,
  EVENT_READ,
  EVENT_STARVED,
  EVF_FORK,
  EVF_NOCLDWAIT,
  EVJOBLOOKUP,
} from "../../aem/abi";
import { sys_evctl } from "../../aem/evctl";
import { ECHILD } from "../../kernel/errno";
import { upcallArgument1, upcallArgument4 } from "../../kernel/glue";
import { allocateFrames, freeFrameCount, freeFrames } from "../../kernel/memory/frames";
import { sys_waitpid } from "../../kernel/process/family";
import { sys_close } from "../../net/socket/calls";
import { endNow, reapAll } from "../reap";
import { become, begin, children, expectAllGone, finish, main, setUpClones } from "./clones";
import { expectNone, onRead, readStatistics, statistics, user, wrongBytes } from "./driver";
import { CHILDREN, newStream, nextHandler, open, receive } from "./machine";

beforeAll(setUpClones);
afterEach(expectAllGone);

describe("3.2.3 a process executor", () => {
  it("fetches the data into its own memory, runs the handler once, and ends with status 0", () => {
    const socket = newStream();
    const jid = onRead(open(socket), EVF_FORK);
    const before = freeFrameCount();
    receive(socket, 5000);
    expectNone("not in the process itself");
    expect<u32>(socket.went).toBe(0, "whoever runs the handler fetches the data");
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
    const jid = onRead(open(socket), EVF_FORK | EVF_NOCLDWAIT);
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

  it("has a limit; the event waits and is tried again when a child has ended and was waited for", () => {
    const socket = newStream();
    const jid = onRead(open(socket), EVF_FORK);
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
    const jid = onRead(open(socket), EVF_FORK);
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
