/** The timing wheel (kernel/time/wheel.ts), one at a time: when timers are due, in which order, and what their callbacks may do. In random runs: wheel-random.spec.ts; several levels: timers.spec.ts. */
import { SECOND } from "../../kernel/time/clock";
import {
  nextTimer,
  runTimers,
  Timer,
  TIMER_BUDGET,
  TIMER_SIZE,
  TIMER_TICK,
  timerPending,
  TIMERS_STORAGE,
  timerStart,
  timerStop,
} from "../../kernel/time/timers";
import {
  called,
  calls,
  clock,
  COUNT,
  countCall,
  fresh,
  indexOf,
  NEVER,
  reach,
  record,
  setTime,
  sleepUntil,
  tickOf,
  timer,
} from "./wheel-timers";

const YEAR: u64 = 365 * 86400 * SECOND;

function periodic(t: Timer): void {
  assert(clock >= t.expires && clock < t.expires + TIMER_TICK, "each one in time");
  countCall();
  timerStart(t, t.expires + 1_234_567);
}

function stopsNeighbours(t: Timer): void {
  countCall();
  for (let index: u32 = 0; index < 100; index++) timerStop(timer(index));
}

function startsNextAtOnce(t: Timer): void {
  record(t);
  const next = indexOf(t) + 1;
  if (next < 10) timerStart(timer(next), 0);
}

function forever(t: Timer): void {
  countCall();
  timerStart(t, 0);
}

