/**
 * PCI: configuration space through ports 0xCF8 and 0xCFC (PCI Local Bus 3.0, 3.2.2.3.2), the scan for functions (also behind
 * bridges: PCI-to-PCI Bridge 1.2, 3.2.5), base address registers (6.2.5) and the capability list (6.7).
 *
 * The firmware has numbered the buses and placed the registers. Where it has placed none at all (QEMU's qboot), the memory that our drivers need is placed here; buses
 * are never numbered. Root buses that only ACPI tells of are not found. What a device says of itself is checked: list walks are bounded, a register block must lie inside its BAR.
 */
import { in8, in16, in32, out16, out32 } from "../kernel/hal";
import { usableEnd, usableRanges } from "../kernel/boot-info";
import { allocateFrames, FRAME_SIZE } from "../kernel/memory/frames";
import { mapDevice } from "../kernel/memory/paging";
import {
  LOG_DEBUG,
  LOG_WARNING,
  log,
  logEnd,
  logHex,
  logHexDigits,
  logStart,
  logText,
} from "../kernel/console";

const CONFIG_ADDRESS: u32 = 0xcf8;
const CONFIG_DATA: u32 = 0xcfc;
const CONFIG_ENABLE: u32 = 1 << 31;

// Offsets in the configuration header.
export const PCI_ID: u32 = 0x00;
export const PCI_COMMAND: u32 = 0x04;
export const PCI_STATUS: u32 = 0x06;
export const PCI_CLASS_REVISION: u32 = 0x08;
export const PCI_HEADER_TYPE: u32 = 0x0e;
export const PCI_BAR0: u32 = 0x10;
const PCI_BUS_NUMBERS: u32 = 0x18;
/** Base address registers of a function that is no bridge. */
const BARS: u32 = 6;
const PCI_CAPABILITIES: u32 = 0x34;

export const PCI_COMMAND_MEMORY: u32 = 1 << 1;
export const PCI_COMMAND_MASTER: u32 = 1 << 2;
export const PCI_COMMAND_INTX_DISABLE: u32 = 1 << 10;
const PCI_STATUS_CAPABILITIES: u32 = 1 << 4;

const HEADER_MULTI_FUNCTION: u32 = 0x80;
const HEADER_BRIDGE: u32 = 1;

export const PCI_CAPABILITY_VENDOR: u32 = 0x09;
export const PCI_CAPABILITY_MSIX: u32 = 0x11;
/** Most capabilities a function can have: those that fit between 0x40 and 0xFF. A longer walk is a loop. */
export const PCI_CAPABILITY_LIMIT: u32 = 48;

const BUSES: u32 = 256;

/** A function that the scan found: an element of the table. */
@unmanaged
export class PciFunction {
  /** As in CONFIG_ADDRESS: bus << 16 | device << 11 | function << 8. */
  address: u32;
  vendor: u16;
  device: u16;
  /** Class << 16 | subclass << 8 | programming interface. */
  classCode: u32;
  /** A driver has it. */
  claimed: u32;
}

/** One frame: a byte for each bus (1: to be scanned), then the functions found. */
let table: usize = 0;
let count: u32 = 0;
const TABLE_CAPACITY: u32 = (<u32>FRAME_SIZE - BUSES) / <u32>offsetof<PciFunction>();

// ---- Configuration space; `pci` is a PciFunction.address, offsets are naturally aligned ----

export function pciRead32(pci: u32, offset: u32): u32 {
  out32(CONFIG_ADDRESS, CONFIG_ENABLE | pci | (offset & 0xfc));
  return in32(CONFIG_DATA);
}

export function pciRead16(pci: u32, offset: u32): u32 {
  out32(CONFIG_ADDRESS, CONFIG_ENABLE | pci | (offset & 0xfc));
  return in16(CONFIG_DATA + (offset & 2));
}

export function pciRead8(pci: u32, offset: u32): u32 {
  out32(CONFIG_ADDRESS, CONFIG_ENABLE | pci | (offset & 0xfc));
  return in8(CONFIG_DATA + (offset & 3));
}

export function pciWrite32(pci: u32, offset: u32, value: u32): void {
  out32(CONFIG_ADDRESS, CONFIG_ENABLE | pci | (offset & 0xfc));
  out32(CONFIG_DATA, value);
}

export function pciWrite16(pci: u32, offset: u32, value: u32): void {
  out32(CONFIG_ADDRESS, CONFIG_ENABLE | pci | (offset & 0xfc));
  out16(CONFIG_DATA + (offset & 2), value);
}

// ---- The scan ----

/**
 * Finds the functions of all buses that bridges lead to. Once at boot, after the frame allocator. Returns how many there are; 0
 * also where there is no PCI.
 *
 * One pass in ascending order is enough and cannot loop: the bus behind a bridge has a higher number than the bus in front of it.
 */
