/** processinfo (kernel/process/processinfo.ts): what it reports of a process. */
import { EVENT_READ, EVENT_SOCK, EVENT_TIMER } from "../../aem/abi";
import { EFAULT, EINVAL, ESRCH } from "../../kernel/errno";
import { MODULE_EVENT_TYPES } from "../../kernel/process/module";
import { currentProcess, PROCESS_LIMIT } from "../../kernel/process/process";
import { PROCESS_INFORMATION_SIZE, sys_processinfo } from "../../kernel/process/processinfo";
import { sys_close } from "../../net/socket/calls";
import { now } from "../../kernel/time/clock";
import * as fake from "../fake";
import { endNow } from "../reap";
import { onRead, onSock, user } from "./driver";
import { newProcess, newStream, nextHandler, open, recycle } from "./machine";
import { event, expectNoLimitLeft, occur, setUpPolicy } from "./policies";

beforeAll(setUpPolicy);
afterEach(expectNoLimitLeft);

describe("processinfo", () => {
  it("reports what the process has", () => {
    const socket = newStream();
    const fd = open(socket);
    onRead(fd);
    onSock(fd);
    const timer = event();
    occur(timer);
    expect<i32>(sys_processinfo(0, user, 1000)).toBe(<i32>PROCESS_INFORMATION_SIZE);
    const process = currentProcess();
    expect<i32>(load<i32>(user)).toBe(process.pid);
    expect<u32>(load<u32>(user, 8)).toBe(1, "running");
    expect<u32>(load<u32>(user, 12)).toBe(1, "descriptors");
    expect<u64>(load<u64>(user, 24)).toBe(1, "pending");
    expect<u64>(load<u64>(user, 40)).toBe(3, "events");
    expect<u64>(load<u64>(user, 48)).toBe(65536, "memory");
    expect<u64>(load<u64>(user, 56)).toBe(131072, "its limit");
    expect<u64>(load<u64>(user, 80)).toBe(process.vmtableBytes);
    const types = user + <u32>PROCESS_INFORMATION_SIZE - 4 * MODULE_EVENT_TYPES;
    expect<u32>(load<u32>(types + 4 * EVENT_READ)).toBe(1);
    expect<u32>(load<u32>(types + 4 * EVENT_SOCK)).toBe(1);
    expect<u32>(load<u32>(types + 4 * EVENT_TIMER)).toBe(1);
    nextHandler();
    nextHandler();
    sys_close(fd);
    recycle(socket);
  });

  it("counts the processor time of the caller up to this call", () => {
    expect<i32>(sys_processinfo(0, user, 1000)).toBe(<i32>PROCESS_INFORMATION_SIZE);
    const before = load<u64>(user, 16);
    const start = now();
    fake.advance(10_000_000_000);
    expect<i32>(sys_processinfo(0, user, 1000)).toBe(<i32>PROCESS_INFORMATION_SIZE);
    expect<u64>(load<u64>(user, 16) - before).toBe(now() - start);
  });

  it("writes no more than there is room for, of whichever process", () => {
    const other = newProcess();
    memory.fill(user, 0xee, 64);
    expect<i32>(sys_processinfo(other.pid, user, 12)).toBe(12);
    expect<i32>(load<i32>(user)).toBe(other.pid);
    expect<u32>(load<u32>(user, 8)).toBe(2, "runnable");
    expect<u32>(load<u32>(user, 12)).toBe(0xeeeeeeee);
    expect<i32>(sys_processinfo(0, user, 0)).toBe(0);
    expect<i32>(sys_processinfo(0, user, -1)).toBe(-EINVAL);
    expect<i32>(sys_processinfo(0, 0xffff_fff0, 64)).toBe(-EFAULT);
    expect<i32>(sys_processinfo(PROCESS_LIMIT, user, 64)).toBe(-ESRCH);
    expect<i32>(sys_processinfo(-1, user, 64)).toBe(-ESRCH);
    expect<i32>(sys_processinfo(PROCESS_LIMIT + 1, user, 64)).toBe(-ESRCH);
    const pid = other.pid;
    endNow(other, 0);
    expect<i32>(sys_processinfo(pid, user, 64)).toBe(-ESRCH, "it has ended");
  });
});
