/** The monitor in /stats: what each process of the image uses now, as the kernel says (sdk/processinfo.ts). */
import {
  PROCESS_BLOCKED,
  PROCESS_INFORMATION_SIZE,
  PROCESS_LIMIT,
  PROCESS_RUNNING,
  ProcessInformation,
  processinfo,
} from "../../sdk";
import { endText, put, putBytes, putNumber } from "./text";

/** Octets that one process takes at most, and the end of the list. */
const ENTRY_ROOM: usize = 512;
const information = changetype<ProcessInformation>(heap.alloc(offsetof<ProcessInformation>()));

function member(name: string, value: u64): void {
  put(name);
  putNumber(value);
}

/** Two members of a JSON object: the list, and how many of the `count` processes did not fit in before `end`. */
export function putProcesses(end: usize, count: u32): void {
  let shown: u32 = 0;
  put('"processes":[');
  for (let pid = 1; pid <= PROCESS_LIMIT && shown < count && endText() + ENTRY_ROOM <= end; pid++) {
    memory.fill(changetype<usize>(information), 0, offsetof<ProcessInformation>());
    if (processinfo(pid, changetype<usize>(information), PROCESS_INFORMATION_SIZE) < 0) continue;
    if (shown++ != 0) put(",");
    putProcess(information);
  }
  member('],"processesOmitted":', count - shown);
}

function putProcess(i: ProcessInformation): void {
  member('{"pid":', i.pid);
  member(',"parent":', i.parent);
  put(',"name":"');
  putName(i.name);
  put('","state":"');
  put(i.state == PROCESS_RUNNING ? "running" : i.state == PROCESS_BLOCKED ? "blocked" : "runnable");
  member('","cpuNanoseconds":', i.cpuTime);
  member(',"events":', i.events);
  member(',"pending":', i.pending + i.held);
  member(',"descriptors":', i.descriptors);
  member(',"memory":', i.memoryBytes);
  member(',"vmtable":{"used":', i.vmtableUsed);
  member(',"peak":', i.vmtablePeak);
  member(',"size":', i.vmtableSize);
  member(',"failures":', i.vmtableFailures);
  member('},"refused":', i.refusedCalls + i.refusedEvents + i.limitRefusals);
  put("}");
}

/** The manifest's schema allows letters, digits and hyphens only. */
function putName(name: usize): void {
  let length: usize = 0;
  while (length < 32 && load<u8>(name + length) != 0) length++;
  putBytes(name, length);
}
