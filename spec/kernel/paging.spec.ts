/** Checked ranges of an application, page tables, permanent memory. */
import {
  IMAGE_DATA_START,
  IMAGE_END,
  IMAGE_PAGE_TABLES,
  IMAGE_READ_ONLY_END,
  IMAGE_START,
} from "../../kernel/hal";
import { EFAULT } from "../../kernel/errno";
import {
  allocateFrames,
  FRAME_SIZE,
  frameErrorCount,
  freeFrameCount,
  freeFrames,
  totalFrameCount,
} from "../../kernel/memory/frames";
import { INSTANCE_BASE, STACK_TOP, TABLE_BASE, VMTABLE_BASE, WINDOW_BASE } from "../../kernel/memory/layout";
import {
  createAddressSpace,
  destroyAddressSpace,
  mapDevice,
  mapFresh,
  protectKernel,
  translate,
  unmapFresh,
} from "../../kernel/memory/paging";
import { permanent } from "../../kernel/memory/permanent";
import { readUser, setUserLimits, userRange, writeUser } from "../../kernel/memory/user";
import { growMemory, setUpArena } from "../arena";
import { chance, seedChance } from "../chance";
import * as fake from "../fake";

beforeAll(() => {
  setUpArena(4096);
});

/** What the linker knows. */
function imageAddresses(): void {
  fake.setImage(IMAGE_DATA_START, 0x10_0000);
  fake.setImage(IMAGE_START, 0x13_0000);
  fake.setImage(IMAGE_END, 0x18_0123);
}

// ---- Ranges of an application ----

describe("userRange", () => {
  it("is right at every edge", () => {
    const limits: u64[] = [0, 1, 65536, 0x1000_0000, VMTABLE_BASE];
    const zones: u64[] = [0, 4096, 0x0800_0000];
    const edges: u32[] = [
      0, 1, 2, 4095, 65535, 65536, 65537, 0x0fff_ffff, 0x1000_0000, 0x7fff_ffff, 0x8000_0000,
    ];
    const high: u32[] = [
      0xefff_ffff, 0xf000_0000, 0xf000_0001, 0xf000_0fff, 0xf000_1000, 0xf7ff_ffff, 0xf800_0000, 0xffff_ffff,
    ];
    const shadows: u32[] = [0xf800_0001, 0xfeff_ffff, 0xff00_0000, 0xff00_0001, 0x0700_0000];
    const all = edges.concat(high).concat(shadows);
    let wrong = 0;
    for (let m = 0; m < limits.length; m++) {
      for (let z = 0; z < zones.length; z++) {
        setUserLimits(limits[m], zones[z]);
        for (let a = 0; a < all.length; a++) {
          for (let l = 0; l < all.length; l++) {
            const start = <u64>all[a];
            const end = start + <u64>all[l];
            const linear = end <= limits[m];
            const zone = start >= VMTABLE_BASE && end <= VMTABLE_BASE + zones[z];
            const shadow = start >= 0xf800_0000 && end <= 0xff00_0000;
            if (userRange(all[a], all[l]) != (linear || zone || shadow)) wrong++;
          }
        }
      }
    }
    expect<i32>(wrong).toBe(0);
  });

  it("decides before a byte is touched", () => {
    const memory_ = growMemory(64, 8);
    const buffer = growMemory(64, 8);
    setUserLimits(<u64>memory_ + 32, 0);
    store<u64>(memory_ + 24, 0x1122_3344_5566_7788);
    expect<i32>(readUser(buffer, memory_ + 24, 9)).toBe(-EFAULT);
    expect<u64>(load<u64>(buffer)).toBe(0);
    expect<i32>(readUser(buffer, memory_ + 24, 8)).toBe(0);
    expect<u64>(load<u64>(buffer)).toBe(0x1122_3344_5566_7788);
    expect<i32>(writeUser(memory_ + 31, buffer, 2)).toBe(-EFAULT);
    expect<i32>(writeUser(0xffff_ffff, buffer, 2)).toBe(-EFAULT, "around the end of 32 bits");
    fake.unmapUser(memory_, 8);
    expect<i32>(readUser(buffer, memory_, 8)).toBe(-EFAULT, "in range, and not mapped");
    fake.clearUser();
    setUserLimits(0, 0);
  });
});

// ---- Page tables ----

let bootTables: usize = 0;

