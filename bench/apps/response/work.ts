/** What the servers (worker.ts) and who asks them (main.ts) have to agree about. */

/** Nanoseconds of a request's work: what "as much as the processor can do" is made of, on Linux as well (bench/linux/response.c). */
export const SERVICE: i64 = 200_000;
/** Loads, one after another. */
export const LOADS: i32 = 3;
