/**
 * Measures in time-stamp ticks, which are instructions under QEMU's `-icount shift=0`: from the interrupt (the kernel's
 * `interruptTsc`) to the first thing that a handler does. bench/main.ts reads the rows.
 *
 *     row clock COST-OF-ONE-READING    row listening FD    row timer SAMPLE    row read SAMPLE
 */
import {
  MSG_DONTWAIT,
  clock_gettime,
  close,
  enter_keepalive,
  listenTcp,
  onAccept,
  onRead,
  onTimer,
  send,
  sysinfo,
} from "../../../sdk";
import { row } from "../../../spec/boot/apps/report";

/** Clock of the time-stamp counter (kernel/process/calls.ts). */
const CLOCK_TSC: i32 = 4;
/** Offset of `interruptTsc` in what sysinfo writes, and the bytes up to behind it. */
const INTERRUPT_TSC: usize = 136;
const SYSTEM_INFORMATION_BYTES: i32 = 144;
const PORT: u32 = 4000;
const PERIOD: i64 = 5_000_000;
const SAMPLES: i32 = 200;

const information = memory.data(256, 8);
let timerSamples: i32 = 0;

/** Ticks between the last interrupt and `now`. */
function sinceInterrupt(now: i64): i64 {
  if (sysinfo(information, SYSTEM_INFORMATION_BYTES) != SYSTEM_INFORMATION_BYTES) return -1;
  return now - load<i64>(information + INTERRUPT_TSC);
}

function expired(jid: i32, overrun: i32): void {
  const now = clock_gettime(CLOCK_TSC);
  if (timerSamples++ < SAMPLES) row("timer", sinceInterrupt(now));
}

function accepted(jid: i32, listener: i32, fd: i32): void {
  if (fd >= 0) onRead(fd, received);
}

function received(jid: i32, fd: i32, data: usize, length: i32, from: usize): void {
  const now = clock_gettime(CLOCK_TSC);
  if (length <= 0) {
    close(fd);
    return;
  }
  row("read", sinceInterrupt(now));
  send(fd, data, length, MSG_DONTWAIT);
}

export function main(): i32 {
  let cost: i64 = i64.MAX_VALUE;
  for (let i = 0; i < 100; i++) {
    const first = clock_gettime(CLOCK_TSC);
    cost = min(cost, clock_gettime(CLOCK_TSC) - first);
  }
  row("clock", cost);
  const listener = listenTcp(PORT);
  onAccept(listener, accepted);
  row("listening", listener);
  onTimer(PERIOD, PERIOD, expired);
  return enter_keepalive();
}
