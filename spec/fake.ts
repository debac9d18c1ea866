/**
 * How a spec steers the fake machine of spec/hal.js. One tick of the time-stamp counter is one nanosecond, unless the spec sets
 * another frequency in the kernel's clock.
 */

/** Everything back to the state of a machine just made. */
// @ts-ignore: decorator
@external("fake", "reset") export declare function reset(): void;

// ---- Time ----

// @ts-ignore: decorator
@external("fake", "setTsc") export declare function setTsc(ticks: u64): void;
// @ts-ignore: decorator
@external("fake", "advance") export declare function advance(ticks: u64): void;
/** Ticks that each hal.tsc() adds by itself (0 at first), and each hal.pause() (100 at first). */
// @ts-ignore: decorator
@external("fake", "setTscStep") export declare function setTscStep(ticks: u64): void;
// @ts-ignore: decorator
@external("fake", "setPauseStep") export declare function setPauseStep(ticks: u64): void;

// ---- Processor ----

/** Seed of hal.rdrand(), which is a xorshift generator. */
// @ts-ignore: decorator
@external("fake", "setRandom") export declare function setRandom(seed: u64): void;
/** Answer of hal.cpuid(); 0 where nothing was set. */
// @ts-ignore: decorator
@external("fake", "setCpuid") export declare function setCpuid(
  leaf: u32,
  subleaf: u32,
  register: u32,
  value: u32,
): void;
// @ts-ignore: decorator
@external("fake", "setMsr") export declare function setMsr(msr: u32, value: u64): void;
// @ts-ignore: decorator
@external("fake", "getMsr") export declare function getMsr(msr: u32): u64;
/** The next hal.idle() or hal.poll() returns this vector; first in, first out. */
// @ts-ignore: decorator
@external("fake", "queueInterrupt") export declare function queueInterrupt(vector: u32): void;
/** () => u32: answers hal.idle() when no vector is queued; without it, idle traps. */
// @ts-ignore: decorator
@external("fake", "onIdle") export declare function onIdle(callback: u32): void;
/** (save: usize, stackPointer: u64) => void: runs in the place of hal.switchStack(); without it, switchStack traps. */
// @ts-ignore: decorator
@external("fake", "onSwitch") export declare function onSwitch(callback: u32): void;
// @ts-ignore: decorator
@external("fake", "switches") export declare function switches(): u32;
/** Calls of the three barriers, and of invalidatePage. */
// @ts-ignore: decorator
@external("fake", "barriers") export declare function barriers(): u32;
// @ts-ignore: decorator
@external("fake", "invalidations") export declare function invalidations(): u32;
// @ts-ignore: decorator
@external("fake", "setFaultAddress") export declare function setFaultAddress(address: u64): void;
/** Answer of hal.image(which). */
// @ts-ignore: decorator
@external("fake", "setImage") export declare function setImage(which: u32, value: usize): void;
/** Status of the last hal.exit(), which traps; -1: none. */
// @ts-ignore: decorator
@external("fake", "lastExit") export declare function lastExit(): i32;

// ---- Console: what was written to port 0x3F8 ----

// @ts-ignore: decorator
@external("fake", "consoleHas") export declare function consoleHas(text: string): bool;
// @ts-ignore: decorator
@external("fake", "consoleClear") export declare function consoleClear(): void;
/** Shows it on the terminal: to debug a spec. */
// @ts-ignore: decorator
@external("fake", "consolePrint") export declare function consolePrint(): void;

// ---- Ports. Answers, in this order: the hook, PCI configuration space, the queue, the table, all ones ----

// @ts-ignore: decorator
@external("fake", "setPort") export declare function setPort(port: u32, value: u32): void;
/** One answer for one read of the port. */
// @ts-ignore: decorator
@external("fake", "queuePort") export declare function queuePort(port: u32, value: u32): void;
/** (port: u32, width: u32) => u32 */
// @ts-ignore: decorator
@external("fake", "onIn") export declare function onIn(callback: u32): void;
/** (port: u32, width: u32, value: u32) => void; takes the place of the fake's own handling. */
// @ts-ignore: decorator
@external("fake", "onOut") export declare function onOut(callback: u32): void;
/** The record of all writes to ports but the console's, oldest first. */
// @ts-ignore: decorator
@external("fake", "outCount") export declare function outCount(): u32;
// @ts-ignore: decorator
@external("fake", "outPort") export declare function outPort(index: u32): u32;
// @ts-ignore: decorator
@external("fake", "outWidth") export declare function outWidth(index: u32): u32;
// @ts-ignore: decorator
@external("fake", "outValue") export declare function outValue(index: u32): u32;
// @ts-ignore: decorator
@external("fake", "outClear") export declare function outClear(): void;

/**
 * A word of PCI configuration space (ports 0xCF8 and 0xCFC), `address` as in 0xCF8: bus << 16 | device << 11 | function << 8 | offset.
 * `writable`: bits that a write can change (a 16 KiB BAR: 0xFFFFC000). Words never set read as all ones.
 */
// @ts-ignore: decorator
@external("fake", "setPci") export declare function setPci(address: u32, value: u32, writable: u32): void;
// @ts-ignore: decorator
@external("fake", "getPci") export declare function getPci(address: u32): u32;

// ---- Device registers: hal.read* and hal.write* go to linear memory ----

/** (address: usize, width: u32) => void, before each read: stores there what is to be read. */
// @ts-ignore: decorator
@external("fake", "onRead") export declare function onRead(callback: u32): void;
/** (address: usize, width: u32, value: u64) => void, after each write. */
// @ts-ignore: decorator
@external("fake", "onWrite") export declare function onWrite(callback: u32): void;

// ---- The process's window: a user address is the linear address, but for ----

/** (user: usize, write: u32) => usize: where a byte of the vmtable zone stands, as the page tables say it; 0: -EFAULT. */
// @ts-ignore: decorator
@external("fake", "onWindow") export declare function onWindow(callback: u32): void;
/** [user, user + length) stands at `address`. */
// @ts-ignore: decorator
@external("fake", "mapUser") export declare function mapUser(
  user: usize,
  address: usize,
  length: usize,
): void;
/** Copies that touch [user, user + length) return -EFAULT. */
// @ts-ignore: decorator
@external("fake", "unmapUser") export declare function unmapUser(user: usize, length: usize): void;
/** Forgets all of both. */
// @ts-ignore: decorator
@external("fake", "clearUser") export declare function clearUser(): void;
