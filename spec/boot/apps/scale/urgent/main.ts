/**
 * A periodic timer of the highest priority. For each phase of the driver it says how late its handler was at most. Under `-icount shift=0` a nanosecond is an instruction.
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
/** A prime, so that expirations fall anywhere between two ticks of the timing wheel. */
const PERIOD: i64 = 131_071;
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
  const late = time - due - PERIOD;
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
  due = clock_gettime(CLOCK_MONOTONIC);
  timer = onTimer(PERIOD, PERIOD, expired, HIGHEST);
}

export function main(): i32 {
  onMessage(PHASE_PORT, change, HIGHEST);
  return enter_keepalive();
}
