/** What the loader says: the memory map and the command line, right and wrong ones. */
import {
  findOption,
  optionAddress,
  optionLength,
  optionNumber,
  readBootInfo,
  usableEnd,
  usableRanges,
  usableStart,
} from "../../kernel/boot-info";
import { log } from "../../kernel/console";
import {
  image,
  IMAGE_BOOT_INFO,
  IMAGE_BOOT_MAGIC,
  IMAGE_DATA_START,
  IMAGE_END,
  IMAGE_START,
} from "../../kernel/hal";
import { growMemory } from "../arena";
import { chance, seedChance } from "../chance";
import * as fake from "../fake";

// ---- What the loader says ----

const INFO: usize = 4096;
let info: usize = 0;
let mapLength: u32 = 0;

function loader(): void {
  if (info == 0) info = growMemory(3 * INFO, 4096);
  memory.fill(info, 0, 3 * INFO);
  mapLength = 0;
  fake.setImage(IMAGE_BOOT_MAGIC, 0x2badb002);
  fake.setImage(IMAGE_BOOT_INFO, info);
  fake.setImage(IMAGE_DATA_START, 0x10_0000);
  fake.setImage(IMAGE_START, 0x13_0000);
  fake.setImage(IMAGE_END, 0x18_0123);
}

/** Adds an entry to the memory map. `size`: of what stands behind the size, at least 20. */
function entry(base: u64, length: u64, type: u32, size: u32 = 20): void {
  const at = info + INFO + mapLength;
  store<u32>(at, size);
  store<u64>(at, base, 4);
  store<u64>(at, length, 12);
  store<u32>(at, type, 20);
  mapLength += size + 4;
  store<u32>(info, load<u32>(info) | 64);
  store<u32>(info, mapLength, 44);
  store<u32>(info, <u32>(info + INFO), 48);
}

function commandLine(text: string): void {
  store<u32>(info, load<u32>(info) | 4);
  store<u32>(info, <u32>(info + 2 * INFO), 16);
  String.UTF8.encodeUnsafe(changetype<usize>(text), text.length, info + 2 * INFO, true);
}

/** The usable ranges as text, by address. */
function ranges(): string {
  expect<bool>(readBootInfo()).toBe(true);
  const found: u64[] = [];
  for (let i: u32 = 0; i < usableRanges(); i++)
    found.push(((<u64>usableStart(i)) << 32) | (<u64>usableEnd(i)));
  found.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  let text = "";
  for (let i = 0; i < found.length; i++) {
    // Neighbours count as one.
    const start = found[i] >> 32;
    while (i + 1 < found.length && found[i + 1] >> 32 == (found[i] & 0xffff_ffff)) i++;
    text += (text == "" ? "" : " ") + start.toString(16) + "-" + (found[i] & 0xffff_ffff).toString(16);
  }
  return text;
}

/** Of the option found last. */
function value(): string {
  return String.UTF8.decodeUnsafe(optionAddress, optionLength);
}