/** What boot/entry.S makes: 4 GiB in pages of 2 MiB. */
function makeBootTables(): void {
  if (bootTables == 0) bootTables = growMemory(6 * 4096, 4096);
  memory.fill(bootTables, 0, 6 * 4096);
  store<u64>(bootTables, (bootTables + 4096) | 3);
  for (let i: usize = 0; i < 4; i++)
    store<u64>(bootTables + 4096 + (i << 3), (bootTables + 8192 + i * 4096) | 3);
  for (let i: usize = 0; i < 2048; i++) store<u64>(bootTables + 8192 + (i << 3), ((<u64>i) << 21) | 0x183);
  fake.setImage(IMAGE_PAGE_TABLES, bootTables);
}

/** The entry that maps a kernel address: of a small page, or of a large one. */
function kernelEntry(address: usize): u64 {
  const large = load<u64>(bootTables + 8192 + ((address >> 21) << 3));
  if (large & 0x80) return large;
  return load<u64>(<usize>(large & 0x000f_ffff_ffff_f000) + (((address >> 12) & 511) << 3));
}

const NO_EXECUTE: u64 = 1 << 63;

describe("page tables", () => {
  beforeEach(() => {
    fake.reset();
    imageAddresses();
    makeBootTables();
  });

  it("protect the kernel: page 0 away, text and constants read-only, nothing else executable", () => {
    const before = freeFrameCount();
    fake.setImage(IMAGE_READ_ONLY_END, 0x34_5000);
    expect<bool>(protectKernel()).toBe(true);
    let wrong = 0;
    for (let page: usize = 0; page < 0x10_0000; page++) {
      const address = page << 12;
      const entry = kernelEntry(address);
      const text = address >= 0x13_0000 && address < 0x34_5000;
      const data = address >= 0x10_0000 && address < 0x13_0000;
      if (address == 0) {
        if (entry != 0) wrong++;
        continue;
      }
      if (((entry & NO_EXECUTE) == 0) != text) wrong++;
      if (((entry & 2) == 0) != (text || data)) wrong++;
      if ((entry & 0x101) != 0x101) wrong++;
      const mask: u64 = entry & 0x80 ? 0x000f_ffff_ffe0_0000 : 0x000f_ffff_ffff_f000;
      if ((entry & mask) != ((<u64>address) & (entry & 0x80 ? ~0x1f_ffff : ~0xfff))) wrong++;
    }
    expect<i32>(wrong).toBe(0);
    expect<u32>(before - freeFrameCount()).toBe(2, "two large pages were divided");
    expect<u32>(fake.invalidations()).toBe(1024);
  });

  it("say so when there is no frame to protect the kernel with", () => {
    fake.setImage(IMAGE_READ_ONLY_END, 0x34_5000);
    const taken: usize[] = [];
    for (let frame = allocateFrames(0); frame != 0; frame = allocateFrames(0)) taken.push(frame);
    expect<bool>(protectKernel()).toBe(false);
    freeFrames(taken.pop(), 0);
    expect<bool>(protectKernel()).toBe(false);
    while (taken.length != 0) freeFrames(taken.pop(), 0);
  });

  it("map what is asked for, zeroed, in any part of the window, and give every frame back", () => {
    const before = freeFrameCount();
    const bases: u64[] = [
      WINDOW_BASE,
      WINDOW_BASE + 0x3fff_f000,
      INSTANCE_BASE,
      TABLE_BASE,
      STACK_TOP - 3 * 4096,
    ];
    const pml4 = createAddressSpace();
    expect<u64>(load<u64>(pml4)).toBe(load<u64>(bootTables), "the kernel's half");
    for (let i = 0; i < bases.length; i++) {
      expect<usize>(translate(pml4, bases[i])).toBe(0);
      expect<bool>(mapFresh(pml4, bases[i], 3)).toBe(true);
    }
    let wrong = 0;
    const seen = new Set<usize>();
    for (let i = 0; i < bases.length; i++) {
      for (let page: u64 = 0; page < 3; page++) {
        const address = translate(pml4, bases[i] + page * 4096 + 5);
        if (address == 0 || (address & 4095) != 5 || seen.has(address)) wrong++;
        seen.add(address);
        for (let p = address - 5; p < address - 5 + 4096; p += 8) if (load<u64>(p) != 0) wrong++;
        memory.fill(address - 5, 0xaa, 4096);
      }
      if (translate(pml4, bases[i] + 3 * 4096) != 0 && i != 1) wrong++;
      if (translate(pml4, bases[i] - 1) != 0) wrong++;
    }
    expect<i32>(wrong).toBe(0);
    const held = freeFrameCount();
    unmapFresh(pml4, INSTANCE_BASE, 10);
    expect<u32>(freeFrameCount()).toBe(held + 3, "those that are there, of more");
    expect<usize>(translate(pml4, INSTANCE_BASE)).toBe(0);
    unmapFresh(pml4, WINDOW_BASE + 0x2_0000_0000, 10);
    destroyAddressSpace(pml4);
    expect<u32>(freeFrameCount()).toBe(before);
    expect<u32>(frameErrorCount()).toBe(0);
  });

  it("give back what a mapping took that failed half-way, wherever that was", () => {
    const before = freeFrameCount();
    const taken: usize[] = [];
    for (let frame = allocateFrames(0); frame != 0; frame = allocateFrames(0)) taken.push(frame);
    let wrong = 0;
    for (let frames: u32 = 0; frames < 24; frames++) {
      const pml4 = createAddressSpace();
      if (pml4 == 0) {
        if (frames != 0) wrong++;
      } else {
        // Across the end of a table: PML4, two directories' worth of tables, frames.
        const whole = mapFresh(pml4, WINDOW_BASE + 0x3fff_c000, 8);
        if (whole != frames >= 1 + 1 + 2 + 2 + 8) wrong++;
        destroyAddressSpace(pml4);
      }
      if (freeFrameCount() != frames) wrong++;
      freeFrames(taken.pop(), 0);
    }
    while (taken.length != 0) freeFrames(taken.pop(), 0);
    expect<i32>(wrong).toBe(0);
    expect<u32>(freeFrameCount()).toBe(before);
    expect<u32>(frameErrorCount()).toBe(0);
  });

  it("bring device registers below 4 GiB, and refuse what does not fit", () => {
    expect<usize>(mapDevice(0xfebf_1000, 0x1000)).toBe(0xfebf_1000);
    expect<usize>(mapDevice(0xffff_f000, 0x1000)).toBe(0xffff_f000);
    // Sizes that a device claims: more than all room, up to what wraps.
    const sizes: u32[] = [
      0x80_0001,
      0x100_0000,
      0x200_0000,
      0x7fff_ffff,
      0x8000_0000,
      0xffe0_0001,
      u32.MAX_VALUE,
    ];
    for (let i = 0; i < sizes.length; i++)
      expect<usize>(mapDevice(0x80_0000_0000, sizes[i])).toBe(0, sizes[i].toString());
    expect<usize>(mapDevice(u64.MAX_VALUE - 0xfff, 0x1000)).toBe(0, "beyond 64 bits");
    expect<usize>(mapDevice(0x10_0000_0000_0000, 0x1000)).toBe(0, "beyond what an entry can name");
    const device = mapDevice(0x80_0012_3000, 0x1000);
    expect<usize>(device).toBe(0xff12_3000);
    expect<u64>(kernelEntry(device)).toBe(0x80_0000_0000 | NO_EXECUTE | 0x19b, "uncached, large, global");
    expect<usize>(mapDevice(0x80_0000_0000, 0x1000)).toBe(0xff00_0000, "the same page again");
    expect<usize>(mapDevice(0x80_001f_f000, 0x2000)).toBe(0xff3f_f000, "across two");
    expect<usize>(mapDevice(0x81_0000_0000, 0x20_0000)).toBe(0xff60_0000);
    expect<usize>(mapDevice(0x82_0000_0000, 0x1000)).toBe(0, "no room is left");
    expect<u64>(kernelEntry(0xff80_0000)).toBe(0xff80_0183, "nothing else was touched");
    expect<u64>(kernelEntry(0x20_0000)).toBe(0x20_0183);
    expect<u32>(fake.invalidations()).toBe(4);
  });
});

describe("permanent memory", () => {
  it("is zeroed, aligned, and nobody else's", () => {
    let last: usize = 0;
    let wrong = 0;
    seedChance(4);
    const taken: usize[] = [];
    const sizes: usize[] = [];
    for (let i = 0; i < 200; i++) {
      const bytes = chance(10) == 0 ? chance(20_000) : chance(300);
      const address = permanent(bytes);
      if (address == 0 || (address & 15) != 0) wrong++;
      for (let p: usize = 0; p < bytes; p++) if (load<u8>(address + p) != 0) wrong++;
      memory.fill(address, 0xee, bytes);
      for (let j = 0; j < taken.length; j++) {
        if (address < taken[j] + sizes[j] && taken[j] < address + bytes) wrong++;
      }
      taken.push(address);
      sizes.push(bytes);
      last = address;
    }
    expect<i32>(wrong).toBe(0);
    expect<usize>(permanent(<usize>totalFrameCount() * FRAME_SIZE)).toBe(0);
    expect<usize>(last).not.toBe(0);
  });
});
