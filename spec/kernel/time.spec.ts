/** The clock's arithmetic, and the timing wheel against a plain list of timers. */
import {
  clockFrequency,
  now,
  SECOND,
  setClockFrequency,
  setClockStart,
  timeAt,
  tscFromNanoseconds,
} from "../../kernel/time/clock";
import {
  initializeTimers,
  TIMERS_STORAGE,
  nextTimer,
  runTimers,
  Timer,
  TIMER_BUDGET,
  TIMER_SIZE,
  TIMER_TICK,
  timerPending,
  timerPrepare,
  timerStart,
  timerStop,
} from "../../kernel/time/timers";
import { growMemory } from "../arena";
import { chance, chance64, seedChance } from "../chance";
import * as fake from "../fake";

const YEAR: u64 = 365 * 86400 * SECOND;
const NEVER: u64 = u64.MAX_VALUE;

/** A clock that shows `time` at 1 GHz: one tick of the counter is one nanosecond. */
function clockAt(time: u64): void {
  setClockFrequency(SECOND);
  setClockStart(0);
  fake.setTsc(time);
}

// ---- Timers under test ----

const COUNT: u32 = 200;
const timers: usize = growMemory(COUNT * 32, 8);
const wheel: usize = growMemory(4096, 4096);
let calls: u32 = 0;
let called: u32[] = [];
let clock: u64 = 0;

function timer(index: u32): Timer {
  return changetype<Timer>(timers + index * 32);
}

function indexOf(t: Timer): u32 {
  return <u32>((changetype<usize>(t) - timers) / 32);
}

function setTime(time: u64): void {
  clock = time;
  fake.setTsc(time);
}

/** Lets time come to `time` in one jump, and all that is due be done. Returns the calls of runTimers. */
function reach(time: u64): u32 {
  setTime(time);
  let runs: u32 = 0;
  do {
    runTimers(time);
    runs++;
  } while (nextTimer() <= time);
  return runs;
}

/** Lets time pass as a tickless kernel does: wakes at nextTimer() and nowhere else. Returns the times it woke up. */
function sleepUntil(time: u64): u32 {
  let wakes: u32 = 0;
  while (nextTimer() <= time) {
    if (nextTimer() > clock) setTime(nextTimer());
    runTimers(clock);
    wakes++;
  }
  setTime(time);
  return wakes;
}

function fresh(callback: u32): void {
  clockAt(0);
  setTime(0);
  initializeTimers(wheel);
  for (let index: u32 = 0; index < COUNT; index++) timerPrepare(timer(index), callback);
  calls = 0;
  called = [];
}

function record(t: Timer): void {
  assert(clock >= t.expires, "early");
  assert(!timerPending(t), "not pending in its callback");
  calls++;
  called.push(indexOf(t));
}

// ---- The model: who is pending, and when ----

const pending: StaticArray<u8> = new StaticArray<u8>(COUNT);
let lastTick: u64 = 0;
/** A timer was started for the past within this run: it comes late in the order. */
let disturbed: bool = false;
let tickless: bool = false;

function tickOf(time: u64): u64 {
  return time / TIMER_TICK + u64(time % TIMER_TICK != 0);
}

function randomTime(): u64 {
  const span = chance64() >> (16 + chance(47));
  if (chance(8) == 0) return clock > span ? clock - span : 0;
  return clock + span < clock ? u64.MAX_VALUE - 0x10000 : clock + span;
}

function randomAction(): void {
  const index = chance(COUNT);
  if (chance(3) == 0) {
    timerStop(timer(index));
    pending[index] = 0;
    assert(!timerPending(timer(index)), "stopped");
  } else {
    const expires = randomTime();
    timerStart(timer(index), expires);
    pending[index] = 1;
    if (expires <= clock) disturbed = true;
    assert(timerPending(timer(index)), "started");
  }
}

function randomCallback(t: Timer): void {
  const index = indexOf(t);
  assert(pending[index] == 1, "called, but not pending");
  pending[index] = 0;
  assert(clock >= t.expires, "early");
  if (tickless && !disturbed) assert(clock < t.expires + TIMER_TICK, "late");
  if (!disturbed) assert(tickOf(t.expires) >= lastTick, "out of order");
  lastTick = tickOf(t.expires);
  calls++;
  if (chance(3) == 0) randomAction();
  if (chance(8) == 0) {
    const expires = randomTime();
    timerStart(t, expires);
    pending[index] = 1;
    if (expires <= clock) disturbed = true;
  }
  // What a callback freed may hold anything afterwards.
  if (!timerPending(t)) {
    memory.fill(changetype<usize>(t), 0xdb, TIMER_SIZE);
    timerPrepare(t, randomCallback.index);
  }
}

function checkModel(): void {
  let first = NEVER;
  for (let index: u32 = 0; index < COUNT; index++) {
    assert(timerPending(timer(index)) == (pending[index] == 1), "pending");
    if (!pending[index]) continue;
    const due = tickOf(timer(index).expires) * TIMER_TICK;
    assert(due > clock, "due, but not called");
    if (due < first) first = due;
  }
  assert(nextTimer() <= first, "nextTimer is later than the first timer");
  assert(nextTimer() > clock, "nextTimer is past, but nothing is due");
  if (first == NEVER) assert(nextTimer() == NEVER, "nothing is pending");
}

