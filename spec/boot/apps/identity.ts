/** Which of several processes with the same module this one is: the number at the end of its name in the manifest. */
import { PROCESS_INFORMATION_SIZE, ProcessInformation, processinfo } from "../../../sdk";

const information = memory.data(1024, 8);

/** `level-40`: 40; -1: the name has none. */
export function nameNumber(): i32 {
  processinfo(0, information, PROCESS_INFORMATION_SIZE);
  const name = changetype<ProcessInformation>(information).name;
  let at: usize = 0;
  while (load<u8>(name + at) != 0) at++;
  let value = 0;
  let scale = 1;
  let digits = 0;
  while (at > 0) {
    const digit = <i32>load<u8>(name + --at) - 48;
    if (<u32>digit > 9) break;
    value += digit * scale;
    scale *= 10;
    digits++;
  }
  return digits == 0 ? -1 : value;
}

/** Processor time in ns that process `pid` has had; -1: there is no such process. */
export function processorTime(pid: i32): i64 {
  if (processinfo(pid, information, PROCESS_INFORMATION_SIZE) < 0) return -1;
  return changetype<ProcessInformation>(information).cpuTime;
}

/** The process that made this one. */
export function parentPid(): i32 {
  processinfo(0, information, PROCESS_INFORMATION_SIZE);
  return changetype<ProcessInformation>(information).parent;
}

/** Flags of a registration with a priority. */
// @ts-ignore: decorator
@inline
export function prioritized(priority: i32): i32 {
  return (priority + 1) << 8;
}
