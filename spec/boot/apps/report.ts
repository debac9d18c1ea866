/**
 * How a test application tells the test what it saw: a log line `row NAME VALUE …`, numbers in decimal. What is right is the
 * test's to say (spec/boot/calls.test.ts).
 */
import { LOG_INFO, log } from "../../../sdk";

/** Stands for a value that is not there. */
export const NONE: i64 = i64.MIN_VALUE;

const LINE_SIZE: usize = 240;
const line = memory.data(240);

function appendText(at: usize, text: string): usize {
  const room = <i32>(line + LINE_SIZE - at);
  return at + String.UTF8.encodeUnsafe(changetype<usize>(text), min(text.length, room), at);
}

function appendNumber(at: usize, value: i64): usize {
  if (at + 21 > line + LINE_SIZE) return at;
  store<u8>(at++, 0x20);
  let rest = <u64>value;
  if (value < 0) {
    store<u8>(at++, 0x2d);
    rest = 0 - rest;
  }
  let divisor: u64 = 1;
  while (rest / divisor >= 10) divisor *= 10;
  for (; divisor != 0; divisor /= 10) store<u8>(at++, 0x30 + <u8>((rest / divisor) % 10));
  return at;
}

/** Up to six values under a name. */
export function row(
  name: string,
  a: i64,
  b: i64 = NONE,
  c: i64 = NONE,
  d: i64 = NONE,
  e: i64 = NONE,
  f: i64 = NONE,
): void {
  let end = appendText(line, "row ");
  end = appendText(end, name);
  end = appendNumber(end, a);
  if (b != NONE) end = appendNumber(end, b);
  if (c != NONE) end = appendNumber(end, c);
  if (d != NONE) end = appendNumber(end, d);
  if (e != NONE) end = appendNumber(end, e);
  if (f != NONE) end = appendNumber(end, f);
  log(LOG_INFO, line, <i32>(end - line));
}
