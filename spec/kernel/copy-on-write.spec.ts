/** Copy-on-write of windows on real page tables (kernel/memory/copy-on-write.ts): what a fork and a write cost, what is promised to them, and the counts of users. In random operations: copy-on-write-random.spec.ts. */
import {
  BREAK_DONE,
  BREAK_NO_FRAME,
  BREAK_NOT_MAPPED,
  breakCopy,
  copyCount,
  promised,
  setPromised,
  shareWindow,
} from "../../kernel/memory/copy-on-write";
import {
  allocateFrames,
  freeFrameCount,
  freeFrames,
  isShared,
  releaseFrame,
  reserveFrames,
  shareFrame,
  takeReservedFrame,
  unreserveFrames,
} from "../../kernel/memory/frames";
import { WINDOW_BASE } from "../../kernel/memory/layout";
import { destroyAddressSpace, mapFresh, translate } from "../../kernel/memory/paging";
import { giveBack, takeAllBut } from "../arena";
import { chance, seedChance } from "../chance";
import * as fake from "../fake";
import {
  check,
  expectNothingShared,
  fork,
  grow,
  newSpace,
  PAGE,
  PAGES,
  setUpSpaces,
  write,
} from "./address-spaces";

beforeAll(setUpSpaces);
afterEach(expectNothingShared);

describe("a fork", () => {
  it("costs a top table and nothing of what there is, and the write to one page a path of tables and the page", () => {
    const before = freeFrameCount();
    const parent = newSpace();
    expect<bool>(mapFresh(parent.pml4, WINDOW_BASE, 1000)).toBe(true);
    const there = freeFrameCount();
    const child = newSpace();
    expect<bool>(shareWindow(parent.pml4, child.pml4)).toBe(true);
    expect<u32>(there - freeFrameCount()).toBe(2, "PML4 and the third level");
    expect<usize>(translate(child.pml4, WINDOW_BASE + 777 * PAGE)).toBe(
      translate(parent.pml4, WINDOW_BASE + 777 * PAGE),
    );
    const copies = copyCount;
    expect<i32>(breakCopy(child.pml4, WINDOW_BASE + 777 * PAGE + 5)).toBe(BREAK_DONE);
    expect<u32>(there - freeFrameCount()).toBe(5, "directory, table, page");
    expect<u64>(copyCount - copies).toBe(3);
    expect<i32>(breakCopy(child.pml4, WINDOW_BASE + 777 * PAGE)).toBe(BREAK_DONE, "is its own now");
    expect<i32>(breakCopy(child.pml4, WINDOW_BASE + 778 * PAGE)).toBe(BREAK_DONE);
    expect<u32>(there - freeFrameCount()).toBe(6, "the next page of that table: a page");
    // The other side is the last one to have the first page: nothing is copied.
    expect<i32>(breakCopy(parent.pml4, WINDOW_BASE + 777 * PAGE)).toBe(BREAK_DONE);
    expect<u32>(there - freeFrameCount()).toBe(6);
    destroyAddressSpace(child.pml4);
    destroyAddressSpace(parent.pml4);
    expect<u32>(freeFrameCount()).toBe(before);
  });

  it("drops the translation of what was written to", () => {
    const parent = newSpace();
    grow(parent, 0);
    const child = fork(parent)!;
    const invalidations = fake.invalidations();
    write(parent, 0, 1);
    expect<u32>(fake.invalidations()).toBe(invalidations + 1);
    destroyAddressSpace(child.pml4);
    destroyAddressSpace(parent.pml4);
  });

  it("of nothing is nothing, and what is not mapped is a fault", () => {
    const before = freeFrameCount();
    const parent = newSpace();
    const child = fork(parent)!;
    expect<i32>(breakCopy(child.pml4, WINDOW_BASE)).toBe(BREAK_NOT_MAPPED);
    grow(parent, 0);
    const second = fork(parent)!;
    expect<i32>(breakCopy(second.pml4, WINDOW_BASE + 4 * PAGE)).toBe(BREAK_NOT_MAPPED);
    expect<i32>(breakCopy(second.pml4, WINDOW_BASE + 0x4000_0000)).toBe(BREAK_NOT_MAPPED);
    expect<i32>(breakCopy(second.pml4, 0)).toBe(
      BREAK_NOT_MAPPED,
      "nothing is mapped in the kernel's half here",
    );
    check(second);
    destroyAddressSpace(parent.pml4);
    destroyAddressSpace(second.pml4);
    destroyAddressSpace(child.pml4);
    expect<u32>(freeFrameCount()).toBe(before);
  });
});

