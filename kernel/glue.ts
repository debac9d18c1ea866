/**
 * What the assembly of boot/ reads and writes in the kernel's instance: exported globals, by these names (boot/syscall.h,
 * boot/interrupts.c). All other kernel state is the kernel's alone.
 */

/** Top of the current thread's kernel stack, 16-aligned: system calls and interrupts start there. */
export let kernelStackTop: usize = 0;

/** What has to be done before application code goes on (Linux: exit-to-user work): WORK_* bits of the current thread. */
export let exitWork: u32 = 0;
/** Activated events wait for this thread, and no handler runs on it: the glue calls `dispatch`. */
export const WORK_DISPATCH: u32 = 1;
/** Another thread may have to run now: it ranks higher, or this one's quantum is over. */
export const WORK_RESCHEDULE: u32 = 2;

/**
 * Not 0 during a system call after which the policy of its process lets no handler run: one that blocks is not to be made again for
 * handlers either. It belongs to the thread that runs.
 */
export let quietCall: u32 = 0;

/** The handler's arguments after the jid's place in `handler(a1, …, a5)`; read right after `dispatch` or `handlerReturned` returned its address. */
export let upcallArgument1: u32 = 0;
export let upcallArgument2: u32 = 0;
export let upcallArgument3: u32 = 0;
export let upcallArgument4: u32 = 0;
export let upcallArgument5: u32 = 0;


@inline
export function setKernelStackTop(address: usize): void {
  kernelStackTop = address;
}


@inline
export function setExitWork(bits: u32): void {
  exitWork |= bits;
}


@inline
export function clearExitWork(bits: u32): void {
  exitWork &= ~bits;
}


@inline
export function setQuietCall(quiet: u32): void {
  quietCall = quiet;
}


@inline
export function setUpcallArguments(a1: u32, a2: u32, a3: u32, a4: u32, a5: u32): void {
  upcallArgument1 = a1;
  upcallArgument2 = a2;
  upcallArgument3 = a3;
  upcallArgument4 = a4;
  upcallArgument5 = a5;
}
