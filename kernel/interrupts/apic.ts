/**
 * The local APIC (Intel SDM 3A, chapter 11) and the 8259s, which are only silenced.
 */
import { fullBarrier, out8, read32, readMsr, write32, writeMsr, cpuid } from "../hal";

const MSR_APIC_BASE: u32 = 0x1b;
const APIC_BASE_ENABLE: u64 = 1 << 11;
const CPUID_EDX_APIC: u32 = 1 << 9;

const REGISTER_ID: usize = 0x20;
const REGISTER_TASK_PRIORITY: usize = 0x80;
const REGISTER_EOI: usize = 0xb0;
const REGISTER_SPURIOUS: usize = 0xf0;
const REGISTER_LVT_TIMER: usize = 0x320;
const REGISTER_LVT_THERMAL: usize = 0x330;
const REGISTER_LVT_PERFORMANCE: usize = 0x340;
const REGISTER_LVT_LINT0: usize = 0x350;
const REGISTER_LVT_LINT1: usize = 0x360;
const REGISTER_LVT_ERROR: usize = 0x370;
const REGISTER_INITIAL_COUNT: usize = 0x380;
const REGISTER_CURRENT_COUNT: usize = 0x390;
const REGISTER_DIVIDE: usize = 0x3e0;

const SPURIOUS_ENABLE: u32 = 1 << 8;
const LVT_MASKED: u32 = 1 << 16;
const LVT_NMI: u32 = 4 << 8;
const LVT_TSC_DEADLINE: u32 = 2 << 17;
const DIVIDE_BY_1: u32 = 0xb;

export const VECTOR_SPURIOUS: u32 = 0xff;
export const VECTOR_TIMER: u32 = 0xe0;
/** The 8259s' sixteen lines would arrive here; they are masked, but a spurious one can still come. */
export const VECTOR_LEGACY: u32 = 0x20;

let base: usize = 0;

/** Silences the 8259s (initialisation words so that their vectors are out of the exceptions' way) and enables the APIC. False: there is none. */
export function initializeApic(): bool {
  if (!(cpuid(1, 0, 3) & CPUID_EDX_APIC)) return false;
  out8(0x20, 0x11);
  out8(0xa0, 0x11);
  out8(0x21, VECTOR_LEGACY);
  out8(0xa1, VECTOR_LEGACY + 8);
  out8(0x21, 4);
  out8(0xa1, 2);
  out8(0x21, 1);
  out8(0xa1, 1);
  out8(0x21, 0xff);
  out8(0xa1, 0xff);

  const value = readMsr(MSR_APIC_BASE);
  writeMsr(MSR_APIC_BASE, value | APIC_BASE_ENABLE);
  base = <usize>(value & 0xffff_f000);
  write32(base + REGISTER_TASK_PRIORITY, 0);
  write32(base + REGISTER_LVT_TIMER, LVT_MASKED);
  write32(base + REGISTER_LVT_LINT0, LVT_MASKED);
  write32(base + REGISTER_LVT_LINT1, LVT_NMI);
  write32(base + REGISTER_LVT_ERROR, LVT_MASKED);
  write32(base + REGISTER_LVT_THERMAL, LVT_MASKED);
  write32(base + REGISTER_LVT_PERFORMANCE, LVT_MASKED);
  write32(base + REGISTER_SPURIOUS, SPURIOUS_ENABLE | VECTOR_SPURIOUS);
  return true;
}

/** Identifier of this processor's APIC: the destination of message-signalled interrupts. */
export function localApicId(): u32 {
  return read32(base + REGISTER_ID) >> 24;
}


@inline
export function endOfInterrupt(): void {
  write32(base + REGISTER_EOI, 0);
}

/** Sets the timer up: `deadline`: in TSC-deadline mode, else one-shot at the APIC timer's input frequency. */
export function setTimerMode(deadline: bool): void {
  write32(base + REGISTER_DIVIDE, DIVIDE_BY_1);
  write32(base + REGISTER_LVT_TIMER, VECTOR_TIMER | (deadline ? LVT_TSC_DEADLINE : 0));
  // The mode has to be there before the first deadline is (SDM 3A, 11.5.4.1).
  fullBarrier();
}

/** One-shot: counts down from `count` and interrupts; 0 stops it. */
@inline
export function setTimerCount(count: u32): void {
  write32(base + REGISTER_INITIAL_COUNT, count);
}

export function timerCount(): u32 {
  return read32(base + REGISTER_CURRENT_COUNT);
}
