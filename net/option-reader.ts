/**
 * Reads the text of the network's options on the kernel command line (net/config.ts, net/config6.ts): bytes, numbers, and addresses of both
 * versions; IPv6's are written as in RFC 4291, 2.2, without the form that ends like IPv4.
 */
import { EINVAL } from "../kernel/errno";
import { LOG_ERROR, logBytes, logEnd, logStart, logText } from "../kernel/console";
import { IpAddress } from "./flow";

export const COMMA: u32 = 0x2c;
export const SLASH: u32 = 0x2f;
const DOT: u32 = 0x2e;
const COLON: u32 = 0x3a;
/** "gw=", as bytes in memory order. */
const GATEWAY: u32 = 0x3d_7767;
/** Groups of an IPv6 address. */
const GROUPS: u32 = 8;
/** Bytes of an option that a message repeats. */
const SHOWN: u32 = 64;

/** All of it, and what is still to be read. */
let start: usize = 0;
let position: usize = 0;
let end: usize = 0;
/** The number or IPv4 address that was read last. */
export let value: u32 = 0;

/** Begins with the `length` bytes at `address`. */
export function openOption(address: usize, length: u32): void {
  start = address;
  position = address;
  end = address + length;
}

/** Logs why the option cannot be used. -EINVAL. */
export function refuseOption(reason: string): i32 {
  if (logStart(LOG_ERROR, "net")) {
    logText("option ");
    logBytes(start, min(<u32>(end - start), SHOWN));
    logText(": ");
    logText(reason);
    logEnd();
  }
  return -EINVAL;
}

export function atEnd(): bool {
  return position == end;
}

/** All that is left is `word`, `length` (1..4) bytes in memory order. */
export function isLeft(word: u32, length: u32): bool {
  return <u32>(end - position) == length && startsWith(word, length);
}

/** Takes `byte`, if it is the next one. */
export function takeByte(byte: u32): bool {
  return takeWord(byte, 1);
}

/** Takes ",gw=", if that is next. */
export function takeGateway(): bool {
  return takeByte(COMMA) && takeWord(GATEWAY, 3);
}

function takeWord(word: u32, length: u32): bool {
  if (!startsWith(word, length)) return false;
  position += length;
  return true;
}

function startsWith(word: u32, length: u32): bool {
  if (<u32>(end - position) < length) return false;
  for (let i: u32 = 0; i < length; i++, word >>= 8)
    if (<u32>load<u8>(position + i) != (word & 0xff)) return false;
  return true;
}

/** A decimal number without leading zeros, up to `limit`, into `value`. */
export function takeNumber(limit: u32): bool {
  const first = position;
  return takeDigits(10, limit) && (position - first == 1 || <u32>load<u8>(first) != 0x30);
}

/** A number in base 10 or 16, up to `limit`, into `value`. */
function takeDigits(base: u32, limit: u32): bool {
  const first = position;
  value = 0;
  while (position != end) {
    const digit = digitOf(<u32>load<u8>(position));
    if (digit >= base) break;
    value = value * base + digit;
    if (value > limit) return false;
    position++;
  }
  return position != first;
}

function digitOf(c: u32): u32 {
  if (c - 0x30 < 10) return c - 0x30;
  const letter = (c | 0x20) - 0x61;
  return letter < 6 ? letter + 10 : 16;
}

/** An address of either version. */
export function takeAddress(to: IpAddress): bool {
  const first = position;
  if (takeAddress4()) {
    to.ipv4 = value;
    return true;
  }
  position = first;
  return takeAddress6(to);
}

/** Four numbers with dots between them, into `value`. */
export function takeAddress4(): bool {
  let address: u32 = 0;
  for (let i: u32 = 0; i < 4; i++) {
    if ((i != 0 && !takeByte(DOT)) || !takeNumber(255)) return false;
    address = (address << 8) | value;
  }
  value = address;
  return true;
}

/** Eight groups, or fewer and one "::" in the place of the others, which are zero. */
export function takeAddress6(to: IpAddress): bool {
  let count: u32 = 0;
  /** Groups ahead of "::". */
  let gap = GROUPS;
  to.high = 0;
  to.low = 0;
  while (count < GROUPS) {
    if (takeByte(COLON)) {
      if (takeByte(COLON)) {
        if (gap != GROUPS) return false;
        gap = count;
        if (position == end || digitOf(<u32>load<u8>(position)) > 15) break;
      } else if (count == 0 || gap == count) {
        return false;
      }
    } else if (count != 0) {
      break;
    }
    const first = position;
    if (!takeDigits(16, 0xffff) || position - first > 4) return false;
    // From the right, so that the last one always is the lowest.
    to.high = (to.high << 16) | (to.low >> 48);
    to.low = (to.low << 16) | value;
    count++;
  }
  if (gap == GROUPS) return count == GROUPS;
  if (count == GROUPS) return false;
  openGap(to, gap, count);
  return true;
}

/** `count` groups stand at the right; those from the `gap`th on stay there, the others go to the left. */
function openGap(to: IpAddress, gap: u32, count: u32): void {
  for (let i: u32 = 0; i < gap; i++) {
    const group = groupOf(to, GROUPS - count + i);
    setGroup(to, GROUPS - count + i, 0);
    setGroup(to, i, group);
  }
}

function shiftOf(index: u32): u64 {
  return <u64>((3 - (index & 3)) << 4);
}

function groupOf(address: IpAddress, index: u32): u64 {
  return ((index < 4 ? address.high : address.low) >> shiftOf(index)) & 0xffff;
}

function setGroup(address: IpAddress, index: u32, group: u64): void {
  const cleared = ~((<u64>0xffff) << shiftOf(index));
  const set = group << shiftOf(index);
  if (index < 4) address.high = (address.high & cleared) | set;
  else address.low = (address.low & cleared) | set;
}
