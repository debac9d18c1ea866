/** The intrusive list and the buddy allocator, each against a simple model and through tens of thousands of random steps. */
import { Link } from "../../kernel/list";
import { Buddy, buddyMetadataSize, NO_UNIT } from "../../kernel/memory/buddy";
import { growMemory } from "../arena";
import { chance, chance64, seedChance } from "../chance";

// ---- The model of a buddy allocator: who has each unit (0: nobody, HOLE: it is not there) ----

const HOLE: u32 = 0xffff_ffff;
let owners: StaticArray<u32> = new StaticArray<u32>(0);
let modelFirst: u32 = 0;
let blockUnits: u32[] = [];
let blockOrders: u32[] = [];
let nextOwner: u32 = 1;

function newBuddy(first: u32, units: u32, keep: u32): Buddy {
  const buddy = changetype<Buddy>(growMemory(offsetof<Buddy>(), 8));
  const size = buddyMetadataSize(units);
  const storage = growMemory(size + 8, 8);
  memory.fill(storage, 0xa5, size); // the storage may hold anything
  store<u64>(storage + size, 0x5a5a5a5a5a5a5a5a);
  buddy.initialize(storage, first, units, keep);
  buddy.clearSome(first, units);
  assert(load<u64>(storage + size) == 0x5a5a5a5a5a5a5a5a, "initialize wrote beyond its storage");
  owners = new StaticArray<u32>(units);
  owners.fill(HOLE);
  modelFirst = first;
  blockUnits = [];
  blockOrders = [];
  nextOwner = 1;
  return buddy;
}

function addModelRange(buddy: Buddy, start: u32, end: u32): void {
  buddy.addRange(start, end);
  for (let unit = start; unit < end; unit++) owners[unit - modelFirst] = 0;
}

/** Units of the aligned block at `unit` are all there and nobody's. */
function modelIsFree(unit: u32, order: u32): bool {
  for (let at = unit - modelFirst; at < unit - modelFirst + (1 << order); at++) {
    if (at >= <u32>owners.length || owners[at] != 0) return false;
  }
  return true;
}

function modelFreeUnits(): u32 {
  let count: u32 = 0;
  for (let at = 0; at < owners.length; at++) if (owners[at] == 0) count++;
  return count;
}

function checkedAllocate(buddy: Buddy, order: u32): bool {
  const unit = buddy.allocate(order);
  if (unit == NO_UNIT) {
    const step: u32 = 1 << order;
    for (let at = (modelFirst + step - 1) & ~(step - 1); at < modelFirst + <u32>owners.length; at += step) {
      assert(!modelIsFree(at, order), "refused, but there is a free block");
    }
    return false;
  }
  assert((unit & ((1 << order) - 1)) == 0, "not aligned to its size");
  assert(modelIsFree(unit, order), "given out twice, or not there");
  for (let at: u32 = 0; at < 1 << order; at++) owners[unit - modelFirst + at] = nextOwner;
  nextOwner++;
  blockUnits.push(unit);
  blockOrders.push(order);
  return true;
}

function checkedFree(buddy: Buddy, index: i32): void {
  const unit = blockUnits[index];
  const order = blockOrders[index];
  assert(buddy.orderOf(unit) == <i32>order, "order of an allocated block");
  const last = blockUnits.length - 1;
  blockUnits[index] = blockUnits[last];
  blockOrders[index] = blockOrders[last];
  blockUnits.pop();
  blockOrders.pop();
  assert(buddy.free(unit, order), "free refused");
  for (let at: u32 = 0; at < 1 << order; at++) owners[unit - modelFirst + at] = 0;
}

/** Frees that have to be refused: any number, any order, unless it is an allocated block of that order. */
function hostileFree(buddy: Buddy): void {
  const unit = chance(4) == 0 ? <u32>chance64() : modelFirst + chance(<u32>owners.length);
  const order = chance(4) == 0 ? <u32>chance64() : chance(24);
  for (let index = 0; index < blockUnits.length; index++) {
    if (blockUnits[index] == unit && blockOrders[index] == order) return;
  }
  const before = buddy.freeUnits;
  assert(!buddy.free(unit, order), "a wrong free was accepted");
  assert(buddy.freeUnits == before, "a refused free changed the count");
}

function randomSteps(buddy: Buddy, steps: u32, orders: u32, seed: u64): void {
  seedChance(seed);
  for (let step: u32 = 0; step < steps; step++) {
    // Phases that fill and phases that empty, so that both ends are reached.
    const fill: u32 = (step / 512) & 1 ? 6 : 3;
    if (chance(10) < fill) checkedAllocate(buddy, chance(chance(orders) + 1));
    else if (blockUnits.length > 0) checkedFree(buddy, chance(blockUnits.length));
    if ((step & 7) == 0) hostileFree(buddy);
    if ((step & 255) == 0) assert(buddy.freeUnits == modelFreeUnits(), "free units");
  }
  while (blockUnits.length > 0) checkedFree(buddy, blockUnits.length - 1);
  assert(buddy.freeUnits == buddy.totalUnits, "all are free at the end");
  buddy.mergeKept();
}

