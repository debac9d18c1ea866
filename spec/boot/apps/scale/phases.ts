/** What the driver does while the urgent process measures how late its handler is: the message on PHASE_PORT. */
export const PHASE_PORT: i32 = 1;

export const PHASE_NONE: i32 = 0;
export const PHASE_QUIET: i32 = 1;
export const PHASE_REGISTER: i32 = 2;
/** So many timers of the driver are due in one tick of the wheel. */
export const PHASE_DUE: i32 = 3;
export const PHASE_FORK: i32 = 4;
export const PHASE_END_ALL: i32 = 5;
export const PHASE_EXIT: i32 = 6;
export const PHASE_FORK_FAILS: i32 = 7;
export const PHASE_THREADS: i32 = 8;
