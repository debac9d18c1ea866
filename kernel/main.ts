/**
 * The composition root: reads as the boot check-list. And the kernel's wasm exports: `sys_*` is the system-call table,
 * the rest is what boot/ calls.
 */
import { cpuid, exit, image, rdrand, tsc, IMAGE_DATA_END, IMAGE_START_TSC_HIGH, IMAGE_START_TSC_LOW } from "./hal";
import { findOption, optionIs, optionNumber, readBootInfo } from "./boot-info";
import { log, logBytes, logDecimal, logEnd, logStart, logText, LOG_ERROR, LOG_INFO, LOG_NOTICE, LOG_WARNING, setConsoleSink, setLogLevel } from "./console";
import { setDispatchPending } from "./glue";
import { initializeApic } from "./interrupts/apic";
import { armDeadline, initializeDeadline } from "./interrupts/deadline";
import { initializePolls, POLL_STORAGE, runPollRounds } from "./interrupts/polls";
import { handleVector, initializeVectors } from "./interrupts/vectors";
import { freeFrameCount, totalFrameCount } from "./memory/frames";
import { protectKernel } from "./memory/paging";
import { permanent } from "./memory/permanent";
import { initializePhysicalMemory } from "./memory/physical";
import { Pool } from "./memory/pool";
import { initializeVmtables } from "./memory/vmtable";
import { panic } from "./panic";
import { initializeProcessCalls } from "./process/calls";
import { HANDLE_STORAGE, initializeHandles } from "./process/handles";
import { moduleCount, moduleDescriptor } from "./process/module";
import { createProcess, growMemory, initializeProcesses, PROCESS_LIMIT, PROCESS_STORAGE } from "./process/process";
import { initializeRandom, keySipHash, RANDOM_SIZE, seedRandom } from "./random";
import { initializeScheduler, NO_DEADLINE, startScheduler } from "./scheduler/scheduler";
import { initializeThreads } from "./scheduler/thread";
import { now, setClockStart } from "./time/clock";
import { initializeWheel, TIMER_SIZE, WHEEL_SIZE } from "./time/wheel";
import { initializeSerial, serialPut } from "../drivers/serial";

export { kernelStackTop, dispatchPending, upcallArgument1, upcallArgument2, upcallArgument3, upcallArgument4, upcallArgument5 } from "./glue";
export { exception, kernelException } from "./interrupts/exceptions";
export { kernelTrap, trap } from "./process/trap";
export { growMemory as memoryGrow } from "./process/process";
export {
  sys_exit, sys_getpid, sys_kill, sys_sigtake, sys_enter_keepalive, sys_clock_gettime, sys_nanosleep, sys_log, sys_getrandom, vmtableEnd,
} from "./process/calls";

/** Status with which the machine ends when it could not be started. */
const BOOT_FAILED: u32 = 100;

/** From boot/start.c: interrupts off, on the boot stack. Does not return. */
export function main(): void {
  if (initializeSerial()) setConsoleSink(serialPut.index);
  setClockStart((<u64>image(IMAGE_START_TSC_HIGH) << 32) | <u64>image(IMAGE_START_TSC_LOW));
  if (!readBootInfo()) fail("the loader is not a multiboot loader, or gave no memory map");
  setLogOption();
  initializeMemory();
  initializeInterrupts();
  initializeEntropy();
  initializeProcessesAndThreads();
  if (findOption("panic")) panic("asked for on the command line");
  startModules();
  logReady();
  startScheduler();
}

/** Ends the boot with a message: what is missing is outside of the kernel. */
function fail(reason: string): void {
  log(LOG_ERROR, "boot", reason);
  exit(BOOT_FAILED);
}

function setLogOption(): void {
  if (!findOption("log")) return;
  const level = optionNumber();
  if (level >= 0 && level <= 7) setLogLevel(<u32>level);
  else log(LOG_WARNING, "boot", "log= wants a level from 0 to 7");
}

function initializeMemory(): void {
  if (<usize>__heap_base > image(IMAGE_DATA_END)) panic("static data is larger than boot/link.ld has room for");
  if (!initializePhysicalMemory() || !protectKernel()) fail("not enough memory");
}

function initializeInterrupts(): void {
  if (!initializeApic()) fail("the processor has no APIC");
  initializeWheel(need(WHEEL_SIZE));
  if (!initializeVectors()) fail("not enough memory");
  initializePolls(need(POLL_STORAGE));
  if (initializeDeadline(need(TIMER_SIZE)) == 0) fail("the 8254 timer does not count: no clock");
}

/** A piece of permanent memory, or the end of the boot. */
function need(bytes: usize): usize {
  const address = permanent(bytes);
  if (address == 0) fail("not enough memory");
  return address;
}

function initializeEntropy(): void {
  initializeRandom(need(RANDOM_SIZE));
  seedRandom(tsc());
  if ((cpuid(1, 0, 2) & (1 << 30)) != 0) {
    for (let i = 0; i < 4; i++) seedRandom(rdrand());
  }
  keySipHash();
}

function initializeProcessesAndThreads(): void {
  initializeScheduler(need(16));
  initializeThreads(changetype<Pool>(need(offsetof<Pool>())), PROCESS_LIMIT);
  initializeProcesses(need(PROCESS_STORAGE), onLastExit.index);
  initializeHandles(need(HANDLE_STORAGE));
  initializeProcessCalls(need(256));
  initializeVmtables(changetype<Pool>(need(offsetof<Pool>())), PROCESS_LIMIT);
}

/** One process for each module that is linked in; one that does not fit is said by name. */
function startModules(): void {
  for (let i: u32 = 0; i < moduleCount(); i++) {
    const module = moduleDescriptor(i);
    const pid = createProcess(module);
    if (logStart(pid < 0 ? LOG_ERROR : LOG_INFO, "process")) {
      logBytes(module.name, module.nameLength);
      logText(pid < 0 ? " could not be started: error " : " started with pid ");
      logDecimal(pid);
      logEnd();
    }
    if (pid < 0) fail("not enough memory for the applications of this image");
  }
}

function logReady(): void {
  if (!logStart(LOG_NOTICE, "aemos")) return;
  logText("ready in ");
  logDecimal(now() / 1_000_000);
  logText(" ms, ");
  logDecimal((<u64>freeFrameCount() << 12) >> 10);
  logText(" of ");
  logDecimal((<u64>totalFrameCount() << 12) >> 10);
  logText(" KiB free");
  logEnd();
}

function onLastExit(status: i32): void {
  if (logStart(LOG_NOTICE, "aemos")) {
    logText("the last process has ended, status ");
    logDecimal(status);
    logEnd();
  }
  exit(<u32>status > 127 ? 127 : <u32>status);
}

/** From the stub: an interrupt while an application ran. */
export function interrupt(vector: u32): void {
  handleVector(vector);
  const left = runPollRounds();
  // What is left is taken up again soon, even if the application never calls.
  armDeadline(left ? now() + 100_000 : NO_DEADLINE);
}

/** From the glue, at the end of a system call with events pending: the next handler's code address, or 0. */
export function dispatch(): usize {
  setDispatchPending(false);
  return 0;
}
