/** The two timing wheels side by side (kernel/time/wheel.ts): what is urgent waits for nothing that is not. (One alone: time.spec.ts.) */
import { setClockFrequency, setClockStart } from "../../kernel/time/clock";
import {
  initializeUrgentWheel,
  initializeWheel,
  leaveOrdinaryTimers,
  nextTimer,
  ordinaryTimersDue,
  runOrdinaryTimers,
  runTimers,
  runUrgentTimers,
  Timer,
  TIMER_BUDGET,
  TIMER_TICK,
  timerPending,
  timerPrepare,
  timerStart,
  timerStartUrgent,
  timerStop,
  WHEEL_SIZE,
} from "../../kernel/time/wheel";
import { growMemory } from "../arena";
import { chance, chance64, seedChance } from "../chance";
import * as fake from "../fake";

const SECOND: u64 = 1_000_000_000;
const NEVER: u64 = u64.MAX_VALUE;
const COUNT: u32 = 200;
const timers: usize = growMemory(COUNT * 32, 8);
const ordinary: usize = growMemory(WHEEL_SIZE, 8);
const urgent: usize = growMemory(WHEEL_SIZE, 8);

let clock: u64 = 0;
let called: u32[] = [];
/** What the model knows of each timer: 0 stopped, 1 ordinary, 2 urgent. */
const kinds: StaticArray<u8> = new StaticArray<u8>(COUNT);

function timer(index: u32): Timer {
  return changetype<Timer>(timers + index * 32);
}

function setTime(time: u64): void {
  clock = time;
  fake.setTsc(time);
}

function record(t: Timer): void {
  const index = <u32>((changetype<usize>(t) - timers) / 32);
  assert(clock >= t.expires, "early");
  assert(kinds[index] != 0, "it was not pending");
  kinds[index] = 0;
  called.push(index);
}

function fresh(): void {
  setClockFrequency(SECOND);
  setClockStart(0);
  setTime(0);
  initializeWheel(ordinary);
  initializeUrgentWheel(urgent);
  for (let index: u32 = 0; index < COUNT; index++) {
    timerPrepare(timer(index), record.index);
    kinds[index] = 0;
  }
  called = [];
}

function start(index: u32, expires: u64, kind: u8): void {
  kinds[index] = kind;
  if (kind == 2) timerStartUrgent(timer(index), expires);
  else timerStart(timer(index), expires);
}

/** First time at which a timer of the kind is due, rounded up to a tick. */
function firstDue(kind: u8): u64 {
  let first = NEVER;
  for (let index: u32 = 0; index < COUNT; index++)
    if (kinds[index] == kind) first = min(first, (timer(index).expires + TIMER_TICK - 1) & ~(TIMER_TICK - 1));
  return first;
}

describe("two wheels", () => {
  beforeEach(fresh);

  it("an urgent timer comes first, however many others were due before it", () => {
    for (let index: u32 = 1; index < COUNT; index++) start(index, SECOND, 1);
    start(0, SECOND + TIMER_TICK, 2);
    setTime(2 * SECOND);
    runTimers(clock);
    expect<u32>(called[0]).toBe(0);
    expect<i32>(called.length).toBeLessThanOrEqual(<i32>TIMER_BUDGET);
    while (nextTimer() <= clock) runTimers(clock);
    expect<i32>(called.length).toBe(<i32>COUNT);
  });

  it("urgent ones alone, and the others alone; what is left of the budget", () => {
    start(0, SECOND, 2);
    start(1, SECOND, 1);
    start(2, SECOND, 1);
    setTime(2 * SECOND);
    while (runUrgentTimers(clock, 4) == 0) {}
    expect<i32>(called.length).toBe(1);
    expect<bool>(ordinaryTimersDue(clock)).toBe(true);
    while (runOrdinaryTimers(clock, 1) == 0 && ordinaryTimersDue(clock)) {}
    expect<i32>(called.length).toBe(3);
    expect<bool>(ordinaryTimersDue(clock)).toBe(false);
    expect<u64>(nextTimer()).toBe(NEVER);
  });

  it("ordinary ones that were left to somebody are not waited for; urgent ones are", () => {
    start(0, SECOND, 1);
    expect<bool>(nextTimer() <= SECOND + TIMER_TICK).toBe(true);
    leaveOrdinaryTimers(true);
    expect<u64>(nextTimer()).toBe(NEVER);
    start(1, 3 * SECOND, 2);
    expect<bool>(nextTimer() <= 3 * SECOND + TIMER_TICK).toBe(true);
    leaveOrdinaryTimers(false);
    expect<bool>(nextTimer() <= SECOND + TIMER_TICK).toBe(true);
  });

  it("a timer moves from one to the other, and stops in either", () => {
    start(0, SECOND, 1);
    start(0, SECOND, 2);
    setTime(SECOND + TIMER_TICK);
    expect<bool>(ordinaryTimersDue(clock)).toBe(false);
    start(0, SECOND, 1);
    timerStop(timer(0));
    kinds[0] = 0;
    start(1, SECOND, 2);
    timerStop(timer(1));
    expect<bool>(timerPending(timer(1))).toBe(false);
    expect<u64>(nextTimer()).toBe(NEVER);
  });

  it("do what two plain lists do", () => {
    for (let seed: u32 = 1; seed <= 20; seed++) {
      fresh();
      seedChance(seed);
      for (let step = 0; step < 2000; step++) {
        const index = chance(COUNT);
        if (chance(4) == 0) {
          timerStop(timer(index));
          kinds[index] = 0;
        } else start(index, clock + (chance64() >> (24 + chance(30))), chance(2) == 0 ? 1 : 2);
        if (chance(8) != 0) continue;
        setTime(clock + (chance64() >> (30 + chance(20))));
        const most = 1 + chance(40);
        if (chance(2) == 0) {
          const had = called.length;
          const left = runUrgentTimers(clock, most);
          assert(called.length - had <= <i32>most, "more than the budget");
          if (left != 0) assert(firstDue(2) > clock, "an urgent timer was left out");
        } else if (runOrdinaryTimers(clock, most) != 0) assert(firstDue(1) > clock, "a timer was left out");
        assert(nextTimer() <= min(firstDue(1), firstDue(2)), "nextTimer is later than the first timer");
      }
    }
    expect<bool>(true).toBe(true);
  });
});
