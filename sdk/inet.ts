/**
 * Addresses in text: `inet_pton` (POSIX), as RFC 4291, 2.2 and RFC 6943, 3.1.1 (strict form) have them. What is written otherwise, with too few parts, with zeros or signs in front, in octal, with a zone or a
 * prefix, is no address.
 */
import { EAFNOSUPPORT } from "./errno";
import { AF_INET, AF_INET6 } from "./sockaddr";

const DOT: u32 = 0x2e;
const COLON: u32 = 0x3a;

/**
 * Writes the address that `text` says to `destination`, in network order, where it may stand at once in a sockaddr: of AF_INET ("10.0.2.15") 4 bytes, at 4 of a sockaddr_in; of AF_INET6 ("2001:db8::1",
 * "::ffff:10.0.2.15") 16 bytes, at 8 of a sockaddr_in6. 1; 0: it is no address of that family, and some of the bytes may have been written; -EAFNOSUPPORT: another family.
 */
export function inet_pton(family: i32, text: string, destination: usize): i32 {
  if (family != AF_INET && family != AF_INET6) return -EAFNOSUPPORT;
  return readAddress(family, changetype<usize>(text), text.length, 2, destination) ? 1 : 0;
}

/** The same for `length` units of `width` bytes, 1 or 2, at `text`. */
export function readAddress(family: i32, text: usize, length: u32, width: usize, destination: usize): bool {
  const end = text + <usize>length * width;
  return family == AF_INET
    ? readIpv4(text, end, width, destination)
    : readIpv6(text, end, width, destination);
}

/** The unit at `at`; 0 at the end, which is in no address either. */
// @ts-ignore: decorator
@inline
function unit(at: usize, end: usize, width: usize): u32 {
  if (at >= end) return 0;
  return width == 2 ? load<u16>(at) : load<u8>(at);
}

/** Of a hexadecimal digit; 16 and more: it is none. */
function digitOf(letter: u32): u32 {
  if (letter - 0x30 < 10) return letter - 0x30;
  const small = letter | 0x20;
  return small - 0x61 < 6 ? small - 0x61 + 10 : 16;
}

/** Four numbers up to 255, in one to three digits. */
function readIpv4(at: usize, end: usize, width: usize, destination: usize): bool {
  for (let part: usize = 0; part < 4; part++) {
    const start = at;
    let value: u32 = 0;
    let digit = unit(at, end, width) - 0x30;
    while (digit < 10) {
      if (at != start && value == 0) return false;
      value = value * 10 + digit;
      if (value > 255) return false;
      at += width;
      digit = unit(at, end, width) - 0x30;
    }
    if (at == start) return false;
    store<u8>(destination + part, <u8>value);
    if (part == 3) break;
    if (unit(at, end, width) != DOT) return false;
    at += width;
  }
  return at == end;
}

/** Eight groups of one to four digits, of which the last two may be an address of IPv4; "::" stands for one or more of them that are 0. */
function readIpv6(at: usize, end: usize, width: usize, destination: usize): bool {
  let size: usize = 0;
  /** Where the zeros of "::" belong; none: beyond the end. */
  let gap: usize = 16;
  if (unit(at, end, width) == COLON) {
    at += width;
    if (unit(at, end, width) != COLON) return false;
  }
  while (at < end) {
    if (unit(at, end, width) == COLON) {
      // The second of two.
      if (gap != 16 || size == 16) return false;
      gap = size;
      at += width;
      continue;
    }
    const start = at;
    let group: u32 = 0;
    let value = digitOf(unit(at, end, width));
    while (value < 16) {
      if (at == start + 4 * width) return false;
      group = (group << 4) | value;
      at += width;
      value = digitOf(unit(at, end, width));
    }
    if (unit(at, end, width) == DOT) {
      if (size > 12 || !readIpv4(start, end, width, destination + size)) return false;
      size += 4;
      break;
    }
    if (at == start || size == 16) return false;
    store<u16>(destination + size, bswap<u16>(<u16>group));
    size += 2;
    if (at == end) break;
    if (unit(at, end, width) != COLON) return false;
    at += width;
    // Nothing ends in one colon.
    if (at == end) return false;
  }
  if (gap == 16) return size == 16;
  if (size == 16) return false;
  const behind = size - gap;
  memory.copy(destination + 16 - behind, destination + gap, behind);
  memory.fill(destination + gap, 0, 16 - size);
  return true;
}
