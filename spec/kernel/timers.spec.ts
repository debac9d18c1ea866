/** Timers of several priority levels side by side (kernel/time/timers.ts): none waits for those of lower levels. (One wheel alone: wheel.spec.ts.) */
import { allocateFrames, freeFrameCount } from "../../kernel/memory/frames";
import { SECOND, setClockFrequency, setClockStart } from "../../kernel/time/clock";
import {
  addTimerLevel,
  initializeTimers,
  leaveTimers,
  nextTimer,
  runTimers,
  runTimersOf,
  setAlarm,
  setEarlier,
  soonest,
  Timer,
  TIMER_BUDGET,
  TIMER_TICK,
  timerPending,
  timerPrepare,
  timerRestart,
  timerStart,
  timerStartAt,
  timerStartIn,
  timerStop,
} from "../../kernel/time/timers";
import { growMemory, setUpArena } from "../arena";
import { chance, chance64, seedChance } from "../chance";
import { clock, COUNT, indexOf, NEVER, setTime, timer } from "./wheel-timers";

const storage: usize = growMemory(4096, 4096);

let called: u32[] = [];
/** What the model knows of each timer: its level, -1 when it is stopped. */
const levels: StaticArray<i8> = new StaticArray<i8>(COUNT);

function record(t: Timer): void {
  const index = indexOf(t);
  assert(clock >= t.expires, "early");
  assert(levels[index] >= 0, "it was not pending");
  levels[index] = -1;
  called.push(index);
}

/** Starts the first timer, of a level that has been looked at, and its own again. */
function startFirst(t: Timer): void {
  start(0, clock + 3 * TIMER_TICK, 63);
  timerRestart(t, clock + 10 * TIMER_TICK);
}

let earlier: u32 = 0;
function onEarlier(): void {
  earlier++;
}

function fresh(): void {
  setUpArena(3000);
  setClockFrequency(SECOND);
  setClockStart(0);
  setTime(0);
  initializeTimers(storage);
  for (let level: u32 = 0; level < 64; level += 9) assert(addTimerLevel(level), "frames");
  for (let index: u32 = 0; index < COUNT; index++) {
    timerPrepare(timer(index), record.index);
    levels[index] = -1;
  }
  called = [];
}

function start(index: u32, expires: u64, level: u32): void {
  levels[index] = <i8>level;
  timerStartAt(timer(index), expires, level);
}

/** First time at which a timer of levels `from` .. 63 is due, rounded up to a tick. */
function firstDue(from: i32): u64 {
  let first = NEVER;
  for (let index: u32 = 0; index < COUNT; index++)
    if (levels[index] >= from)
      first = min(first, (timer(index).expires + TIMER_TICK - 1) & ~(TIMER_TICK - 1));
  return first;
}

describe("timers of many levels", () => {
  beforeEach(fresh);

  it("a higher one comes first, however many others were due before it", () => {
    for (let index: u32 = 1; index < COUNT; index++) start(index, SECOND, 54);
    start(0, SECOND + TIMER_TICK, 63);
    setTime(2 * SECOND);
    expect<u64>(runTimers(clock)).toBe((<u64>1) << 54, "what is left is of level 54");
    expect<u32>(called[0]).toBe(0);
    expect<i32>(called.length).toBeLessThanOrEqual(<i32>TIMER_BUDGET);
    while (nextTimer() <= clock) runTimers(clock);
    expect<i32>(called.length).toBe(<i32>COUNT);
  });

  it("those below a level are left, and said to be", () => {
    start(0, SECOND, 63);
    start(1, SECOND, 45);
    start(2, SECOND, 9);
    start(3, 9 * SECOND, 18);
    setTime(2 * SECOND);
    expect<u64>(runTimers(clock, 45)).toBe((<u64>1) << 9);
    expect<i32>(called.length).toBe(2);
    expect<u64>(runTimers(clock, 64)).toBe((<u64>1) << 9);
    expect<i32>(called.length).toBe(2);
  });

  it("nobody is woken for levels that were left, until they have been run", () => {
    for (let index: u32 = 0; index < 20; index++) start(index, SECOND, 9);
    leaveTimers((<u64>1) << 9);
    expect<u64>(nextTimer()).toBe(NEVER);
    start(20, 3 * SECOND, 63);
    expect<bool>(nextTimer() <= 3 * SECOND + TIMER_TICK && nextTimer() >= 3 * SECOND).toBe(true);
    setTime(2 * SECOND);
    expect<u64>(runTimers(clock)).toBe(0, "not theirs");
    let calls = 1;
    while (runTimersOf(9, clock, 4)) {
      expect<i32>(called.length).toBeLessThanOrEqual(4 * calls);
      calls++;
    }
    expect<i32>(called.length).toBe(20);
    start(0, 2 * SECOND + 5 * TIMER_TICK, 9);
    expect<bool>(nextTimer() <= 2 * SECOND + 6 * TIMER_TICK).toBe(true, "as any other level again");
  });

  it("what a callback starts is not missed", () => {
    timerPrepare(timer(1), startFirst.index);
    start(1, SECOND, 9);
    start(2, 9 * SECOND, 63);
    setTime(SECOND + TIMER_TICK);
    expect<u64>(runTimers(clock)).toBe(0);
    expect<bool>(soonest > clock && soonest <= clock + 4 * TIMER_TICK).toBe(true);
    expect<u64>(soonest).toBe(nextTimer());
    timerStop(timer(0));
    timerStop(timer(2));
    expect<bool>(nextTimer() > clock + 9 * TIMER_TICK).toBe(true, "its own");
    timerStop(timer(1));
    expect<u64>(nextTimer()).toBe(NEVER);
  });

  it("a level without a wheel of its own has the highest one's; each takes one frame, once", () => {
    const before = freeFrameCount();
    expect<bool>(addTimerLevel(63) && addTimerLevel(45)).toBe(true);
    expect<u32>(freeFrameCount()).toBe(before);
    start(0, SECOND, 44);
    expect<bool>(addTimerLevel(44)).toBe(true);
    expect<u32>(freeFrameCount()).toBe(before - 1);
    start(1, SECOND, 44);
    setTime(SECOND + TIMER_TICK);
    expect<u64>(runTimers(clock, 63)).toBe((<u64>1) << 44);
    expect<i32>(called.length).toBe(1, "that one was started before");
    levels[0] = -1;
    timerStop(timer(0));
    timerStop(timer(1));
    expect<u64>(nextTimer()).toBe(NEVER);
  });
});

