/**
 * Limits that refuse a call of a process, by number, and how they are told: whoever refuses calls `reportLimit` and returns its errno.
 * An event that the process registered for limits (aem/jobs/limit.ts) then hears of it; without one it costs a look at an empty list.
 */
import { Process } from "./process";

/** Events of the process (-EDQUOT). */
export const LIMIT_EVENTS: u32 = 1;
/** Events in the whole system (-ENOSPC). */
export const LIMIT_SYSTEM_EVENTS: u32 = 2;
/** Events on one source: a socket, a signal, a message port, … (-EDQUOT, and -ENOSPC where all processes share the source). */
export const LIMIT_SOURCE_EVENTS: u32 = 3;
/** Descriptors of the process (-EMFILE). */
export const LIMIT_DESCRIPTORS: u32 = 4;
/** Events of one type of the process (-EDQUOT). */
export const LIMIT_EVENTS_OF_TYPE: u32 = 5;
/** Activated events of the process that wait: nothing is refused, further ones are held back. */
export const LIMIT_ACTIVATIONS: u32 = 6;
/** Numbers are below this: each is a bit of a wake. */
export const LIMIT_KINDS: u32 = 16;

/** A call of `process` was refused for limit `what` (LIMIT_*), which is `value`. */
export function reportLimit(process: Process, what: u32, value: u32): void {
  process.setLimitValue(what, value);
  process.limitWaiters.wake(1 << what, value);
}
