import * as fake from "../fake";
import { setUpArena } from "../arena";
import {
  pciBarAddress,
  pciBarSize,
  pciCommand,
  pciFindCapability,
  pciFunction,
  pciFunctionCount,
  pciMapBar,
  pciPlace,
  pciRead16,
  pciRead8,
  pciScan,
} from "../../drivers/pci";
import { initializeSerial, serialPut } from "../../drivers/serial";
import { consoleLost } from "../../kernel/console";

function put(bus: u32, device: u32, fn: u32, offset: u32, value: u32, writable: u32): void {
  fake.setPci((bus << 16) | (device << 11) | (fn << 8) | offset, value, writable);
}

/** A function with an empty header. */
function plug(bus: u32, device: u32, fn: u32, id: u32, headerType: u32): void {
  for (let offset: u32 = 0; offset < 256; offset += 4) put(bus, device, fn, offset, 0, 0);
  put(bus, device, fn, 0x00, (id << 16) | 0x1234, 0);
  put(bus, device, fn, 0x08, 0x02000003, 0);
  put(bus, device, fn, 0x0c, headerType << 16, 0);
}

function bridge(bus: u32, device: u32, secondary: u32): void {
  plug(bus, device, 0, 0xb000 + secondary, 1);
  put(bus, device, 0, 0x18, (0xff << 16) | (secondary << 8) | bus, 0);
}

/** Two functions of which no firmware has placed anything, and a bridge whose registers at the same offsets are bus numbers. */
function unplaced(): void {
  plug(0, 4, 0, 1, 0);
  put(0, 4, 0, 0x04, 0, 0x0407);
  put(0, 4, 0, 0x10, 0x00000001, 0xffffffe0); // I/O
  put(0, 4, 0, 0x14, 0x00000000, 0xfffff000);
  put(0, 4, 0, 0x18, 0x0000000c, 0xffff8000); // 64-bit, prefetchable
  put(0, 4, 0, 0x1c, 0x00000000, 0xffffffff);
  plug(0, 5, 0, 2, 0);
  put(0, 5, 0, 0x04, 0, 0x0407);
  put(0, 5, 0, 0x10, 0x00000000, 0xffffff00);
  put(0, 5, 0, 0x14, 0x00000004, 0x00000000); // more than 4 GiB
  put(0, 5, 0, 0x18, 0x00000000, 0xfffffffe);
  put(0, 5, 0, 0x1c, 0x00000000, 0xc0000000); // 1 GiB, which there is no room for
  put(0, 5, 0, 0x20, 0x00000000, 0xff000000);
  bridge(0, 6, 1);
  pciScan();
}

let outBytes: u32 = 0;
let statusReads: u32 = 0;
let statusAnswer: u32 = 0;
let identification: u32 = 0;

function uartIn(port: u32, width: u32): u32 {
  if (port == 0x3ff) return 0xae;
  if (port == 0x3fa) return identification;
  if (port == 0x3fd) {
    statusReads++;
    return statusAnswer;
  }
  return 0xff;
}

