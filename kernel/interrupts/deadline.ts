/**
 * The hardware timer, tickless: one deadline is programmed, the next one of the timing wheel. TSC-deadline mode where the
 * processor has it (SDM 3A, 11.5.4.1), else the APIC's one-shot count. Frequencies come from the 8254.
 */
import { cpuid, in8, out8, scale, tsc, writeMsr } from "../hal";
import { now, SECOND, setClockFrequency, timeAt, tscFromNanoseconds } from "../time/clock";
import {
  leaveTimers,
  nextTimer,
  runTimers,
  runTimersOf,
  setAlarm,
  setEarlier,
  soonest,
  Timer,
  timerPrepare,
  timerStart,
} from "../time/timers";
import { setTimerCount, setTimerMode, timerCount, VECTOR_TIMER } from "./apic";
import { leaveLevels, POLL_TIMERS, pollsFrom } from "./polls";
import { interruptTsc, setVector } from "./vectors";

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
/** What a measurement gives up after, in readings: most of a second on slow hardware. */
const CALIBRATION_READS: u32 = 100_000;
/** Measurements that a busy host may spoil by letting this machine stand still. */
const CALIBRATION_TRIES: u32 = 8;
/** Readings of which the quickest counts. */
const SAMPLES: u32 = 3;

/** A time that does not come. */
export const NO_DEADLINE: u64 = u64.MAX_VALUE;

let deadlineMode: bool = false;
/** Of the APIC timer, ticks a nanosecond, 32 fractional bits. */
let apicPerNanosecond: u64 = 0;
/** How far away, in ns, a deadline of the APIC timer may be: a second at most, and its count has 32 bits. A longer wait is programmed again. */
let longestCount: u64 = 0;
/** Time that is programmed; NO_DEADLINE: none. */
let programmed: u64 = NO_DEADLINE;

/** Readings of the 8254 and the TSC at the start of the measurement, and the last ones. */
let startCount: u32 = 0;
let startTsc: u64 = 0;
let sampleCount: u32 = 0;
let sampleTsc: u64 = 0;

/**
 * Measures TSC and APIC timer against the 8254 and starts the clock. `storage`: TIMER_SIZE bytes for the refinement. TSC frequency in
 * Hz; 0 when the 8254 does not count.
 */
export function initializeDeadline(storage: usize): u64 {
  deadlineMode = (cpuid(1, 0, 2) & CPUID_ECX_TSC_DEADLINE) != 0;
  setTimerMode(false);
  let frequency: u64 = 0;
  for (let i: u32 = 0; i < CALIBRATION_TRIES && frequency == 0; i++) frequency = measure();
  setTimerCount(0);
  if (apicPerNanosecond == 0 || !setClockFrequency(frequency)) return 0;
  longestCount = min(SECOND, ((<u64>0xffff_ffff) << 32) / apicPerNanosecond);
  setTimerMode(deadlineMode);
  initializeAlarm();
  setVector(VECTOR_TIMER, onDeadline.index, 0);
  const refinement = changetype<Timer>(storage);
  timerPrepare(refinement, refine.index);
  timerStart(refinement, now() + REFINE_AFTER);
  armDeadline(NO_DEADLINE);
  return frequency;
}

/** Timers that are started for a time before what is programmed have it programmed. */
export function initializeAlarm(): void {
  setEarlier(onEarlier.index);
}

/** One measurement of a millisecond: the TSC's frequency; 0 when the 8254 does not count, or has passed zero meanwhile. */
function measure(): u64 {
  // Gate off, speaker off; mode 0 (interrupt on terminal count), then gate on: the count starts.
  const gate = in8(PIT_GATE) & 0xfc;
  out8(PIT_GATE, gate);
  out8(PIT_COMMAND, PIT_MODE_0);
  out8(PIT_CHANNEL_2, 0xff);
  out8(PIT_CHANNEL_2, 0xff);
  out8(PIT_GATE, gate | 1);
  setTimerCount(0xffff_ffff);
  sample();
  startCount = sampleCount;
  startTsc = sampleTsc;
  const startApic = timerCount();
  let reads: u32 = 0;
  while (startCount - readPit() < FIRST_TICKS) {
    if (++reads == CALIBRATION_READS) return 0;
  }
  sample();
  const apicTicks = startApic - timerCount();
  if (hasPassedZero()) return 0;
  apicPerNanosecond = ((((<u64>apicTicks * PIT_HZ) / (startCount - sampleCount)) << 22) / SECOND) << 10;
  return measuredFrequency();
}

