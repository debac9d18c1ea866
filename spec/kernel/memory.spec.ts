/** Lists, buddy allocator, frames, pools and vmtables, each against a simple model and through tens of thousands of random steps. */
import { Link } from "../../kernel/list";
import { Buddy, buddyMetadataSize, NO_UNIT } from "../../kernel/memory/buddy";
import {
  addFrames,
  allocateFrameRun,
  allocateFrames,
  FRAME_SIZE,
  frameErrorCount,
  freeFrameCount,
  freeFrameRun,
  freeFrames,
  frameMetadataSize,
  initializeFrames,
  largestFrameOrder,
  totalFrameCount,
} from "../../kernel/memory/frames";
import { VMTABLE_BASE } from "../../kernel/memory/layout";
import { Pool } from "../../kernel/memory/pool";
import {
  initializeVmtables,
  Vmtable,
  vmtableAllocate,
  vmtableBlockSize,
  vmtableCreate,
  vmtableDestroy,
  vmtableFree,
  vmtableFromUser,
  vmtableUserAddress,
} from "../../kernel/memory/vmtable";
import { arenaStart, growMemory, setUpArena } from "../arena";
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

let seen: usize[] = [];

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

describe("frames", () => {
  // First of those that need frames: it sets up others than the arena's, which come after it.
  it("knows 4 GiB with holes without a step per frame", () => {
    const end: usize = 0xfff0_0000;
    const storage = growMemory(frameMetadataSize(0x10_0000, end), 8);
    initializeFrames(storage, 0x10_0000, end);
    addFrames(0, 0x9_fc00); // below what was foreseen: ignored
    addFrames(0x10_0123, 0x7ff_f800); // only whole frames
    addFrames(0x800_0000, 0xc000_0000);
    addFrames(0xd000_0000, 0xffff_f000);
    expect<u32>(totalFrameCount()).toBe(0x7ff - 0x101 + (0xb8000 + 0x2ff00) + 0x7800 - 0x800 + 0x800);
    expect<i32>(largestFrameOrder()).toBe(18, "1 GiB");
    const block = allocateFrames(18);
    expect<usize>(block & 0x3fff_ffff).toBe(0);
    freeFrames(block + FRAME_SIZE, 18);
    freeFrames(block, 17);
    freeFrames(block + 1, 18);
    freeFrames(0, 0);
    expect<u32>(frameErrorCount()).toBe(4);
    freeFrames(block, 18);
    expect<u32>(freeFrameCount()).toBe(totalFrameCount());
    expect<u32>(frameErrorCount()).toBe(4);
  });

  it("gives frames that can be written, aligned to their size", () => {
    setUpArena(4096);
    expect<u32>(totalFrameCount()).toBe(4096);
    const start = arenaStart();
    for (let order: u32 = 0; order <= 8; order++) {
      const block = allocateFrames(order);
      expect<bool>(block >= start && block + (FRAME_SIZE << order) <= start + 4096 * FRAME_SIZE).toBe(true);
      expect<usize>(block & ((FRAME_SIZE << order) - 1)).toBe(0);
      memory.fill(block, 0xee, FRAME_SIZE << order);
      freeFrames(block, order);
    }
    const run = allocateFrameRun(5);
    expect<u32>(freeFrameCount()).toBe(4091);
    freeFrameRun(run, 5);
    expect<u32>(freeFrameCount()).toBe(4096);
    expect<u32>(frameErrorCount()).toBe(0);
  });
});

