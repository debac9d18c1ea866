/** Pools of objects of one type, carved out of frames (kernel/memory/pool.ts). */
import { allocateFrames } from "../../kernel/memory/frames";
import { Pool } from "../../kernel/memory/pool";
import { giveBack, growMemory, setUpArena, takeAllBut } from "../arena";
import { chance, seedChance } from "../chance";

let seen: usize[] = [];

describe("pool", () => {
  beforeAll(() => {
    setUpArena(4096);
  });

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
