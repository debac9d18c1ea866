/** Ends a process and has all that it had given back at once: what the polls do bit by bit on a machine. */
import { endProcess, reapPoll } from "../kernel/process/end";
import { Process } from "../kernel/process/process";

export function reapAll(): void {
  while (reapPoll(0)) {}
}

export function endNow(process: Process, status: i32): void {
  endProcess(process, status);
  reapAll();
}
