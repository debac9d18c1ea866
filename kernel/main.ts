/**
 * The composition root: reads as the boot check-list. And the kernel's wasm exports: `sys_*` is the system-call table,
 * the rest is what boot/ calls.
 */
import {
  cpuid,
  exit,
  idle,
  image,
  IMAGE_START_TSC_HIGH,
  IMAGE_START_TSC_LOW,
  poll,
  rdrand,
  tsc,
} from "./hal";
import { findOption, optionAddress, optionLength, optionNumber, readBootInfo } from "./boot-info";
import {
  consoleFlush,
  log,
  logBytes,
  logDecimal,
  logEnd,
  logStart,
  logText,
  LOG_ERROR,
  LOG_INFO,
  LOG_NOTICE,
  LOG_WARNING,
  setConsoleFlush,
  setConsoleRoom,
  setConsoleSink,
  setLogLevel,
} from "./console";
import { exitWork, WORK_RESCHEDULE } from "./glue";
import { initializeApic } from "./interrupts/apic";
import { armDeadline, initializeDeadline, timerPoll } from "./interrupts/deadline";
import {
  deferPolls,
  initializePolls,
  POLL_LEVEL_DEFAULT,
  POLL_OUTPUT,
  POLL_PACKETS,
  POLL_REAP,
  POLL_RECEIVE,
  POLL_STORAGE,
  POLL_TIMERS,
  pollLevels,
  runPolls,
  setPoll,
} from "./interrupts/polls";
import { handleVector, initializeVectors } from "./interrupts/vectors";
import { allocateFrames, FRAME_SIZE, freeFrameCount, totalFrameCount } from "./memory/frames";
import { protectKernel } from "./memory/paging";
import { permanent } from "./memory/permanent";
import { initializePhysicalMemory } from "./memory/physical";
import { Pool } from "./memory/pool";
import { initializeVmtables } from "./memory/vmtable";
import { panic } from "./panic";
import { initializeProcessCalls } from "./process/calls";
import { HANDLE_STORAGE, initializeHandles } from "./process/handles";
import { createProcess } from "./process/create";
import { END_STORAGE, initializeEnd, reapPoll } from "./process/end";
import { initializeFamily } from "./process/family";
import {
  congestionControl,
  initializeModules,
  moduleCount,
  moduleDescriptor,
  NAME_LIMIT,
  reservePercent,
} from "./process/module";
import { initializeNames, NAME_STORAGE } from "./process/names";
import { initializeProcessInformation, PROCESS_INFORMATION_SIZE } from "./process/processinfo";
import { initializeProcesses, PROCESS_LIMIT, PROCESS_STORAGE } from "./process/process";
import { initializeTraps } from "./process/trap";
import { initializeRandom, keySipHash, RANDOM_SIZE, seedRandom } from "./random";
import { startReserve } from "./scheduler/quantum";
import { preempt, workAfterInterrupt } from "./scheduler/preempt";
import { currentThread } from "./scheduler/running";
import { initializeScheduler, SCHEDULER_STORAGE, startScheduler } from "./scheduler/scheduler";
import { initializeThreads, THREAD_STORAGE } from "./scheduler/thread";
import { now, setClockStart } from "./time/clock";
import { addTimerLevel, initializeTimers, TIMER_SIZE } from "./time/timers";
import { AEM_STORAGE, initializeAem } from "../aem/aem";
import { dispatchAfter, dispatchNext } from "../aem/dispatch";
import { initializeSystemInformation, SYSTEM_INFORMATION_SIZE } from "../aem/sysinfo";
import { pciScan } from "../drivers/pci";
import {
  initializeRing,
  initializeSerial,
  RING_STORAGE,
  serialFlush,
  serialPut,
  serialRoom,
} from "../drivers/serial";
import { virtioNetPoll, virtioNetProbe } from "../drivers/virtio/net";
import { virtioRngProbe, virtioRngRead } from "../drivers/virtio/rng";
import { CONFIG6_STORAGE, IP6_OFF, parseIp6Option } from "../net/config6";
import { CONFIG_STORAGE, IP_DHCP, parseDnsOption, parseIpOption } from "../net/config";
import { dhcpStart } from "../net/dhcp";
import { loopbackPoll } from "../net/loopback";
import { packetsPoll } from "../net/packets";
import { BUFFER_SIZE } from "../net/buffer";
import { attachDevice, networkDoorbell, networkInterface, setVlan } from "../net/interface";
import { startIpv6 } from "../net/slaac";
import { initializeNetworkInformation, NETWORK_INFORMATION_SIZE } from "../net/netinfo";
import { initializeNetwork } from "../net/stack";
import { initializeSocketCalls, SOCKET_CALLS_STORAGE } from "../net/socket/calls";
import { chooseCongestionControl } from "../net/socket/tcp/congestion";
import { initializeTcp } from "../net/socket/tcp/tcp";

