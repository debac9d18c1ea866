/** Frames, pools and vmtables: refusals, hostile addresses, and tens of thousands of random steps against a model. */
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
  vmtableClaim,
  vmtableClearSome,
  vmtableBlockSize,
  vmtableCreate,
  vmtableDestroy,
  vmtableClone,
  vmtableCloneSome,
  vmtableFree,
  vmtableHas,
  vmtableLend,
} from "../../kernel/memory/vmtable";
import { arenaStart, growMemory, setUpArena } from "../arena";
import { chance, chance64, seedChance } from "../chance";

let seen: usize[] = [];

let taken: usize[] = [];

/** Takes frames one at a time until `left` are free. */
function takeAllBut(left: u32): void {
  taken = [];
  while (freeFrameCount() > left) taken.push(allocateFrames(0));
}

function giveBack(): void {
  while (taken.length > 0) freeFrames(taken.pop(), 0);
}

/** A vmtable that is ready. */
function made(order: u32): Vmtable {
  const v = vmtableCreate(order)!;
  while (!vmtableClearSome(v)) {}
  return v;
}

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

  it("refuses and counts when no frame is left, and goes on when there is one", () => {
    const pool = changetype<Pool>(growMemory(offsetof<Pool>(), 8));
    pool.initialize(64, 1000);
    takeAllBut(0);
    expect<usize>(allocateFrames(0)).toBe(0);
    expect<usize>(pool.allocate()).toBe(0);
    expect<u32>(pool.failures).toBe(1);
    expect<u32>(pool.inUse).toBe(0);
    giveBack();
    expect<usize>(pool.allocate()).not.toBe(0);
    expect<u32>(pool.inUse).toBe(1);
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
    vmtableDestroy(made(0)); // the pool takes its frame
    const before = freeFrameCount();
    const v = made(6);
    expect<u32>(before - freeFrameCount()).toBe(10, "its metadata; the zone is the caller's");
    for (let count = 0; count < 100; count++) vmtableAllocate(v, 100);
    vmtableDestroy(v);
    expect<u32>(freeFrameCount()).toBe(before);
    expect<u32>(frameErrorCount()).toBe(0);
    expect<bool>(vmtableCreate(16) === null).toBe(true, "more than VMTABLE_LIMIT");
    expect<bool>(vmtableCreate(0xffff_ffff) === null).toBe(true);
    expect<u32>(freeFrameCount()).toBe(before);
    // No room for the metadata.
    takeAllBut(9);
    expect<bool>(vmtableCreate(6) === null).toBe(true);
    expect<u32>(freeFrameCount()).toBe(9, "nothing lost");
    giveBack();
    expect<bool>(vmtableCreate(15) === null).toBe(true, "the metadata of 128 MiB are not there");
    expect<u32>(freeFrameCount()).toBe(before);
    expect<u32>(frameErrorCount()).toBe(0);
  });

  it("is made in steps, whatever was in the memory of its metadata", () => {
    const before = freeFrameCount();
    const dirt = allocateFrames(8);
    memory.fill(dirt, 0x43, FRAME_SIZE << 8);
    freeFrames(dirt, 8);
    const v = vmtableCreate(10)!;
    let steps = 1;
    while (!vmtableClearSome(v)) steps++;
    // 65,536 blocks, 32,768 in a step.
    expect<i32>(steps).toBe(2);
    expect<u32>(v.freeUnits).toBe(65536);
    for (let offset: usize = 0; offset < v.size; offset += 64)
      assert(!vmtableHas(v, VMTABLE_BASE + offset), "a block that nobody allocated");
    const whole = vmtableAllocate(v, v.size);
    expect<usize>(whole).toBe(VMTABLE_BASE, "one block");
    vmtableDestroy(v);
    expect<u32>(freeFrameCount()).toBe(before);
  });

  it("has a limit", () => {
    const all: Vmtable[] = [];
    for (let i = 0; i < 4; i++) all.push(made(0));
    const before = freeFrameCount();
    expect<bool>(vmtableCreate(0) === null).toBe(true);
    expect<bool>(vmtableClone(all[0]) === null).toBe(true);
    expect<u32>(freeFrameCount()).toBe(before);
    while (all.length > 0) vmtableDestroy(all.pop());
  });

  it("gives at least what was asked for, in powers of two of 64 bytes", () => {
    const v = made(4);
    const asked: StaticArray<u32> = [0, 1, 64, 65, 128, 129, 1500, 2048, 2049, 65536];
    const given: StaticArray<u32> = [64, 64, 64, 128, 128, 256, 2048, 2048, 4096, 65536];
    for (let index = 0; index < asked.length; index++) {
      const block = vmtableAllocate(v, asked[index]);
      expect<u32>(vmtableBlockSize(v, block)).toBe(given[index]);
      expect<usize>((block - VMTABLE_BASE) & (given[index] - 1)).toBe(0, "aligned");
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
    const v = made(2);
    const block = vmtableAllocate(v, 200);
    expect<bool>(block >= VMTABLE_BASE && block + 200 <= VMTABLE_BASE + v.size).toBe(true);
    let accepted = 0;
    for (let offset: usize = 0; offset < v.size; offset++) {
      if (vmtableHas(v, VMTABLE_BASE + offset)) accepted++;
    }
    expect<i32>(accepted).toBe(1);
    expect<bool>(vmtableHas(v, block)).toBe(true);
    seedChance(6);
    for (let step = 0; step < 20000; step++) {
      const hostile = <usize>chance64();
      if (hostile == block) continue;
      assert(!vmtableHas(v, hostile), "a hostile address was accepted");
      assert(vmtableBlockSize(v, hostile) == 0, "a hostile address has a size");
      assert(!vmtableFree(v, hostile), "a hostile address was freed");
    }
    expect<bool>(vmtableHas(v, VMTABLE_BASE + v.size)).toBe(false);
    expect<bool>(vmtableHas(v, VMTABLE_BASE - 64)).toBe(false);
    expect<bool>(vmtableHas(v, block - VMTABLE_BASE)).toBe(false, "an offset is no address");
    const bad = v.badFrees;
    expect<bool>(vmtableFree(v, block + 64)).toBe(false);
    expect<bool>(vmtableFree(v, 0)).toBe(false);
    expect<bool>(vmtableFree(v, block)).toBe(true);
    expect<bool>(vmtableFree(v, block)).toBe(false, "twice");
    expect<u32>(v.badFrees).toBe(bad + 3);
    expect<bool>(vmtableHas(v, block)).toBe(false);
    vmtableDestroy(v);
  });

  it("holds through random events of two processes that overwrite all they have", () => {
    const zones: Vmtable[] = [];
    zones.push(made(5));
    zones.push(made(6));
    /** What the blocks are in, by offset. */
    const memories = [allocateFrames(5), allocateFrames(6)];
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
        assert(block >= VMTABLE_BASE && block + size <= VMTABLE_BASE + v.size, "in the zone");
        memory.fill(memories[which] + (block - VMTABLE_BASE), <u8>step, size);
        used[which] += size;
        users.push(block | which);
        lengths.push(size);
        marks.push(step);
      } else {
        const index = chance(users.length);
        const which = <i32>(users[index] & 1);
        const v = zones[which];
        const block = users[index] & ~1;
        assert(vmtableHas(v, block), "known");
        const data = memories[which] + (block - VMTABLE_BASE);
        const mark = <u8>marks[index];
        assert(
          load<u8>(data) == mark && load<u8>(data + lengths[index] - 1) == mark,
          "overwritten by another",
        );
        assert(load<u8>(data + lengths[index] / 2) == mark, "overwritten by another");
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
      assert(vmtableFree(zones[<i32>(user & 1)], user & ~1), "free");
    }
    for (let which = 0; which < 2; which++) {
      const v = zones[which];
      expect<u32>(v.blocks).toBe(0);
      expect<u32>(v.badFrees).toBe(0);
      expect<usize>(vmtableAllocate(v, v.size)).toBe(VMTABLE_BASE, "whole again");
      vmtableDestroy(v);
      freeFrames(memories[which], 5 + which);
    }
  });

  it("is cloned with the same blocks, and the two are apart from then on", () => {
    const before = freeFrameCount();
    const units: u32 = 256;
    for (let seed: u64 = 1; seed <= 100; seed++) {
      seedChance(seed);
      const v = made(2);
      const blocks: usize[] = [];
      const sizes: u32[] = [];
      for (let step = 0; step < 200; step++) {
        if (chance(3) != 0 || blocks.length == 0) {
          const block = vmtableAllocate(v, 1 + chance(chance(8) == 0 ? 4000 : 200));
          if (block == 0) continue;
          blocks.push(block);
          sizes.push(vmtableBlockSize(v, block));
        } else {
          const index = chance(blocks.length);
          assert(vmtableFree(v, blocks[index]), "free");
          blocks.splice(index, 1);
          sizes.splice(index, 1);
        }
      }
      const clone = vmtableClone(v)!;
      while (!vmtableCloneSome(clone, v)) {}
      assert(clone.size == v.size && clone.blocks == v.blocks && clone.bytesInUse == v.bytesInUse, "counts");
      for (let unit: u32 = 0; unit < units; unit++) {
        const address = VMTABLE_BASE + unit * 64;
        assert(vmtableBlockSize(clone, address) == vmtableBlockSize(v, address), "a block differs");
      }
      // What is free in both can be had, unit by unit, and nothing else.
      let free: u32 = 0;
      while (vmtableAllocate(clone, 1) != 0) free++;
      assert(free * 64 + v.bytesInUse == <u32>v.size, "what was free");
      for (let i = 0; i < blocks.length; i++) assert(vmtableHas(v, blocks[i]), "the original's");
      for (let i = 0; i < blocks.length; i++) {
        assert(vmtableFree(clone, blocks[i]), "free in the clone");
        assert(vmtableBlockSize(v, blocks[i]) == sizes[i], "and not in the original");
      }
      vmtableDestroy(clone);
      for (let i = 0; i < blocks.length; i++) assert(vmtableFree(v, blocks[i]), "free");
      assert(vmtableAllocate(v, v.size) == VMTABLE_BASE, "whole again");
      vmtableDestroy(v);
    }
    expect<u32>(freeFrameCount()).toBe(before);
    expect<u32>(frameErrorCount()).toBe(0);
  });

  it("is cloned in steps, between which messages come and go: of those the clone has none", () => {
    const before = freeFrameCount();
    let steps = 0;
    let moved = 0;
    for (let seed: u64 = 1; seed <= 60; seed++) {
      seedChance(seed);
      const v = made(4);
      const kept: usize[] = [];
      const lent: usize[] = [];
      for (let step = 0; step < 600; step++) {
        const block = vmtableAllocate(v, 1 + chance(chance(8) == 0 ? 4000 : 200));
        if (block == 0) break;
        if (chance(3) == 0) {
          vmtableLend(v, block);
          lent.push(block);
        } else kept.push(block);
        // Gaps.
        if (chance(3) == 0 && kept.length > 0)
          assert(vmtableFree(v, kept.splice(chance(kept.length), 1)[0]), "free");
      }
      const clone = vmtableClone(v)!;
      while (!vmtableCloneSome(clone, v)) {
        steps++;
        for (let times = chance(40); times > 0; times--) {
          if (chance(2) == 0 && lent.length > 0) {
            const block = lent.splice(chance(lent.length), 1)[0];
            vmtableClaim(v, block);
            assert(vmtableFree(v, block), "free");
          } else {
            const block = vmtableAllocate(v, 1 + chance(chance(4) == 0 ? 8000 : 200));
            if (block == 0) continue;
            vmtableLend(v, block);
            lent.push(block);
          }
          moved++;
        }
      }
      assert(clone.blocks == kept.length, "blocks");
      let bytes: u32 = 0;
      for (let i = 0; i < kept.length; i++) {
        assert(vmtableBlockSize(clone, kept[i]) == vmtableBlockSize(v, kept[i]), "a block differs");
        bytes += vmtableBlockSize(v, kept[i]);
      }
      assert(clone.bytesInUse == bytes, "bytes");
      for (let i = 0; i < kept.length; i++) assert(vmtableFree(clone, kept[i]), "free in the clone");
      assert(vmtableAllocate(clone, clone.size) == VMTABLE_BASE, "whole again");
      vmtableDestroy(clone);
      for (let i = 0; i < lent.length; i++) {
        assert(!vmtableFree(v, lent[i]), "lent");
        vmtableClaim(v, lent[i]);
        assert(vmtableFree(v, lent[i]), "free");
      }
      for (let i = 0; i < kept.length; i++) assert(vmtableFree(v, kept[i]), "free");
      assert(vmtableAllocate(v, v.size) == VMTABLE_BASE, "the original, too");
      vmtableDestroy(v);
    }
    expect<i32>(steps).toBeGreaterThan(100);
    expect<i32>(moved).toBeGreaterThan(2000);
    expect<u32>(freeFrameCount()).toBe(before);
  });
});
