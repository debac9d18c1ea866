/** The clone of a vmtable that a fork makes (kernel/memory/vmtable.ts), in steps, between which messages come and go. */
import { frameErrorCount, freeFrameCount } from "../../kernel/memory/frames";
import { VMTABLE_BASE } from "../../kernel/memory/layout";
import {
  vmtableAllocate,
  vmtableBlockSize,
  vmtableClaim,
  vmtableClone,
  vmtableCloneSome,
  vmtableDestroy,
  vmtableFree,
  vmtableHas,
  vmtableLend,
} from "../../kernel/memory/vmtable";
import { chance, seedChance } from "../chance";
import { made, setUpVmtables } from "./vmtables";

describe("a vmtable", () => {
  beforeAll(setUpVmtables);

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
