/** Commands and replies in ASCII: `TAG WORD NAME` comes in a datagram, `TAG NUMBER ADDRESS …` goes back. */

export const REPLY_ROOM: i32 = 512;
const SPACE: u32 = 0x20;

/** The word that begins at `at`, before `end`: where it ends. */
export function wordEnd(at: usize, end: usize): usize {
  while (at < end && load<u8>(at) != SPACE) at++;
  return at;
}

/** Whether the word from `at` to `end` is this text. */
export function isWord(at: usize, end: usize, text: string): bool {
  if (end - at != <usize>text.length) return false;
  for (let i = 0; i < text.length; i++) if (load<u8>(at + i) != <u32>text.charCodeAt(i)) return false;
  return true;
}

/** Writes a blank and a number. The end. */
export function putNumber(at: usize, value: i64): usize {
  store<u8>(at++, <u8>SPACE);
  if (value < 0) {
    store<u8>(at++, 0x2d);
    value = -value;
  }
  let digits: usize = 1;
  for (let rest = value / 10; rest != 0; rest /= 10) digits++;
  for (let i = digits; i > 0; i--) {
    store<u8>(at + i - 1, <u8>(48 + (value % 10)));
    value /= 10;
  }
  return at + digits;
}

/** Writes a blank and `bytes` octets in hexadecimal. The end. */
export function putHex(at: usize, octets: usize, bytes: i32): usize {
  store<u8>(at++, <u8>SPACE);
  for (let i = 0; i < bytes * 2; i++) {
    const octet: u32 = load<u8>(octets + (i >> 1));
    const digit = (i & 1) == 0 ? octet >> 4 : octet & 15;
    store<u8>(at++, <u8>(digit < 10 ? 48 + digit : 87 + digit));
  }
  return at;
}

/** Writes ` COUNT ADDRESS …`: numbers of 8 digits for A, 32 digits for AAAA. The end. */
export function putResult(at: usize, addresses: usize, count: i32, wide: bool): usize {
  at = putNumber(at, count);
  for (let i = 0; i < count; i++) {
    if (wide) {
      at = putHex(at, addresses + ((<usize>i) << 4), 16);
      continue;
    }
    const address = addresses + ((<usize>i) << 2);
    store<u32>(address, bswap<u32>(load<u32>(address)));
    at = putHex(at, address, 4);
  }
  return at;
}
