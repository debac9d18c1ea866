/**
 * The one map of memory, physical and virtual. boot/layout.h has the same numbers for assembly and C.
 *
 * Virtual address space of every process (4-level paging, one PML4 slot = 512 GiB):
 *
 *     slot 0   0 .. 4 GiB         identity: physical memory and device registers (kernel half, global pages, in every address space)
 *              4 GiB .. 8 GiB+4K  unmapped: a kernel address plus a constant offset can reach here, and must fault
 *     slot 1   the window of the process:
 *              +0        .. +4 GiB       linear memory of the module, as far as it has grown
 *              +VMTABLE_BASE ..          vmtable zone, inside the linear memory's 4 GiB, above what memory.grow can reach
 *              +SHADOW_BASE .. +SHADOW_END   shadow stacks of workers, with guards below them (kernel/process/shadow-stack.ts)
 *              +4 GiB    .. +8 GiB+4K    guard: never mapped
 *              +12 GiB   ..              instance struct of the module
 *              +13 GiB   ..              function table
 *              +14 GiB                   top of the main thread's stack (grows down; unmapped below its end); workers' stacks below
 */

/** PML4 slot of the window. */
export const WINDOW_SLOT: u32 = 1;
export const WINDOW_BASE: u64 = 0x80_0000_0000;
export const INSTANCE_BASE: u64 = WINDOW_BASE + 0x3_0000_0000;
export const TABLE_BASE: u64 = WINDOW_BASE + 0x3_4000_0000;
export const STACK_TOP: u64 = WINDOW_BASE + 0x3_8000_0000;
/** All of the window that is ever mapped, in GiB. */
export const WINDOW_GIB: u32 = 14;
/** The stack of worker k ends at STACK_TOP - k × STACK_DISTANCE. Larger than the largest stack and a guard. */
export const STACK_DISTANCE: u64 = 0xc0_0000;

/** Offset of the vmtable zone in the window; also the cap of memory.grow, in bytes. */
export const VMTABLE_BASE: usize = 0xf000_0000;
/** Largest vmtable zone, in bytes. */
export const VMTABLE_LIMIT: usize = 0x0800_0000;
/** Where the shadow stacks of workers are. What is above stays unmapped: the main thread's shadow stack, at address 0, overflows to there. */
export const SHADOW_BASE: usize = VMTABLE_BASE + VMTABLE_LIMIT;
export const SHADOW_END: usize = 0xff00_0000;

/** A page of linear memory as wasm counts it. */
export const WASM_PAGE: usize = 65536;
