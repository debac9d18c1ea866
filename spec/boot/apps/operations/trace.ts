/** What handlers have seen: numbers in the order of the calls, up to 16 of them, one hexadecimal digit each. */
import { ProcessInformation, PROCESS_INFORMATION_SIZE, nanosleep, processinfo } from "../../../../sdk";

export const MILLISECOND: i64 = 1_000_000;
export const information = changetype<ProcessInformation>(memory.data(512, 8));

let seen: i64 = 0;
let calls: i32 = 0;

export function note(digit: i32): void {
  seen = (seen << 4) | digit;
  calls++;
}

/** What was noted since the last call. */
export function noted(): i64 {
  const all = seen;
  seen = 0;
  calls = 0;
  return all;
}

/** Waits for so many notes, for a second at most. */
export function await_(count: i32): void {
  for (let i = 0; i < 1000 && calls < count; i++) nanosleep(MILLISECOND);
}

export function look(): ProcessInformation {
  processinfo(0, changetype<usize>(information), PROCESS_INFORMATION_SIZE);
  return information;
}
