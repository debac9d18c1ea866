/** The reserve of the lower levels (kernel/scheduler/ready.ts): who stands back, for how long, and who does not. */
import { Link } from "../../kernel/list";
import {
  initializeReady,
  outranks,
  readyAppend,
  readyLevel,
  readyRemove,
  READY_STORAGE,
  reserveCharge,
  setReserve,
} from "../../kernel/scheduler/ready";
import { growMemory } from "../arena";

const QUANTUM: u64 = 1000;
/** Of a higher level's time, the lower ones get one part in nineteen: 5 % of all. */
const PERCENT: u32 = 5;

function member(): Link {
  const link = changetype<Link>(growMemory(16, 8));
  link.initialize();
  return link;
}

let low: Link = changetype<Link>(0);

function start(): void {
  initializeReady(growMemory(READY_STORAGE, 8));
  setReserve(PERCENT, QUANTUM);
  low = member();
  readyAppend(low, 32);
}

/** A loop at `level` runs until it has to stand back, in steps of a quantum; how long it ran. */
function runUntilPaying(level: u32): u64 {
  let time: u64 = 0;
  const loop = member();
  readyAppend(loop, level);
  while (readyLevel() == <i32>level && time < 1000 * QUANTUM) {
    reserveCharge(level, QUANTUM);
    time += QUANTUM;
  }
  readyRemove(loop, level);
  return time;
}

describe("the reserve", () => {
  it("a loop stands back after nineteen quanta, until the lower levels have had one", () => {
    start();
    const time = runUntilPaying(40);
    expect<bool>(time >= 19 * QUANTUM && time <= 20 * QUANTUM).toBe(true);
    expect<bool>(outranks(40, 32)).toBe(false);
    reserveCharge(32, QUANTUM - 10);
    expect<bool>(outranks(40, 32)).toBe(false);
    reserveCharge(32, QUANTUM);
    expect<bool>(outranks(40, 32)).toBe(true);
  });

  it("what the lower levels get by themselves counts", () => {
    start();
    for (let n = 0; n < 1000; n++) {
      reserveCharge(40, QUANTUM / 2);
      reserveCharge(32, QUANTUM / 2);
      expect<bool>(outranks(40, 32)).toBe(true);
    }
  });

  it("a short handler does not stand back for what a loop below it owes", () => {
    start();
    const loop = member();
    readyAppend(loop, 40);
    while (readyLevel() == 40) {
      reserveCharge(40, QUANTUM);
      reserveCharge(63, QUANTUM / 100);
    }
    expect<bool>(outranks(40, 32)).toBe(false);
    expect<bool>(outranks(63, 32)).toBe(true);
    expect<bool>(outranks(63, 40)).toBe(true);
  });

  it("a loop that begins while another one's debt is paid does not escape", () => {
    start();
    runUntilPaying(40);
    expect<bool>(outranks(50, 32)).toBe(true);
    const time = runUntilPaying(50);
    expect<bool>(time <= 60 * QUANTUM).toBe(true);
    expect<bool>(outranks(50, 32)).toBe(false);
  });

  it("with no lower thread to run nobody stands back", () => {
    start();
    runUntilPaying(40);
    readyRemove(low, 32);
    reserveCharge(40, 1);
    expect<bool>(outranks(40, 32)).toBe(true);
    expect<u64>(runUntilPaying(40)).toBe(1000 * QUANTUM);
  });

  it("0 percent: never", () => {
    start();
    setReserve(0, QUANTUM);
    expect<u64>(runUntilPaying(63)).toBe(1000 * QUANTUM);
  });
});
