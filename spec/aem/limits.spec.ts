/** Limits of what a process may have (aem/limits.ts, kernel/process/usage.ts): events, in all and of a type, and descriptors. */
import { EVENT_SOCK, EVENT_TIMER, EVJOBSHTDN } from "../../aem/abi";
import { sys_evctl } from "../../aem/evctl";
import { EDQUOT, EMFILE } from "../../kernel/errno";
import { handleAvailable } from "../../kernel/process/handles";
import { currentProcess } from "../../kernel/process/process";
import { usageOf } from "../../kernel/process/usage";
import { sys_close } from "../../net/socket/calls";
import { onSock, onTimer } from "./driver";
import { FakeSocket, newStream, open, recycle } from "./machine";
import { event, expectNoLimitLeft, FAR, module, setTypeLimit, setUpPolicy } from "./policies";

beforeAll(setUpPolicy);
afterEach(expectNoLimitLeft);

describe("limits of registration", () => {
  it("events: -EDQUOT, counted, until one has ended", () => {
    module().eventLimit = 3;
    const usage = usageOf(currentProcess());
    const before = usage.limitRefusals;
    const first = event();
    event();
    event();
    expect<i32>(onTimer(FAR, 0)).toBe(-EDQUOT);
    expect<u64>(usage.limitRefusals).toBe(before + 1);
    expect<i32>(sys_evctl(first, EVJOBSHTDN, 0)).toBe(0);
    event();
    expect<i32>(onTimer(FAR, 0)).toBe(-EDQUOT);
  });

  it("events of a type: the others are not touched by it", () => {
    setTypeLimit(EVENT_TIMER, 2);
    const first = event();
    event();
    expect<i32>(onTimer(FAR, 0)).toBe(-EDQUOT);
    const socket = newStream();
    const fd = open(socket);
    for (let i = 0; i < 3; i++) expect<i32>(onSock(fd)).toBeGreaterThan(0);
    expect<u32>(usageOf(currentProcess()).eventsOfType(EVENT_SOCK)).toBe(3);
    sys_close(fd);
    recycle(socket);
    expect<u32>(usageOf(currentProcess()).eventsOfType(EVENT_SOCK)).toBe(0);
    sys_evctl(first, EVJOBSHTDN, 0);
    event();
  });

  it("descriptors: -EMFILE until one is closed", () => {
    module().descriptorLimit = 2;
    const sockets: FakeSocket[] = [newStream(), newStream(), newStream()];
    const first = open(sockets[0]);
    const second = open(sockets[1]);
    expect<bool>(handleAvailable(currentProcess())).toBe(false);
    expect<i32>(open(sockets[2])).toBe(-EMFILE);
    sys_close(first);
    const third = open(sockets[2]);
    expect<i32>(third).toBeGreaterThanOrEqual(0);
    sys_close(second);
    sys_close(third);
    for (let i = 0; i < 3; i++) recycle(sockets[i]);
  });
});