describe("pci", () => {
  beforeAll(() => {
    setUpArena(64);
  });
  beforeEach(() => {
    fake.reset();
  });

  it("finds nothing where there is no PCI, and nothing on an empty bus", () => {
    expect<u32>(pciScan()).toBe(0);
    plug(1, 0, 0, 1, 0);
    expect<u32>(pciScan()).toBe(0, "no bridge leads to bus 1");
  });

  it("finds functions, those of multi-function devices, and those behind bridges", () => {
    plug(0, 0, 0, 0x10, 0);
    plug(0, 0, 1, 0x11, 0); // not multi-function: does not count
    plug(0, 31, 0, 0x12, 0x80);
    plug(0, 31, 7, 0x13, 0);
    bridge(0, 2, 1);
    bridge(1, 0, 2);
    plug(2, 5, 0, 0x14, 0);
    expect<u32>(pciScan()).toBe(6);
    expect<u32>(pciFunctionCount()).toBe(6);
    const last = pciFunction(5);
    expect<u32>(last.address).toBe((2 << 16) | (5 << 11));
    expect<u32>(last.vendor).toBe(0x1234);
    expect<u32>(last.device).toBe(0x14);
    expect<u32>(last.classCode).toBe(0x020000);
    expect<u32>(pciScan()).toBe(6, "again");
  });

  it("is not led in circles by bridges", () => {
    bridge(0, 1, 0);
    bridge(0, 2, 3);
    bridge(3, 0, 3);
    bridge(3, 1, 0);
    bridge(3, 2, 255);
    bridge(255, 0, 1);
    expect<u32>(pciScan()).toBe(6);
  });

  it("stops at what its table holds", () => {
    for (let bus: u32 = 0; bus < 2; bus++) {
      for (let device: u32 = 0; device < 32; device++)
        for (let fn: u32 = 0; fn < 8; fn++) plug(bus, device, fn, 1, 0x80);
    }
    bridge(0, 0, 1);
    expect<u32>(pciScan()).toBe(240);
  });

  it("reads and writes registers of each width", () => {
    plug(0, 4, 0, 0xabcd, 0);
    put(0, 4, 0, 0x04, 0x00100000, 0x0407);
    const pci: u32 = 4 << 11;
    expect<u32>(pciRead16(pci, 2)).toBe(0xabcd);
    expect<u32>(pciRead8(pci, 1)).toBe(0x12);
    pciCommand(pci, 6, 0);
    expect<u32>(fake.getPci(pci | 4)).toBe(0x00100006);
    pciCommand(pci, 0x400, 4);
    expect<u32>(fake.getPci(pci | 4)).toBe(0x00100402);
  });

  it("walks capabilities, and ends on loops and nonsense", () => {
    const pci: u32 = 4 << 11;
    plug(0, 4, 0, 1, 0);
    put(0, 4, 0, 0x34, 0x50, 0);
    put(0, 4, 0, 0x50, 0x6005, 0);
    put(0, 4, 0, 0x60, 0x0011, 0);
    expect<u32>(pciFindCapability(pci, 0x11)).toBe(0, "the status says that there is no list");
    put(0, 4, 0, 0x04, 0x00100000, 0);
    expect<u32>(pciFindCapability(pci, 0x05)).toBe(0x50);
    expect<u32>(pciFindCapability(pci, 0x11)).toBe(0x60);
    expect<u32>(pciFindCapability(pci, 0x09)).toBe(0);
    put(0, 4, 0, 0x60, 0x5011, 0);
    expect<u32>(pciFindCapability(pci, 0x09)).toBe(0, "a loop of two");
    put(0, 4, 0, 0x50, 0x5005, 0);
    expect<u32>(pciFindCapability(pci, 0x09)).toBe(0, "a loop of one");
    put(0, 4, 0, 0x50, 0x1005, 0);
    expect<u32>(pciFindCapability(pci, 0x09)).toBe(0, "into the header");
    put(0, 4, 0, 0x34, 0x53, 0);
    expect<u32>(pciFindCapability(pci, 0x05)).toBe(0x50, "the low bits are reserved");
  });

  it("decodes base address registers", () => {
    const pci: u32 = 4 << 11;
    plug(0, 4, 0, 1, 0);
    put(0, 4, 0, 0x04, 2, 0x0407);
    put(0, 4, 0, 0x10, 0xc001, 0xffffffe1); // I/O
    put(0, 4, 0, 0x14, 0xfeb01000, 0xfffff000);
    put(0, 4, 0, 0x18, 0xfe00000c, 0xffffc000); // 64-bit, prefetchable
    put(0, 4, 0, 0x1c, 0x00000012, 0xffffffff);
    put(0, 4, 0, 0x20, 0x00000006, 0); // reserved type
    put(0, 4, 0, 0x24, 0xfc000004, 0xff000000); // no room for the upper half
    expect<u64>(pciBarAddress(pci, 0)).toBe(0);
    expect<u64>(pciBarSize(pci, 0)).toBe(0);
    expect<u64>(pciBarAddress(pci, 1)).toBe(0xfeb01000);
    expect<u64>(pciBarSize(pci, 1)).toBe(0x1000);
    expect<u64>(pciBarAddress(pci, 2)).toBe(0x12fe000000);
    expect<u64>(pciBarSize(pci, 2)).toBe(0x4000);
    expect<u64>(pciBarAddress(pci, 3)).toBe(0, "an upper half");
    expect<u64>(pciBarAddress(pci, 4)).toBe(0);
    expect<u64>(pciBarAddress(pci, 5)).toBe(0);
    expect<u64>(pciBarAddress(pci, 6)).toBe(0);
    expect<u32>(fake.getPci(pci | 0x14)).toBe(0xfeb01000, "as it was");
    expect<u32>(fake.getPci(pci | 0x18)).toBe(0xfe00000c);
    expect<u32>(fake.getPci(pci | 0x1c)).toBe(0x12);
    expect<u32>(pciRead16(pci, 4)).toBe(2);
  });

  it("maps only what lies inside a register block", () => {
    const pci: u32 = 4 << 11;
    plug(0, 4, 0, 1, 0);
    put(0, 4, 0, 0x14, 0xfeb01000, 0xfffff000);
    expect<usize>(pciMapBar(pci, 1, 0, 0x1000)).toBe(0xfeb01000);
    expect<usize>(pciMapBar(pci, 1, 0xff0, 16)).toBe(0xfeb01ff0);
    expect<usize>(pciMapBar(pci, 1, 0xff0, 17)).toBe(0);
    expect<usize>(pciMapBar(pci, 1, 0xfffffff0, 0x20)).toBe(0);
    expect<usize>(pciMapBar(pci, 1, 0, 0)).toBe(0);
    expect<usize>(pciMapBar(pci, 0, 0, 16)).toBe(0);
  });

  it("places what no firmware has placed: aligned, apart, and what there is room for", () => {
    unplaced();
    pciPlace(4 << 11);
    pciPlace(5 << 11);
    expect<u32>(fake.getPci((4 << 11) | 0x10)).toBe(1, "I/O");
    expect<u32>(fake.getPci((4 << 11) | 0x14)).toBe(0xe0000000);
    expect<u32>(fake.getPci((4 << 11) | 0x18)).toBe(0xe000800c);
    expect<u32>(fake.getPci((4 << 11) | 0x1c)).toBe(0);
    expect<u32>(fake.getPci((5 << 11) | 0x10)).toBe(0xe0010000);
    expect<u64>(pciBarAddress(5 << 11, 1)).toBe(0, "more than 4 GiB");
    expect<u64>(pciBarAddress(5 << 11, 3)).toBe(0, "more than the room");
    expect<u32>(fake.getPci((5 << 11) | 0x20)).toBe(0xe1000000);
    expect<usize>(pciMapBar(4 << 11, 2, 0, 0x8000)).toBe(0xe0008000);
    expect<u32>(pciRead16(4 << 11, 4)).toBe(0, "decoding is the driver's");
    pciPlace(4 << 11);
    expect<u32>(fake.getPci((4 << 11) | 0x14)).toBe(0xe0000000, "once");
  });

  it("places nothing where a firmware has placed something", () => {
    unplaced();
    plug(0, 7, 0, 3, 0);
    put(0, 7, 0, 0x24, 0xfeb01000, 0xfffff000);
    pciScan();
    pciPlace(4 << 11);
    expect<u32>(fake.getPci((4 << 11) | 0x14)).toBe(0);
  });
});

