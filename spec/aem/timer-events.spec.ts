/** evtimer (docs/aem-calls.md): once, periodic, what is overrun, and what stops it. */
import {
  EVENT_TIMER,
  EVF_ONESHOT,
  EVJOBLOOKUP,
  EVJOBSHTDN,
  EVJOBSTART,
  EVJOBSTOP,
  SHUTDOWN_DELIVER,
  SHUTDOWN_DROP,
} from "../../aem/abi";
import { sys_evctl } from "../../aem/evctl";
import { sys_evtimer } from "../../aem/evtimer";
import { LEAST_PERIOD } from "../../aem/jobs/timer";
import { EINVAL, ESRCH } from "../../kernel/errno";
import { upcallArgument1, upcallArgument2 } from "../../kernel/glue";
import { MILLISECOND, now } from "../../kernel/time/clock";
import { nextTimer, runTimers, TIMER_TICK } from "../../kernel/time/timers";
import { chance } from "../chance";
import * as fake from "../fake";
import {
  expectHandler,
  expectNone,
  expectNothingLeft,
  onTimer,
  readStatistics,
  setUp,
  statistics,
  timePasses,
} from "./driver";
import { nextHandler, handlerOf } from "./machine";

function expectTimer(jid: i32, overrun: u32, what: string): void {
  expectHandler(EVENT_TIMER, what);
  expect<i32>(<i32>upcallArgument1).toBe(jid, "jid");
  expect<u32>(upcallArgument2).toBe(overrun, "overrun");
}

beforeAll(() => {
  setUp();
});

afterEach(expectNothingLeft);

