/** What a process may not do (its policy in the manifest; aem/limits.ts): types of event, executors, calls. */
import { EVENT_SOCK, EVENT_TIMER, EVF_CAPSULE, EVF_FORK, EVF_THREAD } from "../../aem/abi";
import { sys_evtimer } from "../../aem/evtimer";
import { EPERM } from "../../kernel/errno";
import { currentProcess } from "../../kernel/process/process";
import { refused, usageOf } from "../../kernel/process/usage";
import { sys_close } from "../../net/socket/calls";
import * as fake from "../fake";
import { endNow } from "../reap";
import { onSock, onTimer } from "./driver";
import { handlerOf, newProcess, newStream, open, recycle } from "./machine";
import { expectNoLimitLeft, FAR, module, setUpPolicy } from "./policies";

beforeAll(setUpPolicy);
afterEach(expectNoLimitLeft);

describe("policy", () => {
  it("refuses types of event: -EPERM, counted, and the others are as they were", () => {
    module().refusedTypes = 1 << EVENT_TIMER;
    const before = usageOf(currentProcess()).refusedEvents;
    expect<i32>(onTimer(FAR, 0)).toBe(-EPERM);
    expect<i32>(onTimer(FAR, 0)).toBe(-EPERM);
    expect<u64>(usageOf(currentProcess()).refusedEvents).toBe(before + 2);
    const socket = newStream();
    const fd = open(socket);
    expect<i32>(onSock(fd)).toBeGreaterThan(0);
    module().refusedTypes = 1 << EVENT_SOCK;
    expect<i32>(onSock(fd)).toBe(-EPERM);
    expect<i32>(onTimer(FAR, 0)).toBeGreaterThan(0);
    sys_close(fd);
    recycle(socket);
  });

  it("refuses executors, the plain function among them", () => {
    const flags: u32[] = [0, EVF_THREAD, EVF_FORK, EVF_CAPSULE];
    for (let allowed = 0; allowed < 4; allowed++) {
      module().refusedExecutors = 15 & ~(1 << allowed);
      for (let executor = 0; executor < 4; executor++) {
        const result = sys_evtimer(FAR, 0, flags[executor], handlerOf(EVENT_TIMER));
        if (executor != allowed) expect<i32>(result).toBe(-EPERM);
        else expect<bool>(result != -EPERM).toBe(true);
      }
    }
  });

  it("answers a refused call with -EPERM in both widths, counts all and logs each call once", () => {
    const name = memory.data<u8>([0x65, 0x76, 0x78]);
    const usage = usageOf(currentProcess());
    const before = usage.refusedCalls;
    for (let call: u32 = 0; call < 256; call += 51) {
      fake.consoleClear();
      expect<i64>(refused(call, name, 3)).toBe(-EPERM);
      expect<bool>(fake.consoleHas("may not call evx")).toBe(true);
      fake.consoleClear();
      expect<i32>(<i32>refused(call, name, 3)).toBe(-EPERM);
      expect<bool>(fake.consoleHas("may not call")).toBe(false);
    }
    expect<u64>(usage.refusedCalls).toBe(before + 12);
    const other = newProcess();
    expect<u64>(usageOf(other).refusedCalls).toBe(0, "each process has its own");
    // It would run when a handler of a low priority begins.
    endNow(other, 0);
  });
});
