/** Address spaces on real page tables, and a model of what each of them has at each page, for specs of copy-on-write. */
import { IMAGE_PAGE_TABLES } from "../../kernel/hal";
import { BREAK_DONE, breakCopy, promised, shareWindow } from "../../kernel/memory/copy-on-write";
import { frameErrorCount, isShared } from "../../kernel/memory/frames";
import { STACK_TOP, TABLE_BASE, VMTABLE_BASE, WINDOW_BASE } from "../../kernel/memory/layout";
import { createAddressSpace, destroyAddressSpace, mapFresh, translate } from "../../kernel/memory/paging";
import { arenaStart, growMemory, setUpArena } from "../arena";
import * as fake from "../fake";

const FRAMES: u32 = 4096;
export const PAGE: u64 = 4096;

/** Where pages may be: the ends of tables and directories, and the parts of a window. */
const BASES: StaticArray<u64> = [
  WINDOW_BASE,
  WINDOW_BASE + 0x1f_e000,
  WINDOW_BASE + 0x3fff_e000,
  WINDOW_BASE + VMTABLE_BASE,
  TABLE_BASE,
  STACK_TOP - 0x4000,
];

export const PLACES: u32 = 6;
/** Pages at each place, next to one another: across the end of a table, of a directory. */
export const PAGES: u32 = 4;

export function addressOf(place: u32, page: u32): u64 {
  return BASES[place] + <u64>page * PAGE;
}

/** An address space and what it has to hold: for each page the byte that fills it at its start and its end; -1: not mapped. */
export class Space {
  bytes: i32[] = [];
  constructor(public pml4: usize) {}
}

/** An empty one. */
export function newSpace(): Space {
  const space = new Space(createAddressSpace());
  for (let i: u32 = 0; i < PLACES * PAGES; i++) space.bytes.push(-1);
  return space;
}

/** As an application's store: a fault when the page may not be written to, then the store. BREAK_*. */
export function write(space: Space, index: u32, byte: u8): i32 {
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

/** Traps when the space does not hold what it has to. */
export function check(space: Space): void {
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

/** null: no frame was left. */
export function fork(parent: Space): Space | null {
  const child = newSpace();
  if (child.pml4 == 0) return null;
  if (!shareWindow(parent.pml4, child.pml4)) {
    destroyAddressSpace(child.pml4);
    return null;
  }
  child.bytes = parent.bytes.slice();
  return child;
}

/** Maps what is not mapped at `place`. False: no frame was left. */
export function grow(space: Space, place: u32): bool {
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

/** Before all tests. */
export function setUpSpaces(): void {
  setUpArena(FRAMES);
  fake.reset();
  fake.setImage(IMAGE_PAGE_TABLES, growMemory(4096, 4096));
}

/** After each test. */
export function expectNothingShared(): void {
  expectNoShares();
  expect<u32>(frameErrorCount()).toBe(0);
  expect<u32>(promised).toBe(0);
}
