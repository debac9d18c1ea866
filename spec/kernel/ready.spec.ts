/**
 * Which level has its turn: strict priority, and the reserve of the default level and those below. A simulation in which a spec plays
 * the scheduler: in each step the thread whose turn it is runs for a while, and is charged for it.
 */
import { Link } from "../../kernel/list";
import {
  initializeReady,
  outranks,
  PRIORITY_DEFAULT,
  READY_STORAGE,
  readyAppend,
  readyFirst,
  readyIsEmpty,
  readyLevel,
  readyPrepend,
  readyRemove,
  reserveCharge,
  setReserve,
} from "../../kernel/scheduler/ready";
import { growMemory } from "../arena";
import { chance, seedChance } from "../chance";

/** What is owed is paid in pieces of so many ticks. */
const UNIT: u64 = 1_000_000;
/** A thousandth of it: steps are counted in these. */
const STEP: u64 = 1000;

let storage: usize = 0;
/** One runnable thread for each level. */
let threads: Link[] = [];
/** Ticks that each level has had. */
let used: u64[] = [];

function start(percent: u32): void {
  initializeReady(storage);
  setReserve(percent, UNIT);
  for (let level = 0; level < 64; level++) {
    threads[level].initialize();
    used[level] = 0;
  }
}

function wants(level: u32): void {
  if (threads[level].isEmpty) readyAppend(threads[level], level);
}

function stops(level: u32): void {
  if (!threads[level].isEmpty) readyRemove(threads[level], level);
}

/** The level whose turn it is runs for `ticks`; -1 when nobody wants to. */
function run(ticks: u64): i32 {
  const level = readyLevel();
  if (level < 0) return -1;
  assert(!threads[level].isEmpty, "a level that nobody is at");
  const thread = readyFirst(level);
  readyRemove(thread, level);
  reserveCharge(level, ticks);
  used[level] += ticks;
  readyAppend(thread, level);
  return level;
}

/** Percent of all time, in hundredths. */
function shareOf(level: u32): u32 {
  let all: u64 = 0;
  for (let i = 0; i < 64; i++) all += used[i];
  return <u32>((used[level] * 10_000) / all);
}

beforeAll(() => {
  storage = growMemory(READY_STORAGE, 8);
  for (let level = 0; level < 64; level++) {
    threads.push(changetype<Link>(growMemory(offsetof<Link>(), 8)));
    used.push(0);
  }
});

describe("levels", () => {
  it("go strictly by priority, first in, first out", () => {
    start(0);
    expect<bool>(readyIsEmpty()).toBe(true);
    expect<i32>(readyLevel()).toBe(-1);
    const one = changetype<Link>(growMemory(offsetof<Link>(), 8));
    const two = changetype<Link>(growMemory(offsetof<Link>(), 8));
    const three = changetype<Link>(growMemory(offsetof<Link>(), 8));
    readyAppend(one, 5);
    readyAppend(two, 5);
    readyPrepend(three, 5);
    expect<i32>(readyLevel()).toBe(5);
    expect<usize>(changetype<usize>(readyFirst(5))).toBe(changetype<usize>(three));
    readyRemove(three, 5);
    expect<usize>(changetype<usize>(readyFirst(5))).toBe(changetype<usize>(one));
    wants(63);
    expect<i32>(readyLevel()).toBe(63);
    let wrong = 0;
    for (let a: u32 = 0; a < 64; a++) for (let b: u32 = 0; b < 64; b++) if (outranks(a, b) != a > b) wrong++;
    expect<i32>(wrong).toBe(0);
    for (let i = 0; i < 10_000; i++) if (run(UNIT) != 63) wrong++;
    expect<i32>(wrong).toBe(0, "without a reserve the others never run");
  });
});

