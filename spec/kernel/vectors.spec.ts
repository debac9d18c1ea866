/** The APIC, and interrupt vectors (kernel/interrupts/apic.ts, vectors.ts). */
import { initializeApic, localApicId, VECTOR_SPURIOUS, VECTOR_TIMER } from "../../kernel/interrupts/apic";
import {
  allocateVector,
  handleVector,
  initializeVectors,
  interruptCount,
  spuriousCount,
} from "../../kernel/interrupts/vectors";
import { setUpArena } from "../arena";
import * as fake from "../fake";
import { apic, calls, fakeEnds, machine, onVector } from "./interrupt-machine";

beforeAll(() => {
  setUpArena(4096);
});

function ends(): u32 {
  return fakeEnds;
}

describe("the APIC", () => {
  beforeEach(machine);

  it("is enabled with all but the timer and NMI masked", () => {
    expect<u64>(fake.getMsr(0x1b)).toBe((<u64>apic) | 0x900);
    expect<u32>(load<u32>(apic, 0xf0)).toBe(0x1ff);
    expect<u32>(load<u32>(apic, 0x80)).toBe(0);
    expect<u32>(load<u32>(apic, 0x360)).toBe(0x400);
    for (let register: usize = 0x320; register <= 0x370; register += 0x10) {
      if (register != 0x360) expect<u32>(load<u32>(apic + register)).toBe(0x10000);
    }
    expect<u32>(localApicId()).toBe(3);
  });

  it("is missed", () => {
    fake.setCpuid(1, 0, 3, 0);
    expect<bool>(initializeApic()).toBe(false);
  });
});

describe("vectors", () => {
  beforeEach(machine);

  it("are given out once each, until none is left", () => {
    expect<bool>(initializeVectors()).toBe(true);
    let count: u32 = 0;
    let last: u32 = 0;
    let wrong = 0;
    for (
      let vector = allocateVector(onVector.index, 7);
      vector != 0;
      vector = allocateVector(onVector.index, count)
    ) {
      if (vector <= last || vector < 0x30 || vector >= VECTOR_TIMER) wrong++;
      last = vector;
      count++;
    }
    expect<i32>(wrong).toBe(0);
    expect<u32>(count).toBe(VECTOR_TIMER - 0x30);
    expect<u32>(allocateVector(onVector.index, 1)).toBe(0);
    handleVector(0x30);
    handleVector(0x32);
    handleVector(VECTOR_TIMER - 1);
    expect<string>(calls).toBe("7 2 175 ");
    expect<u32>(ends()).toBe(3);
  });

  it("nobody asked for are counted, and ended where the APIC waits for that", () => {
    const before = spuriousCount;
    const all = interruptCount;
    handleVector(0xf3);
    expect<u32>(ends()).toBe(1);
    handleVector(VECTOR_SPURIOUS);
    handleVector(0x27);
    handleVector(0x2f);
    expect<u32>(ends()).toBe(1);
    expect<u64>(spuriousCount - before).toBe(4);
    expect<u64>(interruptCount - all).toBe(4);
  });
});
