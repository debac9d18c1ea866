/** Log lines from strings. */
import { log } from "./calls";

export const LOG_ERROR: i32 = 3;
export const LOG_WARNING: i32 = 4;
export const LOG_NOTICE: i32 = 5;
export const LOG_INFO: i32 = 6;
export const LOG_DEBUG: i32 = 7;

/** UTF-16 units of one line; the kernel prints 256 bytes of it. */
const LINE_UNITS: i32 = 256;
/** A unit takes 3 bytes of UTF-8 at most. */
const line = memory.data(768);

/** Logs `text` as UTF-8, without allocating. */
export function logText(text: string, level: i32 = LOG_INFO): void {
  const units = min(text.length, LINE_UNITS);
  const bytes = String.UTF8.encodeUnsafe(changetype<usize>(text), units, line);
  log(level, line, <i32>bytes);
}

/** Logs `what: error -22`. What perror does where errors are results. */
export function logError(what: string, error: i32): void {
  let end = line + String.UTF8.encodeUnsafe(changetype<usize>(what), min(what.length, WHAT_UNITS), line);
  end += String.UTF8.encodeUnsafe(changetype<usize>(SAYS), SAYS.length, end);
  let rest = <u32>error;
  if (error < 0) {
    store<u8>(end++, 0x2d);
    rest = 0 - rest;
  }
  let divisor: u32 = 1;
  while (rest / divisor >= 10) divisor *= 10;
  for (; divisor != 0; divisor /= 10) store<u8>(end++, <u8>(0x30 + ((rest / divisor) % 10)));
  log(LOG_ERROR, line, <i32>(end - line));
}

const SAYS: string = ": error ";
/** Of what failed: the number has to be seen. */
const WHAT_UNITS: i32 = 76;
