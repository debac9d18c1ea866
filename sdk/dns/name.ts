/**
 * Domain names (RFC 1035, 2.3.4, 3.1, 4.1.4): labels of up to 63 octets with their length in front, an empty one at the end, 255 octets in all.
 * Names are compared and kept in small letters; a length is less than any letter, so that a whole name can be treated octet by octet.
 *
 * In a message a name may end in a pointer to an earlier place. A hostile one leads pointers in circles, to themselves, beyond the message, or
 * along names without end. Here each pointer has to lead to before the place where the labels just read began, so that a name ends
 * after 255 octets and 127 pointers whatever it is made of, and no octet outside of the message is read.
 */

/** Octets of a name, with the empty label. */
export const NAME_LIMIT: u32 = 255;
export const LABEL_LIMIT: u32 = 63;
/** Octets ahead of the first name of a message. */
export const HEADER_SIZE: u32 = 12;
/** A name has 127 labels at most: with a pointer in front of each there are as many. */
const POINTER_LIMIT: u32 = 127;

const POINTER: u32 = 0xc0;
const DOT: u32 = 0x2e;
const HYPHEN: u32 = 0x2d;
const UNDERSCORE: u32 = 0x5f;

// @ts-ignore: decorator
@inline
function isUpper(octet: u32): bool {
  return octet - 0x41 < 26;
}
// @ts-ignore: decorator
@inline
function isDigit(octet: u32): bool {
  return octet - 0x30 < 10;
}
// @ts-ignore: decorator
@inline
function lower(octet: u32): u32 {
  return isUpper(octet) ? octet | 0x20 : octet;
}

/**
 * Writes the name that stands in `length` units of text as octets to `into` (NAME_LIMIT of room). `width`: bytes of a unit, 2 for a string. Letters,
 * digits, hyphens and underscores make a label; a dot at the end is allowed. Its octets; 0: this is no name.
 */
export function encodeName(text: usize, length: u32, width: usize, into: usize): u32 {
  let size: u32 = 1;
  // Where the length of the present label goes.
  let start: u32 = 0;
  for (let i: u32 = 0; i < length; i++) {
    const place = text + <usize>i * width;
    const unit: u32 = width == 2 ? load<u16>(place) : load<u8>(place);
    if (unit == DOT) {
      if (size == start + 1) return 0;
      store<u8>(into + start, <u8>(size - start - 1));
      start = size++;
      continue;
    }
    const letter = lower(unit);
    if (letter - 0x61 >= 26 && !isDigit(unit) && unit != HYPHEN && unit != UNDERSCORE) return 0;
    // Room for the empty label has to be left.
    if (size - start > LABEL_LIMIT || size >= NAME_LIMIT - 1) return 0;
    store<u8>(into + size++, <u8>letter);
  }
  if (size == start + 1) {
    // Behind a dot: the empty label. A name has another one.
    if (start == 0) return 0;
    store<u8>(into + start, 0);
    return size;
  }
  store<u8>(into + start, <u8>(size - start - 1));
  store<u8>(into + size, 0);
  return size + 1;
}

/**
 * Reads the name at offset `at` of a message of `length` octets (65,535 at most) into `into`, where it stands without pointers. Its octets there in
 * bits 0 to 15, and the offset behind it in the message in bits 16 to 31; 0: it is malformed.
 */
export function readName(message: usize, length: u32, at: u32, into: usize): u32 {
  let size: u32 = 0;
  let end: u32 = 0;
  let floor = at;
  let pointers: u32 = 0;
  while (at < length) {
    const octet: u32 = load<u8>(message + at);
    if ((octet & POINTER) == POINTER) {
      if (at + 2 > length) return 0;
      const target = ((octet & 0x3f) << 8) | (<u32>load<u8>(message + at, 1));
      if (target < HEADER_SIZE || target >= floor || ++pointers > POINTER_LIMIT) return 0;
      if (end == 0) end = at + 2;
      at = floor = target;
      continue;
    }
    // The other two kinds of label were never used (RFC 6891, 5).
    if (octet > LABEL_LIMIT) return 0;
    const octets = octet + 1;
    if (size + octets > NAME_LIMIT || at + octets > length) return 0;
    for (let i: u32 = 0; i < octets; i++) store<u8>(into + size + i, <u8>lower(load<u8>(message + at + i)));
    size += octets;
    at += octets;
    if (octet == 0) return ((end != 0 ? end : at) << 16) | size;
  }
  return 0;
}

/** Makes letters of a name capital where a bit of `bits` is set, one for each octet. */
export function mixCase(name: usize, size: u32, bits: usize): void {
  for (let i: u32 = 0; i < size; i++) {
    const octet: u32 = load<u8>(name + i);
    const bit = ((<u32>load<u8>(bits + (i >> 3))) >> (i & 7)) & 1;
    if (bit != 0 && octet - 0x61 < 26) store<u8>(name + i, <u8>(octet & ~0x20));
  }
}

/** Whether the last label of a name is made of digits (a name that `encodeName` has made; so for the one below). No host's name ends so (RFC 1123, 2.1): it would be an address, if it were one. */
export function endsInNumber(name: usize): bool {
  let at: u32 = 0;
  let number = false;
  for (let octets: u32 = load<u8>(name); octets != 0; octets = load<u8>(name + at)) {
    number = true;
    for (let i: u32 = 1; i <= octets; i++) if (!isDigit(load<u8>(name + at + i))) number = false;
    at += octets + 1;
  }
  return number;
}

/** Whether a name is localhost or one below it (RFC 6761, 6.3). */
export function isLocalhost(name: usize, size: u32): bool {
  if (size < 11) return false;
  // 9 is no letter, so it is the length of the last label.
  const last = name + size - 11;
  return (
    load<u8>(last) == 9 &&
    load<u64>(last, 1) == 0x736f_686c_6163_6f6c && // "localhos"
    load<u8>(last, 9) == 0x74
  );
}