/** For the build: one past the static data (tools/instance.ts). */
export const dataEnd: usize = __heap_base;

// What boot/ reads, writes and calls.
export {
  exitWork,
  kernelStackTop,
  quietCall,
  upcallArgument1,
  upcallArgument2,
  upcallArgument3,
  upcallArgument4,
  upcallArgument5,
} from "./glue";
export { copyFault, exception, kernelException } from "./interrupts/exceptions";
export { vmtableEnd } from "./process/calls";
export { growMemory as memoryGrow } from "./process/create";
export { serve } from "./process/workers";
export { giveWay, reschedule } from "./scheduler/preempt";
export { kernelTrap, trap } from "./process/trap";
export { refused } from "./process/usage";

// The system-call table: an application imports each by the name behind `sys_`.
export {
  sys_clock_gettime,
  sys_enter_keepalive,
  sys_exit,
  sys_getpid,
  sys_getrandom,
  sys_kill,
  sys_log,
  sys_nanosleep,
  sys_sigtake,
} from "./process/calls";
export { sys_fork, sys_spawn, sys_waitpid } from "./process/family";
export { sys_processinfo } from "./process/processinfo";
export {
  sys_accept,
  sys_bind,
  sys_close,
  sys_connect,
  sys_getpeername,
  sys_getsockname,
  sys_listen,
  sys_shutdown,
  sys_socket,
} from "../net/socket/calls";
export { sys_netinfo } from "../net/netinfo";
export { sys_recv, sys_recvfrom } from "../net/socket/calls-receive";
export { sys_send, sys_sendmsg, sys_sendto } from "../net/socket/calls-send";
export { sys_poll } from "../net/socket/calls-poll";
export { sys_getsockopt, sys_setsockopt } from "../net/socket/calls-options";
export { sys_getpidof } from "./process/names";
export { sys_evctl } from "../aem/evctl";
export { sys_evpost } from "../aem/evpost";
export { sys_evsystem } from "../aem/evsystem";
export { sys_evtimer } from "../aem/evtimer";
export {
  sys_sockasync_accept,
  sys_sockasync_close,
  sys_sockasync_read,
  sys_sockasync_sk,
  sys_sockasync_sock,
} from "../aem/sockasync";
export { sys_sysinfo } from "../aem/sysinfo";
export { sys_vmtable_free, sys_vmtable_keep } from "../aem/vmtable";

/** Status with which the machine ends when it could not be started. */
const BOOT_FAILED: u32 = 100;
const CPUID_ECX_RDRAND: u32 = 1 << 30;
const ENTROPY_BYTES: u32 = 64;
/** Packets that are on their way from this machine to itself. */
const LOOPBACK_QUEUE: u32 = 1024;
const UDP_SOCKETS: u32 = 4096;
/** Threads of all processes. */
const THREAD_LIMIT: u32 = 4096;
/** How long the start of the applications waits for DHCP. */
const ADDRESS_WAIT: u64 = 10_000_000_000;

/** From boot/start.c: interrupts off, on the boot stack. Does not return. */
export function main(): void {
  if (initializeSerial()) setConsoleSink(serialPut.index);
  setClockStart(((<u64>image(IMAGE_START_TSC_HIGH)) << 32) | (<u64>image(IMAGE_START_TSC_LOW)));
  if (!readBootInfo()) fail("the loader is not a multiboot loader, or gave no memory map");
  setLogOption();
  initializeMemory();
  initializeInterrupts();
  pciScan();
  initializeEntropy();
  initializeProcessesAndThreads();
  startNetwork();
  startAem();
  if (findOption("panic")) panic("asked for on the command line");
  waitForAddress();
  startModules();
  startScheduler(logReady.index);
}

