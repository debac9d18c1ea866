/**
 * The end of the kernel: reason, registers, backtrace, exit. And the backtrace of a process that trapped.
 *
 * There are no frame pointers (they cost three instructions a call). A backtrace walks the stack and takes for a return
 * address what points behind a call instruction: a direct call (E8 rel32), or an indirect one (FF /2). A direct call whose target is not
 * the function found before it is marked with `?`: it may be left over from an earlier call.
 */
import { exit, raise } from "./hal";
import { consoleFlush, logDecimal, logEnd, logHexDigits, logStart, logText, LOG_ERROR } from "./console";
import { functionStart, isText, logSymbol } from "./symbols";
import { InterruptFrame } from "./interrupts/frame";

/** Exit status of the machine after a panic. (QEMU's isa-debug-exit carries seven bits.) */
export const PANIC_STATUS: u32 = 101;
const MAX_FRAMES: u32 = 24;

/** The reason is on the console; the report of an exception has begun. */
let reasonGiven: bool = false;
let reporting: bool = false;

/**
 * Prints the reason, the registers and the way here, then ends the machine. Never returns: it raises an exception, because only
 * that has all registers as they are here.
 */
export function panic(reason: string): void {
  giveReason(reason);
  raise();
  exit(PANIC_STATUS);
}

/** Ahead of all that is done for an exception in the kernel. Does not return for one in what is done: no second report, the first one is on the console as far as it came. */
export function beginReport(): void {
  if (reporting) exit(PANIC_STATUS);
  reporting = true;
}

/** For an exception in the kernel: one that panic has raised, or one that is the reason itself. Never returns. */
export function panicFrame(reason: string, frame: InterruptFrame): void {
  if (!reasonGiven) giveReason(reason);
  for (let line: u32 = 0; line < REGISTER_LINES; line++) logRegisters(frame, line);
  backtrace(<usize>frame.rsp, frame.rip, 0);
  while (!backtraceSome(u32.MAX_VALUE)) {}
  exit(PANIC_STATUS);
}

function giveReason(reason: string): void {
  if (reasonGiven) exit(PANIC_STATUS);
  reasonGiven = true;
  consoleFlush();
  logStart(LOG_ERROR, "panic");
  logText(reason);
  logEnd();
}

function logRegister(name: string, value: u64): void {
  logText(name);
  logHexDigits(value, 16);
}

/** Lines that all registers take. */
export const REGISTER_LINES: u32 = 5;

/** One line of them. */
export function logRegisters(frame: InterruptFrame, line: u32): void {
  switch (line) {
    case 0:
      logRegister("  rip ", frame.rip);
      logRegister("  rsp ", frame.rsp);
      logRegister("  flags ", frame.rflags);
      logRegister("  error ", frame.error);
      break;
    case 1:
      logRegister("  rax ", frame.rax);
      logRegister("  rbx ", frame.rbx);
      logRegister("  rcx ", frame.rcx);
      logRegister("  rdx ", frame.rdx);
      break;
    case 2:
      logRegister("  rsi ", frame.rsi);
      logRegister("  rdi ", frame.rdi);
      logRegister("  rbp ", frame.rbp);
      logRegister("  r8  ", frame.r8);
      break;
    case 3:
      logRegister("  r9  ", frame.r9);
      logRegister("  r10 ", frame.r10);
      logRegister("  r11 ", frame.r11);
      logRegister("  r12 ", frame.r12);
      break;
    default:
      logRegister("  r13 ", frame.r13);
      logRegister("  r14 ", frame.r14);
      logRegister("  r15 ", frame.r15);
  }
  logEnd();
}

/** Whether the instruction in front of `address` is a call; a direct one's target in `calledFunction`. */
function isReturnAddress(address: u64): bool {
  if (!isText(address - 7) || !isText(address)) return false;
  const at = <usize>address;
  if (load<u8>(at - 5) == 0xe8) {
    calledFunction = <u32>at + load<u32>(at - 4);
    if (isText(calledFunction)) return true;
  }
  calledFunction = 0;
  // call *reg (2 bytes), call *disp8 (3), call *disp32 (6): FF with /2 in the ModRM byte.
  for (let length: usize = 2; length <= 7; length++) {
    if (load<u8>(at - length) == 0xff && (load<u8>(at - length + 1) & 0x38) == 0x10) return true;
  }
  return false;
}
let calledFunction: u32 = 0;

/** How far the backtrace has come: there is one at a time, of the process that is being reported, or of the kernel's end. */
let word: usize = 0;
let stackEnd: usize = 0;
/** The function found last (0: unknown), the address in it, how often that has been found again, and how many there were. */
let callee: u32 = 0;
let last: u64 = 0;
let repeats: u32 = 0;
let frames: u32 = 0;

/**
 * Begins to print the calls that led to `rip` (0: unknown), from the stack words from `stack` on, a kernel address. `end`: where the stack
 * ends, 0 when it is only known to be the kernel's: then up to where a stack of 16 KiB can end.
 */
export function backtrace(stack: usize, rip: u64, end: usize): void {
  word = (stack + 7) & ~7;
  stackEnd = end == 0 ? (stack & ~16383) + 16384 : end;
  callee = 0;
  last = 0;
  repeats = 0;
  frames = 0;
  if (rip == 0) return;
  logFrame(rip, false, 0);
  if (isText(rip)) callee = functionStart(<u32>rip);
}

/** Goes on, for one call (two lines) or `words` words of the stack at most. True: that is all. */
export function backtraceSome(words: u32): bool {
  for (; words != 0; words--, word += 8) {
    if (word + 8 > stackEnd || frames == MAX_FRAMES) {
      logRepeats();
      return true;
    }
    const address = load<u64>(word);
    if (!isReturnAddress(address)) continue;
    const certain = calledFunction == 0 || callee == 0 || calledFunction == callee;
    if (certain) callee = functionStart(<u32>address - 1);
    if (address == last) {
      repeats++;
      continue;
    }
    logRepeats();
    last = address;
    logFrame(address, !certain, 1);
    frames++;
    word += 8;
    break;
  }
  return false;
}

/** A recursion is one line. */
function logRepeats(): void {
  if (repeats == 0) return;
  logText("      and ");
  logDecimal(repeats);
  logText(" more of it");
  logEnd();
  repeats = 0;
}

function logFrame(address: u64, uncertain: bool, back: u32): void {
  logText(uncertain ? "  ? " : "    ");
  logSymbol(address, back);
  logEnd();
}
