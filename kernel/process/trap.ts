/**
 * The end of a process that did what wasm forbids: it is reported and ends; the others go on.
 */
import { INSTANCE_BASE, STACK_TOP, WINDOW_BASE } from "../memory/layout";
import { translate } from "../memory/paging";
import { logBytes, logDecimal, logEnd, logHex, logStart, logText, LOG_ERROR } from "../console";
import { kernelStackTop } from "../glue";
import { InterruptFrame } from "../interrupts/frame";
import { backtrace, logRegisters, panic } from "../panic";
import { endProcess } from "./end";
import { currentProcess, Process } from "./process";

/** A process that traps ends with 64 + the signal a Unix process would get: SIGILL 4, SIGFPE 8, SIGSEGV 11. (QEMU's exit carries seven bits.) */
const TRAP_STATUS: i32 = 64;
const SIGILL: i32 = 4;
const SIGFPE: i32 = 8;
const SIGSEGV: i32 = 11;

const FRAME_MASK: u64 = 4095;

/** Names of wasm_rt_trap_t (boot/wasm-rt.h). */
function trapName(code: u32): string {
  switch (code) {
    case 1:
      return "out of bounds memory access";
    case 2:
      return "integer overflow";
    case 3:
      return "integer divide by zero";
    case 4:
      return "invalid conversion to integer";
    case 5:
      return "unreachable executed";
    case 6:
      return "indirect call type mismatch or null entry";
    case 7:
      return "uncaught exception";
    case 8:
      return "unaligned atomic";
    case 9:
      return "null reference";
    case 10:
      return "call stack exhausted";
    default:
      return "trap";
  }
}

/** From the runtime: the current process's code found that it has to trap. Does not return. */
export function trap(code: u32): void {
  const process = currentProcess();
  reportStart(process, trapName(code));
  logEnd();
  // What SYSCALL pushed first: the application's stack pointer.
  applicationBacktrace(process, load<u64>(kernelStackTop - 8), 0);
  endProcess(
    process,
    TRAP_STATUS + (code == 1 || code == 10 ? SIGSEGV : code == 2 || code == 3 ? SIGFPE : SIGILL),
  );
}

/** From the exception stub: the processor found it. `address`: of a page fault. Does not return. */
export function endTrappedProcess(name: string, address: u64, vector: u32, frame: InterruptFrame): void {
  const process = currentProcess();
  const pageFault = vector == 14;
  const inWindow = address >= WINDOW_BASE && address < INSTANCE_BASE;
  const inStack = address >= INSTANCE_BASE && address < STACK_TOP;
  reportStart(process, pageFault ? (inWindow ? trapName(1) : inStack ? trapName(10) : name) : name);
  if (pageFault && inWindow) {
    logText(" at ");
    logHex(address - WINDOW_BASE);
  }
  logEnd();
  logRegisters(frame);
  applicationBacktrace(process, frame.rsp, frame.rip);
  endProcess(
    process,
    TRAP_STATUS + (pageFault ? SIGSEGV : vector == 0 || vector == 16 || vector == 19 ? SIGFPE : SIGILL),
  );
}

/** From the kernel's own wasm code. Does not return. */
export function kernelTrap(code: u32): void {
  panic(trapName(code));
}

function reportStart(process: Process, what: string): void {
  logStart(LOG_ERROR, "process");
  logDecimal(process.pid);
  logText(" (");
  logBytes(process.module.name, process.module.nameLength);
  logText(") trapped: ");
  logText(what);
}

/** The application's stack lies in its window: page by page through the identity map; the first page that holds the top is enough. */
function applicationBacktrace(process: Process, stackPointer: u64, rip: u64): void {
  let stack = translate(process.pageTables, stackPointer);
  // An exhausted stack: its pointer is below its end; the calls are above.
  if (stack == 0) stack = translate(process.pageTables, STACK_TOP - process.module.stackBytes);
  if (stack == 0) return;
  backtrace(stack, rip, (stack & ~(<usize>FRAME_MASK)) + <usize>FRAME_MASK + 1);
}
