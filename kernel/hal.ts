/**
 * The hardware abstraction layer as the kernel sees it: every instruction that wasm cannot express.
 *
 * Each function is defined `static inline` in boot/hal.h, so a call costs the instruction it names and nothing else.
 * This is the only file of the kernel with `@external`; the specs supply JavaScript fakes (spec/hal.js).
 *
 * Addresses are physical (the kernel's linear memory is the identity-mapped first 4 GiB) unless a name says "user":
 * a user address is an offset into the current process's window.
 */

// ---- Ports and device registers: never merged, never reordered with one another ----

// @ts-ignore: decorator
@external("hal", "in8") export declare function in8(port: u32): u32;
// @ts-ignore: decorator
@external("hal", "in16") export declare function in16(port: u32): u32;
// @ts-ignore: decorator
@external("hal", "in32") export declare function in32(port: u32): u32;
// @ts-ignore: decorator
@external("hal", "out8") export declare function out8(port: u32, value: u32): void;
// @ts-ignore: decorator
@external("hal", "out16") export declare function out16(port: u32, value: u32): void;
// @ts-ignore: decorator
@external("hal", "out32") export declare function out32(port: u32, value: u32): void;

/** Reads that the compiler neither merges nor moves: device registers, and memory that a device writes. */
// @ts-ignore: decorator
@external("hal", "read8") export declare function read8(address: usize): u32;
// @ts-ignore: decorator
@external("hal", "read16") export declare function read16(address: usize): u32;
// @ts-ignore: decorator
@external("hal", "read32") export declare function read32(address: usize): u32;
// @ts-ignore: decorator
@external("hal", "read64") export declare function read64(address: usize): u64;
// @ts-ignore: decorator
@external("hal", "write8") export declare function write8(address: usize, value: u32): void;
// @ts-ignore: decorator
@external("hal", "write16") export declare function write16(address: usize, value: u32): void;
// @ts-ignore: decorator
@external("hal", "write32") export declare function write32(address: usize, value: u32): void;
// @ts-ignore: decorator
@external("hal", "write64") export declare function write64(address: usize, value: u64): void;

// ---- Barriers towards devices (Linux: dma_rmb, dma_wmb, mb) ----

/** Reads before it are done before reads after it (x86: a compiler barrier). */
// @ts-ignore: decorator
@external("hal", "readBarrier") export declare function readBarrier(): void;
/** Writes before it are visible before writes after it (x86: a compiler barrier). */
// @ts-ignore: decorator
@external("hal", "writeBarrier") export declare function writeBarrier(): void;
/** Writes before it are visible before reads after it (mfence). */
// @ts-ignore: decorator
@external("hal", "fullBarrier") export declare function fullBarrier(): void;

// ---- Processor ----

/** (value × factor) >> 32 of the whole 128-bit product, modulo 2^64: one multiplication, where wasm needs three. */
// @ts-ignore: decorator
@external("hal", "scale") export declare function scale(value: u64, factor: u64): u64;
/** One's complement sum of `sum` and the eight u64 at `address`: additions with carry, which wasm does not have. */
// @ts-ignore: decorator
@external("hal", "sum64") export declare function sum64(address: usize, sum: u64): u64;
/** The same of 32 u64. */
// @ts-ignore: decorator
@external("hal", "sum256") export declare function sum256(address: usize, sum: u64): u64;

/** Time-stamp counter. */
// @ts-ignore: decorator
@external("hal", "tsc") export declare function tsc(): u64;
/** One output register of CPUID. `register`: 0 eax, 1 ebx, 2 ecx, 3 edx. */
// @ts-ignore: decorator
@external("hal", "cpuid") export declare function cpuid(leaf: u32, subleaf: u32, register: u32): u32;
// @ts-ignore: decorator
@external("hal", "readMsr") export declare function readMsr(msr: u32): u64;
// @ts-ignore: decorator
@external("hal", "writeMsr") export declare function writeMsr(msr: u32, value: u64): void;
/** 64 random bits from RDRAND, or 0 where the instruction is missing or dry; ask CPUID first. */
// @ts-ignore: decorator
@external("hal", "rdrand") export declare function rdrand(): u64;
/**
 * Waits for an interrupt with interrupts on and returns its vector with interrupts off again. The interrupt has not
 * been handled: that is the caller's. This and `poll` are the only places in the kernel where an interrupt can arrive.
 */
// @ts-ignore: decorator
@external("hal", "idle") export declare function idle(): u32;
/** Lets an interrupt that is pending arrive, without waiting: its vector, or -1 when there is none. */
// @ts-ignore: decorator
@external("hal", "poll") export declare function poll(): i32;
/** Spins for about as long as one pause instruction. */
// @ts-ignore: decorator
@external("hal", "pause") export declare function pause(): void;