describe("the reserve", () => {
  it("leaves its percentage to a lower level under a loop of a higher one, in the long run", () => {
    const percents: u32[] = [1, 5, 10, 20, 50];
    const lows: u32[] = [0, 10, PRIORITY_DEFAULT];
    for (let i = 0; i < percents.length; i++) {
      for (let j = 0; j < lows.length; j++) {
        start(percents[i]);
        seedChance(i * 3 + j + 1);
        wants(40);
        wants(lows[j]);
        for (let step = 0; step < 50_000; step++) run(1 + chance(200_000));
        const share = shareOf(lows[j]);
        // One part in fifty, and what one step more than was owed makes.
        expect<u32>(share).toBeGreaterThanOrEqual(percents[i] * 98, "at least");
        expect<u32>(share).toBeLessThanOrEqual(
          percents[i] * 107 + 20,
          "and hardly more: up to a step each time it is paid",
        );
        expect<u32>(share + shareOf(40)).toBeGreaterThanOrEqual(9_999);
      }
    }
  });

  it("comes in pieces: a whole unit is owed before anybody stands back, and is then paid at once", () => {
    start(10);
    wants(40);
    wants(20);
    // 10 of 100: a ninth of what 40 runs is owed. A unit after 9000 ticks.
    let before = 0;
    while (run(100 * STEP) == 40 && before < 10_000) before++;
    expect<i32>(before).toBeGreaterThanOrEqual(90);
    expect<i32>(before).toBeLessThanOrEqual(92);
    let paid = 1;
    while (run(100 * STEP) == 20 && paid < 10_000) paid++;
    expect<i32>(paid).toBeGreaterThanOrEqual(10);
    expect<i32>(paid).toBeLessThanOrEqual(11);
  });

  it("is no matter to a level that did not make the debt", () => {
    start(5);
    wants(40);
    wants(20);
    for (let i = 0; i < 1000 && readyLevel() == 40; i++) run(100 * STEP);
    expect<i32>(readyLevel()).toBe(20, "40 stands back");
    expect<bool>(outranks(40, 20)).toBe(false);
    expect<bool>(outranks(33, 20)).toBe(false, "those below the debtor stand back with it");
    expect<bool>(outranks(20, 40)).toBe(true);
    for (let level: u32 = 41; level < 64; level++) {
      expect<bool>(outranks(level, 20)).toBe(true, "a short handler does not wait for what a loop owes");
      expect<bool>(outranks(level, 40)).toBe(true);
      wants(level);
      expect<i32>(readyLevel()).toBe(level);
      stops(level);
    }
    expect<i32>(readyLevel()).toBe(20);
    // It may run in between: the debt stays that of 40.
    wants(50);
    for (let i = 0; i < 100; i++) expect<i32>(run(100 * STEP)).toBe(50);
    stops(50);
    expect<i32>(readyLevel()).toBe(20);
  });

  it("is made by a loop that begins while a lower level stands back, too", () => {
    start(5);
    wants(40);
    wants(20);
    for (let i = 0; i < 1000 && readyLevel() == 40; i++) run(100 * STEP);
    expect<i32>(readyLevel()).toBe(20);
    wants(50);
    for (let i = 0; i < 50_000; i++) run(100 * STEP);
    expect<u32>(shareOf(20)).toBeGreaterThanOrEqual(490, "50 does not shut it out for ever");
    expect<u32>(shareOf(20)).toBeLessThanOrEqual(560);
  });

  it("is exact, though it is given in whole slices: what was too much counts for the next time", () => {
    for (let slice: u64 = 1000; slice <= 1100; slice += 10) {
      start(20);
      wants(63);
      wants(20);
      for (let i = 0; i < 5_000; i++) run(slice * STEP);
      expect<u32>(shareOf(20)).toBeGreaterThanOrEqual(1980);
      expect<u32>(shareOf(20)).toBeLessThanOrEqual(2020);
    }
  });

  it("is not for levels above the default one", () => {
    start(50);
    wants(63);
    wants(33);
    for (let i = 0; i < 10_000; i++) run(UNIT);
    expect<u64>(used[33]).toBe(0);
  });

  it("is forgotten when nobody wants it: no credit is saved up", () => {
    start(5);
    wants(40);
    // Nobody below waits: nothing is owed for this.
    for (let i = 0; i < 100_000; i++) run(UNIT);
    wants(20);
    let first = 0;
    while (run(10 * STEP) == 40 && first < 10_000) first++;
    // A unit at 5 percent: 19 units of the higher level, whatever was before.
    expect<i32>(first).toBeGreaterThanOrEqual(1890);
    expect<i32>(first).toBeLessThanOrEqual(1910);
    // Half-way through the payment it has enough of it.
    stops(20);
    for (let i = 0; i < 3; i++) expect<i32>(run(10 * STEP)).toBe(40);
    wants(20);
    let second = 0;
    while (run(10 * STEP) == 40 && second < 10_000) second++;
    expect<i32>(second).toBeGreaterThanOrEqual(1890, "as from the start");
    expect<i32>(second).toBeLessThanOrEqual(1910);
  });

  it("holds for random loads: strict order but for what is owed, and never less than the percentage where it is wanted", () => {
    for (let seed: u32 = 1; seed <= 30; seed++) {
      start(10);
      seedChance(seed);
      let high: u64 = 0;
      let low: u64 = 0;
      for (let step = 0; step < 5000; step++) {
        if (chance(20) == 0) {
          const level = chance(64);
          if (chance(2) == 0) wants(level);
          else stops(level);
        }
        // Somebody always wants the reserve.
        wants(7);
        const ticks: u64 = 1 + chance(300_000);
        const level = run(ticks);
        assert(level >= 7, "strict within the lower levels");
        if (<u32>level > PRIORITY_DEFAULT) high += ticks;
        else low += ticks;
        // Owed are the unit that is being paid, up to two that others have made meanwhile, what the last steps were longer, and what the lower ones got
        // ahead of it.
        assert((low + 5 * UNIT + 900 * STEP) * 9 >= high, "less than a tenth");
        for (let other = level + 1; other < 64; other++) {
          if (threads[other].isEmpty) continue;
          assert(
            other > <i32>PRIORITY_DEFAULT && level <= <i32>PRIORITY_DEFAULT,
            "stands back without a debt",
          );
        }
      }
    }
  });
});