describe("what is promised", () => {
  it("cannot be taken by others, and is enough for so many copies", () => {
    const before = freeFrameCount();
    const parent = newSpace();
    grow(parent, 0);
    grow(parent, 4);
    const child = fork(parent)!;
    expect<bool>(reserveFrames(6)).toBe(true);
    takeAllBut(0);
    expect<usize>(allocateFrames(0)).toBe(0, "what is left is reserved");
    expect<bool>(reserveFrames(1)).toBe(false);
    expect<i32>(write(child, 0, 1)).toBe(BREAK_NO_FRAME, "not for who was promised nothing");
    check(child);
    setPromised(6);
    // Directory, table, page; and again in another part of the window.
    expect<i32>(write(child, 0, 2)).toBe(BREAK_DONE);
    expect<u32>(promised).toBe(3);
    expect<i32>(write(child, 4 * PAGES, 3)).toBe(BREAK_DONE);
    expect<u32>(promised).toBe(0);
    expect<i32>(write(child, 1, 4)).toBe(BREAK_NO_FRAME, "beyond the promise");
    check(child);
    check(parent);
    giveBack();
    destroyAddressSpace(parent.pml4);
    destroyAddressSpace(child.pml4);
    expect<u32>(freeFrameCount()).toBe(before);
  });

  it("is counted exactly, in random operations", () => {
    seedChance(9);
    const total = freeFrameCount();
    let reserved: u32 = 0;
    const mine: usize[] = [];
    for (let step = 0; step < 20_000; step++) {
      const what = chance(5);
      if (what == 0) {
        const count = chance(300);
        const fits = reserved + <u32>mine.length + count <= total;
        assert(reserveFrames(count) == fits, "reserve");
        if (fits) reserved += count;
      } else if (what == 1 && reserved > 0) {
        const count = 1 + chance(reserved);
        unreserveFrames(count);
        reserved -= count;
      } else if (what == 2 && reserved > 0) {
        const frame = takeReservedFrame();
        assert(frame != 0, "a promise was broken");
        mine.push(frame);
        reserved--;
      } else if (what == 3) {
        for (let i = 0; i < 40; i++) {
          const frame = allocateFrames(0);
          assert((frame != 0) == reserved + <u32>mine.length < total, "allocate");
          if (frame != 0) mine.push(frame);
        }
      } else for (let i = 0; i < 60 && mine.length > 0; i++) freeFrames(mine.pop(), 0);
      assert(freeFrameCount() == total - reserved - mine.length, "free");
    }
    unreserveFrames(reserved);
    while (mine.length > 0) freeFrames(mine.pop(), 0);
    expect<u32>(freeFrameCount()).toBe(total);
  });
});

describe("the count of a frame's users", () => {
  it("ends at 65535 beyond the first, and a fork then fails and leaves nothing behind", () => {
    const before = freeFrameCount();
    const parent = newSpace();
    grow(parent, 0);
    grow(parent, 4);
    const entry = <usize>(load<u64>(parent.pml4 + 8) & 0x000f_ffff_ffff_f000);
    // The directory of the last GiB that is in use.
    let directory: usize = 0;
    for (let i: usize = 0; i < 512; i++) {
      const value = load<u64>(entry + (i << 3));
      if (value & 1) directory = <usize>(value & 0x000f_ffff_ffff_f000);
    }
    for (let i = 0; i < 0xffff; i++) assert(shareFrame(directory), "share");
    expect<bool>(shareFrame(directory)).toBe(false);
    const there = freeFrameCount();
    expect<bool>(fork(parent) === null).toBe(true);
    expect<u32>(freeFrameCount()).toBe(there);
    for (let i = 0; i < 0xffff; i++) assert(!releaseFrame(directory), "release");
    expect<bool>(isShared(directory)).toBe(false);
    const child = fork(parent)!;
    expect<i32>(write(child, 0, 9)).toBe(BREAK_DONE);
    check(child);
    check(parent);
    destroyAddressSpace(child.pml4);
    destroyAddressSpace(parent.pml4);
    expect<u32>(freeFrameCount()).toBe(before);
  });
});
