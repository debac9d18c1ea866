/** Vmtables (kernel/memory/vmtable.ts): refusals, hostile addresses, and tens of thousands of random steps against a model. */
import {
  allocateFrames,
  FRAME_SIZE,
  frameErrorCount,
  freeFrameCount,
  freeFrames,
} from "../../kernel/memory/frames";
import { VMTABLE_BASE } from "../../kernel/memory/layout";
import {
  Vmtable,
  vmtableAllocate,
  vmtableBlockSize,
  vmtableClearSome,
  vmtableClone,
  vmtableCreate,
  vmtableDestroy,
  vmtableFree,
  vmtableHas,
  vmtableOrder,
} from "../../kernel/memory/vmtable";
import { giveBack, takeAllBut } from "../arena";
import { chance, chance64, seedChance } from "../chance";
import { made, setUpVmtables } from "./vmtables";

describe("vmtable", () => {
  beforeAll(setUpVmtables);

  it("is an eighth of the memory at most, and 64 KiB in any case", () => {
    for (let order: u32 = 0; order <= 9; order++) expect<u32>(vmtableOrder(order, 4096)).toBe(order);
    expect<u32>(vmtableOrder(10, 4096)).toBe(9);
    expect<u32>(vmtableOrder(10, 4095)).toBe(8);
    expect<u32>(vmtableOrder(15, 4096)).toBe(9);
    expect<u32>(vmtableOrder(9, 64)).toBe(4);
    expect<u32>(vmtableOrder(3, 64)).toBe(3);
  });

  it("gives all frames back when it is destroyed", () => {
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
});
