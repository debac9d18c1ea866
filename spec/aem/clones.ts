/** For the specs of executors: the main process, its clones, and who of them runs. */
import { EVTBLINIT } from "../../aem/abi";
import { sys_evctl } from "../../aem/evctl";
import { eventPool } from "../../aem/jids";
import { messagePool } from "../../aem/jobs/message";
import { clearExitWork, WORK_RESCHEDULE } from "../../kernel/glue";
import { frameErrorCount } from "../../kernel/memory/frames";
import { sys_waitpid } from "../../kernel/process/family";
import { currentProcess, Process, PROCESS_LIMIT, processOfPid } from "../../kernel/process/process";
import { raiseThread, wakeThread } from "../../kernel/scheduler/wake";
import { endNow, reapAll } from "../reap";
import { setUp } from "./driver";
import { HANDLER_CODE, nextHandler, serveAndLeave, switchTo } from "./machine";

export let main: Process = changetype<Process>(0);

/** Before all tests: the first process is the main one. */
export function setUpClones(): void {
  setUp();
  beMain(currentProcess());
}

export function beMain(process: Process): void {
  main = process;
}

/** Children of the main process that are alive, the first to be made first. */
export function children(): Process[] {
  const list: Process[] = [];
  for (let pid = 1; pid <= PROCESS_LIMIT; pid++) {
    const child = processOfPid(pid);
    if (child !== null && child.state == 1 && changetype<usize>(child.parent) == changetype<usize>(main))
      list.push(child);
  }
  return list;
}

/** `process` gets the processor, whoever else could run. */
export function become(process: Process): void {
  if (changetype<usize>(process) == changetype<usize>(currentProcess())) return;
  wakeThread(process.thread, 63);
  raiseThread(process.thread, 63);
  switchTo(process);
}

/** The handler of type `type` begins in the clone; the clone is the current process then. */
export function begin(clone: Process, type: u32): void {
  become(clone);
  expect<u32>(<u32>nextHandler()).toBe(HANDLER_CODE + type, "in the clone");
}

/** The current clone has no handler to run: it does what it does then, up to its end or rest; the main process is the current one afterwards. */
export function leave(): void {
  wakeThread(main.thread, 63);
  // Not before: no stack is switched here, so what yields would not come back.
  clearExitWork(WORK_RESCHEDULE);
  serveAndLeave();
  become(main);
  reapAll();
}

/** The handler of the current clone returns, and the clone does what it does then; the main process is the current one afterwards. */
export function finish(): void {
  expect<u32>(<u32>nextHandler()).toBe(0);
  leave();
}

/** After each test: nothing may be left of it. */
export function expectAllGone(): void {
  while (sys_waitpid(-1, 0, 1) > 0) {}
  sys_evctl(0, EVTBLINIT, 0);
  nextHandler();
  const list = children();
  for (let i = 0; i < list.length; i++) endNow(list[i], 0);
  while (sys_waitpid(-1, 0, 1) > 0) {}
  expect<u32>(main.childCount).toBe(0, "children");
  expect<u32>(main.capsuleCount).toBe(0, "capsules");
  expect<u32>(eventPool().inUse).toBe(0, "events in the pool");
  expect<u32>(main.eventCount).toBe(0);
  expect<u32>(main.waitingCount).toBe(0);
  expect<u32>(main.vmtable.blocks).toBe(0);
  expect<u32>(main.vmtable.badFrees).toBe(0);
  expect<u32>(messagePool().inUse).toBe(0);
  expect<u32>(frameErrorCount()).toBe(0);
}