describe("the loader's memory map", () => {
  beforeEach(loader);

  it("of a PC: low memory without page 0, high memory behind the image", () => {
    entry(0, 0x9fc00, 1);
    entry(0x9fc00, 0x400, 2);
    entry(0xf0000, 0x10000, 2);
    entry(0x10_0000, 0x7ee_0000, 1);
    entry(0xfffc_0000, 0x4_0000, 2);
    expect<string>(ranges()).toBe("1000-9f000 181000-7fe0000");
  });

  it("unsorted, with entries larger than usual, with empty ones, with ranges above 4 GiB", () => {
    entry(0x1_0000_0000, 0x1_0000_0000, 1);
    entry(0x20_0000, 0x10_0000, 1, 24);
    entry(0x50_0000, 0, 1, 60);
    entry(0, 0xa0000, 1);
    entry(0x40_0000, 0xfff, 1);
    entry(0x60_0001, 0x1fff, 1);
    entry(0x70_0800, 0x1000, 1);
    expect<string>(ranges()).toBe("1000-a0000 200000-300000 601000-602000");
  });

  it("with overlaps: no frame twice, and none that any entry keeps for something else", () => {
    entry(0x20_0000, 0x20_0000, 1);
    entry(0x30_0000, 0x20_0000, 1);
    entry(0x20_0000, 0x20_0000, 1);
    entry(0x48_0000, 0x1000, 2);
    entry(0x24_0010, 0x10, 3);
    entry(0x60_0000, 0x1000, 1);
    entry(0x60_0000, 0x1000, 4);
    expect<string>(ranges()).toBe("200000-240000 241000-480000 481000-500000");
  });

  it("in one piece over everything: the image and page 0 are cut out of it", () => {
    entry(0, 0x4000_0000, 1);
    expect<string>(ranges()).toBe("1000-100000 181000-40000000");
    loader();
    entry(0, u64.MAX_VALUE, 1);
    expect<string>(ranges()).toBe("1000-100000 181000-fffff000");
    loader();
    entry(0x8000_0000, u64.MAX_VALUE - 5, 1);
    expect<string>(ranges()).toBe("80000000-fffff000", "its end is beyond 64 bits");
    loader();
    entry(0x14_0000, 0x1000, 1);
    entry(0x18_0000, 0x2000, 1);
    expect<string>(ranges()).toBe("181000-182000", "inside the image, and across its end");
  });

  it("is never believed to have an end where it has none", () => {
    entry(0x20_0000, 0x10_0000, 1);
    entry(0x80_0000, 0x10_0000, 1);
    // Sizes that lead nowhere, back, or round and round.
    const sizes: u32[] = [0, 4, 19, 0xffff_fffc, 0xffff_ffff, 0x7fff_ffff, 0xffff_ffe4];
    for (let i = 0; i < sizes.length; i++) {
      store<u32>(info + INFO, sizes[i]);
      const text = readBootInfo() ? ranges() : "none";
      expect<bool>(text == "none" || text == "200000-300000").toBe(true, text);
    }
    loader();
    entry(0x20_0000, 0x10_0000, 1);
    entry(0x80_0000, 0x10_0000, 1);
    store<u32>(info, mapLength - 1, 44);
    expect<string>(ranges()).toBe("200000-300000", "the last entry is not whole");
    store<u32>(info, 0, 44);
    expect<bool>(readBootInfo()).toBe(false);
  });

  it("with more ranges than there is room for: the first ones", () => {
    for (let i: u64 = 0; i < 60; i++) entry(0x20_0000 + i * 0x10000, 0x8000, 1);
    expect<bool>(readBootInfo()).toBe(true);
    expect<u32>(usableRanges()).toBe(32);
    expect<usize>(usableStart(31)).toBe(0x20_0000 + 31 * 0x10000);
  });

  it("missing: what the loader says of upper memory; nothing at all; another loader", () => {
    store<u32>(info, 1);
    store<u32>(info, 0x1000, 8);
    expect<string>(ranges()).toBe("181000-500000");
    store<u32>(info, u32.MAX_VALUE, 8);
    expect<string>(ranges()).toBe("181000-fffff000");
    store<u32>(info, 0);
    expect<bool>(readBootInfo()).toBe(false);
    entry(0x20_0000, 0x10_0000, 1);
    fake.setImage(IMAGE_BOOT_MAGIC, 0x36d76289);
    expect<bool>(readBootInfo()).toBe(false);
  });

  it("random: what is usable is what some entry offers and none withholds", () => {
    seedChance(3);
    let wrong = 0;
    const pages = new StaticArray<u8>(256);
    for (let round = 0; round < 200; round++) {
      loader();
      memory.fill(changetype<usize>(pages), 0, 256);
      const count: u32 = 1 + chance(8);
      for (let i: u32 = 0; i < count; i++) {
        const base = 0x20_0000 + <u64>chance(200 * 4096);
        const length = <u64>chance(60 * 4096);
        entry(base, length, chance(3) == 0 ? 2 : 1, 20 + 4 * chance(3));
      }
      for (let pass = 1; pass <= 2; pass++) {
        for (let at: u32 = 0; at < mapLength;) {
          const e = info + INFO + at;
          at += load<u32>(e) + 4;
          const usable = load<u32>(e, 20) == 1;
          if (usable != (pass == 1)) continue;
          const base = load<u64>(e, 4) - 0x20_0000;
          const end = base + load<u64>(e, 12);
          if (end == base) continue;
          for (let page: u64 = 0; page < 256; page++) {
            if (usable && page * 4096 >= base && (page + 1) * 4096 <= end) pages[<i32>page] = 1;
            if (!usable && page * 4096 < end && (page + 1) * 4096 > base) pages[<i32>page] = 0;
          }
        }
      }
      readBootInfo();
      for (let i: u32 = 0; i < usableRanges(); i++) {
        for (let a = usableStart(i); a < usableEnd(i); a += 4096) {
          // Each once: what is found is crossed out.
          const page = <i32>((a - 0x20_0000) / 4096);
          if (pages[page] != 1) wrong++;
          pages[page] = 0;
        }
      }
      for (let page = 0; page < 256; page++) if (pages[page] != 0) wrong++;
    }
    expect<i32>(wrong).toBe(0);
  });
});

describe("the command line", () => {
  beforeEach(() => {
    loader();
    entry(0x20_0000, 0x10_0000, 1);
  });

  it("has options; the last one of a name counts", () => {
    commandLine("kernel ip=dhcp log=7  log=5 panic= x log trailing=a=b ");
    readBootInfo();
    expect<bool>(findOption("ip")).toBe(true);
    expect<string>(value()).toBe("dhcp");
    expect<i32>(optionNumber()).toBe(-1);
    expect<bool>(findOption("log")).toBe(true);
    expect<i32>(optionNumber()).toBe(5);
    expect<bool>(findOption("panic")).toBe(true);
    expect<u32>(optionLength).toBe(0);
    expect<i32>(optionNumber()).toBe(-1);
    expect<bool>(findOption("trailing")).toBe(true);
    expect<string>(value()).toBe("a=b");
    expect<bool>(findOption("p")).toBe(false);
    expect<bool>(findOption("x")).toBe(false, "no value");
    expect<bool>(findOption("kernel")).toBe(false);
    expect<bool>(findOption("lo")).toBe(false);
  });

  it("has numbers of up to nine digits", () => {
    commandLine("a=0 b=999999999 c=1000000000 d=-1 e=1x f=007 g=+1 h=0x10");
    readBootInfo();
    const names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    const values = [0, 999_999_999, -1, -1, -1, 7, -1, -1];
    for (let i = 0; i < names.length; i++) {
      expect<bool>(findOption(names[i])).toBe(true);
      expect<i32>(optionNumber()).toBe(values[i], names[i]);
    }
  });

  it("may be missing, empty, long, and without an end", () => {
    readBootInfo();
    expect<bool>(findOption("log")).toBe(false);
    commandLine("");
    readBootInfo();
    expect<bool>(findOption("log")).toBe(false);
    commandLine("");
    memory.fill(info + 2 * INFO, 0x61, INFO);
    store<u8>(info + 2 * INFO + 1, 0x3d);
    readBootInfo();
    expect<bool>(findOption("a")).toBe(true);
    expect<u32>(optionLength).toBe(1023 - 2);
    expect<u8>(load<u8>(optionAddress + optionLength - 1)).toBe(0x61);
  });
});
