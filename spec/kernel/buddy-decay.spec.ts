/**
 * AEM 3.4.1: the buddy allocator does not decay. Ten million mixed allocations and frees, in phases of different size and fill as an
 * application's days are; after them the pool is whole again, and no operation took more steps than docs say.
 */
import {
  Buddy,
  buddyMetadataSize,
  buddySteps,
  MERGE_STEPS,
  NO_UNIT,
  OPERATION_STEPS,
  ORDERS,
} from "../../kernel/memory/buddy";
import { growMemory } from "../arena";
import { chance64, seedChance } from "../chance";

const OPERATIONS: u32 = 5_000_000;
const LARGEST: u32 = 16;
const UNITS: u32 = 1 << LARGEST;
/** Blocks that are allocated: unit << 5 | order. */
let blocks: usize = 0;
let count: u32 = 0;
/** Most steps of one operation; of one that did not have to merge what was kept; and all. */
let most: u64 = 0;
let usual: u64 = 0;
let refusals: u32 = 0;

function push(unit: u32, order: u32): void {
  assert(unit != NO_UNIT, "room");
  store<u32>(blocks + (count << 2), (unit << 5) | order);
  count++;
}
function pop(index: u32): u32 {
  const at = blocks + (index << 2);
  const block = load<u32>(at);
  count--;
  store<u32>(at, load<u32>(blocks + (count << 2)));
  return block;
}

/** Phases: how many of 16 operations allocate, and the largest order they ask for. */
function phase(step: u32): u32 {
  return (step >>> 14) % 9;
}

function run(buddy: Buddy, operations: u32): void {
  for (let step: u32 = 0; step < operations; step++) {
    const random = chance64();
    const part = phase(step);
    // Filling, holding, emptying: by turns, with small, mixed and large blocks.
    const fill: u64 = part % 3 == 0 ? 11 : part % 3 == 1 ? 8 : 5;
    const orders: u64 = part < 3 ? 4 : part < 6 ? 8 : 12;
    const before = buddySteps;
    if ((random & 15) < fill) {
      // Small ones are frequent, as in life.
      const order = <u32>(((random >>> 8) & 0xffff) % (1 + (((random >>> 24) & 0xffff) % orders)));
      const hadAny = buddy.largestFree() >= <i32>order;
      const unit = buddy.allocate(order);
      const steps = buddySteps - before;
      if (steps > most) most = steps;
      if (hadAny && steps > usual) usual = steps;
      if (unit == NO_UNIT) refusals++;
      else push(unit, order);
    } else if (count > 0) {
      const block = pop(<u32>(random >>> 32) % count);
      assert(buddy.free(block >>> 5, block & 31), "free refused");
      const steps = buddySteps - before;
      if (steps > most) most = steps;
      if (steps > usual) usual = steps;
    }
  }
}

function newBuddy(keep: u32): Buddy {
  const buddy = changetype<Buddy>(growMemory(offsetof<Buddy>(), 8));
  buddy.initialize(growMemory(buddyMetadataSize(UNITS), 8), 0, UNITS, keep);
  buddy.clearSome(0, UNITS);
  buddy.addRange(0, UNITS);
  blocks = growMemory(UNITS * 4, 8);
  count = 0;
  most = usual = 0;
  refusals = 0;
  return buddy;
}

function freeAll(buddy: Buddy): void {
  while (count > 0) {
    const block = pop(count - 1);
    assert(buddy.free(block >>> 5, block & 31), "free refused");
  }
}

function expectWhole(buddy: Buddy): void {
  expect<u32>(buddy.freeUnits).toBe(UNITS);
  expect<i32>(buddy.largestFree()).toBe(LARGEST, "one block of all units");
  expect<u32>(buddy.allocate(LARGEST)).toBe(0, "which can be had");
  expect<u32>(buddy.allocate(0)).toBe(NO_UNIT, "and is all there is");
}

describe("the buddy allocator", () => {
  it("is whole after five million operations, none of more than one step per order", () => {
    seedChance(21);
    const buddy = newBuddy(0);
    const before = buddySteps;
    run(buddy, OPERATIONS);
    expect<u32>(refusals).toBeGreaterThan(1000, "it was full at times");
    expect<u64>(most).toBeLessThanOrEqual(OPERATION_STEPS);
    expect<u64>(most).toBeLessThanOrEqual(LARGEST);
    expect<u64>((buddySteps - before) / OPERATIONS).toBeLessThan(2 * ORDERS);
    freeAll(buddy);
    expectWhole(buddy);
  });

  it("and after five million more where it keeps freed blocks, as a vmtable does", () => {
    seedChance(22);
    const keep: u32 = 4;
    const buddy = newBuddy(keep);
    const before = buddySteps;
    run(buddy, OPERATIONS);
    expect<u32>(refusals).toBeGreaterThan(1000, "it was full at times");
    expect<u64>(usual).toBeLessThanOrEqual(OPERATION_STEPS, "where nothing kept had to be merged");
    expect<u64>(most).toBeLessThanOrEqual(OPERATION_STEPS + MERGE_STEPS * keep);
    expect<u64>((buddySteps - before) / OPERATIONS).toBeLessThan(2 * ORDERS);
    freeAll(buddy);
    buddy.mergeKept();
    expectWhole(buddy);
  });

  it("merges kept blocks within its bound when as many as can be are kept and each merges far", () => {
    const keep: u32 = 4;
    const buddy = newBuddy(keep);
    // Blocks of each order that is kept, far apart: beside each stands one that is freed first.
    for (let order: u32 = 0; order < 12; order++) {
      for (let i: u32 = 0; i < keep; i++) {
        push(buddy.allocate(order), order);
        push(buddy.allocate(9), 9);
      }
    }
    const kept: u32[] = [];
    for (let i: u32 = 0; i < count; i += 2) kept.push(load<u32>(blocks + (i << 2)));
    for (let i = 0; i < kept.length; i++) assert(buddy.free(kept[i] >>> 5, kept[i] & 31), "kept");
    for (let i: u32 = 1; i < count; i += 2) {
      const block = load<u32>(blocks + (i << 2));
      assert(buddy.free(block >>> 5, block & 31), "merged at once");
    }
    const before = buddySteps;
    buddy.mergeKept();
    expect<u64>(buddySteps - before).toBeGreaterThan(48, "there was something to merge");
    expect<u64>(buddySteps - before).toBeLessThanOrEqual(MERGE_STEPS * keep);
    expectWhole(buddy);
  });
});