describe("levels of timers", () => {
  beforeAll(fresh);

  it("do what plain lists do", () => {
    for (let seed: u32 = 1; seed <= 30; seed++) {
      for (let index: u32 = 0; index < COUNT; index++) {
        timerStop(timer(index));
        levels[index] = -1;
      }
      seedChance(seed);
      for (let step = 0; step < 2000; step++) {
        const index = chance(COUNT);
        if (chance(4) == 0) {
          timerStop(timer(index));
          levels[index] = -1;
          assert(!timerPending(timer(index)), "stopped");
        } else {
          // Of many levels, of few, of one.
          const level = (seed % 3 == 0 ? 7 : seed % 3 == 1 ? chance(2) + 3 : chance(8)) * 9;
          start(index, clock + (chance64() >> (24 + chance(30))), level);
        }
        if (chance(8) != 0) continue;
        setTime(clock + (chance64() >> (30 + chance(20))));
        const had = called.length;
        const most = 1 + chance(40);
        const least = chance(64);
        const left = runTimers(clock, least, most);
        assert(called.length - had <= <i32>most, "more than the budget");
        for (let level: i32 = 63; level >= 0; level--) {
          let due = NEVER;
          for (let i: u32 = 0; i < COUNT; i++) if (levels[i] == level) due = min(due, timer(i).expires);
          const isLeft = ((left >> level) & 1) != 0;
          if (due != NEVER && ((due + TIMER_TICK - 1) & ~(TIMER_TICK - 1)) <= clock)
            assert(isLeft, "due, and not said to be");
          if (isLeft && level >= <i32>least) {
            // The budget is at its end: nothing of the levels below has been called.
            break;
          }
        }
        assert(nextTimer() <= firstDue(0), "nextTimer is later than the first timer");
        leaveTimers(left);
        assert(soonest == nextTimer(), "what runTimers has found, as no callback started any");
        for (let level: u32 = 0; level < 64; level++)
          if (((left >> level) & 1) != 0) while (runTimersOf(level, clock, 3)) {}
      }
    }
    expect<bool>(true).toBe(true);
  });

  it("whoever waits for the hardware is told of an earlier one", () => {
    setEarlier(onEarlier.index);
    setAlarm(clock + SECOND);
    timerStartAt(timer(0), clock + 2 * SECOND, 9);
    expect<u32>(earlier).toBe(0);
    timerStartAt(timer(1), clock + SECOND / 2, 9);
    expect<u32>(earlier).toBe(1);
    setAlarm(0);
    timerStart(timer(1), clock);
    expect<u32>(earlier).toBe(1);
  });

  it("a timer may be started for a wait, from the present on; one beyond u64 never comes", () => {
    setTime(5 * SECOND);
    timerStartIn(timer(0), 2 * SECOND, 9);
    expect<u64>(timer(0).expires).toBe(clock + 2 * SECOND);
    expect<bool>(nextTimer() >= clock + 2 * SECOND).toBe(true);
    expect<bool>(nextTimer() < clock + 2 * SECOND + TIMER_TICK).toBe(true);
    timerStartIn(timer(0), u64.MAX_VALUE, 9);
    expect<u64>(timer(0).expires).toBe(u64.MAX_VALUE);
    setTime(clock + 1000 * SECOND);
    expect<u64>(runTimers(clock)).toBe(0);
    expect<bool>(timerPending(timer(0))).toBe(true);
  });

  it("without a frame there is no new level", () => {
    while (allocateFrames(0) != 0) {}
    expect<bool>(addTimerLevel(50)).toBe(false);
    expect<bool>(addTimerLevel(45)).toBe(true, "it has one");
  });
});
