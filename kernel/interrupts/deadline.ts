/**
 * The hardware timer, tickless: one deadline is programmed, the next one of the timing wheel. TSC-deadline mode where the
 * processor has it (SDM 3A, 11.5.4.1), else the APIC's one-shot count. Frequencies come from the 8254.
 */
import { cpuid, in8, out8, tsc, writeMsr } from "../hal";
import { now, setClockFrequency, tscFromNanoseconds } from "../time/clock";
import { nextTimer, runTimers, Timer, timerPrepare, timerStart } from "../time/wheel";
import { setTimerCount, setTimerMode, timerCount, VECTOR_TIMER } from "./apic";
import { setVector } from "./vectors";

const MSR_TSC_DEADLINE: u32 = 0x6e0;
const CPUID_ECX_TSC_DEADLINE: u32 = 1 << 24;

/** 8254 channel 2, gated by port 0x61, counts down at 1,193,182 Hz from 65,535 (mode 0), 54.9 ms. */
const PIT_HZ: u64 = 1_193_182;
const PIT_CHANNEL_2: u32 = 0x42;
const PIT_COMMAND: u32 = 0x43;
const PIT_GATE: u32 = 0x61;
const PIT_OUTPUT: u32 = 0x20;
const PIT_MODE_0: u32 = 0xb0;
const PIT_LATCH: u32 = 0x80;
/** The boot waits for a millisecond only, and the clock is then good to 0.2 %; refined without waiting when 40 ms have passed, to 0.005 %. */
const FIRST_TICKS: u32 = 1193;
const REFINE_AFTER: u64 = 40_000_000;
/** What the first measurement gives up after, in readings: some seconds on slow hardware. */
const CALIBRATION_READS: u32 = 1_000_000;

const NEVER: u64 = u64.MAX_VALUE;

let deadlineMode: bool = false;
/** Of the APIC timer, ticks a millisecond. */
let apicPerMillisecond: u64 = 0;
/** Time that is programmed; NEVER: none. */
let programmed: u64 = NEVER;

/** Readings of the 8254, the TSC and the APIC timer at the start of the measurement. */
let startCount: u32 = 0;
let startTsc: u64 = 0;

/**
 * Measures TSC and APIC timer against the 8254 and starts the clock. `storage`: TIMER_SIZE bytes for the refinement. TSC frequency in
 * Hz; 0 when the 8254 does not count.
 */
export function initializeDeadline(storage: usize): u64 {
  deadlineMode = (cpuid(1, 0, 2) & CPUID_ECX_TSC_DEADLINE) != 0;
  setTimerMode(false);
  // Gate off, speaker off; mode 0 (interrupt on terminal count), then gate on: the count starts.
  const gate = in8(PIT_GATE) & 0xfc;
  out8(PIT_GATE, gate);
  out8(PIT_COMMAND, PIT_MODE_0);
  out8(PIT_CHANNEL_2, 0xff);
  out8(PIT_CHANNEL_2, 0xff);
  out8(PIT_GATE, gate | 1);
  setTimerCount(0xffff_ffff);
  startCount = readPit();
  startTsc = tsc();
  const startApic = timerCount();
  let count = startCount;
  let reads: u32 = 0;
  while (startCount - count < FIRST_TICKS) {
    if (++reads == CALIBRATION_READS) return 0;
    count = readPit();
  }
  const frequency = measuredFrequency(count, tsc());
  apicPerMillisecond = (<u64>(startApic - timerCount()) * PIT_HZ) / (startCount - count) / 1000;
  setTimerCount(0);
  if (apicPerMillisecond == 0 || !setClockFrequency(frequency)) return 0;
  setTimerMode(deadlineMode);
  setVector(VECTOR_TIMER, onDeadline.index, 0);
  const refinement = changetype<Timer>(storage);
  timerPrepare(refinement, refine.index);
  timerStart(refinement, now() + REFINE_AFTER);
  return frequency;
}

/** The count of channel 2, latched so that both halves are of one moment. */
function readPit(): u32 {
  out8(PIT_COMMAND, PIT_LATCH);
  const low = in8(PIT_CHANNEL_2);
  return low | (in8(PIT_CHANNEL_2) << 8);
}

function measuredFrequency(count: u32, ticks: u64): u64 {
  return ((ticks - startTsc) * PIT_HZ) / (startCount - count);
}

/** The count is still running: a second look at it gives the rate forty times as exactly. */
function refine(timer: Timer): void {
  const count = readPit();
  const ticks = tsc();
  // Too late: it has passed zero.
  if ((in8(PIT_GATE) & PIT_OUTPUT) != 0 || count >= startCount) return;
  setClockFrequency(measuredFrequency(count, ticks));
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
