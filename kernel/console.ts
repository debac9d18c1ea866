/**
 * The console: kernel log lines, byte by byte into a sink that a driver supplies (drivers/serial.ts).
 *
 * A line is composed by calls between `logStart` and `logEnd`, so that no string is ever built in memory:
 *
 *     if (logStart(LOG_INFO, "ipv4")) { logText("address "); logAddress(address); logEnd(); }
 *
 * Levels are syslog's (RFC 5424, 6.2.1). A line looks like `[    0.012345] ipv4: address 10.0.2.15`.
 */
import { now } from "./time/clock";

export const LOG_ERROR: u32 = 3;
export const LOG_WARNING: u32 = 4;
export const LOG_NOTICE: u32 = 5;
export const LOG_INFO: u32 = 6;
export const LOG_DEBUG: u32 = 7;

let level: u32 = LOG_INFO;
/** (byte: u32) => void; 0 until a driver has come. */
let sink: u32 = 0;
/** () => void and () => bool; 0: no driver keeps anything back. */
let flush: u32 = 0;
let room: u32 = 0;

/** Bytes that the driver could not send. */
export let consoleLost: u64 = 0;

export function setLogLevel(value: u32): void {
  level = value;
}

export function setConsoleSink(index: u32): void {
  sink = index;
}

/** The driver keeps back what cannot go out at once. `index`: () => void, sends all of it, and from then on each byte when it comes. */
export function setConsoleFlush(index: u32): void {
  flush = index;
}

/** The machine ends: whatever has been said is out when this returns, and so is what is said after it. */
export function consoleFlush(): void {
  if (flush != 0) call_indirect<void>(flush);
}

/** `index`: () => bool, whether the driver has room for a line of an application's, or it would be of no use to wait for it. */
export function setConsoleRoom(index: u32): void {
  room = index;
}

/** Before a line of an application's: whether it may come. Else it comes too fast, and its thread lets others run until it may. */
export function consoleRoom(): bool {
  return room == 0 || call_indirect<bool>(room);
}

export function countLost(bytes: u32): void {
  consoleLost += bytes;
}

export function consoleByte(byte: u32): void {
  if (sink != 0) call_indirect<void>(sink, byte);
}

/** Whether lines of the level are printed. */
export function logs(lineLevel: u32): bool {
  return lineLevel <= level;
}

/** Begins a line; false when its level is filtered, and then nothing more of it may be printed. */
export function logStart(lineLevel: u32, facility: string): bool {
  if (!logs(lineLevel)) return false;
  logTime();
  logText(facility);
  logText(": ");
  return true;
}

/** Seconds since boot with six places, in brackets. */
function logTime(): void {
  const time = now();
  const seconds = time / 1_000_000_000;
  let micros = <u32>((time % 1_000_000_000) / 1000);
  consoleByte(0x5b);
  for (let limit: u64 = 10_000; limit > 1 && seconds < limit; limit /= 10) consoleByte(0x20);
  logUnsigned(seconds);
  consoleByte(0x2e);
  for (let digit: u32 = 100_000; digit != 0; digit /= 10) {
    consoleByte(0x30 + micros / digit);
    micros %= digit;
  }
  consoleByte(0x5d);
  consoleByte(0x20);
}

export function logText(text: string): void {
  const end = changetype<usize>(text) + ((<usize>text.length) << 1);
  for (let p = changetype<usize>(text); p < end; p += 2) {
    const unit = load<u16>(p);
    consoleByte(unit < 0x80 ? unit : 0x3f);
  }
}

/** Bytes from memory that is not trusted: control characters become dots, so that nobody can fake or break a line. */
export function logBytes(address: usize, length: u32): void {
  for (let i: u32 = 0; i < length; i++) {
    const byte = load<u8>(address + i);
    consoleByte(byte < 0x20 || byte == 0x7f ? 0x2e : byte);
  }
}

export function logUnsigned(value: u64): void {
  let divisor: u64 = 1;
  while (value / divisor >= 10) divisor *= 10;
  for (; divisor != 0; divisor /= 10) consoleByte(0x30 + <u32>((value / divisor) % 10));
}

export function logDecimal(value: i64): void {
  if (value < 0) consoleByte(0x2d);
  logUnsigned(value < 0 ? 0 - <u64>value : <u64>value);
}

/** With 0x in front and no leading zeros. */
export function logHex(value: u64): void {
  logText("0x");
  let shift: i32 = 60;
  while (shift > 0 && value >> shift == 0) shift -= 4;
  logHexDigits(value, <u32>(shift >> 2) + 1);
}

/** Exactly `digits` hexadecimal digits. */
export function logHexDigits(value: u64, digits: u32): void {
  for (let i = digits; i != 0; i--) {
    const nibble = (<u32>(value >> ((i - 1) << 2))) & 15;
    consoleByte(nibble < 10 ? 0x30 + nibble : 0x57 + nibble);
  }
}

/** An IPv4 address given as a number in host order. */
export function logAddress(address: u32): void {
  for (let shift: i32 = 24; shift >= 0; shift -= 8) {
    logUnsigned((address >> shift) & 0xff);
    if (shift != 0) consoleByte(0x2e);
  }
}

/** An IPv6 address in host order, as RFC 5952 wants it: the longest run of zero groups is "::". */
export function logAddress6(high: u64, low: u64): void {
  let gap: u32 = 8;
  let longest: u32 = 1;
  for (let i: u32 = 0; i < 8; i++) {
    let run: u32 = 0;
    while (i + run < 8 && group6(high, low, i + run) == 0) run++;
    if (run > longest) {
      gap = i;
      longest = run;
    }
  }
  for (let i: u32 = 0; i < 8; i++) {
    if (i == gap) {
      logText("::");
      i += longest - 1;
      continue;
    }
    if (i != 0 && i != gap + longest) consoleByte(0x3a);
    const group = group6(high, low, i);
    logHexDigits(group, group > 0xfff ? 4 : group > 0xff ? 3 : group > 0xf ? 2 : 1);
  }
}

/** One of the eight groups of 16 bits. */
function group6(high: u64, low: u64, index: u32): u32 {
  return (<u32>((index < 4 ? high : low) >> ((3 - (index & 3)) << 4))) & 0xffff;
}

/** A link address given as its bytes 0..3 and 4..5 in memory order. */
export function logMac(bytes0: u32, bytes4: u32): void {
  for (let i: u32 = 0; i < 6; i++) {
    if (i != 0) consoleByte(0x3a);
    logHexDigits(i < 4 ? (bytes0 >> (i << 3)) & 0xff : (bytes4 >> ((i - 4) << 3)) & 0xff, 2);
  }
}

export function logEnd(): void {
  consoleByte(0x0a);
}

/** A whole line. */
export function log(lineLevel: u32, facility: string, text: string): void {
  if (!logStart(lineLevel, facility)) return;
  logText(text);
  logEnd();
}
