/** Main code that computes from a moment on, and never makes a call again. */
import { nanosleep } from "../../../../../sdk";

let turns: u64 = 0;

export function main(): i32 {
  nanosleep(100_000_000);
  while (true) turns++;
  return 0;
}
