/**
 * sysinfo: the kernel's counters for applications (sdk/sysinfo.ts has the same struct). New ones are added at the end only.
 */
import { EFAULT, EINVAL } from "../kernel/errno";
import { interruptCount, interruptTsc } from "../kernel/interrupts/vectors";
import { FRAME_SIZE, freeFrameCount, totalFrameCount } from "../kernel/memory/frames";
import { writeUser } from "../kernel/memory/user";
import { liveProcesses } from "../kernel/process/process";
import { now } from "../kernel/time/clock";

/** major << 32 | minor << 16 | patch, as in package.json. */
export const VERSION: u64 = 0x0_0001_0000;


@unmanaged
class SystemInformation {
  version: u64;
  uptime: u64;
  processes: u64;
  memoryTotal: u64;
  memoryFree: u64;
  interrupts: u64;
  events: u64;
  activations: u64;
  handled: u64;
  framesReceived: u64;
  bytesReceived: u64;
  framesSent: u64;
  bytesSent: u64;
  framesDropped: u64;
  tcpConnections: u64;
  tcpAccepted: u64;
  tcpRetransmitted: u64;
  /** TSC at which the last interrupt was taken. */
  interruptTsc: u64;
}

export const SYSTEM_INFORMATION_SIZE: usize = offsetof<SystemInformation>();
let information: SystemInformation = changetype<SystemInformation>(0);

/** Once at boot. `storage`: SYSTEM_INFORMATION_SIZE bytes. */
export function initializeSystemInformation(storage: usize): void {
  information = changetype<SystemInformation>(storage);
}
