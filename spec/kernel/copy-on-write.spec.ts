/**
 * Copy-on-write of windows on real page tables: a random tree of address spaces that are forked, written to, grown and destroyed, against a
 * model of what each of them has at each page; and what happens when frames run out in the middle.
 */
import { IMAGE_PAGE_TABLES } from "../../kernel/hal";
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
  frameErrorCount,
  freeFrameCount,
  freeFrames,
  isShared,
  releaseFrame,
  reserveFrames,
  shareFrame,
  takeReservedFrame,
  unreserveFrames,
} from "../../kernel/memory/frames";
import { STACK_TOP, TABLE_BASE, VMTABLE_BASE, WINDOW_BASE } from "../../kernel/memory/layout";
import {
  createAddressSpace,
  destroyAddressSpace,
  destroySomeOfWindow,
  mapFresh,
  translate,
} from "../../kernel/memory/paging";
import { arenaStart, growMemory, setUpArena } from "../arena";
import { chance, seedChance } from "../chance";
import * as fake from "../fake";

const FRAMES: u32 = 4096;
const PAGE: u64 = 4096;

/** Where pages may be: the ends of tables and directories, and the parts of a window. */
const BASES: StaticArray<u64> = [
  WINDOW_BASE,
  WINDOW_BASE + 0x1f_e000,
  WINDOW_BASE + 0x3fff_e000,
  WINDOW_BASE + VMTABLE_BASE,
  TABLE_BASE,
  STACK_TOP - 0x4000,
];
const PLACES: u32 = 6;
/** Pages at each place, next to one another: across the end of a table, of a directory. */
const PAGES: u32 = 4;

function addressOf(place: u32, page: u32): u64 {
  return BASES[place] + <u64>page * PAGE;
}

/** An address space and what it has to hold: for each page the byte that fills it at its start and its end; -1: not mapped. */
class Space {
  bytes: i32[] = [];
  constructor(public pml4: usize) {}
}

let spaces: Space[] = [];
let taken: usize[] = [];

function takeAllBut(left: u32): void {
  while (freeFrameCount() > left) taken.push(allocateFrames(0));
}
function giveBack(): void {
  while (taken.length > 0) freeFrames(taken.pop(), 0);
}

function newSpace(): Space {
  const space = new Space(createAddressSpace());
  for (let i: u32 = 0; i < PLACES * PAGES; i++) space.bytes.push(-1);
  return space;
}

/** As an application's store: a fault when the page may not be written to, then the store. BREAK_*. */
function write(space: Space, index: u32, byte: u8): i32 {
  const address = addressOf(index / PAGES, index % PAGES);
  const outcome = breakCopy(space.pml4, address + (index & 7) * 500);
  if (outcome != BREAK_DONE) return outcome;
  const page = translate(space.pml4, address);
  assert(!isShared(page), "written to while another has it");
  store<u8>(page, byte);
  store<u8>(page, byte, 4095);
  space.bytes[index] = byte;
  return BREAK_DONE;
}

function check(space: Space): void {
  for (let index: u32 = 0; index < PLACES * PAGES; index++) {
    const page = translate(space.pml4, addressOf(index / PAGES, index % PAGES));
    const byte = space.bytes[index];
    if (byte < 0) assert(page == 0, "mapped");
    else {
      assert(page != 0, "not mapped");
      assert(load<u8>(page) == <u8>byte && load<u8>(page, 4095) == <u8>byte, "another's bytes");
    }
  }
}

function fork(parent: Space): Space | null {
  const child = newSpace();
  if (child.pml4 == 0) return null;
  if (!shareWindow(parent.pml4, child.pml4)) {
    destroyAddressSpace(child.pml4);
    return null;
  }
  child.bytes = parent.bytes.slice();
  return child;
}

function grow(space: Space, place: u32): bool {
  for (let page: u32 = 0; page < PAGES; page++) {
    const index = place * PAGES + page;
    if (space.bytes[index] >= 0) continue;
    if (!mapFresh(space.pml4, addressOf(place, page), 1)) return false;
    space.bytes[index] = 0;
  }
  return true;
}

/** No frame of the arena has a sharer: whatever is free then has no count that an earlier use left. */
function expectNoShares(): void {
  let shared = 0;
  for (let i: u32 = 0; i < FRAMES; i++) if (isShared(arenaStart() + i * 4096)) shared++;
  expect<i32>(shared).toBe(0, "counts left behind");
}

beforeAll(() => {
  setUpArena(FRAMES);
  fake.reset();
  fake.setImage(IMAGE_PAGE_TABLES, growMemory(4096, 4096));
});

afterEach(() => {
  expectNoShares();
  expect<u32>(frameErrorCount()).toBe(0);
  expect<u32>(promised).toBe(0);
});

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
