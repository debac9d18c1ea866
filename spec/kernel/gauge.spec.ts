/** Gauges against a simple model: each waiter is told once when its trigger is reached, and again only after its release. */
import { Gauge, Threshold } from "../../kernel/scheduler/gauge";
import { WAKE_SYSTEM } from "../../kernel/scheduler/wait";
import { growMemory } from "../arena";
import { chance, seedChance } from "../chance";

const WAITERS: i32 = 40;

let gauge: Gauge = changetype<Gauge>(0);
let base: usize = 0;
let value: u32 = 0;
/** Times that each was told, and the model of it: in the gauge, armed, times. */
const told: i32[] = [];
const joined: bool[] = [];
const armed: bool[] = [];
const expected: i32[] = [];

function waiterAt(index: i32): Threshold {
  return changetype<Threshold>(base + <usize>index * offsetof<Threshold>());
}

function onTold(waiter: Threshold, events: u32, detail: u32): void {
  told[<i32>((changetype<usize>(waiter) - base) / offsetof<Threshold>())]++;
  assert(events == WAKE_SYSTEM && detail == value, "the value");
}

function setValue(to: u32): void {
  value = to;
  if (value >= gauge.rise) gauge.reached(value);
  if (value < gauge.fall) gauge.sunk(value);
  for (let i = 0; i < WAITERS; i++) {
    if (!joined[i]) continue;
    const waiter = waiterAt(i);
    if (armed[i] && value >= waiter.trigger) {
      armed[i] = false;
      expected[i]++;
    } else if (!armed[i] && value < waiter.release) armed[i] = true;
  }
}

function check(): void {
  for (let i = 0; i < WAITERS; i++) assert(told[i] == expected[i], "told too often, or not");
}

beforeAll(() => {
  gauge = changetype<Gauge>(growMemory(offsetof<Gauge>(), 8));
  base = growMemory(<usize>WAITERS * offsetof<Threshold>(), 8);
  gauge.initialize();
  for (let i = 0; i < WAITERS; i++) {
    told.push(0);
    joined.push(false);
    armed.push(false);
    expected.push(0);
  }
});

describe("a gauge", () => {
  it("costs nothing without waiters", () => {
    expect<u32>(gauge.rise).toBe(u32.MAX_VALUE);
    expect<u32>(gauge.fall).toBe(0);
  });

  it("tells each once on the way up, and arms it again on the way down", () => {
    seedChance(7);
    let total = 0;
    for (let step = 0; step < 200000; step++) {
      if (chance(20) == 0) {
        const index = <i32>chance(WAITERS);
        const waiter = waiterAt(index);
        if (joined[index]) {
          waiter.remove();
          gauge.update();
          joined[index] = false;
        } else {
          waiter.callback = onTold.index;
          waiter.trigger = 1 + chance(1000);
          waiter.release = 1 + chance(waiter.trigger);
          joined[index] = true;
          armed[index] = value < waiter.trigger;
          if (!armed[index]) expected[index]++;
          gauge.add(waiter, value);
        }
      } else {
        const move = <i32>chance(chance(8) == 0 ? 500 : 60) - <i32>chance(chance(8) == 0 ? 500 : 60);
        setValue(<u32>max(0, min(1100, <i32>value + move)));
      }
      check();
    }
    for (let i = 0; i < WAITERS; i++) total += told[i];
    expect<i32>(total).toBeGreaterThan(5000);
  });
});
