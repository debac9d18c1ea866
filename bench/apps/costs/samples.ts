/** Samples of what something takes, in ticks of the time-stamp counter, and the row that is said of them. */
import { CLOCK_TSC, clock_gettime } from "../../../sdk";
import { row } from "../../../spec/boot/apps/report";

export const SAMPLES: i32 = 101;
const samples = memory.data(101 * 8, 8);

/** What two looks at the counter cost themselves. */
let overhead: i64 = i64.MAX_VALUE;


@inline
export function ticks(): i64 {
  return clock_gettime(CLOCK_TSC);
}

export function measureOverhead(): void {
  for (let i = 0; i < 16; i++) {
    const begin = ticks();
    overhead = min(overhead, ticks() - begin);
  }
}

/** `index`: 0 to SAMPLES - 1. */
export function keep(index: i32, value: i64): void {
  store<i64>(samples + ((<usize>index) << 3), value - overhead);
}

/** Sorts the samples and says the middle and the last one: `row cost EVENTS WHAT MEDIAN WORST`. */
export function report(events: i32, what: i32): void {
  for (let i: usize = 8; i < (<usize>SAMPLES) << 3; i += 8) {
    const value = load<i64>(samples + i);
    let at = i;
    for (; at > 0 && load<i64>(samples + at - 8) > value; at -= 8)
      store<i64>(samples + at, load<i64>(samples + at - 8));
    store<i64>(samples + at, value);
  }
  const middle = load<i64>(samples + ((SAMPLES >> 1) << 3));
  row("cost", events, what, middle, load<i64>(samples + ((SAMPLES - 1) << 3)));
}
