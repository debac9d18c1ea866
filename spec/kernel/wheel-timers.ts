/** Timers of one wheel, and the time that passes for them, for specs of kernel/time/wheel.ts. */
import { SECOND, setClockFrequency, setClockStart } from "../../kernel/time/clock";
import {
  initializeTimers,
  nextTimer,
  runTimers,
  Timer,
  TIMER_TICK,
  timerPending,
  timerPrepare,
} from "../../kernel/time/timers";
import { growMemory } from "../arena";
import * as fake from "../fake";

export const NEVER: u64 = u64.MAX_VALUE;

export const COUNT: u32 = 200;
const timers: usize = growMemory(COUNT * 32, 8);
const wheel: usize = growMemory(4096, 4096);
/** How often a callback has run since `fresh`, and which timers `record` has been called for. */
export let calls: u32 = 0;
export let called: u32[] = [];
/** Nanoseconds: the counter goes at 1 GHz. */
export let clock: u64 = 0;

export function timer(index: u32): Timer {
  return changetype<Timer>(timers + index * 32);
}

export function indexOf(t: Timer): u32 {
  return <u32>((changetype<usize>(t) - timers) / 32);
}

export function setTime(time: u64): void {
  clock = time;
  fake.setTsc(time);
}

/** Lets time come to `time` in one jump, and all that is due be done. Returns the calls of runTimers. */
export function reach(time: u64): u32 {
  setTime(time);
  let runs: u32 = 0;
  do {
    runTimers(time);
    runs++;
  } while (nextTimer() <= time);
  return runs;
}

/** Lets time pass as a tickless kernel does: wakes at nextTimer() and nowhere else. Returns the times it woke up. */
export function sleepUntil(time: u64): u32 {
  let wakes: u32 = 0;
  while (nextTimer() <= time) {
    if (nextTimer() > clock) setTime(nextTimer());
    runTimers(clock);
    wakes++;
  }
  setTime(time);
  return wakes;
}

/** A wheel without timers, at time 0, and COUNT timers with this callback. */
export function fresh(callback: u32): void {
  setClockFrequency(SECOND);
  setClockStart(0);
  setTime(0);
  initializeTimers(wheel);
  for (let index: u32 = 0; index < COUNT; index++) timerPrepare(timer(index), callback);
  calls = 0;
  called = [];
}

/** The usual callback. */
export function record(t: Timer): void {
  assert(clock >= t.expires, "early");
  assert(!timerPending(t), "not pending in its callback");
  calls++;
  called.push(indexOf(t));
}

/** The tick in which a timer that expires at `time` is due. */
export function tickOf(time: u64): u64 {
  return time / TIMER_TICK + u64(time % TIMER_TICK != 0);
}

/** A callback counts itself. */
export function countCall(): void {
  calls++;
}
