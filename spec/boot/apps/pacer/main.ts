/**
 * Keeps a flood in step with the clock of the machine, for spec/wire/flood.test.ts: with `-icount shift=0,sleep=off` that clock is the count of instructions, and where there is nothing to
 * do it goes on at once to the next timer. So time passes by as much as this program, which ranks below everything else, lets pass: a tick when all frames of the one before
 * are here. While they are not it looks for them again and again, which takes a little time as well, and makes more frames due.
 *
 *     peer:    [frames a second, milliseconds]      to UDP port PACER
 *     pacer:   [missing, clock]                     to who has asked: so many frames are due by now, and not here; the clock in microseconds since the beginning
 *
 *     row pacing PORT                               it listens
 *     row paced MICROSECONDS FRAMES LONGEST         the end; in no longer time than LONGEST, in microseconds, there were fewer than are due
 */
import {
  CLOCK_MONOTONIC,
  MSG_DONTWAIT,
  SOCKADDR_SIZE,
  SYSTEM_INFORMATION_SIZE,
  SystemInformation,
  bindUdp,
  clock_gettime,
  nanosleep,
  recvfrom,
  sendto,
  sysinfo,
} from "../../../../sdk";
import { row } from "../report";

const PACER: u32 = 10;
const SECOND: u64 = 1_000_000_000;
const MILLISECOND: u64 = 1_000_000;
const MICROSECOND: u64 = 1000;

const information = changetype<SystemInformation>(memory.data(SYSTEM_INFORMATION_SIZE, 8));
const message = memory.data(16, 8);
const peer = memory.data(16, 8);
const length = memory.data(4, 4);

function frames(): u64 {
  sysinfo(changetype<usize>(information), SYSTEM_INFORMATION_SIZE);
  return information.framesReceived;
}

/** Rounds of `linger`, of four divisions each. */
const ROUNDS: i32 = 512;
/** A denormal number, and one that changes nothing: `main` sets it, so that no compiler knows that. */
let tiny: f64 = 5e-310;
let one: f64 = 2;

/**
 * Lets the host do what is waited for, while the clock hardly moves: a division of denormal numbers is one instruction, for which an emulator takes as long as for some tens of
 * others.
 */
function linger(): void {
  let x = tiny;
  const y = one;
  for (let round = 0; round < ROUNDS; round++) x = x / y / y / y / y;
  tiny = x;
}

function pace(fd: i32, rate: u64, duration: u64): void {
  const start = clock_gettime(CLOCK_MONOTONIC);
  const before = frames();
  /** Frames that were asked for. */
  let asked: u64 = 0;
  let satisfied: u64 = 0;
  let longest: u64 = 0;
  for (;;) {
    const time = <u64>clock_gettime(CLOCK_MONOTONIC) - start;
    const come = frames() - before;
    const due = (time * rate) / SECOND;
    const enough = come >= due;
    if (enough) {
      longest = max(longest, time - satisfied);
      satisfied = time;
    }
    // Where the machine does not keep up, it ends as well.
    if (enough ? time >= duration : time >= 4 * duration) {
      row("paced", time / MICROSECOND, come, longest / MICROSECOND);
      return;
    }
    if (enough) {
      nanosleep(MILLISECOND - (time % MILLISECOND));
      continue;
    }
    // Nothing is lost on the way: what was asked for comes.
    if (come < asked) {
      linger();
      continue;
    }
    asked = due;
    store<u32>(message, <u32>(due - come));
    store<u32>(message, <u32>(time / MICROSECOND), 4);
    sendto(fd, message, 8, MSG_DONTWAIT, peer, SOCKADDR_SIZE);
  }
}

export function main(): i32 {
  const fd = bindUdp(PACER);
  one = fd >= 0 ? 1 : 2;
  row("pacing", PACER);
  while (fd >= 0) {
    store<u32>(length, SOCKADDR_SIZE);
    if (recvfrom(fd, message, 16, MSG_DONTWAIT, peer, length) == 8)
      pace(fd, load<u32>(message), <u64>load<u32>(message, 4) * MILLISECOND);
  }
  return 1;
}
