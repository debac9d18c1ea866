/**
 * Exceptions (Intel SDM 3A, 6.15). In an application: the process ends. In the kernel: panic. NMI: counted.
 */
import { faultAddress } from "../hal";
import { consoleFlush, logHex, logStart, logText, logEnd, LOG_ERROR } from "../console";
import { BREAK_DONE, BREAK_NO_FRAME } from "../memory/copy-on-write";
import { STACK_TOP, WINDOW_BASE } from "../memory/layout";
import { beginReport, panicFrame } from "../panic";
import { breakProcessCopy } from "../process/fork";
import { currentProcess } from "../process/process";
import { endTrappedProcess } from "../process/trap";
import { exitWork, WORK_RESCHEDULE } from "../glue";
import { preempt } from "../scheduler/preempt";
import { InterruptFrame } from "./frame";
import { letInterruptLeave } from "./polls";

const VECTOR_NMI: u32 = 2;
const VECTOR_PAGE_FAULT: u32 = 14;

export let nmiCount: u64 = 0;

export function exceptionName(vector: u32): string {
  switch (vector) {
    case 0:
      return "divide error";
    case 1:
      return "debug";
    case 2:
      return "non-maskable interrupt";
    case 3:
      return "breakpoint";
    case 4:
      return "overflow";
    case 5:
      return "bound range exceeded";
    case 6:
      return "invalid opcode";
    case 7:
      return "device not available";
    case 8:
      return "double fault";
    case 10:
      return "invalid TSS";
    case 11:
      return "segment not present";
    case 12:
      return "stack fault";
    case 13:
      return "general protection";
    case 14:
      return "page fault";
    case 16:
      return "x87 floating point";
    case 17:
      return "alignment check";
    case 18:
      return "machine check";
    case 19:
      return "SIMD floating point";
    default:
      return "exception";
  }
}

/** Error code of a page fault: a write, to a page that is mapped. */
const FAULT_PROTECTED_WRITE: u64 = 3;

/** Whether a page fault was a write to what a fork has shared, and is mended: BREAK_*, or -1 when it was something else. */
function mendFault(frame: InterruptFrame, address: u64): i32 {
  if ((frame.error & FAULT_PROTECTED_WRITE) != FAULT_PROTECTED_WRITE) return -1;
  if (address < WINDOW_BASE || address >= STACK_TOP) return -1;
  return breakProcessCopy(currentProcess(), address);
}

/**
 * From the stub: an exception in an application; the frame is on its thread's kernel stack. Returns when the application goes on as if
 * nothing had been.
 */
export function exception(frame: InterruptFrame): void {
  const vector = frame.number;
  if (vector != VECTOR_PAGE_FAULT) {
    endTrappedProcess(exceptionName(vector), 0, vector, frame);
    return;
  }
  const address = faultAddress();
  const outcome = mendFault(frame, address);
  if (outcome == BREAK_DONE) {
    // A memory event may have been waiting for this frame to go. The copy may have been as much as what is done first then.
    if (exitWork & WORK_RESCHEDULE) {
      letInterruptLeave();
      preempt();
    }
    return;
  }
  const name = outcome == BREAK_NO_FRAME ? "no memory for its own copy of a page" : exceptionName(vector);
  endTrappedProcess(name, outcome == BREAK_NO_FRAME ? 0 : address, vector, frame);
}

/** From the stub: a page fault while the kernel copies to or from an application. Whether the copy can go on. */
export function copyFault(frame: InterruptFrame): bool {
  return mendFault(frame, faultAddress()) == BREAK_DONE;
}

/** From the stub: an exception in the kernel, on an IST stack. Returns only for an NMI. */
export function kernelException(frame: InterruptFrame): void {
  const vector = frame.number;
  if (vector == VECTOR_NMI) {
    nmiCount++;
    return;
  }
  beginReport();
  consoleFlush();
  if (vector == VECTOR_PAGE_FAULT && logStart(LOG_ERROR, "panic")) {
    logText("fault address ");
    logHex(faultAddress());
    logEnd();
  }
  panicFrame(exceptionName(vector), frame);
}