function randomRun(steps: u32, seed: u64): void {
  seedChance(seed);
  fresh(randomCallback.index);
  pending.fill(0);
  for (let step: u32 = 0; step < steps; step++) {
    for (let actions = chance(6); actions > 0; actions--) randomAction();
    disturbed = false;
    for (let index: u32 = 0; index < COUNT; index++) {
      if (pending[index] && timer(index).expires <= clock) disturbed = true;
    }
    lastTick = 0;
    if (tickless) {
      const next = nextTimer();
      if (next == NEVER) continue;
      if (next > clock) setTime(next);
      let runs = 0;
      do {
        runTimers(clock);
        assert(++runs < 1000, "never done");
      } while (nextTimer() <= clock);
    } else {
      const span = chance64() >> (20 + chance(44));
      if (clock + span > (<u64>1) << 62) break;
      reach(clock + span);
    }
    if ((step & 7) == 0) checkModel();
  }
  checkModel();
}

// ---- Callbacks of single tests ----

function periodic(t: Timer): void {
  assert(clock >= t.expires && clock < t.expires + TIMER_TICK, "each one in time");
  calls++;
  timerStart(t, t.expires + 1_234_567);
}

function stopsNeighbours(t: Timer): void {
  calls++;
  for (let index: u32 = 0; index < 100; index++) timerStop(timer(index));
}

function startsNextAtOnce(t: Timer): void {
  record(t);
  const next = indexOf(t) + 1;
  if (next < 10) timerStart(timer(next), 0);
}

function forever(t: Timer): void {
  calls++;
  timerStart(t, 0);
}

describe("clock", () => {
  it("counts nanoseconds at one gigahertz before its frequency is known", () => {
    expect<u64>(clockFrequency()).toBe(0);
    fake.setTsc(12345);
    expect<u64>(now()).toBe(12345);
    setClockStart(345);
    expect<u64>(now()).toBe(12000);
    // The first frequency says so of the time since the start.
    expect<bool>(setClockFrequency(2 * SECOND)).toBe(true);
    expect<u64>(now()).toBe(6000);
  });

  it("refuses frequencies that no counter has", () => {
    expect<bool>(setClockFrequency(0)).toBe(false);
    expect<bool>(setClockFrequency(999_999)).toBe(false);
    expect<bool>(setClockFrequency(100_000_000_001)).toBe(false);
    expect<u64>(clockFrequency()).toBe(2 * SECOND);
  });

  it("goes on from where it is when the frequency changes", () => {
    setClockFrequency(SECOND);
    setClockStart(0);
    fake.setTsc(5000);
    setClockFrequency(4 * SECOND);
    expect<u64>(now()).toBe(5000);
    fake.advance(4000);
    expect<u64>(now()).toBe(6000);
  });

  it("is right within 3 ppb over a century at all frequencies, and never goes back", () => {
    const frequencies: StaticArray<u64> = [
      1_000_000, 24_000_000, 999_999_999, 1_000_000_000, 1_000_000_001, 2_394_230_117, 3_000_000_000,
      4_999_999_937, 5_850_000_000, 10_000_000_000,
    ];
    seedChance(11);
    for (let index = 0; index < frequencies.length; index++) {
      const hz = frequencies[index];
      fake.setTsc(0);
      setClockFrequency(hz);
      setClockStart(0);
      // Whole seconds and a rest, so that the expected value needs no wide product. The counter itself ends at 2^64.
      const seconds = min<u64>(100 * 365 * 86400, u64.MAX_VALUE / hz - 3);
      for (let step = 0; step < 2000; step++) {
        const second = (chance64() % ((seconds >> chance(32)) | 1)) + 1;
        const rest = chance64() % hz;
        const exact = second * SECOND + u64((<f64>rest / <f64>hz) * 1e9);
        const shown = timeAt(second * hz + rest);
        const error = shown > exact ? shown - exact : exact - shown;
        assert(error <= 1 + exact / 333_333_333, "more than 3 ppb off");
        assert(timeAt(second * hz + rest + 1) >= shown, "went back");
      }
    }
  });

  it("finds deadlines that are never early and hardly late", () => {
    seedChance(12);
    for (let step = 0; step < 20000; step++) {
      const hz: u64 = 1_000_000_000 + (chance64() % 9_000_000_000);
      fake.setTsc(chance64() >> 8);
      setClockFrequency(hz);
      const from = chance64() >> 8;
      setClockStart(from);
      const ticks = from + (chance64() >> (8 + chance(50)));
      fake.setTsc(ticks);
      const time = now() + 1 + (chance64() >> (10 + chance(50)));
      const deadline = tscFromNanoseconds(time);
      assert(timeAt(deadline) >= time, "early");
      const late = timeAt(deadline) - time;
      assert(late <= 3 + (time - now()) / 4_000_000_000, "late");
    }
    fake.setTsc(1000);
    setClockStart(0);
    expect<u64>(tscFromNanoseconds(0)).toBe(1000, "past: now");
    expect<u64>(tscFromNanoseconds(NEVER)).toBe(NEVER);
  });
});

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

  it("does what a plain list does, in random jumps", () => {
    tickless = false;
    for (let seed: u64 = 0; seed < 40; seed++) randomRun(400, 100 + seed);
    expect<u32>(calls).toBeGreaterThan(100);
  });

  it("does what a plain list does, woken by nextTimer alone", () => {
    tickless = true;
    for (let seed: u64 = 0; seed < 20; seed++) randomRun(1000, 200 + seed);
    expect<u32>(calls).toBeGreaterThan(100);
  });
});
