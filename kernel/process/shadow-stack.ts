/**
 * Shadow stacks: where compiled C keeps what has an address, in linear memory, with its pointer in a wasm global. Each thread of a process has
 * one of its own, so the global changes with the thread. (AssemblyScript without its incremental collector has none.)
 *
 * That of the main thread is the module's, from address 0 up; growing down it runs past 0 to the top of the 4 GiB, where nothing is mapped. Those of workers
 * stand at fixed places, each with a guard below it that is never mapped, all as far from each other as there is room:
 *
 *     SHADOW_BASE ├ … ┼ guard ┼ stack of worker 2 ┼ guard ┼ stack of worker 1 ┤ SHADOW_END
 *
 * A guard is larger than the main stack (the build sees to it), and so than any function's frame (tools/clang.ts): none steps over it.
 *
 * The global is in the module's instance. Its page is made the process's own before there is more than one thread, and again at each fork, so that a
 * switch writes it without asking for memory.
 */
import { BREAK_DONE } from "../memory/copy-on-write";
import { FRAME_SIZE } from "../memory/frames";
import { INSTANCE_BASE, SHADOW_BASE, SHADOW_END } from "../memory/layout";
import { translate } from "../memory/paging";
import { Thread } from "../scheduler/thread";
import { breakProcessCopy } from "./fork";
import { ModuleDescriptor } from "./module";
import { Process } from "./process";

/** Where the shadow stack of worker `number`, 1 and up, begins; it grows down from there for `threadStackBytes`. */
export function shadowStackTop(module: ModuleDescriptor, number: u32): usize {
  const distance = ((SHADOW_END - SHADOW_BASE) / module.threads) & ~(FRAME_SIZE - 1);
  return SHADOW_END - <usize>(number - 1) * distance;
}

/** Makes the page of the global the process's own. False without memory. */
export function ownShadowStackPointer(process: Process): bool {
  return breakProcessCopy(process, addressOf(process)) == BREAK_DONE;
}


@inline
function addressOf(process: Process): u64 {
  return INSTANCE_BASE + <u64>process.module.stackPointer;
}

/** `next`, whose process has workers, is going to run. */
export function switchShadowStack(next: Thread): void {
  const process = next.process;
  const last = process.lastThread;
  if (process.module.stackPointer == 0 || changetype<usize>(last) == changetype<usize>(next)) return;
  const global = translate(process.pageTables, addressOf(process));
  last.shadowStack = load<u32>(global);
  store<u32>(global, next.shadowStack);
  process.lastThread = next;
}
