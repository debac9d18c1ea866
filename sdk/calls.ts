/**
 * System calls of a process: life, signals, clock, log, random numbers.
 *
 * Every call returns 0 or a positive value when it succeeds and a negative errno (sdk/errno.ts) when it does not. Pointers
 * are offsets into the application's own memory; one that does not lie inside it gives -EFAULT. Any call may run
 * handlers of this process before it returns.
 */

/** Ends the process with `status` (0 to 255); never returns. Its sockets and events go with it. */
// @ts-ignore: decorator
@external("aemos", "exit") export declare function exit(status: i32): void;

/** Number of this process, > 0. */
// @ts-ignore: decorator
@external("aemos", "getpid") export declare function getpid(): i32;

/**
 * Sends `signal` to process `pid`: SIGTERM, SIGUSR1 and SIGUSR2 go to its handler (`onSignal`), or make its blocking call return -EINTR;
 * SIGKILL ends it, 0 only asks whether it is there. 0; -ESRCH: no such process; -EINVAL: no such signal.
 */
// @ts-ignore: decorator
@external("aemos", "kill") export declare function kill(pid: i32, signal: i32): i32;

/** Takes the lowest signal that waits for this process: its number, or 0 when there is none. */
// @ts-ignore: decorator
@external("aemos", "sigtake") export declare function sigtake(): i32;

export const SIGKILL: i32 = 9;
export const SIGUSR1: i32 = 10;
export const SIGUSR2: i32 = 12;
export const SIGTERM: i32 = 15;

/** CLOCK_MONOTONIC: nanoseconds since boot; CLOCK_TSC: ticks of the time-stamp counter. -EINVAL for another clock. */
// @ts-ignore: decorator
@external("aemos", "clock_gettime") export declare function clock_gettime(clock: i32): i64;

export const CLOCK_MONOTONIC: i32 = 1;
export const CLOCK_TSC: i32 = 4;

/** Blocks for at least `nanoseconds`; handlers run meanwhile. 0; -EINTR: a signal; -EINVAL: negative. */
// @ts-ignore: decorator
@external("aemos", "nanosleep") export declare function nanosleep(nanoseconds: i64): i32;

/** Writes a line of UTF-8, up to 256 bytes of it, to the console; `level` as in sdk/log.ts. The bytes written, -EFAULT, -EINVAL. */
// @ts-ignore: decorator
@external("aemos", "log") export declare function log(level: i32, text: usize, length: i32): i32;

/** Fills `length` bytes (up to 1 MiB) with random numbers fit for keys. `flags` is 0. Returns `length`, -EFAULT, -EINVAL. */
// @ts-ignore: decorator
@external("aemos", "getrandom") export declare function getrandom(
  buffer: usize,
  length: i32,
  flags: i32,
): i32;

/**
 * Writes up to `length` bytes of the kernel's counters (sdk/sysinfo.ts). Returns the bytes that it wrote: less than
 * asked from a kernel that counts less. -EFAULT, -EINVAL.
 */
// @ts-ignore: decorator
@external("aemos", "sysinfo") export declare function sysinfo(buffer: usize, length: i32): i32;
