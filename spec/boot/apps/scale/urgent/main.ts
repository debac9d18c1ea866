/**
 * A periodic timer of the highest priority. For each phase of the driver it says how late its handler was at most: beyond the tick of the
 * timing wheel by which a timer may always be late (docs/aem-calls.md). Under `-icount shift=0` a nanosecond is an instruction.
 *
 *     row urgent PHASE SAMPLES WORST AT         row reaped EVENTS, when the driver's events are gone
 */
import {
  CLOCK_MONOTONIC,
  EVJOBSHTDN,
  SYSTEM_INFORMATION_SIZE,
  SystemInformation,
  clock_gettime,
  enter_keepalive,
  evctl,
  exit,
  onMessage,
  onTimer,
  sysinfo,
} from "../../../../../sdk";
import { row } from "../../report";
import { PHASE_EXIT, PHASE_NONE, PHASE_PORT } from "../phases";

/** Priority 63. */
const HIGHEST: i32 = 64 << 8;
const TICK: i64 = 65_536;
const PERIOD: i64 = 2 * TICK;
/** Events of this process. */
const OWN: u64 = 2;

const system = changetype<SystemInformation>(memory.data(256, 8));

let phase: i32 = PHASE_NONE;
let timer: i32 = 0;
/** When the last expiration that was told was due. */
let due: i64 = 0;
let samples: i32 = 0;
let worst: i64 = 0;
/** When that was, in ns since boot: to find out what it was. */
let worstAt: i64 = 0;

function expired(jid: i32, overrun: i32): void {
  const time = clock_gettime(CLOCK_MONOTONIC);
  const late = time - ((due + PERIOD + TICK - 1) / TICK) * TICK;
  if (late > worst) {
    worst = late;
    worstAt = time;
  }
  samples++;
  due += PERIOD * (overrun + 1);
  if (phase != PHASE_EXIT) return;
  sysinfo(changetype<usize>(system), SYSTEM_INFORMATION_SIZE);
  if (system.events > OWN) return;
  report();
  row("reaped", system.events);
  exit(0);
}

function report(): void {
  if (phase != PHASE_NONE) row("urgent", phase, samples, worst, worstAt);
}

function change(jid: i32, from: i32, data: usize, length: i32): void {
  report();
  if (timer != 0) evctl(timer, EVJOBSHTDN, 0);
  timer = 0;
  samples = 0;
  worst = 0;
  phase = load<i32>(data);
  if (phase == PHASE_NONE) return;
  // In the middle of a tick: that the kernel reads the clock a little later puts the timer into no other one.
  do due = clock_gettime(CLOCK_MONOTONIC);
  while (due % TICK < TICK / 4 || due % TICK > TICK / 2);
  timer = onTimer(PERIOD, PERIOD, expired, HIGHEST);
}

export function main(): i32 {
  onMessage(PHASE_PORT, change, HIGHEST);
  return enter_keepalive();
}
