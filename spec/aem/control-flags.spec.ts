/** EVJOBHANDLER and EVJOBFLAGS (docs/aem-calls.md): another handler, one-shot, keepalive, priority. */
import {
  EVENT_CLOSE,
  EVENT_READ,
  EVENT_TIMER,
  EVF_FORK,
  EVF_KEEPALIVE,
  EVF_ONESHOT,
  EVF_PRIORITY_SHIFT,
  EVJOBFLAGS,
  EVJOBHANDLER,
  EVJOBLOOKUP,
  EVJOBSHTDN,
  SHUTDOWN_DROP,
} from "../../aem/abi";
import { sys_evctl } from "../../aem/evctl";
import { EINVAL, EOPNOTSUPP, ESRCH } from "../../kernel/errno";
import { sys_enter_keepalive } from "../../kernel/process/calls";
import { currentProcess } from "../../kernel/process/process";
import { MILLISECOND } from "../../kernel/time/clock";
import * as fake from "../fake";
import {
  expectHandler,
  expectNone,
  expectNothingLeft,
  expectRead,
  onRead,
  onTimer,
  readStatistics,
  setUp,
  statistics,
  timePasses,
} from "./driver";
import { newStream, nextHandler, open, OTHER_CODE, otherHandlerOf, receive, WRONG_HANDLER } from "./machine";

beforeAll(() => {
  setUp();
});

afterEach(expectNothingLeft);

describe("EVJOBHANDLER and EVJOBFLAGS", () => {
  it("another function of the same type is called next", () => {
    const socket = newStream();
    const jid = onRead(open(socket));
    receive(socket, 10);
    expect<i32>(sys_evctl(jid, EVJOBHANDLER, otherHandlerOf(EVENT_READ))).toBe(0);
    expect<u32>(<u32>nextHandler()).toBe(OTHER_CODE + EVENT_READ);
    fake.consoleClear();
    expect<i32>(sys_evctl(jid, EVJOBHANDLER, otherHandlerOf(EVENT_CLOSE))).toBe(-EINVAL);
    expect<i32>(sys_evctl(jid, EVJOBHANDLER, WRONG_HANDLER)).toBe(-EINVAL);
    expect<i32>(sys_evctl(jid, EVJOBHANDLER, 0)).toBe(-EINVAL);
    receive(socket, 10);
    expect<u32>(<u32>nextHandler()).toBe(OTHER_CODE + EVENT_READ, "a refusal changes nothing");
  });

  it("one-shot comes and goes", () => {
    const socket = newStream();
    const jid = onRead(open(socket), EVF_ONESHOT);
    expect<i32>(sys_evctl(jid, EVJOBFLAGS, 0)).toBe(0);
    receive(socket, 10);
    expectRead(0, 10, "called");
    expectNone("returns");
    expect<i32>(sys_evctl(jid, EVJOBFLAGS, EVF_ONESHOT)).toBe(0);
    receive(socket, 10);
    expectRead(10, 10, "called");
    expectNone("returns");
    expect<i32>(sys_evctl(jid, EVJOBLOOKUP, 0)).toBe(-ESRCH);
    const timer = onTimer(MILLISECOND, 0);
    expect<i32>(sys_evctl(timer, EVJOBFLAGS, 0)).toBe(0);
    timePasses(2 * MILLISECOND);
    expectHandler(EVENT_TIMER, "due");
    expectNone("returns");
    expect<i32>(sys_evctl(timer, EVJOBLOOKUP, 0)).toBe(-ESRCH, "a timer without a period is over");
  });

  it("keepalive is counted right", () => {
    const process = currentProcess();
    const first = onTimer(MILLISECOND, MILLISECOND);
    const second = onTimer(MILLISECOND, MILLISECOND, EVF_KEEPALIVE);
    sys_evctl(first, EVJOBFLAGS, EVF_KEEPALIVE);
    sys_evctl(first, EVJOBFLAGS, EVF_KEEPALIVE);
    expect<u32>(process.keepaliveEvents).toBe(2);
    sys_evctl(second, EVJOBSHTDN, SHUTDOWN_DROP);
    expect<u32>(process.keepaliveEnded).toBe(0);
    sys_evctl(first, EVJOBFLAGS, 0);
    expect<u32>(process.keepaliveEvents).toBe(0);
    expect<i32>(sys_enter_keepalive()).toBe(0, "the last one has gone");
    sys_evctl(first, EVJOBSHTDN, SHUTDOWN_DROP);
    expect<u32>(process.keepaliveEvents).toBe(0);
  });

  it("the priority stays unless it is given; executors cannot be changed", () => {
    const jid = onRead(open(newStream()), 41 << EVF_PRIORITY_SHIFT);
    expect<i32>(sys_evctl(jid, EVJOBFLAGS, EVF_KEEPALIVE)).toBe(0);
    readStatistics(jid);
    expect<u32>(statistics.priority).toBe(40);
    expect<u32>(statistics.flags).toBe(EVF_KEEPALIVE | (41 << EVF_PRIORITY_SHIFT));
    expect<i32>(sys_evctl(jid, EVJOBFLAGS, statistics.flags)).toBe(0, "as they were");
    expect<i32>(sys_evctl(jid, EVJOBFLAGS, 1 << EVF_PRIORITY_SHIFT)).toBe(0);
    readStatistics(jid);
    expect<u32>(statistics.priority).toBe(0);
    expect<i32>(sys_evctl(jid, EVJOBFLAGS, EVF_FORK)).toBe(-EOPNOTSUPP);
    expect<i32>(sys_evctl(jid, EVJOBFLAGS, 64)).toBe(-EINVAL);
    expect<i32>(sys_evctl(jid, EVJOBFLAGS, 65 << EVF_PRIORITY_SHIFT)).toBe(-EINVAL);
  });
});