describe("evtimer", () => {
  it("refuses negative times", () => {
    expect<i32>(sys_evtimer(-1, 0, 0, handlerOf(EVENT_TIMER))).toBe(-EINVAL);
    expect<i32>(sys_evtimer(0, -1, 0, handlerOf(EVENT_TIMER))).toBe(-EINVAL);
    expect<i32>(sys_evtimer(i64.MAX_VALUE, i64.MAX_VALUE, 0, handlerOf(EVENT_TIMER))).toBeGreaterThan(0);
  });

  it("calls once with period 0, never early, and ends", () => {
    const jid = onTimer(MILLISECOND, 0);
    timePasses(MILLISECOND - 1);
    expectNone("early");
    timePasses(TIMER_TICK);
    expectTimer(jid, 0, "due");
    expect<i32>(sys_evctl(jid, EVJOBLOOKUP, 0)).toBeGreaterThan(0);
    timePasses(10 * MILLISECOND);
    expectNone("once");
    expect<i32>(sys_evctl(jid, EVJOBLOOKUP, 0)).toBe(-ESRCH);
  });

  it("EVF_ONESHOT takes the period away", () => {
    const jid = onTimer(MILLISECOND, MILLISECOND, EVF_ONESHOT);
    timePasses(100 * MILLISECOND);
    expectTimer(jid, 0, "due");
    expectNone("once");
  });

  it("calls periodically without drift, however late each call is", () => {
    const start = now();
    const jid = onTimer(5 * MILLISECOND, 10 * MILLISECOND);
    let calls: u64 = 0;
    let wrong = 0;
    // 1000 periods in steps that have nothing to do with them: after each the number of expirations is known exactly.
    while (now() - start < 10_000 * MILLISECOND) {
      timePasses(3_777_777);
      const time = now() - start;
      const due = time < 5 * MILLISECOND ? 0 : (time - 5 * MILLISECOND) / (10 * MILLISECOND) + 1;
      while (<u32>nextHandler() != 0) calls += 1 + upcallArgument2;
      if (calls > due || due - calls > 1) wrong++;
      if (due - calls == 1 && (time - 5 * MILLISECOND) % (10 * MILLISECOND) > TIMER_TICK) wrong++;
    }
    expect<i32>(wrong).toBe(0);
    expect<u64>(calls).toBeGreaterThan(990);
    readStatistics(jid);
  });

  it("counts overruns while its handler does not run, when interrupts come late, and below a tick", () => {
    const jid = onTimer(MILLISECOND, MILLISECOND);
    for (let i = 0; i < 5; i++) timePasses(MILLISECOND);
    timePasses(TIMER_TICK);
    expectTimer(jid, 4, "five expirations");
    timePasses(7 * MILLISECOND);
    expectTimer(jid, 6, "one late interrupt for seven");
    // Expirations while the handler runs are the next call.
    timePasses(2 * MILLISECOND);
    expectTimer(jid, 1, "two more");
    expectNone("no more");
    readStatistics(jid);
    expect<u64>(statistics.activations).toBe(14);
    expect<u64>(statistics.coalesced).toBe(11);
    sys_evctl(jid, EVJOBSHTDN, SHUTDOWN_DROP);
    const fast = onTimer(0, 1000);
    timePasses(MILLISECOND);
    expectHandler(EVENT_TIMER, "a period below a tick");
    expect<i32>(<i32>upcallArgument1).toBe(fast);
    expect<bool>(upcallArgument2 > 900 && upcallArgument2 <= 1000).toBe(true, "overrun");
  });

  it("with a period below LEAST_PERIOD is looked at no more often, counts all its expirations, none early, and does not drift", () => {
    const interval: u64 = 250_000;
    for (let round = 0; round < 200; round++) {
      const period = 1 + <u64>chance(round < 20 ? 20 : 150_000);
      const start = now();
      const jid = onTimer(interval, period);
      let interrupts: u64 = 0;
      let expirations: u64 = 0;
      let wrong = 0;
      while (now() - start < 3 * MILLISECOND) {
        const target = now() + 1 + chance(chance(4) == 0 ? 400_000 : 5000);
        // As the machine does it: the hardware interrupts when the next timer is due, or it is late.
        while (nextTimer() <= target && chance(8) != 0) {
          if (nextTimer() > now()) fake.advance(nextTimer() - now());
          runTimers(now());
          interrupts++;
        }
        if (target > now()) fake.advance(target - now());
        while (<u32>nextHandler() != 0) expirations += 1 + upcallArgument2;
        const time = now() - start;
        if (expirations > (time < interval ? <u64>0 : (time - interval) / period + 1)) wrong++;
      }
      expect<i32>(wrong).toBe(0, "early");
      const time = now() - start;
      runTimers(now());
      while (<u32>nextHandler() != 0) expirations += 1 + upcallArgument2;
      const due = (time - interval) / period + 1;
      expect<bool>(expirations <= due && (due - expirations) * period <= LEAST_PERIOD + period).toBe(true);
      expect<u64>(interrupts).toBeLessThanOrEqual((2 * time) / LEAST_PERIOD + 2);
      readStatistics(jid);
      expect<u64>(statistics.activations).toBe(expirations);
      sys_evctl(jid, EVJOBSHTDN, SHUTDOWN_DROP);
    }
  });

  it("counts on while it is stopped", () => {
    const jid = onTimer(MILLISECOND, MILLISECOND);
    sys_evctl(jid, EVJOBSTOP, 0);
    for (let i = 0; i < 10; i++) timePasses(MILLISECOND);
    timePasses(TIMER_TICK);
    expectNone("stopped");
    sys_evctl(jid, EVJOBSTART, 0);
    expectTimer(jid, 9, "ten");
  });

  it("a shutdown that delivers first stops the clock", () => {
    const jid = onTimer(MILLISECOND, MILLISECOND);
    timePasses(2 * MILLISECOND);
    sys_evctl(jid, EVJOBSHTDN, SHUTDOWN_DELIVER);
    timePasses(20 * MILLISECOND);
    expectTimer(jid, 1, "what was due before");
    timePasses(20 * MILLISECOND);
    expectNone("ended");
  });
});
