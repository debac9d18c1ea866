/** The clock of the world (world.ts), in nanoseconds: it goes only where somebody lets it. */
import * as fake from "../../fake";

export const MILLISECOND: u64 = 1_000_000;
export const SECOND: u64 = 1_000_000_000;
export let time: u64 = SECOND;

export function setTime(to: u64): void {
  time = to;
  fake.setTsc(to);
}

/** The machine stands still: time passes, and nothing is done. */
export function standStill(duration: u64): void {
  setTime(time + duration);
}