describe("serial", () => {
  beforeEach(() => {
    fake.reset();
    statusReads = 0;
    statusAnswer = 0x60;
    identification = 0xc1;
  });

  it("is silent where there is no port", () => {
    expect<bool>(initializeSerial()).toBe(false);
    serialPut(0x41);
    expect<bool>(fake.consoleHas("A")).toBe(false);
  });

  it("sends sixteen bytes for one look at the status", () => {
    fake.onIn(uartIn.index);
    expect<bool>(initializeSerial()).toBe(true);
    for (let i: u32 = 0; i < 32; i++) serialPut(0x61 + (i & 15));
    expect<bool>(fake.consoleHas("abcdefghijklmnopabcdefghijklmnop")).toBe(true);
    expect<u32>(statusReads).toBe(2);
  });

  it("looks before each byte where there is no FIFO, and ends lines with both characters", () => {
    identification = 0x01;
    fake.onIn(uartIn.index);
    initializeSerial();
    serialPut(0x78);
    serialPut(0x0a);
    expect<bool>(fake.consoleHas("x\r\n")).toBe(true);
    expect<u32>(statusReads).toBe(3);
  });

  it("waits once for a port that is stuck, and goes on when it is not any more", () => {
    fake.onIn(uartIn.index);
    initializeSerial();
    statusAnswer = 0;
    const lostBefore = consoleLost;
    serialPut(0x41);
    const waited = statusReads;
    expect<bool>(waited > 1000).toBe(true);
    for (let i = 0; i < 10; i++) serialPut(0x41);
    expect<u32>(statusReads - waited).toBe(10);
    expect<u64>(consoleLost - lostBefore).toBe(11);
    statusAnswer = 0x60;
    serialPut(0x5a);
    expect<bool>(fake.consoleHas("Z")).toBe(true);
    expect<bool>(fake.consoleHas("A")).toBe(false);
  });
});