/** Ends the boot with a message: what is missing is outside of the kernel. */
function fail(reason: string): void {
  log(LOG_ERROR, "boot", reason);
  consoleFlush();
  exit(BOOT_FAILED);
}

function setLogOption(): void {
  if (!findOption("log")) return;
  const level = optionNumber();
  if (level >= 0 && level <= 7) setLogLevel(<u32>level);
  else log(LOG_WARNING, "boot", "log= wants a level from 0 to 7");
}

function initializeMemory(): void {
  if (!initializePhysicalMemory() || !protectKernel()) fail("not enough memory");
}

function initializeInterrupts(): void {
  if (!initializeApic()) fail("the processor has no APIC");
  const timers = allocateFrames(0);
  if (timers == 0) fail("not enough memory");
  initializeTimers(timers);
  if (!addTimerLevel(POLL_LEVEL_DEFAULT) || !initializeVectors()) fail("not enough memory");
  initializePolls(need(POLL_STORAGE));
  setPoll(POLL_TIMERS, timerPoll.index);
  if (initializeDeadline(need(TIMER_SIZE)) == 0) fail("the 8254 timer does not count: no clock");
  initializeRing(need(RING_STORAGE));
  setConsoleFlush(serialFlush.index);
  setConsoleRoom(serialRoom.index);
}

/** A piece of permanent memory, or the end of the boot. */
function need(bytes: usize): usize {
  const address = permanent(bytes);
  if (address == 0) fail("not enough memory");
  return address;
}

/** Random numbers decide sequence numbers, ports and hash keys: from virtio-rng and RDRAND, and never from the clock alone without a word. */
function initializeEntropy(): void {
  initializeRandom(need(RANDOM_SIZE));
  seedRandom(tsc());
  let sources = 0;
  if ((cpuid(1, 0, 2) & CPUID_ECX_RDRAND) != 0) {
    for (let i = 0; i < 4; i++) seedRandom(rdrand());
    sources++;
  }
  const bytes = need(ENTROPY_BYTES);
  if (virtioRngProbe() && virtioRngRead(bytes, ENTROPY_BYTES) == ENTROPY_BYTES) {
    for (let i: u32 = 0; i < ENTROPY_BYTES; i += 8) seedRandom(load<u64>(bytes + i));
    sources++;
  }
  if (sources == 0)
    log(LOG_WARNING, "random", "no entropy: neither RDRAND nor virtio-rng; sequence numbers can be guessed");
  keySipHash();
}

/** Most connections in TIME-WAIT for each frame: 16 % of the memory. With 256 MB that is 640,000: 10,000 closed in each second for 2 MSL. */
const TIME_WAITS_PER_FRAME: u32 = 10;

/** Limits follow from the memory: a quarter of it may be packets, and a connection counts with 2 KiB. */
function startNetwork(): void {
  const frames = totalFrameCount();
  const buffers = (frames / 4) * <u32>(FRAME_SIZE / BUFFER_SIZE);
  if (!initializeNetwork(buffers, LOOPBACK_QUEUE, UDP_SOCKETS, buffers / 4))
    fail("not enough memory for the network");
  if (!initializeTcp(frames * 2, frames * TIME_WAITS_PER_FRAME)) fail("not enough memory for the network");
  chooseCongestionControl(congestionControl());
  initializeSocketCalls(need(SOCKET_CALLS_STORAGE));
  initializeNetworkInformation(need(NETWORK_INFORMATION_SIZE));
  setPoll(POLL_RECEIVE, receive.index);
  setPoll(POLL_PACKETS, packetsPoll.index);
  setPoll(POLL_OUTPUT, flush.index);
  if (findOption("dns") && parseDnsOption(optionAddress, optionLength, need(CONFIG_STORAGE)) < 0)
    fail("the command line's dns= cannot be used");
  const device = virtioNetProbe();
  if (device === null) {
    log(LOG_ERROR, "net", "no network device (virtio-net): applications reach this machine only");
    return;
  }
  attachDevice(device);
  if (findOption("vlan") && !setVlan(optionNumber()))
    fail("the command line's vlan= wants a number from 0 to 4094");
  if (findOption("ip6")) {
    const result = parseIp6Option(optionAddress, optionLength, need(CONFIG6_STORAGE));
    if (result < 0) fail("the command line's ip6= cannot be used");
    if (result != IP6_OFF) startIpv6();
  } else {
    startIpv6();
  }
  if (findOption("ip")) {
    const result = parseIpOption(optionAddress, optionLength);
    if (result < 0) fail("the command line's ip= cannot be used");
    if (result != IP_DHCP) return;
  }
  dhcpStart(0);
}