export function pciScan(): u32 {
  count = 0;
  probed = 0;
  room = 0;
  if (table == 0) {
    table = allocateFrames(0);
    if (table == 0) return 0;
  }
  memory.fill(table, 0, FRAME_SIZE);
  // Without the mechanism, the address register does not keep what is written to it.
  out32(CONFIG_ADDRESS, CONFIG_ENABLE);
  if (in32(CONFIG_ADDRESS) != CONFIG_ENABLE) return 0;
  store<u8>(table, 1);
  for (let bus: u32 = 0; bus < BUSES; bus++) {
    if (load<u8>(table + bus) == 0) continue;
    for (let device: u32 = 0; device < 32; device++) scanDevice((bus << 16) | (device << 11));
  }
  return count;
}

/** How many functions the scan found. */
export function pciFunctionCount(): u32 {
  return count;
}

/** The function of that number, below pciFunctionCount(). */
export function pciFunction(index: u32): PciFunction {
  return changetype<PciFunction>(table + BUSES + index * offsetof<PciFunction>());
}

function scanDevice(first: u32): void {
  if ((pciRead32(first, PCI_ID) & 0xffff) == 0xffff) return;
  const functions: u32 = pciRead8(first, PCI_HEADER_TYPE) & HEADER_MULTI_FUNCTION ? 8 : 1;
  for (let i: u32 = 0; i < functions; i++) scanFunction(first | (i << 8));
}

function scanFunction(pci: u32): void {
  const id = pciRead32(pci, PCI_ID);
  if ((id & 0xffff) == 0xffff) return;
  if ((pciRead8(pci, PCI_HEADER_TYPE) & 0x7f) == HEADER_BRIDGE) {
    const secondary = (pciRead32(pci, PCI_BUS_NUMBERS) >> 8) & 0xff;
    if (secondary > pci >> 16) store<u8>(table + secondary, 1);
  }
  if (count == TABLE_CAPACITY) {
    log(LOG_WARNING, "pci", "more functions than the table holds");
    return;
  }
  const found = pciFunction(count++);
  found.address = pci;
  found.vendor = <u16>id;
  found.device = <u16>(id >> 16);
  found.classCode = pciRead32(pci, PCI_CLASS_REVISION) >> 8;
  found.claimed = 0;
  if (logStart(LOG_DEBUG, "pci")) {
    pciLogAddress(pci);
    logText(" id ");
    logHex(id);
    logText(" class ");
    logHex(found.classCode);
    logEnd();
  }
}

/** Into a log line that has been started: bus, device and function. */
export function pciLogAddress(pci: u32): void {
  logHexDigits(pci >> 16, 2);
  logText(":");
  logHexDigits((pci >> 11) & 31, 2);
  logText(".");
  logHexDigits((pci >> 8) & 7, 1);
}

// ---- Command register ----

/** Sets bits of the command register, and clears others. */
export function pciCommand(pci: u32, set: u32, clear: u32): void {
  pciWrite16(pci, PCI_COMMAND, (pciRead16(pci, PCI_COMMAND) & ~clear) | set);
}

// ---- Capabilities ----

/**
 * Offset of the capability after the one at `previous`, of the first one with 0; 0 at the end of the list. The caller takes at most
 * PCI_CAPABILITY_LIMIT steps: a list can be a loop.
 */
export function pciNextCapability(pci: u32, previous: u32): u32 {
  if (previous == 0) {
    if (!(pciRead16(pci, PCI_STATUS) & PCI_STATUS_CAPABILITIES)) return 0;
    previous = PCI_CAPABILITIES - 1;
  }
  const next = pciRead8(pci, previous + 1) & 0xfc;
  return next >= 0x40 ? next : 0;
}

/** Offset of the first capability with that identifier, or 0. */
export function pciFindCapability(pci: u32, identifier: u32): u32 {
  let at = pciNextCapability(pci, 0);
  for (let steps: u32 = 0; at != 0 && steps < PCI_CAPABILITY_LIMIT; steps++) {
    if (pciRead8(pci, at) == identifier) return at;
    at = pciNextCapability(pci, at);
  }
  return 0;
}

// ---- Base address registers ----

/** Physical address of a memory BAR; 0 for an I/O BAR, an unassigned one, an upper half, or a number above 5. */
export function pciBarAddress(pci: u32, index: u32): u64 {
  if (!isMemoryBar(pci, index)) return 0;
  const low = pciRead32(pci, PCI_BAR0 + index * 4);
  let address = <u64>(low & ~0xf);
  if (isWide(low)) address |= (<u64>pciRead32(pci, PCI_BAR0 + index * 4 + 4)) << 32;
  return address;
}

/** The function that was probed last, its address and 1; and of each of its memory BARs, in the byte of its number, the logarithm of its size. */
let probed: u32 = 0;
let probedSizes: u64 = 0;

