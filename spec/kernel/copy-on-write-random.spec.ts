/**
 * Copy-on-write of windows on real page tables (kernel/memory/copy-on-write.ts): a random tree of address spaces that are forked, written to, grown and destroyed, against a
 * model of what each of them has at each page; and what happens when frames run out in the middle.
 */
import { BREAK_DONE, BREAK_NO_FRAME, BREAK_NOT_MAPPED } from "../../kernel/memory/copy-on-write";
import { freeFrameCount } from "../../kernel/memory/frames";
import { destroyAddressSpace, destroySomeOfWindow, translate } from "../../kernel/memory/paging";
import { giveBack, takeAllBut } from "../arena";
import { chance, seedChance } from "../chance";
import {
  addressOf,
  check,
  expectNothingShared,
  fork,
  grow,
  newSpace,
  PAGES,
  PLACES,
  setUpSpaces,
  Space,
  write,
} from "./address-spaces";

let spaces: Space[] = [];

beforeAll(setUpSpaces);
afterEach(expectNothingShared);

describe("a tree of address spaces", () => {
  it("holds what its model holds, in 40000 random operations, and gives every frame back", () => {
    const before = freeFrameCount();
    let forks = 0;
    let writes = 0;
    let destroyed = 0;
    for (let seed: u32 = 1; seed <= 40; seed++) {
      seedChance(seed);
      spaces = [newSpace()];
      for (let step = 0; step < 1000; step++) {
        const what = chance(100);
        const which = chance(spaces.length);
        const space = spaces[which];
        if (what < 10) {
          if (spaces.length < 20) {
            spaces.push(fork(space)!);
            forks++;
          }
        } else if (what < 20) assert(grow(space, chance(PLACES)), "grow");
        else if (what < 26) {
          if (spaces.length > 1) {
            // Bit by bit, or all at once.
            if (chance(2) == 0) destroyAddressSpace(space.pml4);
            else for (let more = true; more;) more = !destroySomeOfWindow(space.pml4);
            spaces[which] = spaces[spaces.length - 1];
            spaces.pop();
            destroyed++;
          }
        } else {
          const index = chance(PLACES * PAGES);
          const there = space.bytes[index] >= 0;
          assert(
            write(space, index, <u8>(1 + chance(255))) == (there ? BREAK_DONE : BREAK_NOT_MAPPED),
            "write",
          );
          writes++;
        }
        if ((step & 7) == 0) for (let i = 0; i < spaces.length; i++) check(spaces[i]);
      }
      while (spaces.length > 0) {
        const which = chance(spaces.length);
        destroyAddressSpace(spaces[which].pml4);
        spaces.splice(which, 1);
        if ((spaces.length & 3) == 0) for (let i = 0; i < spaces.length; i++) check(spaces[i]);
      }
      assert(freeFrameCount() == before, "frames are missing");
    }
    expect<i32>(forks).toBeGreaterThan(1000);
    expect<i32>(writes).toBeGreaterThan(20_000);
    expect<i32>(destroyed).toBeGreaterThan(1000);
  });

  it("stays as its model is when frames run out at any point, and goes on when there are some", () => {
    const before = freeFrameCount();
    let refusedWrites = 0;
    let refusedForks = 0;
    let refusedGrowth = 0;
    for (let seed: u32 = 100; seed < 130; seed++) {
      seedChance(seed);
      spaces = [newSpace()];
      for (let step = 0; step < 1000; step++) {
        if (chance(20) == 0) {
          giveBack();
          takeAllBut(chance(12));
        }
        const what = chance(100);
        const which = chance(spaces.length);
        const space = spaces[which];
        if (what < 15) {
          if (spaces.length < 20) {
            const child = fork(space);
            if (child !== null) spaces.push(child);
            else refusedForks++;
          }
        } else if (what < 25) {
          if (!grow(space, chance(PLACES))) refusedGrowth++;
        } else if (what < 30) {
          if (spaces.length > 1) {
            destroyAddressSpace(space.pml4);
            spaces.splice(which, 1);
          }
        } else {
          const index = chance(PLACES * PAGES);
          if (space.bytes[index] < 0) continue;
          const free = freeFrameCount();
          const outcome = write(space, index, <u8>(1 + chance(255)));
          if (outcome == BREAK_NO_FRAME) {
            refusedWrites++;
            // Page, table and directory at most: with three frames it cannot fail.
            assert(free < 3, "refused with frames");
            const page = translate(space.pml4, addressOf(index / PAGES, index % PAGES));
            assert(load<u8>(page) == <u8>space.bytes[index], "what is there stays");
          } else assert(outcome == BREAK_DONE, "write");
        }
        for (let i = 0; i < spaces.length; i++) check(spaces[i]);
      }
      giveBack();
      for (let i = 0; i < spaces.length; i++)
        for (let index: u32 = 0; index < PLACES * PAGES; index++)
          if (spaces[i].bytes[index] >= 0)
            assert(write(spaces[i], index, <u8>(i + 1)) == BREAK_DONE, "with frames");
      for (let i = 0; i < spaces.length; i++) check(spaces[i]);
      while (spaces.length > 0) destroyAddressSpace(spaces.pop().pml4);
      assert(freeFrameCount() == before, "frames are missing");
    }
    expect<i32>(refusedWrites).toBeGreaterThan(100);
    expect<i32>(refusedForks).toBeGreaterThan(20);
    expect<i32>(refusedGrowth).toBeGreaterThan(20);
  });
});
