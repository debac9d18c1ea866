/** For the specs of interrupts: an APIC, an 8254, and a host that takes the processor away. */
import { tsc } from "../../kernel/hal";
import { initializeApic } from "../../kernel/interrupts/apic";
import { TIMER_SIZE } from "../../kernel/time/timers";
import { growMemory } from "../arena";
import * as fake from "../fake";

export let apic: usize = 0;
export let calls = "";

export function onVector(argument: usize): void {
  calls += argument.toString() + " ";
}

export let fakeEnds: u32 = 0;

/** APIC: interrupts that were ended, and the timer's count. */
export let apicCount: u32 = 0;
let apicStart: u64 = 0;
function onApicWrite(address: usize, width: u32, value: u64): void {
  if (address == apic + 0xb0) fakeEnds++;
  if (address == apic + 0x380) {
    apicCount = <u32>value;
    apicStart = tsc();
  }
}
function onApicRead(address: usize, width: u32): void {
  if (address != apic + 0x390) return;
  const elapsed = <u64>((<f64>(tsc() - apicStart) * apicHz) / tscHz);
  store<u32>(address, elapsed > apicCount ? 0 : apicCount - <u32>elapsed);
}

// The 8254: channel 2 in mode 0, and the time that each access to a port takes.
export let tscHz: f64 = 2.5e9;
export let apicHz: f64 = 1e9;
let pitStart: u64 = 0;
let pitRuns: bool = false;
let pitLatch: u32 = 0;
let pitHigh: bool = false;
let gate: u32 = 0;
export let accesses: u32 = 0;

/** Accesses at which the host takes the processor away, and for how many microseconds. */
let stallAt: u32 = 0;
let stallEvery: u32 = 0;
let stallFor: f64 = 0;

/** The rates of the counter and of the APIC, in Hz. */
export function runAt(ofTsc: f64, ofApic: f64): void {
  tscHz = ofTsc;
  apicHz = ofApic;
}

/** The host takes the processor away at the access `at`, or at every so many, for `microseconds`. */
export function stall(at: u32, every: u32, microseconds: f64): void {
  stallAt = at;
  stallEvery = every;
  stallFor = microseconds;
}
export function stopPit(): void {
  pitRuns = false;
}

function access(): void {
  accesses++;
  fake.advance(<u64>(tscHz / 1e6));
  if (accesses == stallAt || (stallEvery != 0 && accesses % stallEvery == 0))
    fake.advance(<u64>((tscHz / 1e6) * stallFor));
}
function pitElapsed(): u64 {
  return pitRuns && gate & 1 ? <u64>((<f64>(tsc() - pitStart) * 1193182.0) / tscHz) : 0;
}
function onPortIn(port: u32, width: u32): u32 {
  access();
  if (port == 0x61) return gate | (pitElapsed() > 65535 ? 0x20 : 0);
  if (port != 0x42) return 0xff;
  pitHigh = !pitHigh;
  return pitHigh ? pitLatch & 0xff : pitLatch >> 8;
}
function onPortOut(port: u32, width: u32, value: u32): void {
  access();
  if (port == 0x61) {
    if (value & 1 && !(gate & 1)) pitStart = tsc();
    gate = value & 3;
  } else if (port == 0x43 && value == 0x80) {
    pitLatch = (65535 - <u32>(pitElapsed() % 65536)) & 0xffff;
    pitHigh = false;
  }
}

export let storage: usize = 0;

export function machine(): void {
  fake.reset();
  if (apic == 0) {
    apic = growMemory(4096, 4096);
    storage = growMemory(4096 + TIMER_SIZE * 4 + 64, 4096);
  }
  memory.fill(apic, 0, 4096);
  store<u32>(apic, 3 << 24, 0x20);
  fake.setCpuid(1, 0, 3, 1 << 9);
  fake.setMsr(0x1b, apic | 0x100);
  fake.onWrite(onApicWrite.index);
  fake.onRead(onApicRead.index);
  fake.onIn(onPortIn.index);
  fake.onOut(onPortOut.index);
  fakeEnds = 0;
  calls = "";
  tscHz = 2.5e9;
  apicHz = 1e9;
  pitRuns = true;
  gate = 0;
  accesses = 0;
  stallAt = 0;
  stallEvery = 0;
  stallFor = 0;
  assert(initializeApic(), "apic");
}