/** The count of channel 2, latched so that both halves are of one moment. */
function readPit(): u32 {
  out8(PIT_COMMAND, PIT_LATCH);
  const low = in8(PIT_CHANNEL_2);
  return low | (in8(PIT_CHANNEL_2) << 8);
}

/** Reads 8254 and TSC together: whatever takes the processor away between the two would be an error of the clock. */
function sample(): void {
  let shortest: u64 = u64.MAX_VALUE;
  for (let i: u32 = 0; i < SAMPLES; i++) {
    const before = tsc();
    const count = readPit();
    const after = tsc();
    if (after - before >= shortest) continue;
    shortest = after - before;
    sampleCount = count;
    sampleTsc = before + ((after - before) >> 1);
  }
}

/** The count goes on from 0xffff after zero, and says something else then. */
function hasPassedZero(): bool {
  return (in8(PIT_GATE) & PIT_OUTPUT) != 0 || sampleCount >= startCount;
}

function measuredFrequency(): u64 {
  return ((sampleTsc - startTsc) * PIT_HZ) / (startCount - sampleCount);
}

/** The count is still running: a second look at it gives the rate forty times as exactly. */
function refine(timer: Timer): void {
  sample();
  if (!hasPassedZero()) setClockFrequency(measuredFrequency());
}

/** Timers that an interrupt calls or moves at most, and a poll after it: so no section with interrupts off is long. */
const INTERRUPT_BUDGET: u32 = 32;
const POLL_BUDGET: u32 = 16;

/**
 * Timers of the level of what runs and above are called at once, as far as the budget goes. The others are left to the poll, which does them when
 * their level has its turn, so that neither application code nor a timer of a higher level waits for them.
 */
function onDeadline(argument: usize): void {
  // Nothing is programmed now; all that runs here, and all that it starts, counts at the end.
  setAlarm(0);
  const due = runTimers(timeAt(interruptTsc), pollsFrom, INTERRUPT_BUDGET);
  if (due != 0) {
    leaveTimers(due);
    leaveLevels(POLL_TIMERS, due);
  }
  program(soonest);
}

/** The poll of POLL_TIMERS: timers of a level that were left over, a few at a time. True when there are more. */
export function timerPoll(level: u32): bool {
  if (runTimersOf(level, now(), POLL_BUDGET)) return true;
  armDeadline(NO_DEADLINE);
  return false;
}

/** A timer was started that is due before what is programmed. */
function onEarlier(): void {
  program(nextTimer());
}

/**
 * Programs the hardware for the wheel's next timer or `limit` (time of now()), whichever is earlier, if that is not what it waits
 * for. Cheap when nothing changed. Timers need no call of it: the first of them is always programmed, whoever starts it.
 */
export function armDeadline(limit: u64): void {
  const timer = nextTimer();
  const next = timer < limit ? timer : limit;
  if (next != programmed) program(next);
}

/** Has the hardware interrupt at `next` (time of now(); NO_DEADLINE), or at once when that is past. */
function program(next: u64): void {
  programmed = next;
  setAlarm(next);
  // 0 disarms, in both modes.
  if (deadlineMode) writeMsr(MSR_TSC_DEADLINE, next == NO_DEADLINE ? 0 : tscFromNanoseconds(next));
  else setTimerCount(next == NO_DEADLINE ? 0 : countUntil(next));
}

/** Ticks of the APIC timer until `time`, rounded up; 1 when it is past. */
// @ts-ignore: decorator
@inline
function countUntil(time: u64): u32 {
  const present = now();
  return time <= present ? 1 : <u32>scale(min(time - present, longestCount), apicPerNanosecond) + 1;
}
