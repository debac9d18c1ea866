/** A parser of JSON texts (RFC 8259) that keeps no tree: it checks the text, and makes a number of all values and their order. */

let at: usize = 0;
let end: usize = 0;
let sum: u32 = 0;

function skip(): void {
  while (at < end) {
    const c = load<u8>(at);
    if (c != 0x20 && c != 0x0a && c != 0x0d && c != 0x09) return;
    at++;
  }
}

function note(value: u32): void {
  sum = sum * 31 + value;
}

function string(): bool {
  for (at++; at < end; at++) {
    const c = load<u8>(at);
    if (c == 0x22) {
      at++;
      return true;
    }
    if (c == 0x5c) at++;
    else if (c < 0x20) return false;
    note(c);
  }
  return false;
}

function number(): bool {
  let value: u32 = 0;
  const negative = load<u8>(at) == 0x2d;
  if (negative) at++;
  const first = at;
  while (at < end) {
    const digit: u32 = <u32>load<u8>(at) - 0x30;
    if (digit > 9) break;
    value = value * 10 + digit;
    at++;
  }
  note(negative ? 0 - value : value);
  return at > first;
}

function word(text: u32): bool {
  if (end - at < 4 || load<u32>(at) != text) return false;
  at += 4;
  note(text);
  return true;
}

/** What stands between brackets: `members` of an object, or elements. */
function list(close: u8, members: bool): bool {
  at++;
  skip();
  if (at < end && load<u8>(at) == close) {
    at++;
    return true;
  }
  while (at < end) {
    if (members) {
      if (load<u8>(at) != 0x22 || !string()) return false;
      skip();
      if (at >= end || load<u8>(at) != 0x3a) return false;
      at++;
    }
    if (!value()) return false;
    if (at >= end) return false;
    const c = load<u8>(at++);
    if (c == close) return true;
    if (c != 0x2c) return false;
    skip();
  }
  return false;
}

/** One value, and the space behind it. */
function value(): bool {
  skip();
  if (at >= end) return false;
  const c = load<u8>(at);
  let good: bool;
  if (c == 0x7b) good = list(0x7d, true);
  else if (c == 0x5b) good = list(0x5d, false);
  else if (c == 0x22) good = string();
  // "true" and "null", as little-endian words.
  else if (c == 0x74) good = word(0x65757274);
  else if (c == 0x6e) good = word(0x6c6c756e);
  else good = number();
  skip();
  return good;
}

/** 0: it is no JSON text. */
export function parseJson(text: usize, length: i32): u32 {
  at = text;
  end = text + length;
  sum = 1;
  return value() && at == end ? sum : 0;
}