describe("pool", () => {
  it("gives distinct zeroed objects up to its limit", () => {
    const pool = changetype<Pool>(growMemory(offsetof<Pool>(), 8));
    pool.initialize(52, 500); // rounded up to 56
    seen = [];
    for (let count = 0; count < 500; count++) {
      const object = pool.allocate();
      assert(object != 0 && (object & 7) == 0, "an aligned object");
      for (let at: usize = 0; at < 56; at += 8) {
        assert(load<u64>(object + at) == 0, "zeroed");
        store<u64>(object + at, count + 1);
      }
      seen.push(object);
    }
    expect<usize>(pool.allocate()).toBe(0);
    expect<u32>(pool.failures).toBe(1);
    expect<u32>(pool.peak).toBe(500);
    for (let count = 0; count < 500; count++) {
      for (let at: usize = 0; at < 56; at += 8)
        assert(load<u64>(seen[count] + at) == count + 1, "not shared");
    }
    seedChance(5);
    for (let step = 0; step < 20000; step++) {
      if (chance(2) && seen.length > 0) {
        const index = chance(seen.length);
        pool.release(seen[index]);
        seen[index] = seen[seen.length - 1];
        seen.pop();
      } else {
        const object = pool.allocate();
        assert((object == 0) == (seen.length == 500), "refused at the limit only");
        if (object == 0) continue;
        if ((step & 63) == 0) assert(!seen.includes(object), "given out twice");
        seen.push(object);
      }
      assert(pool.inUse == <u32>seen.length, "in use");
    }
    expect<u32>(pool.capacity).toBe(500);
    expect<u32>(pool.inUse).toBe(<u32>seen.length);
  });

  it("takes objects larger than a frame", () => {
    const pool = changetype<Pool>(growMemory(offsetof<Pool>(), 8));
    pool.initialize(5000, 3);
    const a = pool.allocate();
    const b = pool.allocate();
    const c = pool.allocate();
    expect<bool>(a != 0 && b != 0 && c != 0).toBe(true);
    memory.fill(b, 1, 5000);
    expect<u8>(load<u8>(a, 4999) | load<u8>(c)).toBe(0);
    expect<usize>(pool.allocate()).toBe(0);
  });
});

