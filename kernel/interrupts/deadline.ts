/**
 * The hardware timer, tickless: one deadline is programmed, the next one of the timing wheel. TSC-deadline mode where the
 * processor has it (SDM 3A, 11.5.4.1), else the APIC's one-shot count. Frequencies come from the 8254.
 */
import { cpuid, in8, out8, tsc, writeMsr } from "../hal";
import { now, setClockFrequency, tscFromNanoseconds } from "../time/clock";
import { nextTimer, runTimers } from "../time/wheel";
import { setTimerCount, setTimerMode, timerCount, VECTOR_TIMER } from "./apic";
import { setVector } from "./vectors";

const MSR_TSC_DEADLINE: u32 = 0x6e0;
const CPUID_ECX_TSC_DEADLINE: u32 = 1 << 24;

/** 8254 channel 2, gated by port 0x61, counts at 1,193,182 Hz. */
const PIT_HZ: u64 = 1_193_182;
const PIT_CHANNEL_2: u32 = 0x42;
const PIT_COMMAND: u32 = 0x43;
const PIT_GATE: u32 = 0x61;
const CALIBRATION_TICKS: u32 = 5966; // 5 ms
/** What the calibration gives up after, in reads of the port: about a second on slow hardware. */
const CALIBRATION_READS: u32 = 1_000_000;

const NEVER: u64 = u64.MAX_VALUE;

let deadlineMode: bool = false;
/** Of the APIC timer, ticks a millisecond. */
let apicPerMillisecond: u64 = 0;
/** Time that is programmed; NEVER: none. */
let programmed: u64 = NEVER;

/** Measures TSC and APIC timer against the 8254 and starts the clock. TSC frequency in Hz; 0 when the 8254 does not count. */
export function initializeDeadline(): u64 {
  deadlineMode = (cpuid(1, 0, 2) & CPUID_ECX_TSC_DEADLINE) != 0;
  setTimerMode(false);
  // Gate off, speaker off; mode 0 (interrupt on terminal count), then gate on: the count starts.
  const gate = in8(PIT_GATE) & 0xfc;
  out8(PIT_GATE, gate);
  out8(PIT_COMMAND, 0xb0);
  out8(PIT_CHANNEL_2, CALIBRATION_TICKS & 0xff);
  out8(PIT_CHANNEL_2, CALIBRATION_TICKS >> 8);
  out8(PIT_GATE, gate | 1);
  setTimerCount(0xffff_ffff);
  const start = tsc();
  let reads: u32 = 0;
  while (!(in8(PIT_GATE) & 0x20)) {
    if (++reads == CALIBRATION_READS) return 0;
  }
  const elapsed = tsc() - start;
  const apicTicks = 0xffff_ffff - timerCount();
  setTimerCount(0);
  out8(PIT_GATE, gate);

  const frequency = (elapsed * PIT_HZ) / CALIBRATION_TICKS;
  apicPerMillisecond = (<u64>apicTicks * PIT_HZ) / CALIBRATION_TICKS / 1000;
  if (frequency < 1_000_000 || apicPerMillisecond == 0) return 0;
  setClockFrequency(frequency);
  setTimerMode(deadlineMode);
  setVector(VECTOR_TIMER, onDeadline.index, 0);
  return frequency;
}

function onDeadline(argument: usize): void {
  programmed = NEVER;
  runTimers(now());
}

/**
 * Programs the hardware for the wheel's next timer or `limit` (time of now()), whichever is earlier, if that is not what it waits
 * for. Cheap when nothing changed.
 */
export function armDeadline(limit: u64): void {
  const timer = nextTimer();
  const next = timer < limit ? timer : limit;
  if (next == programmed) return;
  programmed = next;
  if (deadlineMode) {
    // 0 disarms; a time in the past fires at once.
    writeMsr(MSR_TSC_DEADLINE, next == NEVER ? 0 : tscFromNanoseconds(next));
    return;
  }
  if (next == NEVER) {
    setTimerCount(0);
    return;
  }
  const time = now();
  const wait = next > time ? next - time : 0;
  // At most a second at a time: a longer wait is programmed again, and nothing overflows.
  const count = ((wait > 1_000_000_000 ? 1_000_000_000 : wait) * apicPerMillisecond) / 1_000_000;
  setTimerCount(count == 0 ? 1 : count > 0xffff_ffff ? 0xffff_ffff : <u32>count);
}
