/** A cursor that writes ASCII and UTF-8 into memory: for responses, without allocating. The caller has room for it. */

/** Where the next octet goes. */
let at: usize = 0;

export function beginText(start: usize): void {
  at = start;
}

/** One past the last octet written. */
export function endText(): usize {
  return at;
}

export function put(text: string): void {
  at += String.UTF8.encodeUnsafe(changetype<usize>(text), text.length, at);
}

export function putNumber(value: u64): void {
  let digits: usize = 1;
  for (let rest = value / 10; rest != 0; rest /= 10) digits++;
  for (let i = digits; i > 0; i--) {
    store<u8>(at + i - 1, <u8>(48 + (value % 10)));
    value /= 10;
  }
  at += digits;
}

/** `bytes` octets from `source`. */
export function putBytes(source: usize, bytes: usize): void {
  memory.copy(at, source, bytes);
  at += bytes;
}
