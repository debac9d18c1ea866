/** Looks at the other processes with processinfo, when they have had their time, and ends the one that stays. */
import {
  EVF_ONESHOT,
  PROCESS_INFORMATION_SIZE,
  PROCESS_LIMIT,
  ProcessInformation,
  SIGKILL,
  kill,
  nanosleep,
  onTimer,
  processinfo,
} from "../../../../sdk";
import { row } from "../report";

const information = changetype<ProcessInformation>(memory.data(256, 8));

function never(jid: i32, overrun: i32): void {}

function look(pid: i32): i32 {
  memory.fill(changetype<usize>(information), 0, 256);
  return processinfo(pid, changetype<usize>(information), PROCESS_INFORMATION_SIZE);
}

export function main(): i32 {
  onTimer(600_000_000_000, 0, never, EVF_ONESHOT);
  row(
    "watcher-self",
    look(0),
    information.pid,
    information.state,
    information.events,
    information.eventsOfType(5),
  );
  // The others end; the first one sleeps.
  let living = PROCESS_LIMIT;
  while (living > 2) {
    nanosleep(10_000_000);
    living = 0;
    for (let pid = 1; pid <= PROCESS_LIMIT; pid++) if (look(pid) > 0) living++;
  }
  look(1);
  const i = information;
  row("watcher-guarded", i.state, i.descriptors, i.refusedCalls, i.refusedEvents, i.limitRefusals, i.events);
  row(
    "watcher-memory",
    i.memoryBytes,
    i.memoryLimit,
    i.vmtableUsed,
    i.vmtableSize,
    load<u64>(i.name) == 0x64656472617567,
  );
  row("watcher-none", look(64), look(-3), processinfo(1, 0xfffffff0, 64));
  row("watcher-kill", kill(1, SIGKILL), look(1));
  return 0;
}