// ---- Address spaces ----

/** Loads CR3 with the physical address of a PML4; global (kernel) translations stay. */
// @ts-ignore: decorator
@external("hal", "setPageTables") export declare function setPageTables(pml4: usize): void;
/** The PML4 that is loaded. */
// @ts-ignore: decorator
@external("hal", "pageTables") export declare function pageTables(): usize;
/** Drops one translation (invlpg); `address` is virtual. */
// @ts-ignore: decorator
@external("hal", "invalidatePage") export declare function invalidatePage(address: u64): void;
/** Address of a page fault (CR2). */
// @ts-ignore: decorator
@external("hal", "faultAddress") export declare function faultAddress(): u64;
/** Reads in the current process's window. `address` is virtual, and mapped. */
// @ts-ignore: decorator
@external("hal", "loadWindow") export declare function loadWindow(address: u64): u64;
/** Copies from the current process's window. 0, or -EFAULT where a page is not mapped. The range was checked before. */
// @ts-ignore: decorator
@external("hal", "copyFromUser") export declare function copyFromUser(
  destination: usize,
  userSource: usize,
  length: usize,
): i32;
/** Copies to the current process's window. 0, or -EFAULT where a page is not mapped. The range was checked before. */
// @ts-ignore: decorator
@external("hal", "copyToUser") export declare function copyToUser(
  userDestination: usize,
  source: usize,
  length: usize,
): i32;

// ---- Threads ----

/**
 * Switches kernel stacks: stores the present stack pointer in the u64 at `save` and continues on `stackPointer`, which
 * an earlier switch stored or `prepareStack` made. Callee-saved registers go to the stack.
 */
// @ts-ignore: decorator
@external("hal", "switchStack") export declare function switchStack(save: usize, stackPointer: u64): void;
/**
 * Writes the first frame of a new thread below `stackTop`; returns its stack pointer. The thread begins in application
 * mode, interrupts on, at the code address `entry`, on the application's stack pointer `stack`. With `entry` 0 it returns 0 to the return
 * address that stands at `stack`.
 */
// @ts-ignore: decorator
@external("hal", "prepareStack") export declare function prepareStack(
  stackTop: usize,
  entry: usize,
  stack: u64,
): u64;
/** Saves (fxsave) and restores the FPU and SSE state; `area`: 512 bytes, 16-aligned. */
// @ts-ignore: decorator
@external("hal", "saveFpu") export declare function saveFpu(area: usize): void;
// @ts-ignore: decorator
@external("hal", "restoreFpu") export declare function restoreFpu(area: usize): void;

// ---- The image ----

/** What the boot code and the linker know; `which` is one of the IMAGE_* constants. */
// @ts-ignore: decorator
@external("hal", "image") export declare function image(which: u32): usize;

/** Physical address of the multiboot information structure. */
export const IMAGE_BOOT_INFO: u32 = 0;
/** EAX as the loader left it (multiboot: 0x2BADB002). */
export const IMAGE_BOOT_MAGIC: u32 = 1;
/** First and one-past-last byte of the image in memory. */
export const IMAGE_START: u32 = 2;
export const IMAGE_END: u32 = 3;
/** One past the read-only part (text and constants), page-aligned; it begins at IMAGE_START. */
export const IMAGE_READ_ONLY_END: u32 = 4;
/** Table of module descriptors (kernel/process/module.ts) and its length. */
export const IMAGE_MODULES: u32 = 5;
export const IMAGE_MODULE_COUNT: u32 = 6;
/** Symbol table for backtraces (kernel/panic.ts): address, 0 when the image has none. */
export const IMAGE_SYMBOLS: u32 = 7;
/** TSC at the first instruction of the image, low and high word. */
export const IMAGE_START_TSC_LOW: u32 = 8;
export const IMAGE_START_TSC_HIGH: u32 = 9;
/** First and one-past-last byte of the kernel's static data (read-only after boot). */
export const IMAGE_DATA_START: u32 = 10;
/** The table of expected handler types (aem/registry.ts): 32-byte type codes. */
export const IMAGE_HANDLER_TYPES: u32 = 11;
/** The PML4 that the boot code runs on. */
export const IMAGE_PAGE_TABLES: u32 = 12;
/** What the manifest says of the whole image (boot/module.h, struct image_parameters). */
export const IMAGE_PARAMETERS: u32 = 13;

/** Code address at which a thread begins that has nothing but handlers to run (boot/runtime.c). */
export const IMAGE_SERVE: u32 = 14;

/** Ends the machine: QEMU's isa-debug-exit with `status`, else a reset; never returns. */
// @ts-ignore: decorator
@external("hal", "exit") export declare function exit(status: u32): void;
/** Raises an exception (ud2) here. */
// @ts-ignore: decorator
@external("hal", "raise") export declare function raise(): void;