describe("list", () => {
  it("does what a plain array does", () => {
    const head = changetype<Link>(growMemory(8 * 65, 8));
    head.initialize();
    const model: usize[] = [];
    for (let at = 1; at <= 64; at++) changetype<Link>(changetype<usize>(head) + 8 * at).initialize();
    seedChance(1);
    for (let step = 0; step < 20000; step++) {
      const link = changetype<usize>(head) + 8 * (1 + chance(64));
      const at = model.indexOf(link);
      if (at >= 0) {
        assert(!changetype<Link>(link).isEmpty, "linked");
        changetype<Link>(link).remove();
        model.splice(at, 1);
      } else {
        assert(changetype<Link>(link).isEmpty, "not linked");
        changetype<Link>(link).remove(); // harmless
        if (chance(2)) {
          head.append(changetype<Link>(link));
          model.push(link);
        } else {
          head.prepend(changetype<Link>(link));
          model.unshift(link);
        }
      }
      let forward = head.next;
      for (let index = 0; index < model.length; index++) {
        assert(changetype<usize>(forward) == model[index], "order");
        assert(changetype<usize>(forward.prev.next) == model[index], "backward link");
        forward = forward.next;
      }
      assert(changetype<usize>(forward) == changetype<usize>(head), "circle");
    }
    expect<bool>(head.isEmpty).toBe(model.length == 0);
  });
});

describe("buddy", () => {
  it("is whole again after random steps", () => {
    const buddy = newBuddy(0, 4096, 0);
    addModelRange(buddy, 0, 4096);
    expect<i32>(buddy.largestFree()).toBe(12);
    randomSteps(buddy, 20000, 10, 2);
    expect<i32>(buddy.largestFree()).toBe(12, "one block of all units");
    expect<u32>(buddy.allocate(12)).toBe(0);
    expect<u32>(buddy.allocate(0)).toBe(NO_UNIT);
  });

  it("is whole again when it keeps freed blocks", () => {
    const buddy = newBuddy(0, 4096, 4);
    addModelRange(buddy, 0, 4096);
    randomSteps(buddy, 20000, 10, 3);
    expect<i32>(buddy.largestFree()).toBe(12, "one block of all units");
  });

  it("never refuses because of blocks that it keeps", () => {
    const buddy = newBuddy(0, 64, 4);
    addModelRange(buddy, 0, 64);
    for (let order: u32 = 0; order < 4; order++) {
      const unit = buddy.allocate(order);
      expect<bool>(buddy.free(unit, order)).toBe(true);
      expect<bool>(buddy.free(unit, order)).toBe(false, "a kept block is free");
      expect<bool>(buddy.free(unit, order | 0x20)).toBe(false, "no such order");
      expect<u32>(buddy.allocate(order)).toBe(unit, "the same block, at once");
      buddy.free(unit, order);
    }
    expect<u32>(buddy.freeUnits).toBe(64);
    expect<u32>(buddy.allocate(6)).toBe(0);
  });

  it("works over ranges with holes that start anywhere", () => {
    const buddy = newBuddy(777, 3000, 0);
    addModelRange(buddy, 777, 778);
    addModelRange(buddy, 779, 1000);
    addModelRange(buddy, 1003, 2048);
    addModelRange(buddy, 2048, 2500);
    addModelRange(buddy, 3001, 3777);
    const largest = buddy.largestFree();
    expect<u32>(buddy.totalUnits).toBe(1 + 221 + 1045 + 452 + 776);
    randomSteps(buddy, 20000, 9, 4);
    expect<i32>(buddy.largestFree()).toBe(largest);
    // Every unit can be had, one at a time, and no other.
    let count: u32 = 0;
    while (checkedAllocate(buddy, 0)) count++;
    expect<u32>(count).toBe(buddy.totalUnits);
  });

  it("merges neighbouring ranges", () => {
    const buddy = newBuddy(0, 256, 0);
    addModelRange(buddy, 0, 100);
    addModelRange(buddy, 100, 256);
    expect<i32>(buddy.largestFree()).toBe(8);
  });

  it("gives runs of any length and takes them back", () => {
    const buddy = newBuddy(0, 1024, 0);
    addModelRange(buddy, 0, 1024);
    for (let count: u32 = 1; count <= 1024; count += 1 + count / 7) {
      const start = buddy.allocateUnits(count);
      assert(start != NO_UNIT, "room");
      assert(buddy.freeUnits == 1024 - count, "nothing wasted");
      assert(buddy.freeUnitsAt(start, count), "taken back");
      assert(buddy.largestFree() == 10, "whole");
    }
    const a = buddy.allocateUnits(37);
    const b = buddy.allocateUnits(27);
    const c = buddy.allocateUnits(64);
    expect<u32>(buddy.freeUnits).toBe(1024 - 37 - 27 - 64);
    expect<bool>(a + 37 <= b || b + 27 <= a).toBe(true);
    expect<bool>(buddy.freeUnitsAt(a, 38)).toBe(false, "wrong length");
    expect<u32>(buddy.allocateUnits(1000)).toBe(NO_UNIT);
    expect<bool>(buddy.freeUnitsAt(c, 64)).toBe(true);
    expect<u32>(buddy.allocate(24)).toBe(NO_UNIT, "orders that do not exist");
    expect<u32>(buddy.allocate(0xffffffff)).toBe(NO_UNIT);
  });
});