/**
 * Bytes that a memory BAR spans; 0 where it is none. A probe is dear: it takes the device out of the memory map and puts it
 * back (milliseconds in a virtual machine), and what a driver asks of one function it asks together. So the last function's sizes are kept.
 */
export function pciBarSize(pci: u32, index: u32): u64 {
  if (index >= BARS) return 0;
  if (probed != (pci | 1)) {
    probedSizes = probeBars(pci);
    probed = pci | 1;
  }
  const size = (probedSizes >> (index << 3)) & 0xff;
  return size == 0 ? 0 : (<u64>1) << size;
}

/** 6.2.5.1; decoding is off meanwhile. */
function probeBars(pci: u32): u64 {
  const command = pciRead16(pci, PCI_COMMAND);
  if (command & PCI_COMMAND_MEMORY) pciWrite16(pci, PCI_COMMAND, command & ~PCI_COMMAND_MEMORY);
  let sizes: u64 = 0;
  for (let i: u32 = 0; i < BARS; i++) {
    const low = pciRead32(pci, PCI_BAR0 + i * 4);
    const number = i;
    if (low & 1) continue;
    let mask = <u64>(writable(pci, i) & ~0xf);
    if (isWide(low)) {
      // Without room for an upper half it is no BAR.
      if (++i == BARS) break;
      mask |= (<u64>writable(pci, i)) << 32;
    } else if (low & 6) {
      continue;
    }
    if (mask != 0) sizes |= ctz(mask) << (number << 3);
  }
  if (command & PCI_COMMAND_MEMORY) pciWrite16(pci, PCI_COMMAND, command);
  return sizes;
}

/** Which bits of a BAR keep what is written to them, or are 1 in any case. */
function writable(pci: u32, index: u32): u32 {
  const offset = PCI_BAR0 + index * 4;
  const value = pciRead32(pci, offset);
  pciWrite32(pci, offset, 0xffffffff);
  const mask = pciRead32(pci, offset);
  pciWrite32(pci, offset, value);
  return mask;
}

/** Where registers are placed: below the I/O APIC, above the memory of all of QEMU's machines. Up to ROOM it is taken; 0: not looked at yet. */
const ROOM: u64 = 0xe000_0000;
const ROOM_END: u64 = 0xfec0_0000;
let room: u64 = 0;

/**
 * Gives an address to each memory BAR of a function that has none, as long as there is room: only where the firmware has placed no function's, for else it is the one that knows
 * what is free. Before the driver turns decoding on.
 */
export function pciPlace(pci: u32): void {
  for (let i: u32 = 0; i < BARS; i++) {
    const size = pciBarSize(pci, i);
    if (size == 0 || pciBarAddress(pci, i) != 0) continue;
    if (room == 0) room = firmwareHasPlaced() ? ROOM_END : freeRoom();
    const address = (room + size - 1) & ~(size - 1);
    if (size > ROOM_END || address + size > ROOM_END) continue;
    pciWrite32(pci, PCI_BAR0 + i * 4, <u32>address);
    room = address + size;
  }
}

function firmwareHasPlaced(): bool {
  for (let f: u32 = 0; f < count; f++) {
    const pci = pciFunction(f).address;
    if (pciRead8(pci, PCI_HEADER_TYPE) & 0x7f) continue;
    for (let i: u32 = 0; i < BARS; i++) if (pciBarAddress(pci, i) != 0) return true;
  }
  return false;
}

/** The room's start, or where memory ends that reaches into it. */
function freeRoom(): u64 {
  let start = ROOM;
  for (let i: u32 = 0; i < usableRanges(); i++) start = max(start, <u64>usableEnd(i));
  return start;
}

/**
 * Address at which [offset, offset + length) of a memory BAR can be reached; 0 when the BAR is not a memory BAR, is not assigned or
 * is too short, or when there is no room to map it.
 */
export function pciMapBar(pci: u32, index: u32, offset: u32, length: u32): usize {
  const base = pciBarAddress(pci, index);
  if (base == 0 || length == 0) return 0;
  if (<u64>offset + length > pciBarSize(pci, index)) return 0;
  const first = base + offset;
  // The first 4 GiB are mapped as they are.
  if (first + length <= (<u64>1) << 32) return <usize>first;
  return mapDevice(first, length);
}

// @ts-ignore: decorator
@inline
function isWide(low: u32): bool {
  return (low & 6) == 4;
}

/** Not an I/O BAR, not the upper half of the one before, and of a type that is defined. */
function isMemoryBar(pci: u32, index: u32): bool {
  if (index >= BARS) return false;
  let i: u32 = 0;
  while (i <= index) {
    const low = pciRead32(pci, PCI_BAR0 + i * 4);
    const wide = (low & 1) == 0 && isWide(low);
    if (i == index) return (low & 1) == 0 && ((low & 6) == 0 || (wide && index < BARS - 1));
    i += wide ? 2 : 1;
  }
  return false;
}
