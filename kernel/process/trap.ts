/**
 * The end of a process that did what wasm forbids: it ends, the others go on, and it is reported.
 *
 * A report is long: name and reason, registers, a backtrace. So the trap itself only keeps what the report needs (TrapReport). The report is the first thing that is
 * done when the process's parts go back (end.ts), with all its memory still there, a line in each step. One process is taken apart at a time, so
 * reports come one after the other, each in one piece.
 */
import { INSTANCE_BASE, STACK_TOP, WINDOW_BASE } from "../memory/layout";
import { translate } from "../memory/paging";
import { logBytes, logDecimal, logEnd, logHex, logStart, logText, LOG_ERROR } from "../console";
import { kernelStackTop } from "../glue";
import { InterruptFrame } from "../interrupts/frame";
import { backtrace, backtraceSome, logRegisters, panic, REGISTER_LINES } from "../panic";
import { endProcess, onProcessExit } from "./end";
import { currentProcess, Process, TRAP_OFFSET, TRAP_SIZE } from "./process";

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

/** What is kept of a trap until it has been reported. */
@unmanaged
class TrapReport {
  /** The string that says why; 0: nothing is to be reported (any more). */
  reason: usize;
  /** Offset in the linear memory that was touched, if that was the reason. */
  offset: u64;
  hasOffset: u32;
  /** Next line: first the reason, then registers, of which there are some where the processor has found it, then the calls. */
  line: u32;
  /** The application's. */
  stackPointer: u64;
  /** 0: unknown, and no registers. */
  rip: u64;

  /** The registers stand behind the fields. */
  @inline get frame(): InterruptFrame {
    return changetype<InterruptFrame>(changetype<usize>(this) + offsetof<TrapReport>());
  }
}


@inline
function reportOf(process: Process): TrapReport {
  return changetype<TrapReport>(changetype<usize>(process) + TRAP_OFFSET);
}
/** Once at boot, before anybody else asks for the end of processes: a report needs all that the process had. */
export function initializeTraps(): void {
  if (offsetof<TrapReport>() + offsetof<InterruptFrame>() > TRAP_SIZE) unreachable();
  onProcessExit(reportTrap.index);
}

/** From the runtime: the current process's code found that it has to trap. Does not return. */
export function trap(code: u32): void {
  const process = currentProcess();
  const report = reportOf(process);
  report.reason = changetype<usize>(trapName(code));
  // What SYSCALL pushed first: the application's stack pointer.
  report.stackPointer = load<u64>(kernelStackTop - 8);
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
  const report = reportOf(process);
  report.reason = changetype<usize>(
    pageFault ? (inWindow ? trapName(1) : inStack ? trapName(10) : name) : name,
  );
  report.hasOffset = u32(pageFault && inWindow);
  report.offset = address - WINDOW_BASE;
  report.stackPointer = frame.rsp;
  report.rip = frame.rip;
  memory.copy(changetype<usize>(report.frame), changetype<usize>(frame), offsetof<InterruptFrame>());
  endProcess(
    process,
    TRAP_STATUS + (pageFault ? SIGSEGV : vector == 0 || vector == 16 || vector == 19 ? SIGFPE : SIGILL),
  );
}

/** From the kernel's own wasm code. Does not return. */
export function kernelTrap(code: u32): void {
  panic(trapName(code));
}

/** Words of a stack that one step looks at. */
const WORDS: u32 = 64;

/** Of the end of a process (onProcessExit): a line of what is to be reported of it. True: there is no more. */
function reportTrap(process: Process): bool {
  const report = reportOf(process);
  if (report.reason == 0) return true;
  const line = report.line++;
  const registers: u32 = report.rip == 0 ? 0 : REGISTER_LINES;
  if (line == 0) logReason(process, report);
  else if (line <= registers) logRegisters(report.frame, line - 1);
  else if (line == registers + 1) return !beginBacktrace(process, report);
  else return backtraceSome(WORDS);
  return false;
}

function logReason(process: Process, report: TrapReport): void {
  logStart(LOG_ERROR, "process");
  logDecimal(process.pid);
  logText(" (");
  logBytes(process.module.name, process.module.nameLength);
  logText(") trapped: ");
  logText(changetype<string>(report.reason));
  if (report.hasOffset) {
    logText(" at ");
    logHex(report.offset);
  }
  logEnd();
}

/** The application's stack lies in its window: page by page through the identity map; the first page that holds the top is enough. False: there is none. */
function beginBacktrace(process: Process, report: TrapReport): bool {
  let stack = translate(process.pageTables, report.stackPointer);
  // An exhausted stack: its pointer is below its end; the calls are above.
  if (stack == 0) stack = translate(process.pageTables, STACK_TOP - process.module.stackBytes);
  if (stack == 0) return false;
  backtrace(stack, report.rip, (stack & ~(<usize>FRAME_MASK)) + <usize>FRAME_MASK + 1);
  return true;
}