describe("vmtable", () => {
  beforeAll(() => {
    initializeVmtables(changetype<Pool>(growMemory(offsetof<Pool>(), 8)), 4);
  });

  it("gives all frames back when it is destroyed", () => {
    vmtableDestroy(vmtableCreate(0)!); // the pool takes its frame
    const before = freeFrameCount();
    const v = vmtableCreate(6)!;
    expect<u32>(before - freeFrameCount()).toBe(64 + 10, "64 frames and their metadata");
    for (let count = 0; count < 100; count++) vmtableAllocate(v, 100);
    vmtableDestroy(v);
    expect<u32>(freeFrameCount()).toBe(before);
    expect<u32>(frameErrorCount()).toBe(0);
    expect<bool>(vmtableCreate(15) === null).toBe(true, "128 MiB are not there");
    expect<bool>(vmtableCreate(16) === null).toBe(true, "more than VMTABLE_LIMIT");
    expect<bool>(vmtableCreate(0xffff_ffff) === null).toBe(true);
    expect<u32>(freeFrameCount()).toBe(before);
  });

  it("shows a process nothing of what was in its frames before", () => {
    const frames = allocateFrames(6);
    memory.fill(frames, 0xee, FRAME_SIZE << 6);
    freeFrames(frames, 6);
    const v = vmtableCreate(6)!;
    let other: u64 = 0;
    for (let at: usize = 0; at < v.size; at += 8) other |= load<u64>(v.base + at);
    expect<u64>(other).toBe(0);
    vmtableDestroy(v);
  });

  it("gives at least what was asked for, in powers of two of 64 bytes", () => {
    const v = vmtableCreate(4)!;
    const asked: StaticArray<u32> = [0, 1, 64, 65, 128, 129, 1500, 2048, 2049, 65536];
    const given: StaticArray<u32> = [64, 64, 64, 128, 128, 256, 2048, 2048, 4096, 65536];
    for (let index = 0; index < asked.length; index++) {
      const block = vmtableAllocate(v, asked[index]);
      expect<u32>(vmtableBlockSize(v, block)).toBe(given[index]);
      expect<usize>((block - v.base) & (given[index] - 1)).toBe(0, "aligned");
      expect<u32>(v.bytesInUse).toBe(given[index]);
      expect<bool>(vmtableFree(v, block)).toBe(true);
    }
    expect<usize>(vmtableAllocate(v, 65537)).toBe(0);
    expect<usize>(vmtableAllocate(v, 0x8000_0001)).toBe(0);
    expect<usize>(vmtableAllocate(v, 0xffff_ffff)).toBe(0);
    expect<u32>(v.failures).toBe(3);
    expect<u32>(v.peak).toBe(65536);
    expect<u32>(v.blocks).toBe(0);
    vmtableDestroy(v);
  });

  it("accepts from a process only the start of an allocated block", () => {
    const v = vmtableCreate(2)!;
    const block = vmtableAllocate(v, 200);
    const user = vmtableUserAddress(v, block);
    expect<usize>(user).toBe(VMTABLE_BASE + (block - v.base));
    expect<usize>(vmtableFromUser(v, user)).toBe(block);
    let accepted = 0;
    for (let offset: usize = 0; offset < v.size; offset++) {
      if (vmtableFromUser(v, VMTABLE_BASE + offset) != 0) accepted++;
    }
    expect<i32>(accepted).toBe(1);
    seedChance(6);
    for (let step = 0; step < 20000; step++) {
      const hostile = <usize>chance64();
      if (hostile != user) assert(vmtableFromUser(v, hostile) == 0, "a hostile address was accepted");
    }
    expect<usize>(vmtableFromUser(v, VMTABLE_BASE + v.size)).toBe(0);
    expect<usize>(vmtableFromUser(v, VMTABLE_BASE - 64)).toBe(0);
    expect<usize>(vmtableFromUser(v, block)).toBe(0, "a kernel address is none of a process");
    expect<bool>(vmtableFree(v, block + 64)).toBe(false);
    expect<bool>(vmtableFree(v, 0)).toBe(false);
    expect<bool>(vmtableFree(v, block)).toBe(true);
    expect<bool>(vmtableFree(v, block)).toBe(false, "twice");
    expect<u32>(v.badFrees).toBe(3);
    expect<usize>(vmtableFromUser(v, user)).toBe(0);
    vmtableDestroy(v);
  });

  it("holds through random events of two processes that overwrite all they have", () => {
    const zones: Vmtable[] = [];
    zones.push(vmtableCreate(5)!);
    zones.push(vmtableCreate(6)!);
    const users: usize[] = [];
    const lengths: u32[] = [];
    const marks: u32[] = [];
    const refused: StaticArray<u32> = [0, 0];
    const used: StaticArray<u32> = [0, 0];
    seedChance(7);
    for (let step: u32 = 1; step <= 30000; step++) {
      if (chance(10) < 5 || users.length == 0) {
        const which = chance(2);
        const v = zones[which];
        const length: u32 = 1 + chance(chance(16) == 0 ? 30000 : 2000);
        const block = vmtableAllocate(v, length);
        if (block == 0) {
          refused[which]++;
          assert(v.failures == refused[which], "failures");
          continue;
        }
        const size = vmtableBlockSize(v, block);
        assert(size >= length && size < 2 * max<u32>(length, 64), "size");
        memory.fill(block, <u8>step, size);
        used[which] += size;
        users.push(which == 0 ? vmtableUserAddress(v, block) : vmtableUserAddress(v, block) | 1);
        lengths.push(size);
        marks.push(step);
      } else {
        const index = chance(users.length);
        const which = <i32>(users[index] & 1);
        const v = zones[which];
        const block = vmtableFromUser(v, users[index] & ~1);
        assert(block != 0, "known");
        const mark = <u8>marks[index];
        assert(
          load<u8>(block) == mark && load<u8>(block + lengths[index] - 1) == mark,
          "overwritten by another",
        );
        assert(load<u8>(block + lengths[index] / 2) == mark, "overwritten by another");
        assert(vmtableFree(v, block), "free");
        used[which] -= lengths[index];
        const last = users.length - 1;
        users[index] = users[last];
        lengths[index] = lengths[last];
        marks[index] = marks[last];
        users.pop();
        lengths.pop();
        marks.pop();
      }
      assert(zones[0].bytesInUse == used[0] && zones[1].bytesInUse == used[1], "bytes in use");
    }
    expect<bool>(refused[0] > 0).toBe(true, "the small zone was full at times");
    while (users.length > 0) {
      const user = users.pop();
      const v = zones[<i32>(user & 1)];
      assert(vmtableFree(v, vmtableFromUser(v, user & ~1)), "free");
    }
    for (let which = 0; which < 2; which++) {
      const v = zones[which];
      expect<u32>(v.blocks).toBe(0);
      expect<u32>(v.badFrees).toBe(0);
      expect<usize>(vmtableAllocate(v, v.size)).toBe(v.base, "whole again");
      vmtableDestroy(v);
    }
  });
});