/** What comes in from this machine itself, and from the device. */
function receive(level: u32): bool {
  loopbackPoll();
  virtioNetPoll();
  // Both say themselves when they have left something, at the level that holds then.
  return false;
}

function flush(level: u32): bool {
  networkDoorbell();
  return false;
}

/** Applications may connect in their first instruction: they start when there is an address, or when none has come for a while. */
function waitForAddress(): void {
  if (changetype<usize>(networkInterface().device) == 0) return;
  const limit = now() + ADDRESS_WAIT;
  while (true) {
    const more = runPolls();
    if (networkInterface().address != 0) return;
    if (now() >= limit) break;
    // As in the scheduler: not to halt with work at hand.
    if (more) {
      const vector = poll();
      if (vector >= 0) handleVector(vector);
    } else {
      armDeadline(limit);
      handleVector(idle());
    }
  }
  log(LOG_WARNING, "net", "still no address; the applications start without");
}

function startAem(): void {
  const frames = totalFrameCount();
  // With its jid an event is less than 100 bytes, and one in eight may have 352 more: at most 55 % of the memory.
  initializeAem(need(AEM_STORAGE), frames * 16, frames * 16, frames);
  initializeSystemInformation(need(SYSTEM_INFORMATION_SIZE));
}

function initializeProcessesAndThreads(): void {
  initializeScheduler(need(SCHEDULER_STORAGE));
  startReserve(reservePercent());
  initializeThreads(need(THREAD_STORAGE), THREAD_LIMIT);
  initializeProcesses(need(PROCESS_STORAGE));
  initializeEnd(need(END_STORAGE), onLastExit.index);
  initializeTraps();
  initializeFamily(need(4));
  initializeModules(need(NAME_LIMIT));
  setPoll(POLL_REAP, reapPoll.index);
  initializeHandles(need(HANDLE_STORAGE));
  initializeProcessCalls(need(256));
  initializeNames(need(NAME_STORAGE));
  initializeProcessInformation(need(PROCESS_INFORMATION_SIZE));
  initializeVmtables(changetype<Pool>(need(offsetof<Pool>())), PROCESS_LIMIT);
}

/** One process for each module that is linked in; one that does not fit is said by name. */
function startModules(): void {
  for (let i: u32 = 0; i < moduleCount(); i++) {
    const module = moduleDescriptor(i);
    if (module.onDemand != 0) continue;
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

/** Every process waits for events for the first time: what they listen to can be reached. */
function logReady(): void {
  if (!logStart(LOG_NOTICE, "aemos")) return;
  logText("ready in ");
  logDecimal(now() / 1_000_000);
  logText(" ms, ");
  logDecimal(((<u64>freeFrameCount()) << 12) >> 10);
  logText(" of ");
  logDecimal(((<u64>totalFrameCount()) << 12) >> 10);
  logText(" KiB free");
  logEnd();
}

function onLastExit(status: i32): void {
  if (logStart(LOG_NOTICE, "aemos")) {
    logText("the last process has ended, status ");
    logDecimal(status);
    logEnd();
  }
  consoleFlush();
  exit(<u32>status > 127 ? 127 : <u32>status);
}

/** From the stub: an interrupt while an application ran. */
export function interrupt(vector: u32): void {
  // What is for lower levels is left until theirs has its turn.
  deferPolls(currentThread().priority);
  handleVector(vector);
  if (pollLevels != 0) workAfterInterrupt();
  deferPolls(0);
  if (exitWork & WORK_RESCHEDULE) preempt();
}

/** From the glue, with WORK_DISPATCH at the end of a system call: the next handler's code address, or 0. */
export function dispatch(): usize {
  return dispatchNext();
}

/** The same when the handler has returned that one of the two gave; `result` is what it returned, if it is an allocator. */
export function handlerReturned(result: u32): usize {
  return dispatchAfter(result);
}
