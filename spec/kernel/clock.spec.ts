/** The arithmetic of the clock (kernel/time/clock.ts): nanoseconds from ticks of the TSC, and deadlines in ticks. */
import {
  clockFrequency,
  now,
  SECOND,
  setClockFrequency,
  setClockStart,
  timeAt,
  tscFromNanoseconds,
} from "../../kernel/time/clock";
import { chance, chance64, seedChance } from "../chance";
import * as fake from "../fake";
import { NEVER } from "./wheel-timers";

describe("clock", () => {
  it("counts nanoseconds at one gigahertz before its frequency is known", () => {
    expect<u64>(clockFrequency()).toBe(0);
    fake.setTsc(12345);
    expect<u64>(now()).toBe(12345);
    setClockStart(345);
    expect<u64>(now()).toBe(12000);
    // The first frequency says so of the time since the start.
    expect<bool>(setClockFrequency(2 * SECOND)).toBe(true);
    expect<u64>(now()).toBe(6000);
  });

  it("refuses frequencies that no counter has", () => {
    expect<bool>(setClockFrequency(0)).toBe(false);
    expect<bool>(setClockFrequency(999_999)).toBe(false);
    expect<bool>(setClockFrequency(100_000_000_001)).toBe(false);
    expect<u64>(clockFrequency()).toBe(2 * SECOND);
  });

  it("goes on from where it is when the frequency changes", () => {
    setClockFrequency(SECOND);
    setClockStart(0);
    fake.setTsc(5000);
    setClockFrequency(4 * SECOND);
    expect<u64>(now()).toBe(5000);
    fake.advance(4000);
    expect<u64>(now()).toBe(6000);
  });

  it("is right within 3 ppb over a century at all frequencies, and never goes back", () => {
    const frequencies: StaticArray<u64> = [
      1_000_000, 24_000_000, 999_999_999, 1_000_000_000, 1_000_000_001, 2_394_230_117, 3_000_000_000,
      4_999_999_937, 5_850_000_000, 10_000_000_000,
    ];
    seedChance(11);
    for (let index = 0; index < frequencies.length; index++) {
      const hz = frequencies[index];
      fake.setTsc(0);
      setClockFrequency(hz);
      setClockStart(0);
      // Whole seconds and a rest, so that the expected value needs no wide product. The counter itself ends at 2^64.
      const seconds = min<u64>(100 * 365 * 86400, u64.MAX_VALUE / hz - 3);
      for (let step = 0; step < 2000; step++) {
        const second = (chance64() % ((seconds >> chance(32)) | 1)) + 1;
        const rest = chance64() % hz;
        const exact = second * SECOND + u64((<f64>rest / <f64>hz) * 1e9);
        const shown = timeAt(second * hz + rest);
        const error = shown > exact ? shown - exact : exact - shown;
        assert(error <= 1 + exact / 333_333_333, "more than 3 ppb off");
        assert(timeAt(second * hz + rest + 1) >= shown, "went back");
      }
    }
  });

  it("finds deadlines that are never early and hardly late", () => {
    seedChance(12);
    for (let step = 0; step < 20000; step++) {
      const hz: u64 = 1_000_000_000 + (chance64() % 9_000_000_000);
      fake.setTsc(chance64() >> 8);
      setClockFrequency(hz);
      const from = chance64() >> 8;
      setClockStart(from);
      const ticks = from + (chance64() >> (8 + chance(50)));
      fake.setTsc(ticks);
      const time = now() + 1 + (chance64() >> (10 + chance(50)));
      const deadline = tscFromNanoseconds(time);
      assert(timeAt(deadline) >= time, "early");
      const late = timeAt(deadline) - time;
      assert(late <= 3 + (time - now()) / 4_000_000_000, "late");
    }
    fake.setTsc(1000);
    setClockStart(0);
    expect<u64>(tscFromNanoseconds(0)).toBe(1000, "past: now");
    expect<u64>(tscFromNanoseconds(NEVER)).toBe(NEVER);
  });
});