describe("wheel", () => {
  it("fits", () => {
    expect<usize>(TIMER_SIZE).toBeLessThanOrEqual(40);
    expect<usize>(TIMERS_STORAGE).toBeLessThanOrEqual(4096);
  });

  it("has nothing to do when nothing is pending", () => {
    fresh(record.index);
    expect<u64>(nextTimer()).toBe(NEVER);
    runTimers(YEAR);
    timerStop(timer(0));
    expect<u64>(nextTimer()).toBe(NEVER);
    expect<u32>(calls).toBe(0);
  });

  it("is never early and less than a tick late, at every level", () => {
    for (let bits: u64 = 0; bits < 62; bits++) {
      for (let offset: u64 = 0; offset < 3; offset++) {
        fresh(record.index);
        const expires = ((<u64>1) << bits) + offset - 1;
        timerStart(timer(0), expires);
        const due = tickOf(expires) * TIMER_TICK;
        const wakes = sleepUntil(due - u64(due != 0));
        assert(due == 0 || calls == 0, "early");
        assert(wakes <= 8, "woken more than once per level");
        sleepUntil(due);
        assert(calls == 1, "not called when due");
        assert(nextTimer() == NEVER, "and over");
      }
    }
    expect<u32>(calls).toBe(1);
  });

  it("programs the exact time of what is near", () => {
    fresh(record.index);
    timerStart(timer(9), YEAR); // with something pending, it is runTimers that lets the wheel keep up
    setTime(1_000_000_000);
    runTimers(clock);
    timerStart(timer(0), clock + 900_000);
    expect<u64>(nextTimer()).toBe(tickOf(clock + 900_000) * TIMER_TICK);
    timerStart(timer(1), clock + 200_000);
    expect<u64>(nextTimer()).toBe(tickOf(clock + 200_000) * TIMER_TICK, "earlier");
    timerStop(timer(1));
    expect<u64>(nextTimer()).toBe(tickOf(clock + 900_000) * TIMER_TICK, "as if it had not been");
    timerStart(timer(0), clock + 1_300_000);
    expect<u64>(nextTimer()).toBe(tickOf(clock + 1_300_000) * TIMER_TICK, "started again");
    expect<u32>(sleepUntil(clock + SECOND)).toBe(1);
  });

  it("calls in order of expiry after a huge jump", () => {
    fresh(record.index);
    for (let index: u32 = 0; index < 50; index++) {
      // 17 has no common divisor with 50: all places, in no order; from microseconds to a decade.
      const place = (index * 17) % 50;
      timerStart(timer(place), (<u64>1000) << ((place * 49) / 50));
    }
    reach(YEAR * 100);
    expect<u32>(calls).toBe(50);
    let sorted = true;
    for (let index = 1; index < 50; index++) {
      if (tickOf(timer(called[index]).expires) < tickOf(timer(called[index - 1]).expires)) sorted = false;
    }
    expect<bool>(sorted).toBe(true);
  });

  it("calls at once what is past", () => {
    fresh(record.index);
    setTime(YEAR + 12345);
    runTimers(clock);
    timerStart(timer(0), 0);
    timerStart(timer(1), clock - TIMER_TICK);
    timerStart(timer(2), clock + 2 * TIMER_TICK);
    expect<bool>(nextTimer() <= clock).toBe(true);
    runTimers(clock);
    expect<u32>(calls).toBe(2);
    expect<bool>(nextTimer() > clock).toBe(true);
  });

  it("catches up when it is empty, so that a timer after a long pause does not cascade", () => {
    fresh(record.index);
    setTime(3 * YEAR);
    timerStart(timer(0), clock + 500_000);
    expect<u64>(nextTimer()).toBe(tickOf(clock + 500_000) * TIMER_TICK);
  });

  it("has room for the end of time", () => {
    fresh(record.index);
    timerStart(timer(0), NEVER);
    timerStart(timer(1), NEVER - TIMER_TICK);
    reach(NEVER - TIMER_TICK);
    expect<u32>(calls).toBe(0);
    reach(NEVER - TIMER_TICK + 1);
    expect<u32>(calls).toBe(1);
    expect<u64>(nextTimer()).toBe(NEVER);
    runTimers(NEVER - 1);
    expect<u32>(calls).toBe(1);
    expect<bool>(timerPending(timer(0))).toBe(true);
    timerStop(timer(0));
    expect<bool>(timerPending(timer(0))).toBe(false);
  });

  it("does not drift when the period is added to expires", () => {
    fresh(periodic.index);
    timerStart(timer(0), 1_234_567);
    sleepUntil(1_234_567 * 10_000 + TIMER_TICK);
    expect<u32>(calls).toBe(10_000);
    expect<u64>(timer(0).expires).toBe(1_234_567 * 10_001);
  });

  it("calls timers of the same tick in the order in which they were started", () => {
    fresh(record.index);
    for (let index: u32 = 0; index < 60; index++) timerStart(timer((index * 7) % 60), 5 * SECOND);
    reach(6 * SECOND);
    let inOrder = true;
    for (let index: u32 = 0; index < 60; index++) if (called[index] != (index * 7) % 60) inOrder = false;
    expect<bool>(inOrder).toBe(true);
  });

  it("lets a callback stop others that are due in the same tick", () => {
    fresh(stopsNeighbours.index);
    for (let index: u32 = 0; index < 60; index++) timerStart(timer(index), 5_000_000);
    reach(6_000_000);
    expect<u32>(calls).toBe(1);
    expect<u64>(nextTimer()).toBe(NEVER);
  });

  it("lets a callback start others for at once", () => {
    fresh(startsNextAtOnce.index);
    timerStart(timer(0), 5_000_000);
    reach(6_000_000);
    expect<u32>(calls).toBe(10);
    expect<u32>(called[9]).toBe(9);
  });

  it("does a bounded number of timers a call and says that there are more", () => {
    fresh(record.index);
    for (let index: u32 = 0; index < COUNT; index++) timerStart(timer(index), 5 * SECOND + index);
    expect<u32>(reach(6 * SECOND)).toBeGreaterThan(COUNT / TIMER_BUDGET);
    expect<u32>(calls).toBe(COUNT);

    fresh(forever.index);
    timerStart(timer(0), 1);
    setTime(SECOND);
    runTimers(SECOND);
    expect<u32>(calls).toBe(TIMER_BUDGET, "a timer that starts itself for the past");
    expect<bool>(nextTimer() <= SECOND).toBe(true);
    timerStop(timer(0));
    expect<u64>(nextTimer()).toBe(NEVER);
  });

  it("a slot whose timers have all been stopped brings no later one forward", () => {
    const millisecond: u64 = 1_000_000;
    fresh(record.index);
    timerStart(timer(0), 10 * millisecond);
    timerStart(timer(1), 17 * millisecond);
    timerStart(timer(2), 18 * millisecond);
    timerStart(timer(3), SECOND);
    timerStart(timer(4), SECOND + millisecond);
    reach(11 * millisecond);
    timerStop(timer(1));
    timerStop(timer(2));
    reach(18 * millisecond);
    timerStart(timer(5), 20 * millisecond);
    timerStart(timer(6), 22 * millisecond);
    reach(23 * millisecond);
    expect<u32>(calls).toBe(3);
    expect<u32>(called[1]).toBe(5);
    expect<u32>(called[2]).toBe(6);
  });

  it("stops and starts timers between two calls of which the first left some over", () => {
    fresh(record.index);
    for (let index: u32 = 0; index < COUNT; index++) timerStart(timer(index), 5 * SECOND);
    setTime(5 * SECOND + TIMER_TICK);
    runTimers(clock);
    for (let index: u32 = 0; index < COUNT; index += 2) timerStop(timer(index));
    const before = calls;
    timerStart(timer(0), clock);
    reach(clock);
    for (let index: u32 = 1; index < COUNT; index += 2) assert(!timerPending(timer(index)), "called");
    expect<u32>(calls).toBeGreaterThan(before);
  });
});
