/** The timing wheel (kernel/time/wheel.ts) against a plain list of timers, in random runs. */
import {
  nextTimer,
  runTimers,
  Timer,
  TIMER_SIZE,
  TIMER_TICK,
  timerPending,
  timerPrepare,
  timerStart,
  timerStop,
} from "../../kernel/time/timers";
import { chance, chance64, seedChance } from "../chance";
import {
  calls,
  clock,
  COUNT,
  countCall,
  fresh,
  indexOf,
  NEVER,
  reach,
  setTime,
  tickOf,
  timer,
} from "./wheel-timers";

/** The model: which timers are pending. */
const pending: StaticArray<u8> = new StaticArray<u8>(COUNT);
let lastTick: u64 = 0;
/** A timer was started for the past within this run: it comes late in the order. */
let disturbed: bool = false;
/** Time goes by nextTimer alone. */
let tickless: bool = false;

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
  countCall();
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

describe("the wheel, in random runs", () => {
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
