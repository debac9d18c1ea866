/**
 * sysinfo: the kernel's counters for applications (sdk/sysinfo.ts has the same struct). New ones are added at the end only.
 */
import { consoleLost } from "../kernel/console";
import { EINVAL } from "../kernel/errno";
import { interruptCount, interruptTsc } from "../kernel/interrupts/vectors";
import { FRAME_SIZE, freeFrameCount, totalFrameCount } from "../kernel/memory/frames";
import { writeUser } from "../kernel/memory/user";
import { liveProcesses } from "../kernel/process/process";
import { now } from "../kernel/time/clock";
import { droppedPackets, networkCounters } from "../net/counters";
import { hasDevice, networkInterface } from "../net/interface";
import { tcpStatistics } from "../net/socket/tcp/tcp";
import { timeWaitPool } from "../net/socket/tcp/timewait";
import { activationTotal } from "./activation";
import { handledTotal } from "./delivery";
import { eventPool } from "./jids";

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
  payloadDelivered: u64;
  payloadCopied: u64;
  tcpTimeWaits: u64;
  tcpTimeWaitsCut: u64;
  /** Of the frames, those that the device cut into segments of TCP, and those that it put together of some. */
  framesSegmented: u64;
  framesMerged: u64;
  consoleLost: u64;
}

export const SYSTEM_INFORMATION_SIZE: usize = offsetof<SystemInformation>();
let information: SystemInformation = changetype<SystemInformation>(0);

/** Once at boot. `storage`: SYSTEM_INFORMATION_SIZE bytes. */
export function initializeSystemInformation(storage: usize): void {
  information = changetype<SystemInformation>(storage);
}

/** Writes up to `length` bytes of the counters to `buffer`. The bytes written, -EFAULT, -EINVAL for a negative length. */
export function sys_sysinfo(buffer: usize, length: i32): i32 {
  if (length < 0) return -EINVAL;
  const bytes = min(<usize>length, SYSTEM_INFORMATION_SIZE);
  const tcp = tcpStatistics();
  information.version = VERSION;
  information.uptime = now();
  information.processes = liveProcesses();
  information.memoryTotal = <u64>totalFrameCount() * FRAME_SIZE;
  information.memoryFree = <u64>freeFrameCount() * FRAME_SIZE;
  information.interrupts = interruptCount;
  information.events = eventPool().inUse;
  information.activations = activationTotal;
  information.handled = handledTotal;
  if (hasDevice()) {
    const device = networkInterface().device;
    information.framesReceived = device.receivedFrames;
    information.bytesReceived = device.receivedBytes;
    information.framesSent = device.sentFrames;
    information.bytesSent = device.sentBytes;
    information.framesSegmented = device.sentSegmented;
    information.framesMerged = device.receivedMerged;
    information.framesDropped = device.receiveDropped + droppedPackets() + tcp.malformed + tcp.badChecksum;
  }
  information.tcpConnections = tcp.established;
  information.tcpAccepted = tcp.passiveOpens;
  information.tcpRetransmitted = tcp.retransmitted;
  information.interruptTsc = interruptTsc;
  information.payloadDelivered = networkCounters().payloadDelivered;
  information.payloadCopied = networkCounters().payloadCopied;
  information.tcpTimeWaits = timeWaitPool().inUse;
  information.tcpTimeWaitsCut = tcp.timeWaitRecycled + tcp.timeWaitLost;
  information.consoleLost = consoleLost;
  const error = writeUser(buffer, changetype<usize>(information), bytes);
  return error < 0 ? error : <i32>bytes;
}
